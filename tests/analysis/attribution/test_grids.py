"""Resampling between grids against torch's, where that is right, and by hand, where it is not."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from convnext_studio.analysis.attribution.grids import PIXELS, average_map, interpolate_map
from convnext_studio.common.geometry import FieldGeometry

STRIDE_8 = FieldGeometry(size_px=8, stride_px=8, first_centre_px=4.0)


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def test_where_grids_share_their_borders_it_is_torchs_bilinear_and_area() -> None:
    values = noise(4, 6)
    expected = functional.interpolate(torch.from_numpy(values)[None, None], size=(32, 48), mode="bilinear")
    np.testing.assert_allclose(
        interpolate_map(values, STRIDE_8, (32, 48), PIXELS), expected[0, 0], rtol=1e-5, atol=1e-6
    )
    pixels = noise(32, 48)
    expected = functional.avg_pool2d(torch.from_numpy(pixels)[None, None], 8)
    np.testing.assert_allclose(
        average_map(pixels, PIXELS, (4, 6), STRIDE_8), expected[0, 0], rtol=1e-5, atol=1e-6
    )


def test_units_are_placed_by_their_centres() -> None:
    # Units at 0.5, 2.5, 4.5: pixel 0 has the first unit's value, pixel 1 the mean of the first two.
    grid = FieldGeometry(size_px=4, stride_px=2, first_centre_px=0.5)
    row = np.array([[1, 3, 7]], np.float32)
    rows = interpolate_map(row, grid, (1, 6), PIXELS)
    np.testing.assert_allclose(rows, [[1, 2, 3, 5, 7, 7]])
    # Unit 0's square is [-0.5, 1.5): pixel 0 whole and half of pixel 1.
    pixels = np.array([[0, 3, 6, 9, 12, 15]], np.float32)
    np.testing.assert_allclose(average_map(pixels, PIXELS, (1, 3), grid), [[1.0, 6.0, 12.0]])


def test_the_same_grid_changes_nothing() -> None:
    values = noise(5, 5)
    for function in (average_map, interpolate_map):
        np.testing.assert_allclose(function(values, STRIDE_8, (5, 5), STRIDE_8), values, rtol=1e-6)


def test_a_unit_outside_the_picture_gets_the_nearest_pixel() -> None:
    grid = FieldGeometry(size_px=1, stride_px=2, first_centre_px=-2.0)
    np.testing.assert_allclose(average_map(np.array([[5, 7]], np.float32), PIXELS, (1, 2), grid)[0, 0], 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_where_it_is(bad: float) -> None:
    values = noise(4, 4)
    values[0, 0] = bad
    fine = interpolate_map(values, STRIDE_8, (32, 32), PIXELS)
    assert np.isnan(fine[:4, :4]).all()
    assert np.isfinite(fine[12:, 12:]).all()
