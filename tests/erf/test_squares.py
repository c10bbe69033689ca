"""Squares against a direct implementation of the published script."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError


def published_square(data: NDArray[np.float64], threshold: float) -> tuple[int, float] | None:
    """Compute a square as the published script does, by the definition in the paper's appendix."""
    height, width = data.shape
    total = data.sum()
    half = 1
    while half < height // 2:
        rows = slice(height // 2 - half, height // 2 + half + 1)
        columns = slice(width // 2 - half, width // 2 + half + 1)
        if data[rows, columns].sum() / total > threshold:
            side = 2 * half + 1
            return side, side / height * (side / width)
        half += 1
    return None


fields = st.builds(
    lambda side, seed, sharpness: (
        np.random.default_rng(seed).random((side, side))
        * np.exp(-sharpness * np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]))
    ),
    side=st.integers(6, 41),
    seed=st.integers(0, 10_000),
    sharpness=st.floats(0, 20),
)


@given(fields, st.sampled_from(["log", "linear"]))
def test_squares_equal_the_published_definition(field: NDArray[np.float64], scale: str) -> None:
    measured = np.log10(field + 1) if scale == "log" else field
    measured = measured / measured.max()  # As the script does, to no effect on shares.
    ratios = analysis.area_ratios(field, scale=scale, centre="replknet")
    found = {square.threshold: square for square in analysis.squares(field, scale=scale, centre="replknet")}
    for threshold, ratio in ratios.items():
        expected = published_square(measured, threshold)
        if expected is None:
            assert ratio is None
        else:
            assert (found[threshold].side_px, ratio) == (expected[0], pytest.approx(expected[1]))


@given(fields, st.integers(1, 80), st.integers(1, 80), st.floats(0.05, 0.95))
def test_centred_squares_grow_around_the_centre(
    field: NDArray[np.float64], twice_x: int, twice_y: int, threshold: float
) -> None:
    side = len(field)
    # Units of square stems lie on the same phase along both axes.
    x = min(twice_x, 2 * side - 1) / 2
    y = min(twice_y // 2 * 2 + twice_x % 2, 2 * side - 2 + twice_x % 2) / 2
    found = analysis.squares(field, (threshold,), "linear", (x, y))
    assert len(found) == 1
    total = field.sum()

    def held(side_px: float) -> float:
        """Return the share of the field in a square, summed pixel by pixel."""
        left, top = max(0, round(x - side_px / 2)), max(0, round(y - side_px / 2))
        right, bottom = round(x + side_px / 2), round(y + side_px / 2)
        return field[top:bottom, left:right].sum() / total

    assert held(found[0].side_px) > threshold - 1e-9
    assert found[0].side_px <= 2 or held(found[0].side_px - 2) <= threshold + 1e-9
    assert 0 < found[0].area_ratio <= 1


def test_squares_do_not_depend_on_the_gradients_size_on_the_linear_scale() -> None:
    field = np.random.default_rng(0).random((32, 32))
    assert analysis.area_ratios(field * 1e-9, scale="linear") == analysis.area_ratios(field, scale="linear")


def test_squares_of_empty_and_invalid_fields() -> None:
    assert analysis.squares(np.zeros((8, 8))) == []
    assert analysis.area_ratios(np.zeros((8, 8)))[0.5] is None
    for rubbish in (np.full((4, 4), np.nan), -np.ones((4, 4)), np.ones(4)):
        with pytest.raises(StudioError):
            analysis.squares(rubbish)
    with pytest.raises(StudioError, match="scale"):
        analysis.squares(np.ones((4, 4)), scale="cubic")
    with pytest.raises(StudioError, match="centre"):
        analysis.squares(np.ones((4, 4)), centre="left")
