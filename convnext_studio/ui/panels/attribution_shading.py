"""From a map's numbers to its colours: part, ends of the scale, and words where it would show nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from convnext_studio.render import DIVERGING, SEQUENTIAL, Limits, format_number
from convnext_studio.ui.panels.maps import Map

Part = Literal["signed", "positive"]

COLORMAPS: dict[Part, tuple[str, ...]] = {"signed": DIVERGING, "positive": SEQUENTIAL}
"""Which colour maps suit which part: on the diverging ones, 0 has a colour of its own."""


@dataclass(frozen=True, slots=True)
class Shading:
    """How maps are coloured.

    Attributes
    ----------
    part
        The signed map, symmetric about 0, or its positive part, from 0.
    colormap
        One of `COLORMAPS` of that part.
    percentile
        Of the magnitude; what lies beyond it has the colours of the scale's ends.
    hand
        Ends of the scale in place of all that.
    smooth
        Interpolated between the units' centres, in place of the units as they are.
    """

    part: Part = "signed"
    colormap: str = COLORMAPS["signed"][0]
    percentile: float = 100.0
    smooth: bool = False
    hand: Limits | None = None

    def part_of(self, values: Map) -> Map:
        """The part that is coloured."""
        return np.maximum(values, 0) if self.part == "positive" else values

    def limits_of(self, maps: Sequence[Map]) -> Limits:
        """One scale for maps that are to be compared; to 1 where nothing in them differs from 0."""
        if self.hand is not None:
            return self.hand
        shown = [self.part_of(values) for values in maps]
        magnitudes = np.concatenate([np.abs(values[np.isfinite(values)]) for values in shown])
        end = float(np.percentile(magnitudes, self.percentile)) if magnitudes.size else 0.0
        if end == 0 and magnitudes.size:
            end = float(magnitudes.max())  # Few values differ from 0: the percentile misses them all.
        end = end or 1.0
        return Limits(-end if self.part == "signed" else 0.0, end)

    @property
    def text(self) -> str:
        """In a caption."""
        said = ["bilinear" if self.smooth else "nearest"]
        said.append("signed" if self.part == "signed" else "positive part (ReLU)")
        if self.hand is not None:
            said.append("range set by hand")
        elif self.percentile < 100:
            said.append(f"clipped at percentile {self.percentile:g} of |value|")
        return " · ".join(said)


def why_empty(values: Map, part: Part) -> str:
    """Why a picture of the map would show nothing; empty where it shows something."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "No value of this map is finite: the weights or the picture hold extreme values."
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        said = "all zero" if low == 0 else f"constant ({format_number(low)})"
        return f"This map is {said}: it prefers no place to another."
    if part == "positive" and high <= 0:
        return (
            f"Nothing here is positive (the largest value is {format_number(high)}): ReLU leaves nothing. "
            "The signed map shows what speaks against the class."
        )
    return ""


def missing_text(values: Map) -> str:
    """How many values cannot be shown; empty where all can."""
    missing = int(np.count_nonzero(~np.isfinite(values)))
    return f"{missing} of {values.size} values are not finite" if missing else ""
