"""The values at the ends of a colour scale, and how a person chooses them."""

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
ROBUST_PERCENTILES = (0.5, 99.5)
"""Between them lie the values that `robust_limits` hold."""


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
        return spread(0.0, 0.0, symmetric)
    return spread(float(finite.min()), float(finite.max()), symmetric)


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
    return tuple(spread(*ends, symmetric) for ends in zip(low.tolist(), high.tolist(), strict=True))


def robust_limits(maps: Values, symmetric: bool = False) -> Limits:
    """Limits at `ROBUST_PERCENTILES`: a few units of a ConvNeXt exceed all others by far."""
    finite = maps if np.isfinite(maps).all() else maps[np.isfinite(maps)]
    return limits_of(np.percentile(finite, ROBUST_PERCENTILES) if finite.size else finite, symmetric)


def spread(low: float, high: float, symmetric: bool) -> Limits:
    """Limits that hold two finite values, as `limits_of` says."""
    if symmetric:
        largest = max(abs(low), abs(high)) or 1.0
        return Limits(-largest, largest)
    if low == high:
        return Limits(low, min(low + (abs(low) or 1.0), sys.float_info.max))
    return Limits(low, high)


RangeKind = Literal["data", "percentile", "symmetric", "hand"]


@dataclass(frozen=True, slots=True)
class Range:
    """How the ends of a colour scale are found.

    Attributes
    ----------
    kind
        ``data``: all values; ``percentile``: without the outermost; ``symmetric``: all values, 0 in the
        middle; ``hand``: two numbers.
    percentile
        From 50 to 100: so many per cent of the values lie below the upper end, and as many above the lower.
    hand
        The two numbers; all values are held while there are none.
    """

    kind: RangeKind = "data"
    percentile: float = 99.0
    hand: Limits | None = None

    def limits(self, values: Values) -> Limits:
        """The ends for these values, of any shape; what is not finite is ignored."""
        if self.kind == "hand" and self.hand is not None:
            return self.hand
        if self.kind == "percentile":
            finite = values[np.isfinite(values)]
            if finite.size:
                return limits_of(np.percentile(finite, (100 - self.percentile, self.percentile)))
        return limits_of(values, symmetric=self.kind == "symmetric")

    @property
    def text(self) -> str:
        """In a caption; empty where nothing is left out."""
        return {
            "data": "",
            "percentile": f"percentiles {100 - self.percentile:g} to {self.percentile:g}",
            "symmetric": "symmetric about 0",
            "hand": "range set by hand" if self.hand is not None else "",
        }[self.kind]


ALL_VALUES = Range()


@dataclass(frozen=True, slots=True)
class Clipping:
    """Whether there are values beyond the lower and the upper end of a scale: they have the end's colour."""

    below: bool = False
    above: bool = False

    @classmethod
    def of(cls, values: Values, limits: Limits) -> "Clipping":
        """Of these values, of any shape; what is not finite is ignored."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return UNCLIPPED
        # A limit was rounded to float64 from a value, or not at all: compared in that precision.
        return cls(float(finite.min()) < limits.low, float(finite.max()) > limits.high)

    def end_texts(self, low: str, high: str) -> tuple[str, str]:
        """The numbers at the ends of a scale, as "≤ -2.41" or "≥ 2.41" where there are values beyond."""
        return f"≤ {low}" if self.below else low, f"≥ {high}" if self.above else high

    @property
    def text(self) -> str:
        """In words; empty where there are none."""
        ends = [end for is_beyond, end in ((self.below, "below"), (self.above, "above")) if is_beyond]
        return f"values {' and '.join(ends)} the scale" if ends else ""


UNCLIPPED = Clipping()
