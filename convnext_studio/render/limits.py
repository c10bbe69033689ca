"""The values at the ends of a colour scale, and how a person chooses them."""

import math
import sys
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
ROBUST_PERCENTILES = (0.5, 99.5)
"""The percentiles at which `robust_limits` lie."""


class Limits(Struct, frozen=True):
    """The two ends of a colour scale; `low` is below `high`, and both are finite."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a colour scale cannot go from {self.low} to {self.high}")


def limits_of(values: Values, symmetric: bool = False) -> Limits:
    """Return the limits that just contain all finite values.

    Parameters
    ----------
    values
        The values, of any shape; those that are not finite are ignored.
    symmetric
        Whether the limits are -m and m, where m is the largest magnitude, as for signed data.

    Returns
    -------
    Limits
        For constant data the scale starts at their value, so that they get the lowest colour; it goes from 0 to
        1 if the value is 0 or no value is finite. Symmetric limits of zeros are -1 and 1.
    """
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    if finite.size == 0:
        return enclosing_limits(0.0, 0.0, symmetric)
    return enclosing_limits(float(finite.min()), float(finite.max()), symmetric)


def channel_limits(maps: Values, symmetric: bool = False) -> tuple[Limits, ...]:
    """Return `limits_of` for each channel of maps (channels, height, width)."""
    finite = np.isfinite(maps)
    if finite.all():
        low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    else:
        low = maps.min(axis=(1, 2), where=finite, initial=np.inf)
        high = maps.max(axis=(1, 2), where=finite, initial=-np.inf)
        empty = ~finite.any(axis=(1, 2))
        low[empty] = high[empty] = 0
    return tuple(enclosing_limits(*ends, symmetric) for ends in zip(low.tolist(), high.tolist(), strict=True))


def robust_limits(maps: Values, symmetric: bool = False) -> Limits:
    """Return limits at `ROBUST_PERCENTILES`, because a few units of a ConvNeXt far exceed all others."""
    finite = maps if np.isfinite(maps).all() else maps[np.isfinite(maps)]
    return limits_of(np.percentile(finite, ROBUST_PERCENTILES) if finite.size else finite, symmetric)


def enclosing_limits(low: float, high: float, symmetric: bool) -> Limits:
    """Return the limits that contain two finite values, as `limits_of` does."""
    if symmetric:
        largest = max(abs(low), abs(high)) or 1.0
        return Limits(-largest, largest)
    if low == high:
        return Limits(low, min(low + (abs(low) or 1.0), sys.float_info.max))
    return Limits(low, high)


RangeKind = Literal["data", "percentile", "symmetric", "hand"]


class Range(Struct, frozen=True):
    """How the ends of a colour scale are chosen.

    Attributes
    ----------
    kind
        ``data``: the range of all values; ``percentile``: without the extreme values; ``symmetric``: symmetric
        about 0; ``hand``: two given numbers.
    percentile
        The percentage of values below the upper end, and of values above the lower end; from 50 to 100.
    hand
        The two given numbers; the range of all values is used if there are none.
    """

    kind: RangeKind = "data"
    percentile: float = 99.0
    hand: Limits | None = None

    def limits(self, values: Values) -> Limits:
        """Return the limits for values of any shape; those that are not finite are ignored."""
        if self.kind == "hand" and self.hand is not None:
            return self.hand
        if self.kind == "percentile":
            finite = values[np.isfinite(values)]
            if finite.size:
                return limits_of(np.percentile(finite, (100 - self.percentile, self.percentile)))
        return limits_of(values, symmetric=self.kind == "symmetric")

    @property
    def text(self) -> str:
        """The text for a caption; empty if the scale contains all values."""
        return {
            "data": "",
            "percentile": f"percentiles {100 - self.percentile:g} to {self.percentile:g}",
            "symmetric": "symmetric about 0",
            "hand": "range set by hand" if self.hand is not None else "",
        }[self.kind]


ALL_VALUES = Range()


class Clipping(Struct, frozen=True):
    """Whether values lie beyond the lower and the upper end of a scale; they get the colour of that end."""

    below: bool = False
    above: bool = False

    @classmethod
    def of(cls, values: Values, limits: Limits) -> "Clipping":
        """Compare values of any shape with limits; those that are not finite are ignored."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return UNCLIPPED
        # A limit is a value that was rounded to float64, if at all, so the comparison uses that precision.
        return cls(float(finite.min()) < limits.low, float(finite.max()) > limits.high)

    def end_texts(self, low: str, high: str) -> tuple[str, str]:
        """Return the texts at the ends of a scale, with "≤" or "≥" before them if there are values beyond."""
        return f"≤ {low}" if self.below else low, f"≥ {high}" if self.above else high

    @property
    def text(self) -> str:
        """The clipping in words; empty if no values lie beyond."""
        ends = [end for is_beyond, end in ((self.below, "below"), (self.above, "above")) if is_beyond]
        return f"values {' and '.join(ends)} the scale" if ends else ""


UNCLIPPED = Clipping()
