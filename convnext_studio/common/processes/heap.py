"""What the C library does with memory: in a child from its start, and after large arrays are freed."""

import ctypes
import sys
from collections.abc import Mapping

_TUNABLES = "GLIBC_TUNABLES"
_HUGE_PAGES = "glibc.malloc.hugetlb"
# Of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LEAST_RETURNED_BYTES = 4 << 20


def with_huge_pages(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child whose heap asks the system for huge pages.

    A pass of a network allocates and frees hundreds of megabytes. In pages of 4 kB, forward and backward of
    ConvNeXt-T meet 50,000 page faults in place of 700, and take about a seventh longer. GNU's C library reads
    this variable from version 2.35 on, and other libraries ignore it. What the person chose for huge pages
    stays.
    """
    chosen = environment.get(_TUNABLES, "")
    if _HUGE_PAGES in chosen:
        return dict(environment)
    return dict(environment) | {_TUNABLES: ":".join(filter(None, (chosen, f"{_HUGE_PAGES}=1")))}


def return_large_blocks_at_once() -> None:
    """Have this process return freed memory to the system in blocks of 4 MB; do nothing without GNU's library.

    By itself, that library keeps ever larger blocks: after a picture of 30 MB was freed once, up to 60 MB of
    freed memory stay with each thread that allocates. How much that is changes with every picture, so that a
    window that leaks nothing grows and shrinks by 12 MB.
    """
    library = _gnu_library()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _LEAST_RETURNED_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _LEAST_RETURNED_BYTES)


def hand_back_freed_memory() -> None:
    """Return to the system what is freed; do nothing where the C library is not GNU's.

    Worth its time, some 10 ms for each 100 MB, where much was freed at once: arrays of less than 32 MB lie on
    the heap, and one small object behind them keeps all of it from shrinking by itself. May be called from any
    thread.
    """
    library = _gnu_library()
    if library is not None:
        library.malloc_trim(0)


def _gnu_library() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "malloc_trim") else None
