"""Squares against a direct implementation of the published script."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.erf import field_notes


def published_square(data: NDArray[np.float64], threshold: float) -> tuple[int, float] | None:
    """Compute a square as the published script does, by the definition in the paper's appendix."""
    height, width = data.shape
    total = data.sum()
    half = 1
    while half < height // 2:
        rows = slice(height // 2 - half, height // 2 + half + 1)
        columns = slice(max(width // 2 - half, 0), width // 2 + half + 1)  # Narrow fields end before it does.
        if data[rows, columns].sum() / total > threshold:
            side = 2 * half + 1
            return side, side / height * (side / width)
        half += 1
    return None


fields = st.builds(
    lambda height, width, seed, sharpness: (
        np.random.default_rng(seed).random((height, width))
        * np.exp(-sharpness * np.hypot(*np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]))
    ),
    height=st.integers(6, 41),
    width=st.integers(6, 41),
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
    height, width = field.shape
    # Units of square stems lie on the same phase along both axes.
    x = min(twice_x, 2 * width - 1) / 2
    y = min(twice_y // 2 * 2 + 2 * x % 2, 2 * height - 2 + 2 * x % 2) / 2
    found = analysis.squares(field, (threshold,), "linear", (x, y))
    assert len(found) == 1
    total = field.sum()

    def inside(side_px: float) -> NDArray[np.bool_]:
        """Return which pixels lie in a square, asked of each pixel."""
        return np.array(
            [
                [max(abs(column + 0.5 - x), abs(row + 0.5 - y)) < side_px / 2 for column in range(width)]
                for row in range(height)
            ]
        )

    def held(side_px: float) -> float:
        return float(field[inside(side_px)].sum() / total)

    side = found[0].side_px
    assert held(side) > threshold - 1e-9
    assert side <= 2 or held(side - 2) <= threshold + 1e-9
    # The edges of such a square lie between pixels, so its area inside the input is a number of pixels.
    assert found[0].area_ratio == pytest.approx(inside(side).sum() / (height * width))


@pytest.mark.parametrize(
    ("centre", "side_px", "area"),
    [
        ((3.0, 5.0), 10, 8 * 10),  # Ends 2 px beyond the left edge, and 0, 0 and 0 px beyond the others.
        ((9.0, 5.0), 10, 8 * 10),  # Ends 2 px beyond the right edge.
        ((6.0, 1.0), 12, 12 * 7),
        ((6.0, 9.0), 12, 12 * 7),
        ((0.5, 9.5), 15, 8 * 8),  # In a corner.
    ],
)
def test_the_area_of_a_square_clipped_at_an_edge_by_hand(
    centre: tuple[float, float], side_px: int, area: int
) -> None:
    height, width = 10, 12
    field = np.zeros((height, width))
    x, y = centre
    # All of the field is in a pixel that only squares from this side on reach.
    far = [
        (row, column)
        for row in range(height)
        for column in range(width)
        if 2 * max(abs(column + 0.5 - x), abs(row + 0.5 - y)) + 1 == side_px
    ]
    field[far[0]] = 1.0
    [found] = analysis.squares(field, (0.5,), "linear", centre)
    assert (found.side_px, found.area_ratio) == (side_px, pytest.approx(area / 120))


def test_a_square_holds_more_than_its_share_and_not_just_as_much() -> None:
    even = np.ones((10, 10))
    assert [square.side_px for square in analysis.squares(even, (0.04, 0.16), "linear", (5, 5))] == [4, 6]
    # The published squares are odd and end before the border: 9, 25, 49 and 81 of 100 pixels.
    published = analysis.squares(even, (0.08, 0.09, 0.25, 0.80, 0.81), "linear")
    assert [square.side_px for square in published] == [3, 5, 7, 9]
    assert [square.area_ratio for square in published] == [0.09, 0.25, 0.49, 0.81]
    assert analysis.area_ratios(even, (0.8, 0.81), "linear") == {0.8: 0.81, 0.81: None}


def test_squares_are_reported_for_the_published_shares_on_the_published_scale() -> None:
    field = np.random.default_rng(0).random((64, 64)) ** 8 * 1e4
    assert [square.threshold for square in analysis.squares(field)] == [0.2, 0.3, 0.5, 0.99][:3]
    assert analysis.area_ratios(field) == analysis.area_ratios(field, (0.2, 0.3, 0.5, 0.99), "log", "replknet")
    assert analysis.area_ratios(field) != analysis.area_ratios(field, scale="linear")


def test_squares_do_not_depend_on_the_gradients_size_on_the_linear_scale() -> None:
    field = np.random.default_rng(0).random((32, 32))
    assert analysis.area_ratios(field * 1e-9, scale="linear") == analysis.area_ratios(field, scale="linear")


@given(fields, st.sampled_from(["replknet", "true"]))
def test_an_area_that_counts_what_is_outside_is_said(field: NDArray[np.float64], kind: str) -> None:
    height, width = field.shape
    centre = "replknet" if kind == "replknet" else (width / 2, height / 2)
    x, y = (width // 2 + 0.5, height // 2 + 0.5) if kind == "replknet" else (width / 2, height / 2)
    # Counted on a grid of half pixels, on which all of these squares lie.
    columns, rows = (np.arange(2 * side) / 2 + 0.25 for side in (width, height))
    found = analysis.squares(field, scale="linear", centre=centre)
    is_larger = False
    for square in found:
        half = square.side_px / 2
        inside = np.count_nonzero(abs(columns - x) < half) * np.count_nonzero(abs(rows - y) < half) / 4
        is_larger |= square.area_ratio * width * height > inside + 1e-9
    notes = field_notes(field, "linear", found)
    assert any("outside the input" in note for note in notes) == is_larger


def test_squares_of_empty_and_invalid_fields() -> None:
    assert analysis.squares(np.zeros((8, 8))) == []
    assert analysis.area_ratios(np.zeros((8, 8)))[0.5] is None
    dark = np.ones((4, 4))
    dark[1, 2] = -1e-9
    lost = np.ones((4, 4))
    lost[3, 3] = np.inf
    refused = (
        np.full((4, 4), np.nan),
        -np.ones((4, 4)),
        np.ones(4),
        np.ones((2, 2, 2)),
        np.ones((0, 4)),
        dark,
        lost,
    )
    for rubbish in refused:
        with pytest.raises(StudioError):
            analysis.squares(rubbish)
    with pytest.raises(StudioError, match="scale"):
        analysis.squares(np.ones((4, 4)), scale="cubic")
    with pytest.raises(StudioError, match="centre"):
        analysis.squares(np.ones((4, 4)), centre="left")
