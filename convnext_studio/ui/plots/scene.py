"""What a view shows, as plain values: bitmaps in boxes, frames around boxes, and a few words.

Boxes are those of `convnext_studio.common.geometry`: pixel *i* covers [i, i + 1).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QSize, Qt
from PySide6.QtGui import QImage

from convnext_studio.common.geometry import Box
from convnext_studio.ui.widgets.qimage import to_qimage


class Bitmap:
    """Colours ready to be painted at any size: reduced copies are made when they are needed, and kept."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._levels = [to_qimage(rgb)]

    @property
    def image(self) -> QImage:
        """The whole, not reduced."""
        return self._levels[0]

    def reduce(self, smallest_px: int) -> "Bitmap":
        """Make the reduced copies now, down to about that size, so that none is waited for; from any thread."""
        longest = max(self.image.width(), self.image.height())
        if longest > smallest_px:
            self.level(smallest_px / longest)
        return self

    def level(self, scale: float) -> QImage:
        """The copy, halved as often as it takes, that is nearest above `scale` times the size.

        Qt's own reduction samples four pixels only, and makes thin lines of a large mosaic come and go.
        """
        wanted = max(0, math.floor(-math.log2(scale))) if scale < 1 else 0
        while len(self._levels) <= wanted:
            last = self._levels[-1]
            half = QSize(max(1, last.width() // 2), max(1, last.height() // 2))
            self._levels.append(
                last.scaled(
                    half, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
            )
        return self._levels[wanted]


@dataclass(frozen=True, slots=True)
class Layer:
    """A bitmap in a box of the scene; enlarged, its pixels stay sharp unless `smooth`.

    Only what lies in the box `clip` is painted; all of it where None.
    """

    bitmap: Bitmap
    box: Box
    opacity: float = 1.0
    smooth: bool = False
    clip: Box | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A frame around a box of the scene, as thin at any zoom.

    Its label stands at one of its corners, or, if `beside`, in a column right of the layers.
    """

    box: Box
    label: str = ""
    colour: str = "#ffffff"
    dashed: bool = False
    beside: bool = False


@dataclass(frozen=True, eq=False)
class Lines:
    """Thin lines of the same width at any zoom: (lines, 2, 2) float64, from (x, y) to (x, y) in the scene."""

    ends: NDArray[np.float64]
    colour: str = "#ffffff"

    @cached_property
    def drawn(self) -> list[QLineF]:
        """For Qt: made once, because making them takes as long as drawing them."""
        return [QLineF(*line) for line in self.ends.reshape(-1, 4).tolist()]


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the scene, marked by a small cross of the same size at any zoom."""

    x: float
    y: float
    colour: str = "#ffffff"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a view shows.

    Attributes
    ----------
    size
        Width and height of the coordinates shown; the view fits them.
    layers, marks
        Painted in their order, marks above layers.
    bright_box
        Everything outside it is dimmed slightly; nothing where None.
    note
        Lines printed beside the layers, below the marks' labels.
    lines
        Painted above the layers, below the marks.
    spots
        Painted above the marks.
    """

    size: tuple[float, float]
    layers: tuple[Layer, ...] = ()
    marks: tuple[Mark, ...] = ()
    bright_box: Box | None = None
    note: str = ""
    lines: tuple[Lines, ...] = ()
    spots: tuple[Spot, ...] = ()
