"""Spearman's rank correlation of maps, also on a common grid. Needs only numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convnext_studio.analysis.attribution.grids import average_map
from convnext_studio.common.geometry import FieldGeometry

Map = NDArray[np.float32]


def rank_correlation(first: Map, second: Map) -> float:
    """Return Spearman's rank correlation, with mean ranks for ties; NaN if a map is constant or not finite.

    Both maps must have the same shape.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    one, other = (ranks - ranks.mean() for ranks in (_ranks(first), _ranks(second)))
    size = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / size) if size > 0 else float("nan")


def _ranks(values: Map) -> NDArray[np.float64]:
    """Return the ranks (n,) from 1; equal values get the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place.ravel()], np.float64)


def agreement(
    maps: Sequence[tuple[Map, FieldGeometry]],
    shape: tuple[int, int],
    field: FieldGeometry,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.float64]:
    """Return the rank correlation between all pairs of maps, on one grid.

    Parameters
    ----------
    maps
        The maps with their geometry, on that grid or on a finer one, which is averaged over each unit.
    shape, field
        The shape and geometry of the grid.
    part
        The rows and columns of the grid that count; by default all.

    Returns
    -------
    (n, n) float64, symmetric; rows and columns of maps that are constant or not finite are NaN.
    """
    placed = [average_map(values, own, shape, field)[part] for values, own in maps]
    matrix = np.full((len(placed), len(placed)), np.nan)
    for row, first in enumerate(placed):
        for column, second in enumerate(placed[: row + 1]):
            matrix[row, column] = matrix[column, row] = rank_correlation(first, second)
    return matrix
