"""Batches shrink if memory runs out, and an error says so if a single picture does not fit."""

from collections.abc import Callable

import pytest
import torch

from convnext_studio.analysis.attribution.batches import in_batches
from convnext_studio.common.errors import StudioError


def fitting_at_most(
    limit: int, calls: list[int], error: type[Exception] = torch.OutOfMemoryError
) -> Callable[[range], list[int]]:
    def evaluate(batch: range) -> list[int]:
        calls.append(len(batch))
        if len(batch) > limit:
            raise error("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return list(batch)

    return evaluate


def test_batches_cover_everything_once_and_stay_small_after_memory_ran_out() -> None:
    calls: list[int] = []
    results = list(in_batches(10, 8, fitting_at_most(3, calls)))
    assert [value for _, values in results for value in values] == list(range(10))
    assert [batch for batch, _ in results] == [range(2), range(2, 4), range(4, 6), range(6, 8), range(8, 10)]
    assert calls == [8, 4, 2, 2, 2, 2, 2]


def test_too_little_memory_for_one_picture_suggests_the_cpu() -> None:
    with pytest.raises(StudioError, match="Use the CPU") as told:
        list(in_batches(4, 4, fitting_at_most(0, [])))
    assert "one picture at a time" in told.value.message


def test_too_little_memory_of_the_computer_suggests_a_smaller_model() -> None:
    with pytest.raises(StudioError, match=r"The computer does not have enough memory.*smaller model"):
        list(in_batches(1, 1, fitting_at_most(0, [], MemoryError)))


def test_other_errors_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_batches(4, 4, fitting_at_most(0, [], ZeroDivisionError)))
