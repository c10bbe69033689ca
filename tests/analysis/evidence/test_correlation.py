"""Rank correlation against scipy's, and agreement on a common grid by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.evidence.correlation import agreement, rank_correlation
from convnext_studio.common.geometry import FieldGeometry

VALUES = st.integers(-5, 5).map(float)  # Few values, hence many ties.


@given(arrays(np.float32, (3, 4), elements=VALUES), arrays(np.float32, (3, 4), elements=VALUES))
def test_rank_correlation_is_spearmans(first: np.ndarray, second: np.ndarray) -> None:
    ours = rank_correlation(first, second)
    if first.min() == first.max() or second.min() == second.max():
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic, abs=1e-9)


def test_what_is_not_finite_has_no_rank() -> None:
    assert np.isnan(rank_correlation(np.array([[1, np.nan]], np.float32), np.array([[1, 2]], np.float32)))


def test_maps_meet_on_the_coarse_grid() -> None:
    grid = FieldGeometry(size_px=2, stride_px=2, first_centre_px=1.0)
    coarse = np.array([[1, 2], [3, 4]], np.float32)
    # Averages 4, 3, 2, 1 over squares whose single pixels are in no such order.
    fine = np.array([[9, -1, 0, 6], [8, 0, 3, 3], [4, 0, 9, -7], [0, 4, 1, 1]], np.float32)
    matrix = agreement([(coarse, grid), (fine, PIXELS), (np.zeros((2, 2), np.float32), grid)], (2, 2), grid)
    np.testing.assert_allclose(matrix[:2, :2], [[1, -1], [-1, 1]])
    assert np.isnan(matrix[2]).all()
    assert np.isnan(matrix[:, 2]).all()
