"""Hand freed memory back to the system, which the C library keeps for later otherwise."""

import ctypes
import sys


def hand_back_freed_memory() -> None:
    """Return to the system what is freed; do nothing where the C library is not GNU's.

    Worth its time, some 10 ms for each 100 MB, where much was freed at once: arrays of less than 32 MB lie on
    the heap, and one small object behind them keeps all of it from shrinking by itself. May be called from any
    thread.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
