"""Contour lines of a map."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.render.limits import Values


def contour(values: Values, level: float) -> NDArray[np.float64]:
    """Return the lines on which a map, interpolated between its units' centres, has a value (marching squares).

    Parameters
    ----------
    values
        Map, (h, w); cells that touch a value that is not finite have no line.
    level
        Value to trace.

    Returns
    -------
    NDArray
        Line segments, (lines, 2, 2) float64, from (x, y) to (x, y) in units; unit *i* covers [i, i + 1).
    """
    if min(values.shape) < 2:
        return np.empty((0, 2, 2))
    # Imported here, because few windows draw a line, and all would be painted 5 ms later.
    from contourpy import LineType, contour_generator

    known = np.ma.masked_invalid(values.astype(np.float64))
    paths = contour_generator(z=known, name="serial", line_type=LineType.Separate).lines(level)
    pieces = [np.stack((path[:-1], path[1:]), axis=1) for path in paths if isinstance(path, np.ndarray)]
    return np.concatenate([np.empty((0, 2, 2)), *pieces]) + 0.5
