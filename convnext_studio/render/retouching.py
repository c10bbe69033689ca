"""Blur and fill places of a picture, exactly alike in the window, in scripts and before a network."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.retouches import Cells, Retouch, Stroke

Value = TypeVar("Value", np.uint8, np.float32)
PastedPixels = Callable[[str], NDArray[np.uint8]]
"""Returns the pixels (h, w, 3) of another picture, by its key."""

NOISE_DEVIATION = 57.0
"""The standard deviation of the noise, out of 255: about that of photographs."""
_CELLS_PER_SIGMA = 4
_BOX_BLURS = 3


class FilledPixels(Struct, frozen=True):
    """Which pixels are filled: a mask within some rows and columns."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_]

    @property
    def pixels(self) -> int:
        """How many pixels are filled."""
        return int(self.mask.sum())


def retouched(
    pixels: NDArray[Value], retouches: Sequence[Retouch], pasted: PastedPixels, scale: float = 1.0
) -> NDArray[Value]:
    """Return a copy of a picture with changes.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8; or (h, w, 1 or 3) float32 from 0 to 1.
    retouches
        The changes, one after the other; each sees what the earlier ones have left.
    pasted
        Returns the pixels of the pictures that are pasted. One of another size is squashed to this one's.
    scale
        How large the pixels are shown: 0.5 for a preview of half the picture's width.
    """
    made = pixels.copy()
    for retouch in retouches:
        place = place_of(retouch, (made.shape[0], made.shape[1]), scale) if retouch.enabled else None
        if place is not None:
            fill(made, place, retouch, pasted, scale)
    return made


def fill(
    made: NDArray[Value], place: FilledPixels, retouch: Retouch, pasted: PastedPixels, scale: float = 1.0
) -> None:
    """Fill a place of a picture, in place; see `retouched` for what is taken."""
    values = _filling(made, place, retouch, pasted, scale)
    part = made[place.rows, place.columns]
    if made.dtype == np.uint8:
        part[place.mask] = np.clip(np.rint(values[place.mask]), 0, 255)
    else:
        values = values if part.shape[2] == 3 else values.mean(2, keepdims=True)
        part[place.mask] = np.clip(values[place.mask] / 255, 0, 1)


# ------------------------------------------------------------------------------------------------- the place


def place_of(retouch: Retouch, size: tuple[int, int], scale: float = 1.0) -> FilledPixels | None:
    """Return which pixels of a picture of that height and width are filled; None if there are none."""
    mask = np.zeros(size, np.bool_)
    if retouch.rectangle is not None:
        left, top, width, height = retouch.rectangle
        rows, columns = _span(top, height, size[0], scale), _span(left, width, size[1], scale)
        mask[rows, columns] = True
    if retouch.cells is not None:
        mask |= _cells(retouch.cells, size, scale)
    for stroke in retouch.strokes:
        paint_stroke(mask, stroke, scale)
    return _cut(~mask if retouch.inverted else mask)


def _cut(mask: NDArray[np.bool_]) -> FilledPixels | None:
    """Return the smallest part of a mask that holds all of it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return FilledPixels(*part, mask[part])


def _span(start: float, length: float, side: int, scale: float) -> slice:
    """Return the pixels whose centres lie on a stretch."""
    first, last = (round(edge * scale) for edge in (start, start + length))
    return slice(min(max(first, 0), side), min(max(last, 0), side))


def paint_stroke(mask: NDArray[np.bool_], stroke: Stroke, scale: float = 1.0) -> None:
    """Add a stroke to a mask, or take it away: all pixels whose centre is no farther than half its width."""
    points = np.asarray(stroke.points, np.float64) * scale
    radius = max(stroke.diameter * scale / 2, 0.5)
    starts = points if len(points) == 1 else points[:-1]
    for start, end in zip(starts, points[1:] if len(points) > 1 else points, strict=True):
        _paint_line(mask, start, end, radius, not stroke.erases)


def _paint_line(
    mask: NDArray[np.bool_],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: float,
    value: bool,
) -> None:
    (left, top), (right, bottom) = np.minimum(start, end) - radius, np.maximum(start, end) + radius
    rows = slice(max(int(top), 0), min(int(bottom) + 1, mask.shape[0]))
    columns = slice(max(int(left), 0), min(int(right) + 1, mask.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    y, x = np.arange(rows.start, rows.stop)[:, None] + 0.5, np.arange(columns.start, columns.stop) + 0.5
    along = end - start
    length = float(along @ along)
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length if length else np.zeros(1)
    share = np.clip(share, 0, 1)
    distance = (x - start[0] - share * along[0]) ** 2 + (y - start[1] - share * along[1]) ** 2
    mask[rows, columns][distance <= radius**2] = value


def _cells(cells: Cells, size: tuple[int, int], scale: float) -> NDArray[np.bool_]:
    """Return the pixels of a picture whose centres lie in chosen cells of a grid."""
    count = cells.rows * cells.columns
    chosen = np.unpackbits(np.frombuffer(cells.bits, np.uint8), count=count).astype(np.bool_)
    left, top, width, height = cells.box
    rows = np.floor(((np.arange(size[0]) + 0.5) / scale - top) / height * cells.rows).astype(np.int64)
    columns = np.floor(((np.arange(size[1]) + 0.5) / scale - left) / width * cells.columns).astype(np.int64)
    mask = np.zeros(size, np.bool_)
    inside = np.ix_((rows >= 0) & (rows < cells.rows), (columns >= 0) & (columns < cells.columns))
    grid = chosen.reshape(cells.rows, cells.columns)
    mask[inside] = grid[np.ix_(rows[inside[0][:, 0]], columns[inside[1][0]])]
    return mask


# ------------------------------------------------------------------------------------------- what fills it


def _filling(
    made: NDArray[Value], place: FilledPixels, retouch: Retouch, pasted: PastedPixels, scale: float
) -> NDArray[np.float64]:
    """Return what the rows and columns of a place are filled with, (h, w, 3 or 1) from 0 to 255."""
    shape: tuple[int, int] = (place.mask.shape[0], place.mask.shape[1])
    match retouch.fill:
        case "blur":
            sigma = retouch.blur * max(made.shape[:2])
            factor = 1.0 if made.dtype == np.uint8 else 255.0
            return _blurred(made, place, sigma) * factor
        case "noise":
            noise = _noise(place, retouch.seed, scale)
            return NOISE_DEVIATION * noise + np.asarray(retouch.colour, np.float64)
        case "paste":
            return _pasted(pasted(retouch.picture), (made.shape[0], made.shape[1]), place)
        case "black":
            return np.zeros((*shape, 3))
        case _:
            return np.broadcast_to(np.asarray(retouch.colour, np.float64), (*shape, 3))


def _pasted(other: NDArray[np.uint8], size: tuple[int, int], place: FilledPixels) -> NDArray[np.float64]:
    """Return the same place of another picture, which is squashed to this one's size."""
    rows, columns = (
        ((np.arange(part.start, part.stop) + 0.5) * theirs / ours).astype(np.int64)
        for part, theirs, ours in zip((place.rows, place.columns), other.shape[:2], size, strict=True)
    )
    return other[np.ix_(rows, columns)].astype(np.float64)


def _blurred(made: NDArray[Value], place: FilledPixels, sigma: float) -> NDArray[np.float64]:
    """Return a place of a picture blurred by nearly a Gaussian, repeating what is at the border.

    Cells of a quarter of the deviation are averaged first, so that large pictures take no longer.
    """
    side = max(int(sigma / _CELLS_PER_SIGMA), 1)
    cells = _averaged(made, side)
    width = max(int(np.sqrt(12 * (sigma / side) ** 2 / _BOX_BLURS + 1)) // 2, 1)
    for _ in range(_BOX_BLURS):
        cells = _box_blurred(_box_blurred(cells, width, 0), width, 1)
    rows, columns = (
        _between(np.arange(part.start, part.stop), side, count)
        for part, count in zip((place.rows, place.columns), cells.shape[:2], strict=True)
    )
    return _interpolated(_interpolated(cells, rows, 0), columns, 1)


def _averaged(values: NDArray[Value], side: int) -> NDArray[np.float64]:
    """Return the means of square cells; those at the end are smaller where the picture cannot be divided."""
    if side == 1:
        return values.astype(np.float64)
    starts = [np.arange(0, length, side) for length in values.shape[:2]]
    sums = np.add.reduceat(values, starts[0], axis=0, dtype=np.float64)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    counts = [np.diff(np.append(at, length)) for at, length in zip(starts, values.shape[:2], strict=True)]
    return np.asarray(sums / (counts[0][:, None] * counts[1])[..., None])


def _box_blurred(values: NDArray[np.float64], reach: int, axis: int) -> NDArray[np.float64]:
    """Return the means of each value and as many as `reach` on both sides of it, along an axis."""
    padding = [(0, 0)] * values.ndim
    padding[axis] = (reach + 1, reach)
    sums = np.cumsum(np.pad(values, padding, mode="edge"), axis=axis)
    width = 2 * reach + 1
    after = np.take(sums, np.arange(width, sums.shape[axis]), axis)
    before = np.take(sums, np.arange(sums.shape[axis] - width), axis)
    return np.asarray((after - before) / width)


def _between(pixels: NDArray[np.int64], side: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return between which cells the centres of pixels lie: the first cell, and the share of the next."""
    at = np.clip((pixels + 0.5) / side - 0.5, 0, count - 1)
    first = np.minimum(at.astype(np.int64), max(count - 2, 0))
    return first, at - first


def _interpolated(
    values: NDArray[np.float64], at: tuple[NDArray[np.int64], NDArray[np.float64]], axis: int
) -> NDArray[np.float64]:
    first, share = at
    after = np.minimum(first + 1, values.shape[axis] - 1)
    weight = share.reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    return np.asarray(np.take(values, first, axis) * (1 - weight) + np.take(values, after, axis) * weight)


def _noise(place: FilledPixels, seed: int, scale: float) -> NDArray[np.float64]:
    """Return normal noise (h, w, 3) that depends only on the pixel's place in the picture and the seed."""
    rows, columns = (
        ((np.arange(part.start, part.stop) + 0.5) / scale).astype(np.uint64)
        for part in (place.rows, place.columns)
    )
    pixel = (rows[:, None] << np.uint64(32)) + columns
    mixed = (_mixed((pixel * np.uint64(8) + np.uint64(band)) ^ _mixed(np.uint64(seed))) for band in range(6))
    uniform = [(each >> np.uint64(11)).astype(np.float64) / 2**53 for each in mixed]
    pairs = zip(uniform[:3], uniform[3:], strict=True)
    bands = [np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second) for first, second in pairs]
    return np.stack(bands, axis=-1)


def _mixed(values: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """Return numbers of 64 bits that look random (SplitMix64, Steele et al. 2014)."""
    mixed = np.atleast_1d(values) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
