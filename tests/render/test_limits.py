"""The ends of a colour scale against sorted values, and the values beyond them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convnext_studio.render import Clipping, Limits, Range

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def test_each_kind_of_hundred_and_one_values() -> None:
    values = np.arange(-20.0, 81.0)
    assert Range("data").limits(values) == Limits(-20, 80)
    assert Range("percentile", 90).limits(values) == Limits(-10, 70)
    assert Range("symmetric").limits(values) == Limits(-80, 80)
    assert Range("hand", hand=Limits(1, 2)).limits(values) == Limits(1, 2)
    assert Range("hand").limits(values) == Limits(-20, 80)


@settings(max_examples=50, deadline=None)
@given(NUMBERS, st.floats(50, 100))
def test_a_percentile_leaves_as_many_values_out_above_as_it_says(numbers: list[float], share: float) -> None:
    values = np.array(numbers)
    limits = Range("percentile", share).limits(values)
    most = math.ceil((1 - share / 100) * len(numbers))
    if limits.low == limits.high or len(set(numbers)) == 1:
        return
    assert sum(value > limits.high + 1e-6 for value in numbers) <= most
    assert sum(value < limits.low - 1e-6 for value in numbers) <= most


def test_non_finite_values_are_ignored() -> None:
    values = np.array([np.nan, np.inf, 1.0, 3.0])
    assert Range("percentile", 100).limits(values) == Limits(1, 3)
    assert Clipping.of(values, Limits(0, 4)) == Clipping(below=False, above=False)
    assert Clipping.of(np.array([np.nan]), Limits(0, 1)).text == ""


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(0, 9), ""),
        (Limits(1, 9), "values below the scale"),
        (Limits(0, 8), "values above the scale"),
        (Limits(1, 8), "values below and above the scale"),
    ],
)
def test_values_beyond_the_ends_are_reported(limits: Limits, said: str) -> None:
    assert Clipping.of(np.arange(10.0), limits).text == said
