"""As many inputs at a time as pay off and fit, and fewer where memory runs out."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from convnext_studio.errors import StudioError
from convnext_studio.memory import is_out_of_memory

Result = TypeVar("Result")

CPU_PIXELS = 4 * 224 * 224
"""Input pixels of a batch on a processor: four of 224 px take 0.86 of their time one by one, and eight no less."""
LARGEST = 64
_SHARE_OF_FREE_MEMORY = 0.7


def in_batches(
    inputs: Iterable[Tensor], compute: Callable[[Tensor], Result], largest: int = LARGEST
) -> Iterator[Result]:
    """Compute over inputs (1, C, H, W) of one size, joined into batches.

    Where memory runs out, the batch is halved and its inputs are tried again.

    Parameters
    ----------
    compute
        Gets a batch (N, C, H, W), and is called again with parts of it where it ran out of memory.
    largest
        Bound on the batch.

    Raises
    ------
    StudioError
        Where not even one input fits into memory; the hint gives a smaller size.
    """
    remaining = iter(inputs)
    waiting = list(islice(remaining, 1))
    size = min(_first_size(waiting[0]), largest) if waiting else 0
    while waiting:
        waiting += islice(remaining, max(size - len(waiting), 0))
        taken = waiting[:size]
        free, before = _free_bytes(taken[0]), _allocated_bytes(taken[0])
        try:
            result = compute(torch.cat(taken))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(taken) == 1:
                raise _too_large(taken[0]) from error
            size = len(taken) // 2
            largest = size
        else:
            yield result
            size = min(_next_size(taken, size, free, before), largest)
            waiting = waiting[len(taken) :] or list(islice(remaining, 1))


def _first_size(tensor: Tensor) -> int:
    if tensor.device.type != "cpu":
        return 1  # What one takes tells how many fit.
    return max(1, CPU_PIXELS // (tensor.shape[2] * tensor.shape[3]))


def _next_size(taken: list[Tensor], size: int, free: int, before: int) -> int:
    """How many fit, after one has shown what it takes."""
    if taken[0].device.type != "cuda" or len(taken) > 1:
        return size
    peak = torch.cuda.max_memory_allocated(taken[0].device) - before
    return max(1, int(_SHARE_OF_FREE_MEMORY * free / max(peak, 1)))


def _free_bytes(tensor: Tensor) -> int:
    return torch.cuda.mem_get_info(tensor.device)[0] if tensor.device.type == "cuda" else 0


def _allocated_bytes(tensor: Tensor) -> int:
    if tensor.device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(tensor.device)
    return torch.cuda.memory_allocated(tensor.device)


def _too_large(tensor: Tensor) -> StudioError:
    side = tensor.shape[2]
    where = "The computer's" if tensor.device.type == "cpu" else "The graphics device's"
    return StudioError(
        f"{where} memory does not take an input of {side} px for this network.",
        f"Choose a smaller input size, such as {max(32, side * 3 // 4 // 32 * 32)} px.",
    )
