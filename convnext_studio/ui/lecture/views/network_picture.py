"""Base classes of views of a whole network, and of the part of the picture that it sees."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import Rgb, lut
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT, PaintedView
from convnext_studio.ui.plots.ink import Align, Ink, MapPicture
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.qimage import to_qimage


class NetworkView(PaintedView):
    """A view of the open network as a whole.

    Attributes
    ----------
    lacks
        What other families do not have, so that the view says that instead; empty for a view of all families.
    """

    needs_model = True
    lacks = ""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        state.model_loaded.connect(self._model_changed)

    @property
    def model(self) -> ModelInfo:
        """The open model; there must be one."""
        assert self.state.model is not None
        return self.state.model

    @property
    def config(self) -> ConvNeXtConfig:
        """The architecture of the open model, which must be a ConvNeXt."""
        assert isinstance(self.model.config, ConvNeXtConfig)
        return self.model.config

    def questions(self) -> Sequence[Request] | str:
        """Return what to ask about the network, or why nothing can be shown."""
        if self.lacks and not isinstance(self.model.config, ConvNeXtConfig):
            return f"{self.model.title} is not a ConvNeXt: it has no {self.lacks}. {OPEN_A_CONVNEXT}"
        return self.network_questions()

    def network_questions(self) -> Sequence[Request] | str:
        """Return what to ask about a network that can be shown."""
        return ()

    def forget(self) -> None:
        """Clear everything of the previous model, whose values must not appear under new names."""

    def _model_changed(self, _model: object) -> None:
        self.forget()
        self.canvas.update()


class SeenView(NetworkView):
    """A view that shows the part of the picture that the network sees.

    Attributes
    ----------
    seen
        That part of the picture; None before it is known.
    """

    needs_picture = True

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.seen: Bitmap | None = None

    def network_questions(self) -> Sequence[Request] | str:
        """Ask for the geometry of the input, which comes with any maps: here the smallest maps of the stem."""
        picture = self.state.picture
        assert picture is not None
        return (FeatureMaps(panel=self.panel, image=picture.key, node="stem", budget_bytes=1),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Cut out the part that the network sees."""
        where, picture = answers[0], self.state.picture
        if isinstance(where, FeatureMapsResult) and picture is not None:
            self.seen = Bitmap(seen_pixels(picture, where.geometry))
        super().show_answers(answers)

    def paint_seen(self, ink: Ink, box: QRectF) -> None:
        """Paint the part that the network sees in a box."""
        if self.seen is not None:
            ratio = ink.painter.deviceTransform().m11()
            level = self.seen.level(box.width() * ratio / self.seen.image.width())
            ink.painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            ink.painter.drawImage(box, level, QRectF(level.rect()))


def seen_pixels(picture: ImageInfo, geometry: CropGeometry) -> Rgb:
    """Return the network's input as colours from the preview of the picture; grey beyond the picture."""
    height, width = picture.preview.shape[:2]
    across, down = width / picture.size[0], height / picture.size[1]
    x, y, wide, high = geometry.crop_box
    left, right = round(x * across), round((x + wide) * across)
    top, bottom = round(y * down), round((y + high) * down)
    pixels: Rgb = np.full((max(bottom - top, 1), max(right - left, 1), 3), 128, dtype=np.uint8)
    inside = picture.preview[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    row, column = max(-top, 0), max(-left, 0)
    pixels[row : row + inside.shape[0], column : column + inside.shape[1]] = inside[
        : pixels.shape[0] - row, : pixels.shape[1] - column
    ]
    return pixels


def draw_frame(ink: Ink, box: QRectF, colour: str, width: float = 0.0, halo: bool = False) -> None:
    """Paint a frame around a box, with a dark outline if it lies on a picture."""
    width = width or max(2.0, ink.px / 12)
    ink.painter.setBrush(Qt.BrushStyle.NoBrush)
    for shade, wide in (("#000000", 2 * width), (colour, width)) if halo else ((colour, width),):
        ink.painter.setPen(QPen(QColor(shade), wide, j=Qt.PenJoinStyle.MiterJoin))
        ink.painter.drawRect(box)


def series_colour(ink: Ink, index: int) -> str:
    """Return colours that distinguish a few things."""
    look = ink.look
    return (look.accent, look.good, look.warning, look.error)[index % 4]


def lying_bar(ink: Ink, place: QRectF, shown: MapPicture, texts: Sequence[str] | None = None) -> None:
    """Paint a horizontal colour bar, with its ends or other evenly spaced texts below.

    Takes the place's width and one and a half lines of small text.
    """
    small = ink.line(ink.small)
    bar = QRectF(place.left(), place.top(), place.width(), 0.4 * small)
    gradient = to_qimage(lut(shown.colormap)[None])
    ink.painter.drawImage(bar, gradient, QRectF(gradient.rect()))
    draw_frame(ink, bar, ink.look.outline, 1.0)
    if texts is None:
        texts = shown.end_texts(significant=2)
    px = ink.small * min(1.0, bar.width() / _needed(ink, texts))
    below = QRectF(bar.left(), bar.bottom(), bar.width(), small)
    for index, text in enumerate(texts):
        align: Align = "left" if index == 0 else "right" if index + 1 == len(texts) else "centre"
        ink.text(below, text, align=align, px=px, colour=ink.look.muted)


def _needed(ink: Ink, texts: Sequence[str]) -> float:
    """Return the width at which texts at the left, in the middle and at the right do not touch."""
    first, *middle, last = (ink.width(text, ink.small) for text in texts)
    gap = 0.5 * ink.small
    return 2 * (max(first, last) + gap) + sum(middle) if middle else first + gap + last
