"""Arrange all channels of a node in one picture."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.render.colours import Rgb, lut, paint, steps_of
from convnext_studio.render.limits import Limits, Values

Tile = TypeVar("Tile", np.uint8, np.bool_, np.float32)


def mosaic_shape(count: int, height: float, width: float, aspect: float) -> tuple[int, int]:
    """Return the numbers of rows and columns that show `count` tiles of that size as large as possible.

    Parameters
    ----------
    aspect
        Aspect ratio, width over height, of the area to fill.
    """
    columns = np.arange(1, count + 1)
    rows = -(-count // columns)
    scale = np.minimum(aspect / (columns * width), 1 / (rows * height))
    best = int(np.argmax(scale))
    return int(rows[best]), int(columns[best])


class Mosaic(Struct, frozen=True):
    """A grid of tiles of equal size, row by row, with gaps between them and no margin.

    Attributes
    ----------
    count
        The number of tiles.
    height, width
        The size of a tile in pixels.
    columns
        The number of tiles in a row.
    gap_px
        The gap between neighbouring tiles in pixels.
    order
        The channel in each tile; empty if tile *i* shows channel *i*.
    """

    count: int
    height: int
    width: int
    columns: int
    gap_px: int = 1
    order: tuple[int, ...] = ()

    @classmethod
    def fitting(
        cls, shape: tuple[int, int, int], aspect: float, gap_px: int = 1, order: tuple[int, ...] = ()
    ) -> "Mosaic":
        """Return the mosaic of maps (channels, height, width) that best fills an area of that aspect ratio."""
        count, height, width = shape
        _, columns = mosaic_shape(count, height + gap_px, width + gap_px, aspect)
        return cls(count, height, width, columns, gap_px, order)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return -(-self.count // self.columns)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the mosaic in pixels."""
        return (
            self.columns * (self.width + self.gap_px) - self.gap_px,
            self.rows * (self.height + self.gap_px) - self.gap_px,
        )

    def tile_of(self, channel: int) -> int:
        """Return the index of the tile that shows a channel."""
        return self.order.index(channel) if self.order else channel

    def channel_in(self, tile: int) -> int:
        """Return the channel that a tile shows; the inverse of `tile_of`."""
        return self.order[tile] if self.order else tile

    def tile_box(self, channel: int) -> Box:
        """Return the box of the tile that shows a channel."""
        return self.place_box(self.tile_of(channel))

    def place_box(self, tile: int) -> Box:
        """Return the box of a tile, which may be an empty one after the last."""
        row, column = divmod(tile, self.columns)
        x, y = column * (self.width + self.gap_px), row * (self.height + self.gap_px)
        return float(x), float(y), float(self.width), float(self.height)

    def unit_at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Return channel, row and column of the unit at a point, or None in gaps and outside."""
        tile_column, in_x = divmod(x, self.width + self.gap_px)
        tile_row, in_y = divmod(y, self.height + self.gap_px)
        tile = int(tile_row) * self.columns + int(tile_column)
        inside = 0 <= tile_column < self.columns and tile_row >= 0 and tile < self.count
        if not inside or in_x >= self.width or in_y >= self.height:
            return None
        return self.channel_in(tile), int(in_y), int(in_x)

    def channel_at(self, x: float, y: float) -> int | None:
        """Return the channel at a point, or None in gaps and outside."""
        unit = self.unit_at(x, y)
        return None if unit is None else unit[0]


def assemble(
    maps: Values,
    mosaic: Mosaic,
    limits: Limits | Sequence[Limits],
    colormap: str,
    background: tuple[int, int, int] = (24, 24, 27),
    crossed: NDArray[np.bool_] | None = None,
) -> Rgb:
    """Draw all channels in one picture, with one pixel per unit.

    Parameters
    ----------
    maps
        The maps (channels, height, width), of the sizes in `mosaic`.
    limits
        Limits for all channels, or for each one.
    background
        The colour of the gaps.
    crossed
        The channels to mark with a small cross.

    Returns
    -------
    Rgb
        (height, width, 3), of the size `mosaic.size_px`.
    """
    steps, holes = steps_of(maps, limits), ~np.isfinite(maps)
    if mosaic.order:
        order = np.array(mosaic.order)
        steps, holes = steps[order], holes[order]
    # Indices are arranged, which are a third of the bytes, and coloured once at the end.
    colours = paint(_arrange(steps, mosaic), _arrange(holes, mosaic), lut(colormap))
    if crossed is not None:
        for channel in np.flatnonzero(crossed):
            _cross(colours, mosaic.tile_box(int(channel)))
    for gap in range(mosaic.gap_px):
        colours[mosaic.height + gap :: mosaic.height + mosaic.gap_px] = background
        colours[:, mosaic.width + gap :: mosaic.width + mosaic.gap_px] = background
    unused = mosaic.rows * mosaic.columns - mosaic.count
    if unused:
        x, y, _, _ = mosaic.place_box(mosaic.count)
        colours[int(y) :, int(x) :] = background
    return colours


def mosaic_values(maps: Values, mosaic: Mosaic) -> NDArray[np.float32]:
    """Return the values of all channels where `assemble` draws them, and NaN in gaps and unused tiles."""
    tiles = maps[np.array(mosaic.order)] if mosaic.order else maps
    values = _arrange(tiles.astype(np.float32, copy=False), mosaic)
    values[~_arrange(np.ones(maps.shape, bool), mosaic)] = np.nan
    return values


def _cross(colours: Rgb, box: Box) -> None:
    """Draw two diagonals over the middle of a tile, dark on light and light on dark."""
    x, y, width, height = (int(edge) for edge in box)
    side = max(min(width, height) * 3 // 5, min(width, height, 3))
    top, left = y + (height - side) // 2, x + (width - side) // 2
    middle = colours[y + height // 2, x + width // 2].astype(int)
    ink = (40, 40, 44) if middle.sum() > 3 * 127 else (214, 214, 218)
    along = np.arange(side)
    # Thick enough to be visible if the tile is shown at a reduced size.
    for shift in range(max(1, side // 12)):
        across = np.minimum(along + shift, side - 1)
        colours[top + along, left + across] = ink
        colours[top + along, left + side - 1 - across] = ink


def _arrange(tiles: NDArray[Tile], mosaic: Mosaic) -> NDArray[Tile]:
    """Arrange maps (channels, height, width) in a grid; gaps and unused tiles are 0."""
    rows, columns, gap = mosaic.rows, mosaic.columns, mosaic.gap_px
    grid = np.zeros((rows, mosaic.height + gap, columns, mosaic.width + gap), dtype=tiles.dtype)
    whole, rest = divmod(mosaic.count, columns)
    full = tiles[: whole * columns].reshape(whole, columns, mosaic.height, mosaic.width)
    grid[:whole, : mosaic.height, :, : mosaic.width] = full.swapaxes(1, 2)
    if rest:
        grid[whole, : mosaic.height, :rest, : mosaic.width] = tiles[-rest:].swapaxes(0, 1)
    width, height = mosaic.size_px
    return grid.reshape(rows * (mosaic.height + gap), columns * (mosaic.width + gap))[:height, :width]
