"""What functions for scripts take as an input, and what they say of anything else."""

from typing import Any

import numpy as np
import pytest
import torch

from convnext_studio.analysis.inputs import checked_input, checked_inputs
from convnext_studio.common.errors import StudioError
from tests.networks import random_input, small_model

MODEL = small_model()
X = random_input(MODEL)
HOW = "Make it with `model.preprocess(picture)`."


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (np.zeros((1, 3, 4, 4)), "of the kind “ndarray”, not a tensor (1, 3, height, width)", HOW),
        (None, "of the kind “NoneType”", HOW),
        (X[0], "a tensor (3, 64, 64), but one (1, 3, height, width) is wanted", HOW),
        (X[None], "a tensor (1, 1, 3, 64, 64)", HOW),
        (X[:, :2], "a tensor (1, 2, 64, 64)", HOW),
        (torch.cat((X, X)), "a tensor (2, 3, 64, 64)", HOW),
        (X[:0], "a tensor (0, 3, 64, 64)", HOW),
        (X.to(torch.uint8), "The input has uint8 numbers; normalised ones are wanted", HOW),
        (X.to(torch.complex64), "has complex64 numbers", HOW),
        (X[:, :, :0], "an empty tensor (1, 3, 0, 64)", HOW),
        (X[:, :, :, :0], "an empty tensor (1, 3, 64, 0)", HOW),
        (X.to_sparse(), "sparse or quantised", HOW),
        (X.to("meta"), "The input is on meta, and the network on cpu", "Move it there."),
        (torch.full_like(X, torch.nan), "values that are not finite", "Replace NaN and infinity in it."),
        (torch.full_like(X, -torch.inf), "values that are not finite", "Replace NaN and infinity in it."),
    ],
)
def test_what_is_no_input_is_refused(given: Any, message: str, hint: str) -> None:
    with pytest.raises(StudioError) as refused:
        checked_input(MODEL, given)
    assert message in refused.value.message
    assert refused.value.hint == hint


def test_one_value_that_is_not_finite_is_enough() -> None:
    bad = X.clone()
    bad[0, 2, 63, 63] = torch.inf
    with pytest.raises(StudioError, match="not finite"):
        checked_input(MODEL, bad)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_are_taken_in_the_precision_of_the_network(kind: torch.dtype) -> None:
    exact = small_model()
    exact.module.double()
    for model, wanted in ((MODEL, torch.float32), (exact, torch.float64)):
        found = checked_input(model, X.to(kind))
        assert found.dtype == wanted
        torch.testing.assert_close(found, X.to(kind).to(wanted))
    # One parameter in float64 makes a network exact, whichever it is.
    mixed = small_model()
    mixed.module.head.double()
    assert checked_input(mixed, X).dtype == torch.float64


def test_other_sizes_are_taken_as_they_are() -> None:
    for size in ((1, 3, 1, 1), (1, 3, 5, 200)):
        assert checked_input(MODEL, torch.zeros(size)).shape == size
    grey = small_model(in_chans=1)
    assert checked_input(grey, torch.zeros(1, 1, 9, 9)).shape == (1, 1, 9, 9)
    with pytest.raises(StudioError, match=r"one \(1, 1, height, width\) is wanted"):
        checked_input(grey, X)


def test_a_batch_or_any_iterable_gives_one_picture_after_the_other() -> None:
    batch = torch.cat([random_input(MODEL, seed) for seed in range(3)])
    for given in (batch, list(batch.split(1)), iter(batch.split(1)), tuple(batch.split(1))):
        found = list(checked_inputs(MODEL, given))
        assert [each.shape for each in found] == [(1, 3, 64, 64)] * 3
        assert torch.equal(torch.cat(found), batch)
    assert list(checked_inputs(MODEL, [])) == []
    assert list(checked_inputs(MODEL, batch[:0])) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X[0], r"a tensor \(3, 64, 64\), but a batch \(N, 3, height, width\) is wanted"),
        (X[None], r"a tensor \(1, 1, 3, 64, 64\), but a batch"),
        (X[:, :1], r"a tensor \(1, 1, 64, 64\), but one \(1, 3, height, width\)"),
        (X.to_sparse(), "sparse or quantised"),
        (7, "The inputs are of the kind “int”"),
        ([X, X[:, :, :32]], r"several sizes: \(1, 3, 32, 64\) and \(1, 3, 64, 64\)"),
        ([X[0]], r"a tensor \(3, 64, 64\)"),
        ([X, "x"], "of the kind “str”"),
    ],
)
def test_what_is_no_batch_is_refused(given: Any, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        list(checked_inputs(MODEL, given))
