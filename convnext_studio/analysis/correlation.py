"""How alike two maps are: Spearman's rank correlation, also on a common grid. numpy only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convnext_studio.analysis.attribution.grids import averaged
from convnext_studio.common.geometry import FieldGeometry

Map = NDArray[np.float32]


def rank_correlation(first: Map, second: Map) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where a map is constant or not finite.

    Both have the same shape.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    one, other = (ranks - ranks.mean() for ranks in (_ranks(first), _ranks(second)))
    size = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / size) if size > 0 else float("nan")


def _ranks(values: Map) -> NDArray[np.float64]:
    """(n,): ranks from 1, equal values at the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place.ravel()], np.float64)


def agreement(
    maps: Sequence[tuple[Map, FieldGeometry]], shape: tuple[int, int], field: FieldGeometry
) -> NDArray[np.float64]:
    """Rank correlation of every map with every other, on one grid.

    Parameters
    ----------
    maps
        Each with where its units lie; of that grid, or finer: then averaged over each unit's square.
    shape, field
        Of the grid.

    Returns
    -------
    (n, n) float64, symmetric; NaN in the row and column of a map that is constant or not finite.
    """
    placed = [averaged(values, own, shape, field) for values, own in maps]
    matrix = np.full((len(placed), len(placed)), np.nan)
    for row, first in enumerate(placed):
        for column, second in enumerate(placed[: row + 1]):
            matrix[row, column] = matrix[column, row] = rank_correlation(first, second)
    return matrix
