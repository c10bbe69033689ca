"""Which errors say that memory has run out; no torch, so that it can be asked where torch is not imported."""

_TEXTS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the computer's or a device's memory has run out."""
    # By name, because an error of torch's can only exist where torch is imported.
    if isinstance(error, MemoryError) or any(
        kind.__module__ == "torch" and kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__
    ):
        return True
    # The allocators of the CPU and of Apple's devices, and the CUDA libraries, raise a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def is_of_computer(error: BaseException) -> bool:
    """Whether memory that ran out is the computer's, not a device's."""
    return isinstance(error, MemoryError) or "CPUAllocator" in str(error)
