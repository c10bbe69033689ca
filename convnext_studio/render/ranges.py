"""Which values a colour scale holds, as a person chooses it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from convnext_studio.render.limits import Limits, Values, limits_of

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
