"""The contents of a view as plain values: bitmaps in boxes, frames, lines, spots and a note.

Boxes are those of `convnext_studio.common.geometry`: pixel *i* covers [i, i + 1).
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QSize, Qt
from PySide6.QtGui import QImage

from convnext_studio.common.geometry import Box
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.qimage import to_qimage


class Bitmap:
    """An image to be painted at any size, for which reduced copies are created when needed and cached."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        """Take colours (height, width, 3), or (height, width, 4) with alpha."""
        self._levels = [to_qimage(rgb)]

    @property
    def image(self) -> QImage:
        """The image at full size."""
        return self._levels[0]

    def reduce(self, smallest_px: int) -> "Bitmap":
        """Create the reduced copies down to about this size now, which may be done in any thread."""
        longest = max(self.image.width(), self.image.height())
        if longest > smallest_px:
            self.level(smallest_px / longest)
        return self

    def level(self, scale: float) -> QImage:
        """Return the smallest copy, halved repeatedly, that is at least `scale` times the full size.

        Qt's own reduction samples only four pixels, so thin lines of a large mosaic would come and go.
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


class Numbers:
    """The values (height, width) behind the colours of a layer, read when something is measured.

    Parameters
    ----------
    read
        Returns the values; NaN where there are none.
    read_all
        Returns all values if the layer shows only a part of them; a share of the sum refers to these.
    """

    def __init__(
        self, read: Callable[[], NDArray[Any]], read_all: Callable[[], NDArray[Any]] | None = None
    ) -> None:
        self._read = read
        self._read_all = read_all

    @cached_property
    def values(self) -> NDArray[Any]:
        """The values, kept because a region that is dragged reads them for every frame."""
        return self._read()

    @cached_property
    def whole(self) -> float:
        """The sum of all finite values."""
        return float(np.sum(self._all, where=np.isfinite(self._all), dtype=np.float64))

    @cached_property
    def is_signed(self) -> bool:
        """Whether there are values below 0."""
        return bool((self._all < 0).any())

    @property
    def _all(self) -> NDArray[Any]:
        return self.values if self._read_all is None else self._read_all()


class Layer(Struct, frozen=True):
    """A bitmap in a box of the scene; when enlarged, its pixels stay sharp unless `smooth`.

    Only the part inside the box `clip` is painted, or all of it if None. `numbers` are the values behind the
    colours, which fill the box; None if there are none.
    """

    bitmap: Bitmap
    box: Box
    opacity: float = 1.0
    smooth: bool = False
    clip: Box | None = None
    numbers: Numbers | None = None


class Mark(Struct, frozen=True):
    """A frame around a box of the scene, with the same line width at any zoom.

    Its label is placed at one of its corners, or, if `beside`, in a column to the right of the layers. Handles
    at its corners say that it can be dragged.
    """

    box: Box
    label: str = ""
    colour: str = "#ffffff"
    dashed: bool = False
    beside: bool = False
    has_handles: bool = False


class Lines(Struct, frozen=True, eq=False, dict=True):
    """Thin lines with the same width at any zoom: (lines, 2, 2) float64, from (x, y) to (x, y) in the scene.

    Lines that are `faint`, such as a grid, hardly hide what they are drawn on.
    """

    ends: NDArray[np.float64]
    colour: str = "#ffffff"
    faint: bool = False

    @cached_property
    def drawn(self) -> list[QLineF]:
        """The lines for Qt, cached because creating them takes as long as drawing them."""
        return [QLineF(*line) for line in self.ends.reshape(-1, 4).tolist()]


class Spot(Struct, frozen=True):
    """A point of the scene that is marked by a small cross of the same size at any zoom."""

    x: float
    y: float
    colour: str = "#ffffff"


class Text(Struct, frozen=True):
    """A line of text in a box of the scene, of the same size at any zoom.

    What does not fit into the box is cut off with three dots.

    Attributes
    ----------
    colour
        A colour, or the name of one in the theme, such as ``muted``.
    least
        A text that has to fit into the box, for which all texts with boxes of this size are written smaller.
    """

    box: Box
    text: str
    colour: str = "text"
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignCenter
    least: str = ""


class Scene(Struct, frozen=True):
    """Everything that a view shows.

    Attributes
    ----------
    size
        Width and height of the scene's coordinates, which the view fits.
    layers, marks
        Layers and, above them, marks, each painted in this order.
    bright_box
        Box outside which the layers are dimmed slightly; None dims nothing.
    note
        Lines of text beside the layers, below the marks' labels.
    lines
        Lines painted above the layers and below the marks.
    spots
        Spots painted above the marks.
    texts
        Texts painted above the layers.
    unit
        What the coordinates count: pixels, or units of a map.
    margin
        How far to the left, top, right and bottom of its size the scene reaches, and is to be seen.
    """

    size: tuple[float, float]
    layers: tuple[Layer, ...] = ()
    marks: tuple[Mark, ...] = ()
    bright_box: Box | None = None
    note: str = ""
    lines: tuple[Lines, ...] = ()
    spots: tuple[Spot, ...] = ()
    texts: tuple[Text, ...] = ()
    unit: str = "px"
    margin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the scene with its margin."""
        left, top, right, bottom = self.margin
        return self.size[0] + left + right, self.size[1] + top + bottom

    @property
    def measured(self) -> tuple[Numbers, Box] | None:
        """The values and the box of the uppermost layer that has values; None if there is no such layer."""
        for layer in reversed(self.layers):
            if layer.numbers is not None:
                return layer.numbers, layer.box
        return None

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point is within the scene's size."""
        return 0 <= x < self.size[0] and 0 <= y < self.size[1]


def split_scene(left: Scene, right: Scene, share: float) -> Scene:
    """Return the layers of one scene left of a line, and those of another right of it.

    Parameters
    ----------
    left, right
        Scenes of one size; marks, lines and the note are those of the left one.
    share
        Where the line is, as a share of the width.
    """
    width, height = left.size
    line = share * width
    parts = (
        (left.layers, (0.0, 0.0, line, height)),
        (right.layers, (line, 0.0, width - line, height)),
    )
    layers = tuple(
        clipped
        for layers, part in parts
        for layer in layers
        if (clipped := clipped_layer(layer, part)) is not None
    )
    return replace(left, layers=layers, marks=(*left.marks, line_mark(line, height)))


def line_mark(x: float, height: float) -> Mark:
    """Return the line of a curtain."""
    return Mark((x, 0.0, 0.0, float(height)), colour=theme.DARK.accent)


def clipped_layer(layer: Layer, part: Box) -> Layer | None:
    """Return a layer of which only the part in a box is painted; None if nothing is left."""
    x, y, width, height = part
    if layer.clip is not None:
        left, top, across, down = layer.clip
        right, bottom = min(x + width, left + across), min(y + height, top + down)
        x, y = max(x, left), max(y, top)
        width, height = right - x, bottom - y
    return replace(layer, clip=(x, y, width, height)) if width > 0 and height > 0 else None
