"""Turns errors in a computation into messages for users."""

import sys

from convnext_studio.common.errors import InputTooLarge, StudioError, first_line
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory, is_torch_error
from convnext_studio.protocol.envelope import Failed


def is_expected(error: BaseException) -> bool:
    """Whether an error needs no traceback: a `StudioError`, or a lack of memory."""
    return isinstance(error, StudioError) or is_out_of_memory(error)


def poisons_device(error: BaseException) -> bool:
    """Whether the graphics device can no longer be used in this process."""
    if not is_torch_error(error, "AcceleratorError"):
        return False
    # Many errors leave the device usable (a missing kernel, say). The others recur at the next synchronisation.
    cuda = sys.modules["torch"].cuda
    try:
        for device in range(cuda.device_count()):
            cuda.synchronize(device)
    except RuntimeError:
        return True
    return False


def failure(identifier: int, error: Exception) -> Failed:
    """Return the answer to a request whose computation raised `error`."""
    if isinstance(error, StudioError):
        smaller_px = error.smaller_px if isinstance(error, InputTooLarge) else 0
        return Failed(
            id=identifier,
            message=error.message,
            hint=error.hint,
            smaller_px=smaller_px,
            offers_cpu=error.offers_cpu,
        )
    if is_out_of_memory(error):
        if is_of_computer(error):
            message, hint = "The computer's memory has run out.", "Use a smaller input or a smaller model."
        else:
            message, hint = "The graphics device's memory has run out.", "Use a smaller input, or the CPU."
        return Failed(id=identifier, message=message, hint=hint, offers_cpu=not is_of_computer(error))
    if is_torch_error(error, "AcceleratorError"):
        return Failed(
            id=identifier,
            message=f"The graphics device reported an error ({first_line(error)}).",
            hint="Try again, or use the CPU.",
        )
    return Failed(
        id=identifier,
        message=f"An internal error occurred ({type(error).__name__}: {first_line(error)}).",
        hint="The terminal shows the details.",
    )
