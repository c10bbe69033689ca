"""Which part of the picture is seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewport:
    """Which part of the picture is seen.

    Attributes
    ----------
    x, y
        In the middle of the view, in the picture's pixels.
    span_px
        So many of the picture's pixels go into the shorter side of the view.
    """

    x: float
    y: float
    span_px: float
