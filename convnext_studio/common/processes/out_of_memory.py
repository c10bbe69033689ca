"""Recognise errors that mean that memory has run out, on any device."""

import errno

_TEXTS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")
_TEXTS_OF_IMPORTS = ("cannot allocate memory", "failed to map segment", "paging file is too small")
"""What the systems say, in small letters, where a library does not fit into memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory has run out, on the computer or on a graphics device."""
    if isinstance(error, MemoryError) or is_torch_error(error, "OutOfMemoryError"):
        return True
    if isinstance(error, ImportError):
        return _is_too_large_import(error)
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM or _is_too_large_import(error)
    # The allocators for CPU and MPS, and the CUDA libraries, raise a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def _is_too_large_import(error: BaseException) -> bool:
    text = str(error).lower()
    return any(known in text for known in _TEXTS_OF_IMPORTS)


def is_torch_error(error: BaseException, name: str) -> bool:
    """Return whether an error is of torch's class with that name.

    The class is compared by name, so that a process without torch need not import it.
    """
    return any(kind.__module__ == "torch" and kind.__name__ == name for kind in type(error).__mro__)


def is_of_computer(error: BaseException) -> bool:
    """Return whether an out-of-memory error concerns the computer's memory and not a device's."""
    return isinstance(error, MemoryError | ImportError | OSError) or "CPUAllocator" in str(error)
