"""From numbers to colours: limits, colour maps, mosaics of channels, maps laid over pictures.

Arrays in, arrays out, and no Qt: the window and the export paint with the same functions, so that a figure
shows what the screen showed. Colours are (..., 3) uint8, red first; boxes are those of
`convnext_studio.geometry`, in pixels with pixel *i* covering [i, i + 1).
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.errors import StudioError
from convnext_studio.geometry import Box

Values = NDArray[np.floating[Any]]
Rgb = NDArray[np.uint8]
Tile = TypeVar("Tile", np.uint8, np.bool_)

SEQUENTIAL = ("viridis", "cividis", "magma", "inferno", "gray")
"""Colour maps for data that go from little to much."""
DIVERGING = ("vik",)
"""Colour maps for signed data, to be used with limits symmetric about 0."""

_CATALOGUE = {
    "viridis": "bids:viridis",
    "cividis": "cividis:cividis",
    "magma": "bids:magma",
    "inferno": "bids:inferno",
    "gray": "matlab:gray",
    "vik": "crameri:vik",
}
_STEPS = 256
_NOT_FINITE = np.array([[206, 206, 210], [138, 138, 142]], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Limits:
    """The values at the two ends of a colour scale, `low` below `high`, both finite."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a colour scale cannot go from {self.low} to {self.high}")


def limits_of(values: Values, symmetric: bool = False) -> Limits:
    """The limits that just hold all finite values.

    Parameters
    ----------
    values
        Any shape; what is not finite is ignored.
    symmetric
        From -m to m, with m the largest magnitude: for signed data.

    Returns
    -------
    Limits
        Constant data get a scale that begins at their value (and goes from 0 to 1 where that is 0), so that
        they take the lowest colour; so do data without a finite value. Symmetric limits of nothing but zeros
        are -1 and 1.
    """
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    if finite.size == 0:
        return _spread(0.0, 0.0, symmetric)
    return _spread(float(finite.min()), float(finite.max()), symmetric)


def channel_limits(maps: Values, symmetric: bool = False) -> tuple[Limits, ...]:
    """`limits_of` for each channel of (channels, height, width), in one go."""
    finite = np.isfinite(maps)
    if finite.all():
        low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    else:
        low = maps.min(axis=(1, 2), where=finite, initial=np.inf)
        high = maps.max(axis=(1, 2), where=finite, initial=-np.inf)
        empty = ~finite.any(axis=(1, 2))
        low[empty] = high[empty] = 0
    return tuple(_spread(*ends, symmetric) for ends in zip(low.tolist(), high.tolist(), strict=True))


def _spread(low: float, high: float, symmetric: bool) -> Limits:
    if symmetric:
        largest = max(abs(low), abs(high)) or 1.0
        return Limits(-largest, largest)
    if low == high:
        return Limits(low, min(low + (abs(low) or 1.0), sys.float_info.max))
    return Limits(low, high)


@cache
def lut(colormap: str) -> Rgb:
    """The colour table of a colour map.

    Returns
    -------
    Rgb
        (256, 3), read-only, from the lowest value's colour to the highest's.

    Raises
    ------
    StudioError
        For a name that is in neither `SEQUENTIAL` nor `DIVERGING`.
    """
    if colormap not in _CATALOGUE:
        raise StudioError(
            f"There is no colour map {colormap!r}.", f"Known are {', '.join(SEQUENTIAL + DIVERGING)}."
        )
    from cmap import Colormap  # here and not above: 50 ms that the window need not wait for to appear

    table: Rgb = np.rint(Colormap(_CATALOGUE[colormap]).lut(_STEPS)[:, :3] * 255).astype(np.uint8)
    table.flags.writeable = False
    return table


def load_colour_maps() -> None:
    """Make all colour tables now, so that none is waited for later; from any thread."""
    for name in SEQUENTIAL + DIVERGING:
        lut(name)


def colorize(values: Values, limits: Limits | Sequence[Limits], colormap: str) -> Rgb:
    """Values as colours.

    The 256 colours divide the range from `low` to `high` into equal steps: a value takes colour
    floor(256 (value - low) / (high - low)), values beyond the limits take the colour at that end. What is not
    finite is chequered in two greys over the last two axes.

    Parameters
    ----------
    values
        Any shape.
    limits
        One for all, or one for each entry of the first axis.

    Returns
    -------
    Rgb
        The shape of `values`, and 3.
    """
    return _paint(_steps(values, limits), ~np.isfinite(values), colormap)


def _paint(steps: NDArray[np.uint8], holes: NDArray[np.bool_], colormap: str) -> Rgb:
    """Indices into the colour table as colours; holes are chequered over the last two axes."""
    # take: a third of the time that indexing the table would need.
    colours: Rgb = np.take(lut(colormap), steps, axis=0)
    if holes.any():
        where = np.nonzero(holes)
        colours[where] = _NOT_FINITE[np.sum(where[-2:], axis=0) % 2]
    return colours


def _steps(values: Values, limits: Limits | Sequence[Limits]) -> NDArray[np.uint8]:
    """Index into the colour table, computed in the values' own precision; NaN counts as `low`."""
    each = [limits] if isinstance(limits, Limits) else limits
    ends = np.array([(one.low, one.high) for one in each], dtype=np.float64)
    low, high = (ends[:, side].reshape(-1, *[1] * (values.ndim - 1)) for side in (0, 1))
    # Halves, because the difference of two finite numbers may not be finite.
    factor = (_STEPS / 2) / (high / 2 - low / 2)
    precision = np.result_type(values, np.float32)
    if factor.max() > 1e30 or factor.min() < 1e-30:
        precision = np.result_type(values, np.float64)
    with np.errstate(all="ignore"):
        scaled = np.subtract(values, low.astype(precision), dtype=precision)
        scaled *= factor.astype(precision)
    # Not np.clip: fmax and fmin turn NaN into the bound.
    np.fmax(scaled, 0, out=scaled)
    np.fmin(scaled, _STEPS - 1, out=scaled)
    steps: NDArray[np.uint8] = scaled.astype(np.uint8)
    return steps


# ---------------------------------------------------------------------------------------------- mosaics


def mosaic_shape(count: int, height: float, width: float, aspect: float) -> tuple[int, int]:
    """Rows and columns that show `count` tiles of that size as large as possible.

    Parameters
    ----------
    aspect
        Width over height of the place to fill.
    """
    columns = np.arange(1, count + 1)
    rows = -(-count // columns)
    scale = np.minimum(aspect / (columns * width), 1 / (rows * height))
    best = int(np.argmax(scale))
    return int(rows[best]), int(columns[best])


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Tiles of equal size side by side, row by row, with gaps between them and none around.

    Attributes
    ----------
    count
        Number of tiles; tile *i* shows channel *i*.
    height, width
        Of a tile, in pixels.
    columns
        Tiles in a row.
    gap_px
        Pixels between neighbours.
    """

    count: int
    height: int
    width: int
    columns: int
    gap_px: int = 1

    @classmethod
    def fitting(cls, shape: tuple[int, int, int], aspect: float, gap_px: int = 1) -> "Mosaic":
        """The mosaic of (channels, height, width) that fills a place of that aspect best."""
        count, height, width = shape
        _, columns = mosaic_shape(count, height + gap_px, width + gap_px, aspect)
        return cls(count, height, width, columns, gap_px)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.count // self.columns)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the whole."""
        return (
            self.columns * (self.width + self.gap_px) - self.gap_px,
            self.rows * (self.height + self.gap_px) - self.gap_px,
        )

    def tile_box(self, channel: int) -> Box:
        """Where a channel is."""
        row, column = divmod(channel, self.columns)
        x, y = column * (self.width + self.gap_px), row * (self.height + self.gap_px)
        return float(x), float(y), float(self.width), float(self.height)

    def unit_at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Channel, row and column of the unit at a point, or None in gaps and outside."""
        tile_column, in_x = divmod(x, self.width + self.gap_px)
        tile_row, in_y = divmod(y, self.height + self.gap_px)
        channel = int(tile_row) * self.columns + int(tile_column)
        inside = 0 <= tile_column < self.columns and tile_row >= 0 and channel < self.count
        if not inside or in_x >= self.width or in_y >= self.height:
            return None
        return channel, int(in_y), int(in_x)

    def channel_at(self, x: float, y: float) -> int | None:
        """The channel at a point, or None in gaps and outside; the inverse of `tile_box`."""
        unit = self.unit_at(x, y)
        return None if unit is None else unit[0]


def assemble(
    maps: Values,
    mosaic: Mosaic,
    limits: Limits | Sequence[Limits],
    colormap: str,
    background: tuple[int, int, int] = (24, 24, 27),
) -> Rgb:
    """All channels in one picture, one pixel a unit.

    Parameters
    ----------
    maps
        (channels, height, width), as `mosaic` says.
    limits
        One for all channels or one for each.
    background
        Colour of the gaps.

    Returns
    -------
    Rgb
        (height, width, 3) of `mosaic.size_px`.
    """
    # Arranged as indices, a third of the bytes, and coloured once.
    colours = _paint(_arrange(_steps(maps, limits), mosaic), _arrange(~np.isfinite(maps), mosaic), colormap)
    for gap in range(mosaic.gap_px):
        colours[mosaic.height + gap :: mosaic.height + mosaic.gap_px] = background
        colours[:, mosaic.width + gap :: mosaic.width + mosaic.gap_px] = background
    unused = mosaic.rows * mosaic.columns - mosaic.count
    if unused:
        x, y, _, _ = mosaic.tile_box(mosaic.count)
        colours[int(y) :, int(x) :] = background
    return colours


def _arrange(tiles: NDArray[Tile], mosaic: Mosaic) -> NDArray[Tile]:
    """(channels, height, width) side by side; gaps and unused places are 0."""
    rows, columns, gap = mosaic.rows, mosaic.columns, mosaic.gap_px
    grid = np.zeros((rows, mosaic.height + gap, columns, mosaic.width + gap), dtype=tiles.dtype)
    whole, rest = divmod(mosaic.count, columns)
    full = tiles[: whole * columns].reshape(whole, columns, mosaic.height, mosaic.width)
    grid[:whole, : mosaic.height, :, : mosaic.width] = full.swapaxes(1, 2)
    if rest:
        grid[whole, : mosaic.height, :rest, : mosaic.width] = tiles[-rest:].swapaxes(0, 1)
    width, height = mosaic.size_px
    return grid.reshape(rows * (mosaic.height + gap), columns * (mosaic.width + gap))[:height, :width]


# -------------------------------------------------------------------------------------- maps on pictures


def resample(values: Values, height: int, width: int, smooth: bool = True) -> Values:
    """A map at another size, covering the same box.

    Parameters
    ----------
    values
        (h, w).
    smooth
        Bilinear between the units' centres, constant beyond the outer ones; otherwise each pixel takes the
        unit that its centre lies in.

    Returns
    -------
    Values
        (height, width), float32 or float64 as the values are. Values are resampled, never colours.
    """
    rows = (np.arange(height) + 0.5) * (values.shape[0] / height)
    columns = (np.arange(width) + 0.5) * (values.shape[1] / width)
    return _sample(values, rows, columns, smooth)


def _sample(values: Values, rows: NDArray[np.float64], columns: NDArray[np.float64], smooth: bool) -> Values:
    """The map at the crossings of continuous rows and columns, unit *i* covering [i, i + 1)."""
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
    """A map laid over a picture.

    Parameters
    ----------
    picture
        (H, W, 3).
    values
        (h, w).
    box
        Where the map lies, in the pixels of `picture`; for a node's map that is
        ``geometry.box_to_picture(field.map_box(h, w))``, times H over the picture's height where `picture` is
        a reduced one. What lies beyond the picture is cut off.
    opacity
        Of the map, from 0 to 1.
    smooth
        As in `resample`; otherwise the units are seen as they are.

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


# ---------------------------------------------------------------------------------------------- numbers


def format_number(value: float, significant: int = 3) -> str:
    """A number for people, with so many significant digits: "0.132", "-12.5", "40231", "1.2e-05"."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    if value == 0:
        return "0"
    rounded = float(f"{value:.{significant - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 5:
        return f"{value:.{max(significant - 1 - exponent, 0)}f}"
    mantissa, _, power = f"{value:.{significant - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{power}"


def nice_ticks(limits: Limits, count: int = 5) -> tuple[float, ...]:
    """Round numbers within the limits, about `count` of them, 1, 2 or 5 times a power of ten apart."""
    span = limits.high - limits.low
    if not math.isfinite(span) or span / max(abs(limits.low), abs(limits.high)) < 1e-12:
        return limits.low, limits.high
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(limits.low / step - 1e-9), math.floor(limits.high / step + 1e-9)
    return tuple(min(max(index * step, limits.low), limits.high) for index in range(first, last + 1))


def format_ticks(ticks: Sequence[float]) -> tuple[str, ...]:
    """Ticks as texts with as many digits as it takes to tell them apart."""
    step = min((later - earlier for earlier, later in zip(ticks, ticks[1:], strict=False)), default=0.0)
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if not (step > 0 and math.isfinite(step)):
        return tuple(format_number(tick) for tick in ticks)
    power = math.floor(math.log10(step) + 1e-9)
    if 1e-4 <= largest < 1e5:
        return tuple(f"{tick:.{max(-power, 0)}f}" for tick in ticks)
    digits = min(max(math.floor(math.log10(largest) + 1e-9) - power + 1, 1), 17)
    return tuple(format_number(tick, digits) for tick in ticks)
