"""How many inputs are computed at a time: all of them in order, and fewer where memory or time is short."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from convnext_studio.analysis.receptive_field import batching
from convnext_studio.analysis.receptive_field.batching import in_batches
from convnext_studio.common.errors import InputTooLarge, StudioError


def inputs(count: int, side: int = 2) -> list[torch.Tensor]:
    """Inputs whose values are their numbers."""
    return [torch.full((1, 1, side, side), float(number)) for number in range(count)]


def numbers_of(batch: torch.Tensor) -> list[int]:
    return [int(number) for number in batch[:, 0, 0, 0]]


@pytest.mark.parametrize(
    ("side", "size"),
    # 2 · 224² = 100,352 pixels at a time: 224² twice, 225² once, 158² = 24,964 four times.
    [(224, 2), (225, 1), (1024, 1), (158, 4), (159, 3), (112, 8)],
)
def test_a_processor_takes_two_inputs_of_224_pixels_or_as_much_as_them(side: int, size: int) -> None:
    sizes = list(in_batches((torch.zeros(1, 1, side, side) for _ in range(9)), len))
    assert sizes == [size] * (9 // size) + ([9 % size] if 9 % size else [])


@pytest.mark.parametrize("largest", [1, 2, 5, 64, 100])
def test_everything_comes_once_and_in_order(largest: int) -> None:
    found = list(in_batches(inputs(130), numbers_of, largest))
    assert [number for batch in found for number in batch] == list(range(130))
    assert {len(batch) for batch in found[:-1]} <= {largest}
    assert len(found[-1]) == 130 - largest * (len(found) - 1)


def test_64_are_the_most() -> None:
    assert [len(batch) for batch in in_batches(inputs(130), numbers_of)] == [64, 64, 2]


def test_nothing_gives_nothing() -> None:
    assert list(in_batches([], numbers_of)) == []


def test_inputs_are_not_asked_for_before_they_are_needed() -> None:
    asked: list[int] = []

    def given() -> Any:
        for number, tensor in enumerate(inputs(7)):
            asked.append(number)
            yield tensor

    work = in_batches(given(), numbers_of, 3)
    assert next(work) == [0, 1, 2]
    assert asked == [0, 1, 2]
    assert list(work) == [[3, 4, 5], [6]]


def test_after_memory_ran_out_no_batch_is_larger_again() -> None:
    calls: list[int] = []

    def compute(batch: torch.Tensor) -> list[int]:
        calls.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return numbers_of(batch)

    found = list(in_batches(inputs(11), compute, 9))
    assert [number for batch in found for number in batch] == list(range(11))
    assert calls == [9, 4, 2, 2, 2, 2, 2, 1]


def test_other_errors_are_raised() -> None:
    def fail(_: torch.Tensor) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_batches(inputs(3), fail))


@pytest.mark.parametrize(
    ("side", "error", "message", "hint", "smaller"),
    [
        # Three quarters, rounded down to a multiple of 32.
        (
            224,
            torch.OutOfMemoryError("CUDA out of memory"),
            "The graphics device's",
            "such as 160 px, or the CPU.",
            160,
        ),
        (
            1024,
            torch.OutOfMemoryError("CUDA out of memory"),
            "The graphics device's",
            "such as 768 px, or the CPU",
            768,
        ),
        (64, MemoryError(), "The computer's memory is too small for an input of 64 px", "such as 32 px.", 32),
        (33, MemoryError(), "The computer's memory is too small for an input of 33 px", "such as 32 px.", 32),
        (32, MemoryError(), "The computer's", "Choose a smaller model.", None),
        (
            16,
            torch.OutOfMemoryError("CUDA out of memory"),
            "for an input of 16 px",
            "smaller model, or the CPU.",
            None,
        ),
    ],
)
def test_a_smaller_size_is_offered_where_there_is_one(
    side: int, error: Exception, message: str, hint: str, smaller: int | None
) -> None:
    def fail(_: torch.Tensor) -> None:
        raise error

    with pytest.raises(StudioError) as refused:
        list(in_batches(inputs(2, side), fail))
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert isinstance(refused.value, InputTooLarge) == (smaller is not None)
    if isinstance(refused.value, InputTooLarge):
        assert refused.value.smaller_px == smaller


class FakeGraphicsDevice:
    """Stands for the memory and the clock of a graphics device: each input takes 2 s/10 and 100 bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, each_s: float, each_bytes: int, free: int) -> None:
        self.now, self.resets = 0.0, 0
        self.each_s, self.each_bytes = each_s, each_bytes
        self.held, self.peak = 1000, 0
        fakes = {
            "reset_peak_memory_stats": self._reset,
            "mem_get_info": lambda _: (free, 10**12),
            "memory_allocated": lambda _: self.held,
            "max_memory_allocated": lambda _: self.peak,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(batching, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def _reset(self, device: torch.device) -> None:
        assert device == torch.device("cuda")
        self.peak, self.resets = self.held, self.resets + 1

    def compute(self, count: int) -> None:
        """Take the time and the memory of so many inputs."""
        self.now += count * self.each_s
        self.peak = self.held + count * self.each_bytes

    def next_after(self, count: int) -> int:
        """The size of the batch after one of that size."""
        meter = batching._Meter(torch.device("cuda"), count)
        self.compute(count)
        return meter.next_size(count)


@pytest.mark.parametrize(
    ("each_s", "each_bytes", "free", "size"),
    [
        (0.1, 1, 10**9, 10),  # As many as take a second.
        (0.3, 1, 10**9, 3),
        (3.0, 1, 10**9, 1),
        (0.001, 100, 10_000, 70),  # As many as fit into 70 % of what is free.
        (0.001, 100, 20_000, 140),
        (0.001, 10**6, 100, 1),
        (0.0, 0, 10**9, 700_000_000),  # Too quick to be measured, and without memory.
        (0.0, 0, 10**12, 1_000_000),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_a_graphics_device_takes_what_its_memory_and_a_second_allow(
    each_s: float, each_bytes: int, free: int, size: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FakeGraphicsDevice(monkeypatch, each_s=each_s, each_bytes=each_bytes, free=free)
    if each_s == 0:
        size = min(size, 1_000_000)
    assert device.next_after(count) == pytest.approx(size, abs=1 if size > 99 else 0)
    assert device.resets == 1


def test_other_devices_are_measured_by_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=5.0)
    monkeypatch.setattr(batching, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    meter = batching._Meter(torch.device("mps"), 2)
    clock.now += 0.5
    assert meter.next_size(2) == 4
    assert batching._first_size(torch.zeros(1, 1, 2, 2, device="meta")) == 1
    assert batching._Meter(torch.device("cpu"), 2).next_size(7) == 7
