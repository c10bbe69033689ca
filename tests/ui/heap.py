"""How much of the C library's heap is in use, which tells what Qt and PySide keep."""

import ctypes
import gc
import sys

import pytest


class _MallInfo(ctypes.Structure):
    # As in malloc.h.
    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names.split())


def heap_bytes() -> int:
    """The bytes in use after all garbage is gone; skips a test where they cannot be counted."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallinfo2"):
        pytest.skip("needs the C library of GNU")
    gc.collect()
    library.mallinfo2.restype = _MallInfo
    return int(library.mallinfo2().uordblks)
