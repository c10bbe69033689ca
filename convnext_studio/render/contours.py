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
    map_ = values.astype(np.float64)
    corners = np.stack((map_[:-1, :-1], map_[:-1, 1:], map_[1:, 1:], map_[1:, :-1]))
    above = corners >= level
    case = (above * np.array([1, 2, 4, 8])[:, None, None]).sum(axis=0)
    case[~np.isfinite(corners).all(axis=0)] = 0
    middle = corners.mean(axis=0) >= level
    crossings = _crossings(corners, level)
    lines = [_joined(crossings, case == number, pair) for number, pairs in _LINES.items() for pair in pairs]
    for number, choices in _SADDLES.items():
        for is_above, pairs in zip((False, True), choices, strict=True):
            lines += [_joined(crossings, (case == number) & (middle == is_above), pair) for pair in pairs]
    return np.concatenate(lines)


def _crossings(corners: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """(edge, row, column, xy): where each cell's edges are crossed, whether they are or not."""
    upper_left, upper_right, lower_right, lower_left = corners
    row, column = np.indices(upper_left.shape) + 0.5

    def share(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return (level - start) / (end - start)

    return np.stack(
        [
            np.stack((column + share(upper_left, upper_right), row), axis=-1),
            np.stack((column + 1, row + share(upper_right, lower_right)), axis=-1),
            np.stack((column + share(lower_left, lower_right), row + 1), axis=-1),
            np.stack((column, row + share(upper_left, lower_left)), axis=-1),
        ]
    )


def _joined(
    crossings: NDArray[np.float64], where: NDArray[np.bool_], pair: tuple[int, int]
) -> NDArray[np.float64]:
    return np.stack([crossings[edge][where] for edge in pair], axis=1)
