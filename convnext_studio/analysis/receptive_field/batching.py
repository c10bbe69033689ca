"""Batch inputs by time and memory, and use smaller batches if memory runs out."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from convnext_studio.common.errors import InputTooLarge, StudioError
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory

Result = TypeVar("Result")

LARGEST = 64
CPU_PIXELS = 2 * 224 * 224
"""Pixels in a batch on a CPU. Two inputs of 224 px take 0.86 of their separate times, and four gain no more."""
STEP_S = 1.0
"""Approximate duration of a batch on other devices, short enough that one can watch the field grow."""
_SMALLEST_OFFERED_PX = 32
_SHARE_OF_FREE_MEMORY = 0.7


def in_batches(
    inputs: Iterable[Tensor], compute: Callable[[Tensor], Result], largest: int = LARGEST
) -> Iterator[Result]:
    """Join inputs (1, C, H, W) of the same size into batches, and yield the result of each batch.

    On a graphics device the first input is computed alone, to measure how much time and memory one input needs.
    If memory runs out, the batch is halved and its inputs are tried again.

    Parameters
    ----------
    compute
        Called with a batch (N, C, H, W), and again with parts of it if memory ran out.
    largest
        The largest batch.

    Raises
    ------
    InputTooLarge
        If not even one input fits into memory; the error suggests a smaller size.
    """
    remaining = iter(inputs)
    waiting = list(islice(remaining, 1))
    size = min(_first_size(waiting[0]), largest) if waiting else 1
    while True:
        waiting += islice(remaining, max(size - len(waiting), 0))
        if not waiting:
            return
        count = min(size, len(waiting))
        meter = _Meter(waiting[0].device, count)
        try:
            result = compute(torch.cat(waiting[:count]))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if count == 1:
                raise _too_large(waiting[0].shape[2], error) from error
            size = largest = count // 2
        else:
            waiting = waiting[count:]
            size = min(meter.next_size(size), largest)
            yield result


def _first_size(tensor: Tensor) -> int:
    return max(1, CPU_PIXELS // (tensor.shape[2] * tensor.shape[3])) if tensor.device.type == "cpu" else 1


class _Meter:
    """Measures the time and memory of a batch, to choose the size of the next one."""

    def __init__(self, device: torch.device, count: int) -> None:
        self._device, self._count = device, count
        self._start_s = time.perf_counter()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._free_bytes, _ = torch.cuda.mem_get_info(self._device)
            self._held_bytes = torch.cuda.memory_allocated(self._device)

    def next_size(self, size: int) -> int:
        """Return how many inputs fit into memory and into `STEP_S`; on a CPU, as many as before."""
        if self._device.type == "cpu":
            return size
        each_s = (time.perf_counter() - self._start_s) / self._count
        bounds = [STEP_S / max(each_s, 1e-6)]
        if self._device.type == "cuda":
            each_bytes = (torch.cuda.max_memory_allocated(self._device) - self._held_bytes) / self._count
            bounds.append(_SHARE_OF_FREE_MEMORY * self._free_bytes / max(each_bytes, 1))
        return max(1, int(min(bounds)))


def _too_large(side_px: int, error: BaseException) -> StudioError:
    is_of_device = not is_of_computer(error)
    where = "The graphics device's" if is_of_device else "The computer's"
    message = f"{where} memory is too small for an input of {side_px} px to this network."
    or_the_cpu = ", or the CPU" if is_of_device else ""
    smaller_px = max(_SMALLEST_OFFERED_PX, side_px * 3 // 4 // 32 * 32)
    if smaller_px >= side_px:
        return StudioError(message, f"Choose a smaller model{or_the_cpu}.", is_of_device)
    hint = f"Choose a smaller input size, such as {smaller_px} px{or_the_cpu}."
    return InputTooLarge(message, hint, smaller_px, is_of_device)
