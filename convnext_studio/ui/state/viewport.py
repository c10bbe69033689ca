"""The visible part of a picture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewport:
    """The part of a picture that a view shows.

    Attributes
    ----------
    x, y
        Centre of the view, in the picture's pixels.
    span_px
        Length of the view's shorter side, in the picture's pixels.
    """

    x: float
    y: float
    span_px: float
