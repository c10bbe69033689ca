"""Insertion and deletion for areas that are known by hand."""

from collections import deque

import numpy as np
import pytest
import torch
from torch import Tensor

from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.evidence.faithfulness import (
    InsertionDeletion,
    area,
    centre_out_order,
    check_steps,
    curves_of,
    end_pictures,
    insertion_deletion,
    is_padding,
    masked_outputs,
    on_picture,
    pixel_order,
    random_order,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry


def measured(order: np.ndarray, steps: int, weights: Tensor) -> InsertionDeletion:
    """Measure a probability that is the sum of weights over the remaining pixels."""
    picture, fill = torch.ones(1, 3, 2, 5), torch.zeros(1, 3, 2, 5)

    def probability(pictures: Tensor) -> Tensor:
        return (pictures[:, 0] * weights.view(2, 5)).sum((1, 2))

    (last,) = deque(insertion_deletion(probability, picture, fill, order, steps), maxlen=1)
    return last


WEIGHTS = torch.tensor([0.0, 0.5, 0.0, 0.0, 0.0, 0.3, 0.0, 0.2, 0.0, 0.0])


def test_areas_of_the_perfect_order_are_those_computed_by_hand() -> None:
    found = measured(pixel_order(WEIGHTS.view(2, 5).numpy(), PIXELS, 2, 5), 10, WEIGHTS)
    insertion = [0, 0.5, 0.8, 1, 1, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(found.insertion, insertion, atol=1e-6)
    np.testing.assert_allclose(found.deletion, 1 - np.array(insertion), atol=1e-6)
    # Trapezoids of width 0.1: (0.25 + 0.65 + 0.9 + 7 * 1) / 10.
    assert area(found.insertion) == pytest.approx(0.88)
    assert area(found.deletion) == pytest.approx(0.12)
    # The top 20 % are the two pixels of 0.5 and 0.3.
    assert (found.kept, found.removed) == (pytest.approx(0.8), pytest.approx(0.2))
    assert (found.done, found.total) == (24, 24)


def test_the_worst_order_is_the_mirror() -> None:
    worst = pixel_order(-WEIGHTS.view(2, 5).numpy(), PIXELS, 2, 5)
    found = measured(worst, 10, WEIGHTS)
    np.testing.assert_allclose(found.insertion, [0, 0, 0, 0, 0, 0, 0, 0, 0.2, 0.5, 1], atol=1e-6)
    assert area(found.insertion) == pytest.approx(0.12)
    assert area(found.deletion) == pytest.approx(0.88)


def test_fewer_steps_take_several_pixels_at_once() -> None:
    found = measured(pixel_order(WEIGHTS.view(2, 5).numpy(), PIXELS, 2, 5), 2, WEIGHTS)
    np.testing.assert_allclose(found.insertion, [0, 1, 1], atol=1e-6)
    assert area(found.insertion) == pytest.approx(0.75)


def test_the_order_interpolates_and_puts_what_is_not_finite_last() -> None:
    grid = FieldGeometry(size_px=2, stride_px=2, first_centre_px=1.0)
    order = pixel_order(np.array([[0, 1]], np.float32), grid, 1, 4)
    assert order.tolist() == [3, 2, 1, 0]
    assert pixel_order(np.array([[1, np.nan, 2]], np.float32), PIXELS, 1, 3).tolist() == [2, 0, 1]
    assert pixel_order(np.zeros((1, 4), np.float32), PIXELS, 1, 4).tolist() == [0, 1, 2, 3]


def test_a_seed_gives_one_random_order() -> None:
    grid = FieldGeometry(size_px=4, stride_px=4, first_centre_px=2.0)
    first, again, other = (random_order((2, 2), grid, 8, 8, seed) for seed in (0, 0, 1))
    assert sorted(first.tolist()) == list(range(64))
    assert first.tolist() == again.tolist() != other.tolist()


def test_partial_results_say_what_is_missing() -> None:
    order = np.arange(10)
    parts = list(
        insertion_deletion(
            lambda pictures: pictures[:, 0].mean((1, 2)),
            torch.ones(1, 3, 2, 5),
            torch.zeros(1, 3, 2, 5),
            order,
            10,
        )
    )
    assert [part.done for part in parts] == [4, 8, 12, 16, 20, 24]
    assert np.isnan(parts[0].insertion).sum() == 9
    assert np.isnan(area(parts[0].insertion))
    assert not np.isnan(parts[-1].insertion).any()
    unmeasured = InsertionDeletion.unmeasured(10)
    assert (unmeasured.total, unmeasured.insertion.shape) == (parts[-1].total, parts[-1].insertion.shape)


@pytest.mark.parametrize("steps", [1, 0, 2000])
def test_impossible_numbers_of_steps_are_refused(steps: int) -> None:
    with pytest.raises(StudioError, match=f"{steps} steps"):
        measured(np.arange(10), steps, WEIGHTS)


def test_from_the_centre_outwards() -> None:
    # Row 1, column 2 is the centre of 3 x 5 pixels; its neighbours are at distance 1, in reading order.
    assert centre_out_order(3, 5).tolist() == [7, 2, 6, 8, 12, 1, 3, 11, 13, 5, 9, 0, 4, 10, 14]
    distances = [np.hypot(at // 8 - 3.5, at % 8 - 3.5) for at in centre_out_order(8, 8)]
    assert distances == sorted(distances)


# Of an input of 5 by 4 pixels, a column at its left, a row above and two rows below show the mean colour.
PADDED = CropGeometry((4, 1), (4, 1), (-1, -1), (5, 4), (1, 1, 0, 2))
SHOWN = [6, 7, 8, 9]


def test_padding_by_hand() -> None:
    assert np.flatnonzero(~is_padding(PADDED)).tolist() == SHOWN
    assert is_padding(PADDED).shape == (4, 5)
    on_the_right = CropGeometry((4, 1), (4, 1), (0, -2), (5, 4), (0, 2, 1, 1))
    assert np.flatnonzero(~is_padding(on_the_right)).tolist() == [10, 11, 12, 13]
    assert not is_padding(CropGeometry((5, 4), (5, 4), (0, 0), (5, 4))).any()


def test_pixels_of_the_padding_are_neither_removed_nor_counted() -> None:
    order = np.array([3, 9, 0, 6, 19, 8, 7, *(n for n in range(20) if n not in (3, 9, 0, 6, 19, 8, 7))])
    assert on_picture(order, PADDED).tolist() == [9, 6, 8, 7]
    picture, fill = torch.arange(20.0).view(1, 1, 4, 5), torch.full((1, 1, 4, 5), -1.0)
    nothing, whole = end_pictures(picture, fill, PADDED)[:, 0]
    assert torch.equal(whole, picture[0, 0])
    assert torch.equal(nothing.flatten(), torch.tensor([-1.0 if n in SHOWN else n for n in range(20)]))
    for geometry in (None, CropGeometry((5, 4), (5, 4), (0, 0), (5, 4))):
        assert torch.equal(end_pictures(picture, fill, geometry), torch.cat((fill, picture)))
    seen: list[Tensor] = []

    def outputs(pictures: Tensor) -> Tensor:
        seen.extend(pictures[:, 0])
        return pictures[:, 0].flatten(1)

    *_, last = masked_outputs(outputs, picture, fill, on_picture(order, PADDED), 4)
    # For a quarter, a half, three quarters, and a fifth of the four pixels, which is one: what is put back.
    for index, there in enumerate(([9], [9, 6], [9, 6, 8], [9])):
        inserted, deleted = last[2 * index], last[2 * index + 1]
        assert [n for n in SHOWN if inserted[n] >= 0] == sorted(there)
        assert [n for n in SHOWN if deleted[n] < 0] == sorted(there)
        for found in (inserted, deleted):
            assert [n for n in range(20) if n not in SHOWN and found[n] != n] == []
    assert len(last) == len(seen) == 8


def test_what_is_known_is_not_measured_again() -> None:
    order, steps = np.arange(10)[::-1].copy(), 10
    picture, fill = torch.arange(10.0).view(1, 1, 2, 5), torch.zeros(1, 1, 2, 5)
    asked: list[int] = []

    def outputs(pictures: Tensor) -> Tensor:
        asked.append(len(pictures))
        return pictures.sum((1, 2, 3))

    *_, whole = masked_outputs(outputs, picture, fill, order, steps)
    assert len(whole) == sum(asked) == 2 * steps
    for count in (0, 1, 7, 8, 20):
        asked.clear()
        first, *others = masked_outputs(outputs, picture, fill, order, steps, whole[:count])
        assert torch.equal(first, whole[:count])
        assert torch.equal([first, *others][-1], whole)
        assert sum(asked) == 20 - count
        lengths = [len(each) for each in (first, *others)]
        assert lengths == sorted(set(lengths))


def test_curves_so_far_by_hand() -> None:
    ends = torch.tensor([0.1, 0.9])
    found = curves_of(ends, torch.tensor([0.2, 0.7, 0.4]), 3)
    np.testing.assert_allclose(found.insertion, [0.1, 0.2, 0.4, 0.9], rtol=1e-6)
    np.testing.assert_allclose(found.deletion, [0.9, 0.7, np.nan, 0.1], rtol=1e-6)
    assert np.isnan([found.kept, found.removed]).all()
    assert (found.done, found.total) == (7, 10)
    found = curves_of(ends, torch.tensor([0.2, 0.7, 0.4, 0.6, 0.3, 0.8]), 3)
    np.testing.assert_allclose(found.deletion, [0.9, 0.7, 0.6, 0.1], rtol=1e-6)
    assert (found.kept, found.removed) == (pytest.approx(0.3), pytest.approx(0.8))
    assert found.done == found.total == 10
    nothing = InsertionDeletion.unmeasured(3)
    assert (nothing.done, nothing.total, len(nothing.insertion), len(nothing.deletion)) == (0, 10, 4, 4)
    assert np.isnan([*nothing.insertion, *nothing.deletion, nothing.kept, nothing.removed]).all()


@pytest.mark.parametrize(("steps", "is_possible"), [(1, False), (2, True), (1024, True), (1025, False)])
def test_the_limits_of_steps(steps: int, is_possible: bool) -> None:
    if is_possible:
        check_steps(steps)
        return
    with pytest.raises(StudioError, match=f"{steps} steps"):
        check_steps(steps)


def test_a_random_order_is_that_of_numpys_noise() -> None:
    noise = np.random.default_rng(5).standard_normal((3, 4), dtype=np.float32)
    expected = np.argsort(-noise.ravel(), kind="stable")
    np.testing.assert_array_equal(random_order((3, 4), PIXELS, 3, 4, 5), expected)
