"""How an attribution is laid over a photograph: which part, in which colours, on which scale, how finely.

Window, contact sheet, exported figures and notebooks use `Shading`, so that a map looks the same everywhere.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.render.colours import DIVERGING, OVER_PICTURE, SEQUENTIAL, SIGNED_OVER_PICTURE, Rgb
from convnext_studio.render.limits import Limits
from convnext_studio.render.numbers import format_number
from convnext_studio.render.overlay import OPACITY, Rgba, draw_grid, grid_lines, overlay, resample, veil

Map = NDArray[np.float32] | NDArray[np.float64]
Part = Literal["positive", "signed"]

COLORMAPS: dict[Part, tuple[str, ...]] = {
    "positive": (OVER_PICTURE, *(name for name in SEQUENTIAL if name != OVER_PICTURE)),
    "signed": (SIGNED_OVER_PICTURE, *(name for name in DIVERGING if name != SIGNED_OVER_PICTURE)),
}
"""The colour maps that suit each part, the default first: on the diverging ones, 0 has a colour of its own."""

PIXEL_PERCENTILE = 99.5
"""Where the scale of a map over the input's pixels ends, because a few pixels exceed all others."""
SMOOTH_SIDE = 448
"""The usual side of a map that is interpolated, in pixels."""
_LEAST_CELL_PX = 10


class Shading(Struct, frozen=True):
    """How maps are laid over a photograph; the default is the look of every class activation map.

    Attributes
    ----------
    part
        The positive part of the map, with limits from 0, or the signed map, with limits symmetric about 0.
    colormap
        One of `COLORMAPS` for that part.
    percentile
        Percentile of the magnitude at which the scale ends; values beyond it are clipped.
    smooth
        Whether to interpolate between the units' centres instead of showing each unit as a square.
    hand
        Limits set by hand, which replace the automatic ones.
    opacity
        The opacity of the largest value; that of any other is proportional to its magnitude.
    """

    part: Part = "positive"
    colormap: str = COLORMAPS["positive"][0]
    percentile: float = 100.0
    smooth: bool = True
    hand: Limits | None = None
    opacity: float = OPACITY

    @classmethod
    def usual(cls, *, is_difference: bool, is_on_pixels: bool) -> "Shading":
        """Return the default for a map: signed for a difference of classes, clipped on the input's pixels."""
        part: Part = "signed" if is_difference else "positive"
        percentile = PIXEL_PERCENTILE if is_on_pixels else 100.0
        return cls(part, COLORMAPS[part][0], percentile, smooth=not is_on_pixels)

    def part_of(self, values: Map) -> Map:
        """Return the part of the map that is coloured."""
        return np.maximum(values, 0) if self.part == "positive" else values

    def limits_of(self, maps: Sequence[Map]) -> Limits:
        """Return the common limits for maps that are to be compared; they end at 1 if all values are 0."""
        if self.hand is not None:
            return self.hand
        shown = [self.part_of(values) for values in maps]
        magnitudes = np.concatenate([np.abs(values[np.isfinite(values)]) for values in shown])
        end = 0.0
        if magnitudes.size and self.percentile < 100:  # A percentile takes ten times as long as the maximum.
            end = float(np.percentile(magnitudes, self.percentile))
        if end == 0 and magnitudes.size:
            end = float(magnitudes.max())  # Or so few values differ from 0 that the percentile is 0.
        end = end or 1.0
        return Limits(-end if self.part == "signed" else 0.0, end)

    def veil_of(self, values: Map, limits: Limits, side: int = SMOOTH_SIDE) -> Rgba:
        """Return the colours of a map (h, w) for `opacity` 1; about `side` pixels a side if interpolated."""
        shown = self.part_of(values)
        if self.smooth:
            factor = max(1, side // max(values.shape))
            shown = resample(shown, values.shape[0] * factor, values.shape[1] * factor)
        return veil(shown, limits, self.colormap)

    def lay_over(self, picture: Rgb, values: Map, box: Box, limits: Limits) -> Rgb:
        """Return a picture with a map in a box of it, and with the grid of its units if that can be seen."""
        drawn = overlay(
            picture, self.part_of(values), box, limits, self.colormap, self.opacity, smooth=self.smooth
        )
        if box[2] / values.shape[1] < _LEAST_CELL_PX:
            return drawn
        return draw_grid(drawn, grid_lines(values.shape, box))

    @property
    def text(self) -> str:
        """The settings in words, for a caption."""
        said = ["for the class (values above 0)" if self.part == "positive" else "for and against the class"]
        if self.hand is not None:
            said.append("range set by hand")
        elif self.percentile < 100:
            said.append(f"clipped at percentile {self.percentile:g} of the magnitudes")
        return " · ".join(said)

    def resolution_text(self, shape: Sequence[int], *, is_on_pixels: bool) -> str:
        """Return the size of a map, and whether it was interpolated: “6 × 6 units, interpolated”."""
        size = f"{shape[0]} × {shape[1]}"
        if is_on_pixels:
            return f"{size} px"
        return f"{size} units, {'interpolated' if self.smooth else 'true grid'}"


def why_empty(values: Map, part: Part) -> str:
    """Return why a picture of the map would show nothing; empty if it shows something."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "No value of this map is finite: the weights or the picture contain extreme values."
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        said = "all zero" if low == 0 else f"constant ({format_number(low)})"
        return f"This map is {said}: it does not distinguish any positions."
    if part == "positive" and high <= 0:
        return (
            f"No value is positive (the largest is {format_number(high)}), so nothing speaks for the class. "
            "“For and against” shows the evidence against it."
        )
    return ""


def missing_text(values: Map) -> str:
    """Return how many values cannot be shown; empty if all can."""
    missing = int(np.count_nonzero(~np.isfinite(values)))
    return f"{missing} of {values.size} values are not finite" if missing else ""
