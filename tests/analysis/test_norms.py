"""Lengths of a map's vectors, and which lie far from the others, by hand."""

import numpy as np
import pytest
import torch

from convnext_studio.analysis.similarity.norms import norms_of
from convnext_studio.analysis.similarity.vectors import finite_vectors


def map_of(*lengths: float, width: int = 3) -> torch.Tensor:
    """Maps of two channels whose vectors have these lengths, as three to four."""
    values = torch.tensor(lengths, dtype=torch.float64).view(-1, width)
    return torch.stack([0.6 * values, 0.8 * values]).float()


def test_lengths_median_and_deviation() -> None:
    found = norms_of(map_of(5, 10, 15, 20, 25, 30))
    np.testing.assert_allclose(found.norms, [[5, 10, 15], [20, 25, 30]], rtol=1e-6)
    assert found.median == pytest.approx(17.5)
    assert found.deviation == pytest.approx(7.5)  # of 12.5, 7.5, 2.5, 2.5, 7.5, 12.5
    assert found.outliers == ()


def test_more_than_five_deviations_are_far() -> None:
    """Median 10 and deviation 1: 15 is not far, 15.1 and 4.8 are, the farthest first."""
    lengths = [9, 9, 9, 10, 10, 11, 11, 11]
    assert norms_of(map_of(*lengths, 15)).outliers == ()
    found = norms_of(map_of(*lengths, 15.1)).outliers
    assert [(outlier.y, outlier.x) for outlier in found] == [(2, 2)]
    found = norms_of(map_of(4.8, *lengths[1:], 16.1)).outliers
    assert [(outlier.y, outlier.x) for outlier in found] == [(2, 2), (0, 0)]
    assert [outlier.norm for outlier in found] == pytest.approx([16.1, 4.8], rel=1e-6)


def test_rounding_makes_no_outliers() -> None:
    assert norms_of(map_of(*[100.0] * 8, 100.0009)).outliers == ()
    assert len(norms_of(map_of(*[100.0] * 8, 100.002)).outliers) == 1


def test_the_channels_that_make_an_outlier() -> None:
    maps = torch.ones(4, 3, 3)
    maps[:, 1, 2] = torch.tensor([1.0, 3.0, -5.0, 0.0])
    [outlier] = norms_of(maps, most_channels=4).outliers
    assert (outlier.y, outlier.x) == (1, 2)
    # The squares exceed the usual ones by 0, 8, 24 and -1: together 31.
    assert outlier.channels == (2, 1, 0, 3)
    assert outlier.values == (-5, 3, 1, 0)
    assert outlier.shares == pytest.approx((24 / 31, 8 / 31, 0, -1 / 31))
    [outlier] = norms_of(maps).outliers
    assert outlier.channels == (2, 1, 0)


def test_positions_that_are_not_finite_have_no_length() -> None:
    maps = map_of(5, 10, 15, 20, 25, 30)
    maps[0, 0, 1], maps[1, 1, 2] = torch.nan, torch.inf
    found = norms_of(maps)
    np.testing.assert_allclose(found.norms, [[5, np.nan, 15], [20, 25, np.nan]], rtol=1e-6)
    assert (found.median, found.deviation) == pytest.approx((17.5, 5))
    found = norms_of(torch.full((2, 1, 2), torch.nan))
    assert np.isnan([found.median, found.deviation]).all()
    assert found.outliers == ()


def test_vectors_with_values_that_are_not_finite_are_left_out() -> None:
    maps = torch.arange(12.0).view(2, 2, 3)
    vectors, where = finite_vectors(maps)
    assert vectors.tolist() == [[at, at + 6] for at in range(6)]
    assert where.tolist() == [0, 1, 2, 3, 4, 5]
    maps[1, 0, 2] = torch.inf
    vectors, where = finite_vectors(maps)
    assert where.tolist() == [0, 1, 3, 4, 5]
    assert vectors[2].tolist() == [3, 9]
    huge = torch.full((1, 1, 2), 3e38)  # Their sum is not finite; they are.
    vectors, where = finite_vectors(huge)
    assert (len(vectors), where.tolist()) == (2, [0, 1])
