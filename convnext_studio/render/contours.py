"""Where a map crosses a level."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.render.limits import Values

# For each case of marching squares (corner bits: upper left 1, upper right 2, lower right 4, lower left 8) the
# edges that a line joins: 0 upper, 1 right, 2 lower, 3 left. The two saddles depend on the middle.
_LINES: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 0),),
    2: ((0, 1),),
    3: ((3, 1),),
    4: ((1, 2),),
    6: ((0, 2),),
    7: ((3, 2),),
    8: ((2, 3),),
    9: ((0, 2),),
    11: ((1, 2),),
    12: ((3, 1),),
    13: ((0, 1),),
    14: ((3, 0),),
}
_SADDLES = {5: (((3, 0), (1, 2)), ((0, 1), (2, 3))), 10: (((0, 1), (2, 3)), ((3, 0), (1, 2)))}
"""Lines where the middle is below the level, and where it is not."""


def contour(values: Values, level: float) -> NDArray[np.float64]:
    """Lines on which a map, interpolated between its units' centres, has a value (marching squares).

    Parameters
    ----------
    values
        (h, w); what touches a value that is not finite has no line.

    Returns
    -------
    NDArray
        (lines, 2, 2) float64: from (x, y) to (x, y), in units, unit *i* covering [i, i + 1).
    """
    height, width = values.shape
    if height < 2 or width < 2:
        return np.empty((0, 2, 2))
    exact = values.astype(np.float64)
    above = exact >= level
    corner_views = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, 1:], np.s_[1:, :-1])
    case = np.zeros((height - 1, width - 1), dtype=np.uint8)
    for bit, view in enumerate(corner_views):
        case |= above[view].astype(np.uint8) << bit
    # Most cells are not crossed.
    row, column = np.nonzero((case > 0) & (case < 15))
    corners = np.stack([exact[view][row, column] for view in corner_views])
    known = np.isfinite(corners).all(axis=0)
    row, column, corners = row[known], column[known], corners[:, known]
    x, y = column.astype(np.float64) + 0.5, row.astype(np.float64) + 0.5
    crossings = _crossings(corners, x, y, level)
    crossed = case[row, column]
    is_above = corners.mean(axis=0) >= level
    lines = [_joined(crossings, crossed == number, pair) for number, pairs in _LINES.items() for pair in pairs]
    for number, choices in _SADDLES.items():
        for side, pairs in zip((False, True), choices, strict=True):
            where = (crossed == number) & (is_above == side)
            lines += [_joined(crossings, where, pair) for pair in pairs]
    return np.concatenate(lines)


def _crossings(
    corners: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """(edge, cell, xy): where the edges of cells with that upper left corner are crossed, if they are."""
    upper_left, upper_right, lower_right, lower_left = corners

    def share(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return (level - start) / (end - start)

    return np.stack(
        [
            np.stack((x + share(upper_left, upper_right), y), axis=-1),
            np.stack((x + 1, y + share(upper_right, lower_right)), axis=-1),
            np.stack((x + share(lower_left, lower_right), y + 1), axis=-1),
            np.stack((x, y + share(upper_left, lower_left)), axis=-1),
        ]
    )


def _joined(
    crossings: NDArray[np.float64], where: NDArray[np.bool_], pair: tuple[int, int]
) -> NDArray[np.float64]:
    return np.stack([crossings[edge][where] for edge in pair], axis=1)
