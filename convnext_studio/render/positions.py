"""Colours for what positions have in common: three components as one colour, parts, and their outlines."""

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.common.likeness import Measure
from convnext_studio.render.colours import Rgb, hatch
from convnext_studio.render.limits import Limits, Values, limits_of
from convnext_studio.render.overlay import Rgba, resample

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.int32])

PART_COLOURS = (
    "#e6a100", "#4cb2f0", "#1fae7c", "#e2583e", "#c77bd0", "#f2e55c",
    "#3f6fd8", "#9bd16a", "#e87aa5", "#8f7bf2", "#35c7c9", "#b98a5a",
)  # fmt: skip
"""One colour for each part, the first ones after Okabe and Ito: they differ in lightness, too."""
NOTHING = (118, 118, 124)
"""The grey of positions that belong to no part."""
_SMOOTH_SIDE = 448
_HATCHED_PX = 400


def seen_map(values: Array, field: FieldGeometry, geometry: CropGeometry) -> tuple[Array, Box]:
    """Return the part of maps (..., h, w) that does not lie in the padding, and its box in the picture."""
    rows, columns = geometry.seen_units(field, *values.shape[-2:])
    x, y, _, _ = field.map_box(1, 1)
    stride = field.stride_px
    box = (
        x + columns.start * stride,
        y + rows.start * stride,
        float((columns.stop - columns.start) * stride),
        float((rows.stop - rows.start) * stride),
    )
    return values[..., rows, columns], geometry.box_to_picture(box)


def three_colours(scores: Values, ends: Sequence[tuple[float, float]], *, smooth: bool = True) -> Rgb:
    """Show up to three maps as the red, green and blue of one picture.

    Parameters
    ----------
    scores
        (k, h, w), of which the first three are used; a missing one is black.
    ends
        For each map, the values that are dark and full; those beyond are clipped.
    smooth
        Whether values are interpolated between the units' centres, so that the picture is finer than the maps.

    Returns
    -------
    Rgb
        Positions at which a value is not finite are hatched in grey.
    """
    height, width = scores.shape[1:]
    holes: NDArray[np.bool_] = np.any(~np.isfinite(scores), axis=0)
    factor = max(1, _SMOOTH_SIDE // max(height, width)) if smooth and not holes.any() else 1
    colours = np.zeros((height * factor, width * factor, 3), np.uint8)
    for index, (values, (low, high)) in enumerate(zip(scores[:3], ends, strict=False)):
        shown = resample(values, height * factor, width * factor) if factor > 1 else values
        share = (np.nan_to_num(shown) - low) / ((high - low) or 1.0)
        colours[..., index] = np.rint(255 * np.clip(share, 0, 1))
    if holes.any():
        return hatch(colours, holes, max(2, _HATCHED_PX // max(height, width)))
    return colours


def laid_over(picture: Rgb, colours: Rgb, box: Box, opacity: float) -> Rgb:
    """Lay colours (h, w, 3) over a box of a picture, interpolated linearly."""
    from PIL import Image  # Imported here, because Pillow would delay the window by 40 ms.

    left, top = round(box[0]), round(box[1])
    width, height = max(1, round(box[0] + box[2]) - left), max(1, round(box[1] + box[3]) - top)
    large = np.asarray(Image.fromarray(colours).resize((width, height), Image.Resampling.BILINEAR))
    first_y, first_x = max(0, -top), max(0, -left)
    last_y, last_x = min(height, picture.shape[0] - top), min(width, picture.shape[1] - left)
    result = picture.copy()
    if last_y > first_y and last_x > first_x:
        place = np.s_[top + first_y : top + last_y, left + first_x : left + last_x]
        shown = large[first_y:last_y, first_x:last_x].astype(np.float32)
        result[place] = np.rint(opacity * shown + (1 - opacity) * result[place]).astype(np.uint8)
    return result


def signed_limits(ends: tuple[float, float]) -> Limits:
    """Return the scale of a single component, symmetric about 0, from the ends of its colour."""
    far = max(abs(ends[0]), abs(ends[1])) or 1.0
    return Limits(-far, far)


def likeness_limits(values: Values, measure: Measure) -> Limits:
    """Return the scale of a map of likeness.

    Cosines end at 1, and begin at the smallest value, because all vectors of a ConvNeXt have much in common;
    centred cosines, and cosines if some are negative, begin at -1. Dot products are symmetric about 0.
    """
    if measure == "dot":
        return limits_of(values, symmetric=True)
    finite = values[np.isfinite(values)]
    least = float(finite.min()) if finite.size else 0.0
    return Limits(-1.0, 1.0) if measure == "centred" or least < 0 else Limits(min(least, 0.999), 1.0)


def part_rgb(part: int) -> tuple[int, int, int]:
    """Return the colour of a part; grey for -1."""
    if part < 0:
        return NOTHING
    colour = PART_COLOURS[part % len(PART_COLOURS)]
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def part_veil(labels: NDArray[np.int32], hidden: Collection[int] = (), opacity: float = 0.45) -> Rgba:
    """Return the colours (h, w, 4) of labelled positions; hidden parts and positions without one are clear."""
    veil = np.zeros((*labels.shape, 4), np.uint8)
    for part in np.unique(labels).tolist():
        if part >= 0 and part not in hidden:
            veil[labels == part] = (*part_rgb(part), round(255 * opacity))
    return veil


def part_outlines(
    labels: NDArray[np.int32], box: Box, hidden: Collection[int] = ()
) -> dict[int, NDArray[np.float64]]:
    """Return the borders of each part that is not hidden, as lines (n, 2, 2) in a box that the map fills."""
    x, y, width, height = box
    scale = np.array((width / labels.shape[1], height / labels.shape[0]))
    found = {}
    for part in np.unique(labels).tolist():
        if part < 0 or part in hidden:
            continue
        inside = np.pad(labels == part, 1)
        rows, columns = np.nonzero(inside[1:, 1:-1] != inside[:-1, 1:-1])
        across = np.stack((np.stack((columns, rows), 1), np.stack((columns + 1, rows), 1)), 1)
        rows, columns = np.nonzero(inside[1:-1, 1:] != inside[1:-1, :-1])
        down = np.stack((np.stack((columns, rows), 1), np.stack((columns, rows + 1), 1)), 1)
        found[part] = np.concatenate((across, down)) * scale + (x, y)
    return found


def label_picture(
    labels: NDArray[np.int32], box: Box, size: tuple[int, int], hidden: Collection[int] = ()
) -> NDArray[np.uint8]:
    """Return the label of every pixel of a picture of that width and height.

    Returns
    -------
    NDArray
        (H, W): 0 outside the map, for hidden parts and for positions without one; the number of the part,
        counted from 1, elsewhere.
    """
    width, height = size
    x, y, across, down = box
    rows = np.floor((np.arange(height) + 0.5 - y) / down * labels.shape[0]).astype(int)
    columns = np.floor((np.arange(width) + 0.5 - x) / across * labels.shape[1]).astype(int)
    has_row, has_column = (rows >= 0) & (rows < labels.shape[0]), (columns >= 0) & (columns < labels.shape[1])
    found = labels[np.ix_(np.clip(rows, 0, labels.shape[0] - 1), np.clip(columns, 0, labels.shape[1] - 1))] + 1
    found = np.where(has_row[:, None] & has_column[None], found, 0)
    for part in hidden:
        found[found == part + 1] = 0
    return found.astype(np.uint8)
