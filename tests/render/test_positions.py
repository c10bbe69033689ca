"""Three maps as one colour, parts with their colours and outlines, and label images."""

import math

import numpy as np
import pytest

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.render import (
    PART_COLOURS,
    Limits,
    label_picture,
    laid_over,
    likeness_limits,
    part_outlines,
    part_rgb,
    part_veil,
    seen_map,
    signed_limits,
    three_colours,
)

LABELS = np.array([[0, 0, 1], [-1, 2, 1]], np.int32)


def test_each_map_is_one_colour_between_its_ends() -> None:
    scores = np.stack([np.full((2, 3), value, np.float32) for value in (-1, 0, 9)])
    colours = three_colours(scores, [(-1, 1), (-1, 1), (-1, 1)], smooth=False)
    assert colours.shape == (2, 3, 3)
    assert colours[0, 0].tolist() == [0, 128, 255]
    fine = three_colours(scores, [(-1, 1)] * 3)
    assert fine.shape[0] % 2 == 0
    assert fine.shape[0] / fine.shape[1] == pytest.approx(2 / 3)
    assert (fine == (0, 128, 255)).all()


def test_missing_maps_are_black_and_missing_values_grey() -> None:
    assert three_colours(np.ones((1, 2, 2), np.float32), [(0, 1)], smooth=False)[0, 0].tolist() == [255, 0, 0]
    scores = np.zeros((3, 2, 2), np.float32)
    scores[1, 0, 1] = np.nan
    colours = three_colours(scores, [(0, 1)] * 3)
    half = colours.shape[1] // 2
    hole, rest = colours[:half, half:], colours[half:]
    assert set(np.unique(hole).tolist()) == {138, 142, 206, 210}
    assert not rest.any()


def test_colours_are_laid_into_their_box() -> None:
    picture = np.full((20, 30, 3), 100, np.uint8)
    red = np.tile(np.array([255, 0, 0], np.uint8), (4, 4, 1))
    shown = laid_over(picture, red, (5.0, -4.0, 10.0, 10.0), 1.0)
    assert (shown[:6, 5:15] == (255, 0, 0)).all()
    shown[:6, 5:15] = 100
    assert (shown == 100).all()
    half = laid_over(picture, red, (0.0, 0.0, 30.0, 20.0), 0.5)
    assert half[10, 10].tolist() == [178, 50, 50]
    assert (laid_over(picture, red, (40.0, 0.0, 5.0, 5.0), 1.0) == picture).all()


def test_parts_have_colours_of_their_own() -> None:
    assert len({part_rgb(part) for part in range(-1, len(PART_COLOURS))}) == len(PART_COLOURS) + 1
    veil = part_veil(LABELS, hidden={1}, opacity=0.5)
    assert veil[0, 0].tolist() == [*part_rgb(0), 128]
    assert veil[1, 1].tolist() == [*part_rgb(2), 128]
    assert not veil[:, 2].any()
    assert not veil[1, 0].any()


def test_outlines_are_where_the_label_changes() -> None:
    lines = part_outlines(LABELS, (10.0, 20.0, 30.0, 20.0))
    assert set(lines) == {0, 1, 2}
    # A part of two units side by side has six edges, as long as a unit's side.
    for part, edges in ((0, 6), (1, 6), (2, 4)):
        assert len(lines[part]) == edges
        lengths = np.abs(lines[part][:, 1] - lines[part][:, 0]).sum(axis=1)
        np.testing.assert_allclose(lengths, 10)
    corners = lines[2].reshape(-1, 2)
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([20, 30], [30, 40])
    assert set(part_outlines(LABELS, (0.0, 0.0, 3.0, 2.0), hidden={0})) == {1, 2}


def test_a_label_picture_has_the_label_of_every_pixel() -> None:
    found = label_picture(LABELS, (1.0, 0.0, 6.0, 4.0), (8, 5))
    assert found.shape == (5, 8)
    assert found[0].tolist() == [0, 1, 1, 1, 1, 2, 2, 0]
    assert found[3].tolist() == [0, 0, 0, 3, 3, 2, 2, 0]
    assert not found[4].any()
    assert 2 not in label_picture(LABELS, (0.0, 0.0, 3.0, 2.0), (3, 2), hidden={1})


def test_scales() -> None:
    assert signed_limits((-2.0, 5.0)) == Limits(-5, 5)
    assert signed_limits((0.0, 0.0)) == Limits(-1, 1)
    values = np.array([[0.4, 1.0], [np.nan, 0.7]], np.float32)
    assert likeness_limits(values, "cosine").low == pytest.approx(0.4)
    assert likeness_limits(values, "centred") == Limits(-1, 1)
    assert likeness_limits(values - 1, "cosine") == Limits(-1, 1)
    assert likeness_limits(values * 9, "dot") == Limits(-9, 9)


def test_the_seen_part_of_a_map_has_its_box_in_the_picture() -> None:
    field = FieldGeometry(size_px=4, stride_px=4, first_centre_px=2.0)
    values = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    whole = CropGeometry((48, 32), (24, 16), (0, 0), (24, 16))
    seen, box = seen_map(values, field, whole)
    assert seen.shape == values.shape
    assert box == whole.box_to_picture(field.map_box(4, 6)) == (0, 0, 48, 32)
    padded = CropGeometry((32, 32), (16, 16), (-4, 0), (24, 16), (4, 0, 4, 0))
    seen, box = seen_map(values, field, padded)
    assert seen.tolist() == values[:, :, 1:5].tolist()
    assert box == (0, 0, 32, 32)


def test_a_label_picture_of_a_box_that_begins_anywhere() -> None:
    x, y, across, down = 1.25, 2.5, 6.0, 5.0
    expected = np.zeros((9, 8), int)
    for row in range(9):
        for column in range(8):
            unit = math.floor((row + 0.5 - y) / down * 2), math.floor((column + 0.5 - x) / across * 3)
            if unit in np.ndindex(2, 3):
                expected[row, column] = LABELS[unit] + 1
    assert expected.any()
    assert label_picture(LABELS, (x, y, across, down), (8, 9)).tolist() == expected.tolist()


def test_a_box_is_rounded_to_whole_pixels() -> None:
    picture = np.zeros((12, 12, 3), np.uint8)
    white = np.full((2, 2, 3), 255, np.uint8)
    for box, rows, columns in (
        ((2.6, 3.4, 4.0, 4.0), slice(3, 7), slice(3, 7)),
        ((2.4, 3.6, 0.1, 0.1), slice(4, 5), slice(2, 3)),
        ((10.0, 9.5, 5.0, 5.0), slice(10, 12), slice(10, 12)),
    ):
        shown = laid_over(picture, white, box, 1.0)
        assert (shown[rows, columns] == 255).all()
        assert shown.sum() == shown[rows, columns].sum()


def test_no_more_than_three_maps_are_colours() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    ends = [(-1.0, 1.0)] * 5
    for smooth in (False, True):
        found = three_colours(scores, ends, smooth=smooth)
        assert np.array_equal(found, three_colours(scores[:3], ends[:3], smooth=smooth))
    assert three_colours(np.full((1, 2, 2), 3.0, np.float32), [(3.0, 3.0)], smooth=False)[0, 0, 0] == 0


def test_a_scale_of_likeness_is_never_empty() -> None:
    assert likeness_limits(np.ones((2, 2), np.float32), "cosine") == Limits(0.999, 1)
    assert likeness_limits(np.full((2, 2), np.nan, np.float32), "cosine") == Limits(0, 1)
