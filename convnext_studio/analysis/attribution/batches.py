"""Many evaluations in batches, which shrink by themselves where memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.common.memory import is_of_computer, is_out_of_memory

Result = TypeVar("Result")


def batch_size(device: torch.device, *, with_gradients: bool = False) -> int:
    """Pictures that a device takes at once; a CPU gains little from more, and has to step aside soon."""
    if device.type == "cpu":
        return 2 if with_gradients else 4
    return 16 if with_gradients else 64


def fitting(size: int, compute: Callable[[int], Result]) -> tuple[Result, int]:
    """Call ``compute(size)``, with half the size for as long as memory runs out; also the size that fitted.

    Raises
    ------
    StudioError
        Where memory does not suffice for one.
    """
    while True:
        try:
            return compute(size), size
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise _too_little_memory(error) from error
        # Not in the handler: only here the tensors of the failed call are let go.
        size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def in_batches(count: int, size: int, evaluate: Callable[[range], Result]) -> Iterator[tuple[range, Result]]:
    """Evaluate 0 .. count - 1 in batches of at most `size`, giving each batch and its result."""
    start = 0
    while start < count:
        first = start

        def compute(size: int, first: int = first) -> tuple[range, Result]:
            batch = range(first, min(first + size, count))
            return batch, evaluate(batch)

        done, size = fitting(size, compute)
        yield done
        start = done[0].stop


def _too_little_memory(error: BaseException) -> StudioError:
    if is_of_computer(error):
        return StudioError(
            "The computer's memory does not suffice, even for one picture at a time.",
            "Use a smaller input or a smaller model.",
        )
    return StudioError(
        "The graphics device's memory does not suffice, even for one picture at a time.",
        "Use the CPU (device cpu), a smaller input or a smaller model.",
    )
