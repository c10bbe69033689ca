"""A view as it was when it was put into a figure, to be painted again at any size and on another scale."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontInfo, QImage, QPaintDevice, QPainter

from convnext_studio.render import Clipping, Limits, Part, Rgb, Shading, colorize, veil
from convnext_studio.ui.plots.canvas.projection import MARGIN_PX
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_texts import is_signed
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.qimage import from_qimage


class NotedText(Struct, frozen=True):
    """A text that a view paints.

    Attributes
    ----------
    box
        The room for it, in pixels of the device.
    align
        Where the text is in it.
    size_px
        The size of the font.
    """

    box: QRectF
    text: str
    align: Qt.AlignmentFlag
    size_px: float
    colour: QColor

    def moved(self, by: float) -> "NotedText":
        """Return the text at another place, so much further to the right and down."""
        return replace(self, box=self.box.translated(by, by))


class TextPainter(QPainter):
    """A painter that notes the texts instead of painting them, because pixels cannot be read or searched.

    Attributes
    ----------
    texts
        The texts, in the order in which they would be painted.
    """

    def __init__(self, device: QPaintDevice) -> None:
        super().__init__(device)
        self.texts: list[NotedText] = []

    def drawText(self, *arguments: Any) -> Any:
        """Note a text in a box (QRectF, flags, text), as all items of a scene paint theirs."""
        box, flags, text = arguments
        placing = self.combinedTransform()
        horizontal = Qt.AlignmentFlag(int(flags)) & Qt.AlignmentFlag.AlignHorizontal_Mask
        size = QFontInfo(self.font()).pixelSize() * placing.m22()
        self.texts.append(NotedText(placing.mapRect(box), text, horizontal, size, self.pen().color()))


_MOST_VALUES = 600
"""The longest side of a map that is coloured again."""


class Snapshot(Struct, frozen=True, eq=False):
    """What a view shows: its scene, its colour scale, and what is said about it.

    Attributes
    ----------
    name, caption
        The name and the caption that the view would have in a file.
    python
        The lines of Python that give its numbers, or None.
    """

    scene: Scene
    scale: ColorScale | None
    name: str
    caption: str
    python: PythonLines | None = None

    @classmethod
    def of(cls, view: MapView) -> "Snapshot | None":
        """Return what a view shows now, or None if it shows nothing."""
        if view.view.scene is None or view.contents is None:
            return None
        contents = view.contents
        return cls(view.view.scene, view.bar.scale, contents.name, contents.caption, contents.python)

    @property
    def group(self) -> tuple[str, bool] | None:
        """What views must have in common to share a scale; None if this one cannot."""
        if self.scale is None or self._colouring is None:
            return None
        return self.scale.colormap, self.scale.zero is None

    def on_scale(self, limits: Limits) -> "Snapshot":
        """Return the same view with its map coloured on another scale."""
        layer, scale, colour = self._map_layer, self.scale, self._colouring
        if layer is None or layer.numbers is None or scale is None or colour is None:
            return self
        coloured = replace(layer, bitmap=Bitmap(colour(limits)))
        layers = tuple(coloured if each is layer else each for each in self.scene.layers)
        new_scale = replace(scale, limits=limits, clipping=Clipping.of(layer.numbers.values, limits))
        return replace(self, scene=replace(self.scene, layers=layers), scale=new_scale)

    @property
    def _map_layer(self) -> Layer | None:
        return next((layer for layer in reversed(self.scene.layers) if layer.numbers is not None), None)

    @property
    def _colouring(self) -> Callable[[Limits], NDArray[np.uint8]] | None:
        """The way in which the map was coloured, or None if none of the usual ways gives its colours again.

        So the map of a logarithm, or of many channels, is not coloured again by mistake.
        """
        layer, scale = self._map_layer, self.scale
        if layer is None or layer.numbers is None or scale is None or scale.limits is None:
            return None
        values = layer.numbers.values
        if values.ndim != 2 or max(values.shape) > _MOST_VALUES:
            return None
        own = scale.limits
        ways = _ways(values, scale)
        return next((way for way in ways if Bitmap(way(own)).image == layer.bitmap.image), None)

    def paint(self, width_px: int) -> tuple[Rgb, list["NotedText"]]:
        """Paint the whole scene at that width, as in the view but without its colour bar and its texts.

        Returns
        -------
        The pixels, and the texts, to be written as text.
        """
        width, height = self.scene.extent
        view = ImageView()
        height_px = max(1, round(width_px * height / width))
        view.resize(width_px + 2 * MARGIN_PX, height_px + 2 * MARGIN_PX)
        view.set_scene(self.scene)
        image = QImage(view.size(), QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        painter = TextPainter(image)
        view.draw(painter)
        painter.end()
        view.deleteLater()
        room = QRectF(MARGIN_PX, MARGIN_PX, width_px, height_px)
        texts = [text.moved(-MARGIN_PX) for text in painter.texts if room.intersects(text.box)]
        return from_qimage(image.copy(room.toRect())), texts


def _ways(values: NDArray[np.float32], scale: ColorScale) -> Iterator[Callable[[Limits], NDArray[np.uint8]]]:
    """Yield the ways in which the program colours a map: opaque, and over a picture, smooth or not."""
    colormap = scale.colormap
    if scale.zero is None:
        yield lambda limits: colorize(values, limits, colormap)
        return
    zero = scale.zero
    yield lambda limits: veil(values, limits, colormap, zero=zero)
    part: Part = "signed" if is_signed(colormap) else "positive"
    for smooth in (True, False):
        yield partial(Shading(part, colormap, smooth=smooth).veil_of, values)


def on_common_scales(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the views with one scale for all that have the same colours, as far as they can share one."""
    limits: dict[tuple[str, bool], Limits] = {}
    groups = [each.group for each in snapshots]
    for each, group in zip(snapshots, groups, strict=True):
        if group is not None and each.scale is not None and each.scale.limits is not None:
            own, known = each.scale.limits, limits.get(group)
            limits[group] = own if known is None else Limits(min(own.low, known.low), max(own.high, known.high))
    return [
        each
        if group is None or each.scale is None or limits[group] == each.scale.limits
        else each.on_scale(limits[group])
        for each, group in zip(snapshots, groups, strict=True)
    ]
