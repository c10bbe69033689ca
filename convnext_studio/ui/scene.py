"""What a view shows, as plain values: bitmaps in boxes, frames around boxes, and a few words.

Boxes are those of `convnext_studio.geometry`: pixel *i* covers [i, i + 1).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from convnext_studio.geometry import Box
from convnext_studio.ui.qimage import to_qimage


class Bitmap:
    """Colours ready to be painted at any size: reduced copies are made when they are needed, and kept."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._levels = [to_qimage(rgb)]

    @property
    def image(self) -> QImage:
        """The whole, not reduced."""
        return self._levels[0]

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
    """

    size: tuple[float, float]
    layers: tuple[Layer, ...] = ()
    marks: tuple[Mark, ...] = ()
    bright_box: Box | None = None
    note: str = ""
