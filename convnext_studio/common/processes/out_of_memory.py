"""Recognise errors that mean that memory has run out, on any device."""

_TEXTS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory has run out, on the computer or on a graphics device."""
    if isinstance(error, MemoryError) or is_torch_error(error, "OutOfMemoryError"):
        return True
    # The allocators for CPU and MPS, and the CUDA libraries, raise a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def is_torch_error(error: BaseException, name: str) -> bool:
    """Return whether an error is of torch's class with that name.

    The class is compared by name, so that a process without torch need not import it.
    """
    return any(kind.__module__ == "torch" and kind.__name__ == name for kind in type(error).__mro__)


def is_of_computer(error: BaseException) -> bool:
    """Return whether an out-of-memory error concerns the computer's memory and not a device's."""
    return isinstance(error, MemoryError) or "CPUAllocator" in str(error)
