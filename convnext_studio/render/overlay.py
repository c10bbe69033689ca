"""Lay maps over pictures: opacity grows with the size of the value, so that zero leaves the picture alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.render.colours import Rgb, lut, paint, steps_of
from convnext_studio.render.limits import Limits, Values

Rgba = NDArray[np.uint8]

OPACITY = 0.9
"""The default opacity of the largest value."""
MOST_GRID_UNITS = 16
"""Maps with more rows or columns are drawn without a grid, which would hide the picture."""
_GRID_LIGHT, _GRID_DARK = 0.22, 0.16


def veil(values: Values, limits: Limits, colormap: str, opacity: float = 1.0, zero: float = 0.0) -> Rgba:
    """Turn values into colours that are the more opaque the farther the value is from `zero`.

    The opacity of a value v is proportional to |v - zero|: it is 0 at `zero`, and `opacity` at the end of the
    scale that is farther away from it, and beyond. Values that are not finite have two greys, as in `colorize`,
    of the full `opacity`.

    Parameters
    ----------
    values
        The values, of any shape.
    limits, colormap
        As in `colorize`.
    opacity
        The largest opacity, from 0 to 1.
    zero
        The value that is transparent; the lower limit for logarithms, in which 0 has no special meaning.

    Returns
    -------
    Rgba
        An array of the shape of `values` plus an axis of 4: red, green, blue and alpha, not premultiplied.
    """
    # Halved, because the difference of two finite numbers may not be finite.
    half = zero / 2
    farthest = max(abs(limits.low / 2 - half), abs(limits.high / 2 - half))
    holes = ~np.isfinite(values)
    # In place, because each new array of a whole map takes as long as what is computed for it.
    with np.errstate(all="ignore"):
        sizes = np.asarray(np.multiply(values, 0.5, dtype=np.float64))
        sizes -= half
        np.abs(sizes, out=sizes)
        sizes /= farthest
    np.minimum(sizes, 1.0, out=sizes)
    sizes[holes] = 1.0
    sizes *= 255 * opacity
    # Four bytes a colour are looked up at once, in a third of the time that three take.
    table = np.pad(lut(colormap), ((0, 0), (0, 1)))
    colours = paint(steps_of(values, limits), holes, table)
    colours[..., 3] = np.rint(sizes, out=sizes)
    return colours


def bar_colours(colormap: str, limits: Limits, zero: float | None) -> Rgba:
    """Return the colours (256, 4) of a colour bar, from the lowest to the highest value.

    Parameters
    ----------
    zero
        As in `veil`; None for a map whose colours are opaque.
    """
    table = lut(colormap)
    if zero is None:
        return np.concatenate((table, np.full((len(table), 1), 255, np.uint8)), axis=1)
    share = (np.arange(len(table)) + 0.5) / len(table)
    return veil(limits.low * (1 - share) + limits.high * share, limits, colormap, 1.0, zero)


def blended(picture: Rgb, colours: Rgba) -> Rgb:
    """Return a picture (..., 3) with colours (..., 4) laid over it."""
    opacity = colours[..., 3:].astype(np.float32) / np.float32(255)
    mixed: Rgb = np.rint(colours[..., :3] * opacity + picture * (1 - opacity)).astype(np.uint8)
    return mixed


def overlay(
    picture: Rgb,
    values: Values,
    box: Box,
    limits: Limits,
    colormap: str,
    opacity: float = OPACITY,
    *,
    smooth: bool = False,
    zero: float = 0.0,
) -> Rgb:
    """Lay a map over a picture, with the colours and opacities of `veil`.

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
    opacity, zero
        As in `veil`.
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
    shown = _sample(values, rows[row], columns[column], smooth)
    result[place] = blended(result[place], veil(shown, limits, colormap, opacity, zero))
    return result


def grid_lines(shape: Sequence[int], box: Box) -> NDArray[np.float64]:
    """Return the borders of a map's units as lines; none if it has more than `MOST_GRID_UNITS` in a row.

    Parameters
    ----------
    shape
        Numbers of rows and columns.
    box
        The box that the map fills.

    Returns
    -------
    NDArray
        (lines, 2, 2) float64, from (x, y) to (x, y): first the horizontal lines, then the vertical ones.
    """
    rows, columns = shape
    if max(rows, columns) > MOST_GRID_UNITS:
        return np.empty((0, 2, 2))
    x, y, width, height = box
    across = [((x, y + height * row / rows), (x + width, y + height * row / rows)) for row in range(rows + 1)]
    down = [
        ((x + width * column / columns, y), (x + width * column / columns, y + height))
        for column in range(columns + 1)
    ]
    return np.array(across + down)


def draw_grid(picture: Rgb, lines: NDArray[np.float64]) -> Rgb:
    """Return a picture with horizontal and vertical lines, each light with a dark edge, drawn faintly."""
    result = picture.astype(np.float32)
    height, width = picture.shape[:2]
    for start, end in np.rint(lines).astype(int).tolist():
        for colour, share, shift in ((0, _GRID_DARK, 1), (255, _GRID_LIGHT, 0)):
            x, y = min(start[0] + shift, width - 1), min(start[1] + shift, height - 1)
            if start[1] == end[1]:
                part = np.s_[max(y, 0), max(start[0], 0) : max(end[0], 0)]
            else:
                part = np.s_[max(start[1], 0) : max(end[1], 0), max(x, 0)]
            result[part] += share * (colour - result[part])
    return np.rint(result).astype(np.uint8)


def resample(values: Values, height: int, width: int, smooth: bool = True) -> Values:
    """Resample a map to another size, covering the same box.

    Parameters
    ----------
    values
        (h, w).
    smooth
        Whether to interpolate between the centres of the units; otherwise each pixel gets the value of the unit
        that contains its centre. The interpolation is cubic and monotone (Fritsch and Butland 1984), down the
        columns and then along the rows: it has the units' values at their centres, and never goes beyond those
        of the neighbouring units. Outside the outer centres, the outer values are repeated.

    Returns
    -------
    Values
        (height, width), float32 or float64 like the values. Values are resampled, never colours.
    """
    rows = (np.arange(height) + 0.5) * (values.shape[0] / height)
    columns = (np.arange(width) + 0.5) * (values.shape[1] / width)
    return _sample(values, rows, columns, smooth)


def reduced(values: Values, most_px: int) -> Values:
    """Reduce a map (h, w) to at most `most_px` rows and columns by averaging the squares that tile it.

    It stays as it is where it is small enough already, or where no such squares tile it.
    """
    height, width = values.shape
    longer = max(height, width)
    sides = (side for side in range(-(-longer // most_px), longer) if height % side == 0 and width % side == 0)
    side = next(sides, 1)
    if side == 1:
        return values
    return np.asarray(values.reshape(height // side, side, width // side, side).mean(axis=(1, 3)))


def _sample(values: Values, rows: NDArray[np.float64], columns: NDArray[np.float64], smooth: bool) -> Values:
    """Sample a map at continuous rows and columns, where unit *i* covers [i, i + 1)."""
    if not smooth:
        row, column = rows.astype(np.intp), columns.astype(np.intp)
        return values[np.ix_(row, column)]
    down = _interpolated(values, rows)
    return np.ascontiguousarray(_interpolated(down.T, columns).T)


def _interpolated(values: Values, positions: NDArray[np.float64]) -> Values:
    """Interpolate along the first axis at positions in units, whose centres are at i + 0.5."""
    last = len(values) - 1
    if last == 0:
        return values.repeat(len(positions), axis=0)
    from_centre = np.clip(positions - 0.5, 0, last)
    index = np.minimum(from_centre.astype(np.intp), last - 1)
    t = (from_centre - index).astype(values.dtype)[:, None]
    values = np.where(np.isfinite(values), values, np.nan).astype(values.dtype)
    with np.errstate(all="ignore"):
        slopes = _slopes(values)
        below, above, first, second = values[:-1], values[1:], slopes[:-1], slopes[1:]
        step = above - below
        # Hermite's polynomial. Its coefficients belong to the steps, which are far fewer than the positions.
        sampled: Values = (first + second - 2 * step)[index]
        for coefficient in (3 * step - 2 * first - second, first, below):
            sampled *= t
            sampled += coefficient[index]
        # Rounding may exceed the two values by the last digit.
        np.maximum(sampled, np.minimum(below, above)[index], out=sampled)
        np.minimum(sampled, np.maximum(below, above)[index], out=sampled)
    return sampled


def _slopes(values: Values) -> Values:
    """Return the slope at each unit: the harmonic mean of the neighbouring steps; 0 at extremes and ends."""
    steps = np.diff(values, axis=0)
    slopes = np.zeros_like(values)
    before, after = steps[:-1], steps[1:]
    # A comparison with NaN is False, so that a value that is not finite spoils only its neighbourhood.
    is_monotone = np.sign(before) * np.sign(after) > 0
    slopes[1:-1] = np.where(is_monotone, 2 * before * (after / (before + after)), 0)
    return slopes
