"""Turn values into the colours of a colour map."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.render.limits import Limits, Values

Rgb = NDArray[np.uint8]

SEQUENTIAL = ("viridis", "cividis", "magma", "inferno", "gray", "glow")
"""Sequential colour maps, for data from low to high."""
DIVERGING = ("vik", "glow-ice")
"""Diverging colour maps, for signed data with limits symmetric about 0."""
OVER_PICTURE, SIGNED_OVER_PICTURE = "glow", "glow-ice"
"""The colour maps for data on a photograph.

Violet, magenta and yellow, and blue and cyan for negative values, are rare in photographs, and people with any
kind of colour blindness can tell them apart.
"""

_CATALOGUE = {
    "viridis": "bids:viridis",
    "cividis": "cividis:cividis",
    "magma": "bids:magma",
    "inferno": "bids:inferno",
    "gray": "matlab:gray",
    "vik": "crameri:vik",
}
# Without the dark blue at the beginning of both, in which one could be mistaken for the other, and without the
# near white at the end of the second.
_GLOW, _ICE = ("bids:plasma", 0.2, 1.0), ("colorcet:kbc", 0.25, 0.92)
STEPS = 256
_NOT_FINITE = np.array([[206, 206, 210], [138, 138, 142]], dtype=np.uint8)


@cache
def lut(colormap: str) -> Rgb:
    """Return the colour table of a colour map.

    Returns
    -------
    Rgb
        (256, 3), read-only, from the colour of the lowest value to that of the highest.

    Raises
    ------
    StudioError
        If the name is in neither `SEQUENTIAL` nor `DIVERGING`.
    """
    if colormap not in SEQUENTIAL + DIVERGING:
        raise StudioError(
            f"There is no colour map “{colormap}”.", f"There are: {', '.join(SEQUENTIAL + DIVERGING)}."
        )
    if colormap == "glow":
        table = _colours_of(*_GLOW, STEPS)
    elif colormap == "glow-ice":
        table = np.concatenate((_colours_of(*_ICE, STEPS // 2)[::-1], _colours_of(*_GLOW, STEPS // 2)))
    else:
        table = _colours_of(_CATALOGUE[colormap], 0.0, 1.0, STEPS)
    table.flags.writeable = False
    return table


def _colours_of(name: str, first: float, last: float, count: int) -> Rgb:
    """Return `count` colours of one of cmap's colour maps, between two fractions of it."""
    from cmap import Colormap  # Imported here, so that the window need not wait 50 ms for it.

    colours = Colormap(name)(np.linspace(first, last, count))[:, :3]
    return np.rint(colours * 255).astype(np.uint8)


def load_colour_maps() -> None:
    """Build all colour tables in advance; may be called from any thread."""
    for name in SEQUENTIAL + DIVERGING:
        lut(name)


def colorize(values: Values, limits: Limits | Sequence[Limits], colormap: str) -> Rgb:
    """Turn values into colours.

    The 256 colours divide the range from `low` to `high` into equal steps: a value gets colour floor(256 (value
    - low) / (high - low)), and values beyond the limits get the colour at that end. Values that are not finite
    get a chequered pattern of two greys over the last two axes.

    Parameters
    ----------
    values
        The values, of any shape.
    limits
        Limits for all values, or for each entry of the first axis.

    Returns
    -------
    Rgb
        An array of the shape of `values` plus an axis of 3.
    """
    return paint(steps_of(values, limits), ~np.isfinite(values), lut(colormap))


def hatch(rgb: Rgb, holes: NDArray[np.bool_], factor: int) -> Rgb:
    """Enlarge colours of (h, w) units `factor` times, and hatch the units in `holes`, which have no value.

    The hatching has slanted lines in two greys, so that even a single unit cannot be mistaken for a colour of
    the map.

    Returns
    -------
    Rgb
        (h * factor, w * factor, 3).
    """
    large = rgb.repeat(factor, axis=0).repeat(factor, axis=1)
    width = max(1, factor // 4)
    rows, columns = np.nonzero(holes.repeat(factor, axis=0).repeat(factor, axis=1))
    large[rows, columns] = _NOT_FINITE[(rows + columns) // width % 2]
    return large


def paint(steps: NDArray[np.uint8], holes: NDArray[np.bool_], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn indices into a colour table into colours; holes get a chequered pattern over the last two axes.

    Parameters
    ----------
    steps, holes
        The indices, and where there is no value.
    table
        The colours, (256, n): red, green, blue, and perhaps an opacity, which holes get from their index.
    """
    # `take` needs a third of the time of indexing the table.
    colours: NDArray[np.uint8] = np.take(table, steps, axis=0)
    if holes.any():
        where = np.nonzero(holes)
        colours[..., :3][where] = _NOT_FINITE[np.sum(where[-2:], axis=0) % 2]
    return colours


def steps_of(values: Values, limits: Limits | Sequence[Limits]) -> NDArray[np.uint8]:
    """Return the index of each value into the colour table, computed in the values' precision; NaN is `low`."""
    each = [limits] if isinstance(limits, Limits) else limits
    ends = np.array([(one.low, one.high) for one in each], dtype=np.float64)
    low, high = (ends[:, side].reshape(-1, *[1] * (values.ndim - 1)) for side in (0, 1))
    # Halved, because the difference of two finite numbers may not be finite.
    factor = (STEPS / 2) / (high / 2 - low / 2)
    precision = np.result_type(values, np.float32)
    if factor.max() > 1e30 or factor.min() < 1e-30:
        precision = np.result_type(values, np.float64)
    with np.errstate(all="ignore"):
        scaled = np.subtract(values, low.astype(precision), dtype=precision)
        scaled *= factor.astype(precision)
    # fmax and fmin turn NaN into the bound, whereas np.clip keeps NaN.
    np.fmax(scaled, 0, out=scaled)
    np.fmin(scaled, STEPS - 1, out=scaled)
    steps: NDArray[np.uint8] = scaled.astype(np.uint8)
    return steps
