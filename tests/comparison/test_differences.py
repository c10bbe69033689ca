"""The difference of two maps, against known values at every place and against torch's interpolation."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.comparison import MapPlace, difference_of, sampled_like, shares_of

WHOLE = CropGeometry((224, 224), (224, 224), (0, 0), (224, 224))


def test_maps_on_one_grid_are_subtracted_exactly() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(5, 7, 7)).astype(np.float32) for _ in range(2))
    # The sizes of the fields differ, the centres of the units do not.
    places = (MapPlace(FieldGeometry(size, 32, 16.0), WHOLE) for size in (100, 300))
    np.testing.assert_array_equal(difference_of(a, next(places), b, next(places)), a - b)


def test_channels_that_only_one_network_has_are_left_out() -> None:
    place = MapPlace(FieldGeometry(32, 32, 16.0), WHOLE)
    a, b = np.ones((5, 7, 7), np.float32), np.zeros((3, 7, 7), np.float32)
    assert difference_of(a, place, b, place).shape == (3, 7, 7)


@pytest.mark.parametrize(("ours", "theirs"), [(7, 14), (14, 7), (28, 28), (7, 16)])
def test_another_grid_is_interpolated_as_torch_does(ours: int, theirs: int) -> None:
    values = np.random.default_rng(1).normal(size=(2, theirs, theirs)).astype(np.float32)
    at, like = (MapPlace(FieldGeometry(1, 1, 0.5), _whole(side)) for side in (theirs, ours))
    exact = torch.from_numpy(values).double()[None]
    expected = functional.interpolate(exact, (ours, ours), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(sampled_like(values, at, (ours, ours), like), expected, atol=1e-6)


def _whole(side: int) -> CropGeometry:
    """An input of that side onto which the whole picture of 112 pixels was squashed."""
    return CropGeometry((112, 112), (side, side), (0, 0), (side, side))


def test_a_slope_is_the_same_slope_whatever_the_crops() -> None:
    """Both maps are 0.5 x + 2 y of the picture, so they differ by 0 where both reach, and NaN elsewhere."""
    size = (300, 200)
    at_a = MapPlace(FieldGeometry(16, 16, 8.0), CropGeometry(size, (336, 224), (56, 0), (224, 224)))
    at_b = MapPlace(FieldGeometry(8, 8, 4.0), CropGeometry(size, (240, 160), (56, 16), (128, 128)))
    a, b = (_slope(place, count) for place, count in ((at_a, 14), (at_b, 16)))
    found = difference_of(a, at_a, b, at_b)
    left, top, width, height = at_b.geometry.crop_box
    for row, column in np.ndindex(found.shape):
        x, y = at_a.geometry.to_picture(at_a.field.centre_px(column), at_a.field.centre_px(row))
        if left <= x < left + width and top <= y < top + height:
            near_border = min(x - left, left + width - x, y - top, top + height - y) < 6
            assert abs(found[row, column]) < (12 if near_border else 1e-3)
        else:
            assert np.isnan(found[row, column])
    assert 0 < np.isnan(found).sum() < found.size


def _slope(place: MapPlace, count: int) -> np.ndarray:
    centres = [
        place.geometry.to_picture(place.field.centre_px(i), place.field.centre_px(i)) for i in range(count)
    ]
    return np.array([[0.5 * centres[j][0] + 2 * centres[i][1] for j in range(count)] for i in range(count)])


def test_shares_sum_to_one() -> None:
    field = np.random.default_rng(2).random((9, 9))
    assert shares_of(field).sum() == pytest.approx(1.0)
    assert not shares_of(np.zeros((3, 3))).any()
