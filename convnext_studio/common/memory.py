"""Whether an error means that memory has run out, on whatever device."""

_TEXTS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out: the computer's, or a graphics device's."""
    if isinstance(error, MemoryError) or is_torch_error(error, "OutOfMemoryError"):
        return True
    # The allocators of the CPU and of Apple's devices, and the CUDA libraries, raise a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def is_torch_error(error: BaseException, name: str) -> bool:
    """Whether it is torch's error of that name.

    By name: a process that has not imported torch can have no such error, and need not import it to know.
    """
    return any(kind.__module__ == "torch" and kind.__name__ == name for kind in type(error).__mro__)


def is_of_computer(error: BaseException) -> bool:
    """Whether memory that ran out is the computer's, not a device's."""
    return isinstance(error, MemoryError) or "CPUAllocator" in str(error)
