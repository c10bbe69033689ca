"""Run many evaluations in batches, and use smaller batches if memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory

Result = TypeVar("Result")


def batch_size(device: torch.device, *, with_gradients: bool = False) -> int:
    """Return how many pictures to run at once; a CPU gains little from more, and must stay interruptible."""
    if device.type == "cpu":
        return 2 if with_gradients else 4
    return 16 if with_gradients else 64


def run_with_smaller_batches(size: int, compute: Callable[[int], Result]) -> tuple[Result, int]:
    """Call ``compute(size)``, halving the size while memory runs out; return the result and the final size.

    Raises
    ------
    StudioError
        If there is not enough memory for a single picture.
    """
    while True:
        try:
            return compute(size), size
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise _too_little_memory(error) from error
        # Not inside the except block, because the exception keeps the tensors of the failed call alive.
        size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def in_batches(count: int, size: int, evaluate: Callable[[range], Result]) -> Iterator[tuple[range, Result]]:
    """Evaluate the indices 0 to count - 1 in batches of at most `size`; yield each batch and its result."""
    start = 0
    while start < count:
        first = start

        def compute(size: int, first: int = first) -> tuple[range, Result]:
            batch = range(first, min(first + size, count))
            return batch, evaluate(batch)

        done, size = run_with_smaller_batches(size, compute)
        yield done
        start = done[0].stop


def _too_little_memory(error: BaseException) -> StudioError:
    if is_of_computer(error):
        return StudioError(
            "The computer does not have enough memory, even for one picture at a time.",
            "Use a smaller input or a smaller model.",
        )
    return StudioError(
        "The graphics device does not have enough memory, even for one picture at a time.",
        "Use the CPU (device cpu), a smaller input or a smaller model.",
    )
