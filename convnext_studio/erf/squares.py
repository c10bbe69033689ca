"""Squares that hold a given share of a receptive field, and notes about unusual fields."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import Box

Field = NDArray[np.float64]
Scale = Literal["linear", "log"]

THRESHOLDS = (0.2, 0.3, 0.5, 0.99)
"""The shares of the field for which squares are reported, as in Ding et al. 2022."""

OF_WHAT: Mapping[Scale, str] = MappingProxyType({"linear": "the field itself", "log": "log10(1 + field)"})
"""What the squares hold a share of, by scale, for captions."""


class Square(Struct, frozen=True, kw_only=True):
    """The smallest centred square that holds more than a share of the field.

    Attributes
    ----------
    threshold
        The share of the field.
    side_px
        Side of the square in input pixels.
    area_ratio
        Its area as a fraction of the input's area. That of a published square counts what lies outside of an
        input that is narrower, too, which `field_notes` says.
    """

    threshold: float
    side_px: int
    area_ratio: float


def squares(
    field: Field,
    thresholds: Iterable[float] = THRESHOLDS,
    scale: str = "log",
    centre: str | tuple[float, float] = "replknet",
) -> list[Square]:
    """Grow a square around a centre until it holds more than each share of the field.

    Parameters
    ----------
    field
        The field, (H, W), not negative.
    scale
        ``log`` measures log10(field + 1), as published; ``linear`` measures the field itself.
    centre
        ``replknet`` for the pixel (H // 2, W // 2), as in the script ``erf/analyze_erf.py`` of Ding et al. 2022
        (arXiv:2203.06717): odd sides from 3, ending one pixel before the border. Otherwise x and y as
        continuous input coordinates (multiples of one half): sides grow by 2 from the smallest square of whole
        pixels that is centred there, and are clipped at the border, so that only the area inside the picture
        counts.

    Returns
    -------
    One square for each threshold that is reached, in the order given; none for a field of zeros. (The published
    script first divides the logarithms by their maximum, which does not change the shares, and ends with a
    TypeError at the first threshold that is not reached.)

    Raises
    ------
    StudioError
        If the field is not two-dimensional, or has negative or non-finite values, or the scale is unknown.
    """
    weights = _weights(field, scale)
    height, width = weights.shape
    published = centre == "replknet"
    if isinstance(centre, str):
        if not published:
            raise StudioError(f"There is no centre “{centre}”.", "Give replknet, or x and y.")
        x, y = width // 2 + 0.5, height // 2 + 0.5
    else:
        x, y = centre
    # A pixel is inside the square of side s when its far edge is at most s / 2 from the centre.
    side_of_column = np.rint(2 * np.abs(np.arange(width) + 0.5 - x) + 1).astype(np.int64)
    side_of_row = np.rint(2 * np.abs(np.arange(height) + 0.5 - y) + 1).astype(np.int64)
    side_of_pixel = np.maximum(side_of_row[:, None], side_of_column[None, :])
    inside = side_of_pixel.ravel()
    held = np.cumsum(np.bincount(inside, weights=weights.ravel()))
    # The published loop runs over half-sides 1 .. H // 2 - 1.
    sides = np.arange(3, 2 * (height // 2), 2) if published else np.flatnonzero(np.bincount(inside))
    found = []
    for threshold in thresholds:
        reached = sides[held[sides] / held[-1] > threshold] if held[-1] > 0 else sides[:0]
        if len(reached):
            side = int(reached[0])
            area = side * side if published else _area_inside(side, x, y, width, height)
            found.append(Square(threshold=threshold, side_px=side, area_ratio=area / (width * height)))
    return found


def square_box(square: Square, centre: tuple[float, float], shape: tuple[int, ...]) -> Box:
    """Return the part of a square around a centre (x, y) that is within an input of shape (height, width)."""
    left, top = (max(middle - square.side_px / 2, 0.0) for middle in centre)
    right = min(centre[0] + square.side_px / 2, float(shape[1]))
    bottom = min(centre[1] + square.side_px / 2, float(shape[0]))
    return left, top, right - left, bottom - top


def side_text(square: Square, centre: tuple[float, float], shape: tuple[int, ...]) -> str:
    """Return the size of a square as it is drawn: “48 px”, or “96 px, clipped at the edge”."""
    _, _, width, height = square_box(square, centre, shape)
    size = f"{width:g} px" if width == height else f"{width:g} × {height:g} px"
    return size if width == height == square.side_px else f"{size}, clipped at the edge"


def _weights(field: Field, scale: str) -> Field:
    if field.ndim != 2 or field.size == 0:
        raise StudioError(f"A receptive field has two dimensions, but this array has shape {field.shape}.")
    if not np.isfinite(field).all() or field.min() < 0:
        raise StudioError("The receptive field has values that are negative or not finite.")
    if scale not in ("log", "linear"):
        raise StudioError(f"There is no scale “{scale}”.", "There are: linear, log.")
    return np.log10(field + 1) if scale == "log" else field


def _area_inside(side: int, x: float, y: float, width: int, height: int) -> float:
    across = min(width, x + side / 2) - max(0.0, x - side / 2)
    down = min(height, y + side / 2) - max(0.0, y - side / 2)
    return across * down


def area_ratios(
    field: Field,
    thresholds: Iterable[float] = THRESHOLDS,
    scale: str = "log",
    centre: str | tuple[float, float] = "replknet",
) -> dict[float, float | None]:
    """Return the area of the smallest centred square that holds more than each share, over the input's area.

    The parameters are those of `squares`. A threshold that no square in the input reaches gives None.
    """
    wanted = tuple(thresholds)
    found = {square.threshold: square.area_ratio for square in squares(field, wanted, scale, centre)}
    return {threshold: found.get(threshold) for threshold in wanted}


def _counts_outside(square: Square, shape: tuple[int, ...]) -> bool:
    """Return whether the area of a square is that of all of it, though not all is within the input."""
    whole = square.side_px**2 / math.prod(shape)
    return square.side_px > min(shape) and math.isclose(square.area_ratio, whole)


SMALLEST_SIDE_PX = 3
"""The side of the smallest published square."""


def field_notes(field: NDArray[np.float64], scale: Scale, found: Iterable[Square]) -> tuple[str, ...]:
    """Return notes for the user about a field (H, W) with these squares on that scale."""
    if not field.any():
        return ("The field is zero: no pixel of the input changes what was measured.",)
    said, found = [], tuple(found)
    if field.min() == field.max():
        said.append("The field is the same at every pixel, so its squares only measure area.")
    if min(field.shape) < SMALLEST_SIDE_PX:
        said.append(
            f"The input is smaller than {SMALLEST_SIDE_PX} pixels, the side of the smallest published square."
        )
    if any(_counts_outside(square, field.shape) for square in found):
        said.append(
            "A square is wider than the input. Its area, as published, counts what lies outside the input, too."
        )
    missing = [
        f"{100 * share:g} %" for share in THRESHOLDS if share not in {square.threshold for square in found}
    ]
    if missing:
        of_what = "log10(1 + field)" if scale == "log" else "the field"
        said.append(f"No centred square within the input holds more than {' or '.join(missing)} of {of_what}.")
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    if max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 < SMALLEST_SIDE_PX:
        said.append(f"All of the field lies within fewer than {SMALLEST_SIDE_PX} pixels.")
    return tuple(said)
