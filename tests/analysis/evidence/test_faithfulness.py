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
    insertion_deletion,
    pixel_order,
    random_order,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry


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
