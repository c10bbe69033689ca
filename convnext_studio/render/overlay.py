"""Resample maps, and lay them over pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.render.colours import Rgb, colorize
from convnext_studio.render.limits import Limits, Values


def resample(values: Values, height: int, width: int, smooth: bool = True) -> Values:
    """Resample a map to another size, covering the same box.

    Parameters
    ----------
    values
        (h, w).
    smooth
        Whether to interpolate bilinearly between the centres of the units, repeating the outer values;
        otherwise each pixel gets the value of the unit that contains its centre.

    Returns
    -------
    Values
        (height, width), float32 or float64 like the values. Values are resampled, never colours.
    """
    rows = (np.arange(height) + 0.5) * (values.shape[0] / height)
    columns = (np.arange(width) + 0.5) * (values.shape[1] / width)
    return _sample(values, rows, columns, smooth)


def _sample(values: Values, rows: NDArray[np.float64], columns: NDArray[np.float64], smooth: bool) -> Values:
    """Sample a map at continuous rows and columns, where unit *i* covers [i, i + 1)."""
    if not smooth:
        row, column = rows.astype(np.intp), columns.astype(np.intp)
        return values[np.ix_(row, column)]
    row, below, down = _neighbours(rows, values.shape[0], values.dtype)
    column, right, across = _neighbours(columns, values.shape[1], values.dtype)
    lines = values[row] * (1 - down)[:, None] + values[below] * down[:, None]
    sampled: Values = lines[:, column] * (1 - across) + lines[:, right] * across
    return sampled


def _neighbours(
    positions: NDArray[np.float64], count: int, dtype: "np.dtype[Any]"
) -> tuple[NDArray[np.intp], NDArray[np.intp], Values]:
    from_centre = np.clip(positions - 0.5, 0, count - 1)
    first = from_centre.astype(np.intp)
    return first, np.minimum(first + 1, count - 1), (from_centre - first).astype(dtype)


def overlay(
    picture: Rgb,
    values: Values,
    box: Box,
    limits: Limits,
    colormap: str,
    opacity: float = 0.5,
    smooth: bool = False,
) -> Rgb:
    """Lay a map over a picture.

    Parameters
    ----------
    picture
        The picture, (H, W, 3).
    values
        The map, (h, w).
    box
        The position of the map, in pixels of `picture`. For the map of a node it is
        ``geometry.box_to_picture(field.map_box(h, w))``, times H over the picture's height if `picture` is
        reduced. Parts beyond the picture are clipped.
    opacity
        Opacity of the map, from 0 to 1.
    smooth
        As in `resample`; otherwise the units are visible as squares.

    Returns
    -------
    Rgb
        (H, W, 3), a new array.
    """
    result = picture.copy()
    height, width = picture.shape[:2]
    x, y, box_width, box_height = box
    rows = (np.arange(height) + 0.5 - y) / box_height * values.shape[0]
    columns = (np.arange(width) + 0.5 - x) / box_width * values.shape[1]
    row = np.flatnonzero((rows >= 0) & (rows < values.shape[0]))
    column = np.flatnonzero((columns >= 0) & (columns < values.shape[1]))
    if not (row.size and column.size):
        return result
    place = np.s_[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
    heat = colorize(_sample(values, rows[row], columns[column], smooth), limits, colormap)
    blended = heat * np.float32(opacity) + result[place] * np.float32(1 - opacity)
    result[place] = np.rint(blended).astype(np.uint8)
    return result
