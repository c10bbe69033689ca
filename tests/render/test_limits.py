"""The ends of a colour scale against sorted values, and the values beyond them."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convnext_studio.render import Clipping, Limits, Range, channel_limits, limits_of, robust_limits

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def test_each_kind_of_hundred_and_one_values() -> None:
    values = np.arange(-20.0, 81.0)
    assert Range("data").limits(values) == Limits(-20, 80)
    assert Range("percentile", 90).limits(values) == Limits(-10, 70)
    assert Range("symmetric").limits(values) == Limits(-80, 80)
    assert Range("hand", hand=Limits(1, 2)).limits(values) == Limits(1, 2)
    assert Range("hand").limits(values) == Limits(-20, 80)


def test_percentiles_leave_out_one_value_in_a_hundred_at_each_end_unless_told() -> None:
    values = np.arange(101.0)
    assert Range("percentile").limits(values) == Limits(1, 99)
    assert Range("percentile").text == "percentiles 1 to 99"
    assert Range("percentile", 97.5).text == "percentiles 2.5 to 97.5"
    assert Range().limits(values) == Limits(0, 100)
    assert Range().text == Range("hand").text == ""
    assert Range("symmetric").text == "symmetric about 0"
    assert Range("hand", hand=Limits(0, 1)).text == "range set by hand"


def test_robust_limits_leave_out_one_value_in_two_hundred_at_each_end() -> None:
    values = np.arange(201.0).reshape(3, 67)
    assert robust_limits(values) == Limits(1, 199)
    assert robust_limits(values - 150, symmetric=True) == Limits(-149, 149)
    assert robust_limits(np.append(values.ravel(), [np.nan, np.inf])) == Limits(1, 199)
    assert robust_limits(np.full(3, np.nan)) == Limits(0, 1)


@pytest.mark.parametrize(
    ("values", "plain", "symmetric"),
    [
        ([3.0, 3.0], (3, 6), (-3, 3)),
        ([-3.0, -3.0], (-3, 0), (-3, 3)),
        ([0.0, 0.0], (0, 1), (-1, 1)),
        ([-5.0, 2.0], (-5, 2), (-5, 5)),
        ([-2.0, 5.0], (-2, 5), (-5, 5)),
        ([math.nan, -2.0, 5.0, math.inf], (-2, 5), (-5, 5)),
        ([math.nan, -math.inf], (0, 1), (-1, 1)),
        ([], (0, 1), (-1, 1)),
        ([1e308, 1e308], (1e308, sys.float_info.max), (-1e308, 1e308)),
    ],
)
def test_limits_by_hand(
    values: list[float], plain: tuple[float, float], symmetric: tuple[float, float]
) -> None:
    assert limits_of(np.array(values)) == Limits(*plain)
    assert limits_of(np.array(values), symmetric=True) == Limits(*symmetric)
    if values:
        maps = np.array([values, [7.0] * len(values)])[:, None, :]
        assert channel_limits(maps) == (Limits(*plain), Limits(7, 14))
        assert channel_limits(maps, symmetric=True) == (Limits(*symmetric), Limits(-7, 7))


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (math.nan, 1), (0, math.inf), (-math.inf, 0), (0, math.nan)])
def test_no_scale_goes_between_such_ends(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="cannot go"):
        Limits(*ends)


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
    clipping = Clipping.of(np.arange(10.0), limits)
    assert clipping.text == said
    low, high = clipping.end_texts("1", "8")
    assert (low, high) == ("≤ 1" if "below" in said else "1", "≥ 8" if "above" in said else "8")
