"""Values as colours of a colour map."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.render.limits import Limits, Values

Rgb = NDArray[np.uint8]

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
STEPS = 256
_NOT_FINITE = np.array([[206, 206, 210], [138, 138, 142]], dtype=np.uint8)


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

    table: Rgb = np.rint(Colormap(_CATALOGUE[colormap]).lut(STEPS)[:, :3] * 255).astype(np.uint8)
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
    return paint(steps_of(values, limits), ~np.isfinite(values), colormap)


def hatch(rgb: Rgb, holes: NDArray[np.bool_], factor: int) -> Rgb:
    """Colours of (h, w) units enlarged `factor` times, with those that are no value hatched.

    Slanted lines in the two greys, so that even a single one cannot be taken for a colour of the map.

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


def paint(steps: NDArray[np.uint8], holes: NDArray[np.bool_], colormap: str) -> Rgb:
    """Indices into the colour table as colours; holes are chequered over the last two axes."""
    # take: a third of the time that indexing the table would need.
    colours: Rgb = np.take(lut(colormap), steps, axis=0)
    if holes.any():
        where = np.nonzero(holes)
        colours[where] = _NOT_FINITE[np.sum(where[-2:], axis=0) % 2]
    return colours


def steps_of(values: Values, limits: Limits | Sequence[Limits]) -> NDArray[np.uint8]:
    """Index into the colour table, computed in the values' own precision; NaN counts as `low`."""
    each = [limits] if isinstance(limits, Limits) else limits
    ends = np.array([(one.low, one.high) for one in each], dtype=np.float64)
    low, high = (ends[:, side].reshape(-1, *[1] * (values.ndim - 1)) for side in (0, 1))
    # Halves, because the difference of two finite numbers may not be finite.
    factor = (STEPS / 2) / (high / 2 - low / 2)
    precision = np.result_type(values, np.float32)
    if factor.max() > 1e30 or factor.min() < 1e-30:
        precision = np.result_type(values, np.float64)
    with np.errstate(all="ignore"):
        scaled = np.subtract(values, low.astype(precision), dtype=precision)
        scaled *= factor.astype(precision)
    # Not np.clip: fmax and fmin turn NaN into the bound.
    np.fmax(scaled, 0, out=scaled)
    np.fmin(scaled, STEPS - 1, out=scaled)
    steps: NDArray[np.uint8] = scaled.astype(np.uint8)
    return steps
