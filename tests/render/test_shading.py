"""How an attribution is laid over a photograph: its scale, its grid and its words, by hand."""

import math

import numpy as np
import pytest

from convnext_studio.render import Limits, draw_grid, grid_lines, overlay, veil
from convnext_studio.render.shading import COLORMAPS, PIXEL_PERCENTILE, Shading, missing_text, why_empty

FEW = np.zeros((40, 50), np.float32)
FEW[3, 4], FEW[7, 8] = 5, -8


def test_each_part_has_the_colour_maps_that_suit_it() -> None:
    assert COLORMAPS == {
        "positive": ("glow", "viridis", "cividis", "magma", "inferno", "gray"),
        "signed": ("glow-ice", "vik"),
    }
    assert PIXEL_PERCENTILE == 99.5


@pytest.mark.parametrize(
    ("is_difference", "is_on_pixels", "expected"),
    [
        (False, False, Shading("positive", "glow", 100.0, smooth=True)),
        (False, True, Shading("positive", "glow", 99.5, smooth=False)),
        (True, False, Shading("signed", "glow-ice", 100.0, smooth=True)),
        (True, True, Shading("signed", "glow-ice", 99.5, smooth=False)),
    ],
)
def test_what_is_usual_for_a_map(is_difference: bool, is_on_pixels: bool, expected: Shading) -> None:
    assert Shading.usual(is_difference=is_difference, is_on_pixels=is_on_pixels) == expected


@pytest.mark.parametrize(
    ("maps", "percentile", "positive", "signed"),
    [
        ([[1.0, 4.0]], 100, 4, 4),
        ([[1.0, 4.0], [-9.0, 2.0]], 100, 4, 9),
        ([[math.nan, 3.0], [math.inf, 1.0]], 100, 3, 3),
        ([[0.0, 0.0]], 100, 1, 1),
        ([[-3.0, -2.0]], 100, 1, 3),
        ([[math.nan]], 100, 1, 1),
        ([np.arange(101.0)], 90, 90, 90),
        ([FEW], 99.5, 5, 8),  # The percentile is 0, so that the largest value takes its place.
        ([[0.0, 0.0, 0.0, 0.25]], 50, 0.25, 0.25),
    ],
)
def test_maps_that_are_compared_share_a_scale(
    maps: list[list[float]], percentile: float, positive: float, signed: float
) -> None:
    arrays = [np.array(values, np.float32) for values in maps]
    assert Shading("positive", percentile=percentile).limits_of(arrays) == Limits(0, positive)
    assert Shading("signed", percentile=percentile).limits_of(arrays) == Limits(-signed, signed)
    by_hand = Limits(-1, 2)
    assert Shading(hand=by_hand, percentile=percentile).limits_of(arrays) == by_hand


def test_a_veil_is_as_fine_as_a_screen_or_as_its_map() -> None:
    values = np.linspace(-1, 1, 28, dtype=np.float32).reshape(4, 7)
    shown = np.maximum(values, 0)
    plain = Shading(smooth=False).veil_of(values, Limits(0, 1))
    np.testing.assert_array_equal(plain, veil(shown, Limits(0, 1), "glow"))
    fine = Shading().veil_of(values, Limits(0, 1))
    assert fine.shape == (256, 448, 4)
    # Where no value is positive, nothing is shown; at the outer corner the largest value is.
    assert not fine[:64, :, 3].any()
    assert (fine[-1, -1] == plain[-1, -1]).all()
    for shape, expected in (((1, 1), (448, 448)), ((300, 10), (300, 10)), ((500, 3), (500, 3))):
        assert Shading().veil_of(np.ones(shape, np.float32), Limits(0, 1)).shape[:2] == expected


@pytest.mark.parametrize(("side", "has_grid"), [(9.9, False), (10.0, True), (30.0, True)])
def test_the_grid_is_drawn_where_its_cells_can_be_seen(side: float, has_grid: bool) -> None:
    picture = np.full((120, 120, 3), 90, np.uint8)
    values = np.array([[0.0, 1.0, -1.0], [0.5, 0.2, 0.1]], np.float32)
    box = (5.0, 5.0, 3 * side, 2 * side)
    for smooth in (True, False):
        shading = Shading(smooth=smooth, opacity=0.5)
        laid = overlay(picture, np.maximum(values, 0), box, Limits(0, 1), "glow", 0.5, smooth=smooth)
        found = shading.lay_over(picture, values, box, Limits(0, 1))
        expected = draw_grid(laid, grid_lines((2, 3), box)) if has_grid else laid
        np.testing.assert_array_equal(found, expected)
        assert np.array_equal(found, laid) == (not has_grid)


@pytest.mark.parametrize(
    ("shading", "text"),
    [
        (Shading(), "for the class (values above 0)"),
        (Shading("signed"), "for and against the class"),
        (
            Shading(percentile=99.5),
            "for the class (values above 0) · clipped at percentile 99.5 of the magnitudes",
        ),
        (
            Shading("signed", percentile=99.5, hand=Limits(0, 1)),
            "for and against the class · range set by hand",
        ),
    ],
)
def test_settings_in_words(shading: Shading, text: str) -> None:
    assert shading.text == text


def test_sizes_in_words() -> None:
    assert Shading().resolution_text((6, 8), is_on_pixels=False) == "6 × 8 units, interpolated"
    assert Shading(smooth=False).resolution_text((6, 8), is_on_pixels=False) == "6 × 8 units, true grid"
    assert Shading().resolution_text((64, 48), is_on_pixels=True) == "64 × 48 px"


@pytest.mark.parametrize(
    ("values", "positive", "signed"),
    [
        ([0.0, 0.0], "This map is all zero", "This map is all zero"),
        ([2.0, 2.0], "This map is constant (2.00)", "This map is constant (2.00)"),
        ([-2.0, -0.5], "No value is positive (the largest is -0.500)", ""),
        ([-2.0, 0.0], "No value is positive (the largest is 0)", ""),
        ([-2.0, 0.5], "", ""),
        ([math.nan, math.inf], "No value of this map is finite", "No value of this map is finite"),
    ],
)
def test_why_a_map_shows_nothing(values: list[float], positive: str, signed: str) -> None:
    for part, start in (("positive", positive), ("signed", signed)):
        said = why_empty(np.array(values, np.float32), "positive" if part == "positive" else "signed")
        assert said.startswith(start)
        assert bool(said) == bool(start)


def test_missing_values_are_counted() -> None:
    assert missing_text(np.array([1.0, math.nan, -math.inf])) == "2 of 3 values are not finite"
    assert missing_text(np.array([1.0, 2.0])) == ""
