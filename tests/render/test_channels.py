"""Channel statistics, order and crosses, and contours, against plain loops and another library."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import find_contours

from convnext_studio.render import (
    Limits,
    Mosaic,
    assemble,
    channel_limits,
    channel_numbers,
    contour,
    descending,
    hatch,
    limits_of,
    lut,
    robust_limits,
)

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5))
MAPS = hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e6, 1e6, width=32))
ANY_MAPS = hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32))


@given(ANY_MAPS)
def test_each_channels_numbers_are_those_of_its_finite_values(maps: np.ndarray) -> None:
    found = channel_numbers(maps)
    for index, channel in enumerate(maps):
        finite = [float(value) for value in channel.ravel() if math.isfinite(value)]
        assert found.non_finite[index] == channel.size - len(finite)
        if not finite:
            assert np.isnan(found.mean[index])
            continue
        assert (found.minimum[index], found.maximum[index]) == (min(finite), max(finite))
        mean = math.fsum(finite) / len(finite)
        largest = max(map(abs, finite))
        assert found.mean[index] == pytest.approx(mean, rel=1e-9, abs=1e-9 * largest)
        variance = math.fsum((value - mean) ** 2 for value in finite) / len(finite)
        assert found.variance[index] == pytest.approx(variance, rel=1e-6, abs=1e-9 * largest**2)
        assert found.is_dead[index] == (len(finite) == channel.size > 1 and min(finite) == max(finite))


@given(ANY_MAPS, st.booleans())
def test_limits_from_the_numbers_are_those_of_the_maps(maps: np.ndarray, symmetric: bool) -> None:
    found = channel_numbers(maps)
    assert found.shared_limits(symmetric) == limits_of(maps, symmetric)
    assert found.own_limits(symmetric) == channel_limits(maps, symmetric)
    assert found.is_signed == bool((maps[np.isfinite(maps)] < 0).any())


def test_sparsity_by_hand() -> None:
    """Hoyer 2004: (sqrt(n) - L1 / L2) / (sqrt(n) - 1); for 3, 4, 0, 0 it is (2 - 7 / 5) / 1."""
    maps = np.array([[3, -4, 0, 0], [1, 1, -1, 1], [0, 0, 7, 0], [0, 0, 0, 0]], dtype=np.float32)
    assert channel_numbers(maps[:, None]).sparsity == pytest.approx([0.6, 0, 1, math.nan], nan_ok=True)


def test_large_maps_are_measured_whole() -> None:
    """The maps are processed in parts, and the statistics of all channels must be in order."""
    maps = np.random.default_rng(0).normal(size=(7, 300, 300)).astype(np.float32)
    found = channel_numbers(maps)
    assert found.mean == pytest.approx(maps.mean(axis=(1, 2), dtype=np.float64))
    assert found.variance == pytest.approx(maps.var(axis=(1, 2), dtype=np.float64))


@given(st.lists(st.floats(-5, 5) | st.just(math.nan), min_size=1, max_size=30))
def test_channels_descend_by_score_and_equal_ones_keep_their_order(scores: list[float]) -> None:
    order = descending(np.array(scores)).tolist()
    assert sorted(order) == list(range(len(scores)))
    for before, after in pairwise(order):
        one, other = scores[before], scores[after]
        assert math.isnan(other) or one > other or (one == other and before < after)
        assert not math.isnan(one) or before < after


@given(st.permutations(range(11)), st.integers(1, 5), st.integers(0, 2))
def test_a_sorted_mosaic_reads_out_what_it_paints(order: list[int], columns: int, gap: int) -> None:
    maps = np.arange(11 * 6, dtype=np.float32).reshape(11, 2, 3)
    mosaic = Mosaic(11, 2, 3, columns, gap, tuple(order))
    picture = assemble(maps, mosaic, Limits(0, 256), "gray", background=(255, 0, 0))
    for channel, row, column in np.ndindex(maps.shape):
        x, y, _, _ = mosaic.tile_box(channel)
        assert picture[int(y) + row, int(x) + column, 0] == maps[channel, row, column]
        assert mosaic.unit_at(x + column + 0.5, y + row + 0.5) == (channel, row, column)
    first_x, first_y, _, _ = mosaic.tile_box(order[0])
    assert (first_x, first_y) == (0, 0)


@pytest.mark.parametrize(("side", "colormap"), [(3, "gray"), (7, "viridis"), (27, "vik"), (60, "cividis")])
def test_crossed_channels_show_it_and_others_do_not(side: int, colormap: str) -> None:
    maps = np.zeros((3, side, side), dtype=np.float32)
    mosaic = Mosaic(3, side, side, columns=2)
    crossed = np.array([False, True, False])
    picture = assemble(maps, mosaic, limits_of(maps, colormap == "vik"), colormap, crossed=crossed)
    plain = assemble(maps, mosaic, limits_of(maps, colormap == "vik"), colormap)
    for channel in range(3):
        x, y, width, height = (int(edge) for edge in mosaic.tile_box(channel))
        change = np.abs(
            picture[y : y + height, x : x + width].astype(int) - plain[y : y + height, x : x + width]
        )
        assert (change.sum(axis=2) > 0).any() == crossed[channel]
        if crossed[channel]:
            assert change.sum(axis=2)[side // 2, side // 2] > 200  # seen in the middle, and beside it free
            assert change[side // 2, -1].sum() == 0 or side == 3


def test_a_single_hole_is_hatched_and_its_neighbours_are_not() -> None:
    holes = np.zeros((3, 4), dtype=bool)
    holes[1, 2] = True
    rgb = np.broadcast_to(lut("gray")[206], (3, 4, 3))
    large = hatch(rgb, holes, 8)
    assert large.shape == (24, 32, 3)
    inside = large[8:16, 16:24].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) == 2
    large[8:16, 16:24] = lut("gray")[206]
    assert (large == lut("gray")[206]).all()


@pytest.mark.parametrize(("factor", "width"), [(2, 1), (4, 1), (8, 2), (12, 3)])
def test_hatching_is_slanted_and_as_wide_as_a_quarter_of_a_unit(factor: int, width: int) -> None:
    holes = np.ones((2, 3), dtype=bool)
    large = hatch(np.zeros((2, 3, 3), np.uint8), holes, factor)
    greys = ((206, 206, 210), (138, 138, 142))
    for row, column in np.ndindex(2 * factor, 3 * factor):
        assert tuple(large[row, column].tolist()) == greys[(row + column) // width % 2]


def test_whole_numbers_without_a_sign_descend() -> None:
    assert descending(np.array([0, 200, 5, 200], np.uint8)).tolist() == [1, 3, 2, 0]


def test_limits_are_not_symmetric_unless_told() -> None:
    maps = np.array([[[-1.0, 4.0]], [[2.0, 3.0]]], np.float32)
    found = channel_numbers(maps)
    assert found.shared_limits() == Limits(-1, 4)
    assert found.own_limits() == (Limits(-1, 4), Limits(2, 3))


def test_robust_limits_leave_out_extreme_values() -> None:
    values = np.arange(1001, dtype=np.float32)
    values[-1] = 1e9
    assert robust_limits(values) == Limits(5, 995)
    assert robust_limits(values, symmetric=True) == Limits(-995, 995)
    values[0] = np.nan
    assert robust_limits(values).high < 1000


# --------------------------------------------------------------------------------------------- contours


def _ends(lines: np.ndarray) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Lines as pairs of rounded ends, in an order that does not depend on their direction."""
    rounded = np.round(lines, 6).tolist()
    return sorted(tuple(sorted(map(tuple, line))) for line in rounded)


@given(hnp.arrays(np.float64, (5, 6), elements=st.integers(-40, 40)), st.integers(-30, 30))
def test_contours_are_those_of_scikit_image(values: np.ndarray, level: int) -> None:
    """Half a step off the integers, so that no value lies on the level; saddles may be joined otherwise."""
    found = contour(values, level + 0.5)
    paths = find_contours(values, level + 0.5)
    theirs = [pair for path in paths for pair in pairwise((path[:, ::-1] + 0.5).tolist())]
    ends = {tuple(np.round(end, 6)) for line in theirs for end in line}
    assert {tuple(end) for end in np.round(found, 6).reshape(-1, 2)} == ends
    above = (values[:-1, :-1] > level, values[:-1, 1:] > level, values[1:, 1:] > level, values[1:, :-1] > level)
    has_saddle = ((above[0] == above[2]) & (above[1] == above[3]) & (above[0] != above[1])).any()
    if not has_saddle:
        assert _ends(found) == _ends(np.array(theirs).reshape(-1, 2, 2))


@given(hnp.arrays(np.float64, (2, 2), elements=st.floats(-9, 9)), st.floats(-8, 8))
def test_a_contour_lies_where_the_interpolated_map_has_the_level(values: np.ndarray, level: float) -> None:
    for x, y in contour(values, level).reshape(-1, 2):
        assert 0.5 <= x <= 1.5
        assert 0.5 <= y <= 1.5
        across, down = x - 0.5, y - 0.5
        between = (values[0, 0] * (1 - across) + values[0, 1] * across) * (1 - down)
        between += (values[1, 0] * (1 - across) + values[1, 1] * across) * down
        assert between == pytest.approx(level, abs=1e-6)


def test_saddles_join_what_the_middle_joins() -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    high = contour(values, 0.4)  # the middle, 0.5, is above: the high corners are joined, the low ones cut off
    low = contour(values, 0.6)

    def cuts_off(lines: np.ndarray, corner: tuple[float, float]) -> bool:
        return any(all(abs(end - corner).max() <= 0.5 + 1e-9 for end in line) for line in lines)

    assert len(high) == len(low) == 2
    assert cuts_off(high, (1.5, 0.5))
    assert cuts_off(high, (0.5, 1.5))
    assert cuts_off(low, (0.5, 0.5))
    assert cuts_off(low, (1.5, 1.5))


def test_no_contour_where_nothing_is_known_or_crossed() -> None:
    values = np.array([[0.0, 1.0, math.nan], [0.0, 1.0, 1.0]])
    lines = contour(values, 0.5)
    assert _ends(lines) == [((1.0, 0.5), (1.0, 1.5))]
    assert len(contour(np.zeros((4, 4)), 0.5)) == 0
    assert contour(np.ones((1, 4)), 0.5).shape == (0, 2, 2)
    assert contour(np.ones((4, 1)), 0.5).shape == (0, 2, 2)
