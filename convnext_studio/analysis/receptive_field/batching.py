"""As many inputs at a time as pay off and fit, and fewer where memory runs out."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from convnext_studio.errors import StudioError
from convnext_studio.memory import is_out_of_memory

Result = TypeVar("Result")

LARGEST = 64
CPU_PIXELS = 4 * 224 * 224
"""Pixels of a batch on a processor: four of 224 px take 0.86 of their time one by one, and eight no less."""
STEP_S = 1.0
"""A batch takes about so long, so that people see the field grow."""
_SHARE_OF_FREE_MEMORY = 0.7


def in_batches(
    inputs: Iterable[Tensor], compute: Callable[[Tensor], Result], largest: int = LARGEST
) -> Iterator[Result]:
    """Compute over inputs (1, C, H, W) of one size, joined into batches.

    The first is computed alone, which tells how much time and memory one takes. Where memory runs out, the
    batch is halved and its inputs are tried again.

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
    remaining, size = iter(inputs), 1
    waiting: list[Tensor] = []
    while True:
        waiting += islice(remaining, max(size - len(waiting), 0))
        if not waiting:
            return
        batch = torch.cat(waiting[:size])
        meter = _Meter(batch)
        try:
            result = compute(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise _too_large(batch) from error
            size = largest = len(batch) // 2
        else:
            waiting = waiting[len(batch) :]
            size = min(meter.next_size(), largest)
            yield result


class _Meter:
    """What a batch takes, to tell how large the next may be."""

    def __init__(self, batch: Tensor) -> None:
        self._batch, self._start_s = batch, time.perf_counter()
        if batch.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(batch.device)
            self._free_bytes, _ = torch.cuda.mem_get_info(batch.device)
            self._held_bytes = torch.cuda.memory_allocated(batch.device)

    def next_size(self) -> int:
        """How many inputs take a step's time, pay off and fit; at least 1."""
        count, _, height, width = self._batch.shape
        each_s = (time.perf_counter() - self._start_s) / count
        bounds = [STEP_S / max(each_s, 1e-6)]
        if self._batch.device.type == "cpu":
            bounds.append(CPU_PIXELS / (height * width))
        elif self._batch.device.type == "cuda":
            peak_bytes = torch.cuda.max_memory_allocated(self._batch.device) - self._held_bytes
            bounds.append(_SHARE_OF_FREE_MEMORY * self._free_bytes * count / max(peak_bytes, 1))
        return max(1, int(min(bounds)))


def _too_large(batch: Tensor) -> StudioError:
    side = batch.shape[2]
    where = "The computer's" if batch.device.type == "cpu" else "The graphics device's"
    return StudioError(
        f"{where} memory does not take an input of {side} px for this network.",
        f"Choose a smaller input size, such as {max(32, side * 3 // 4 // 32 * 32)} px.",
    )
