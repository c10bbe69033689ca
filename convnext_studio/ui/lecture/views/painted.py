"""Views that are painted from the selection and from arithmetic, and ask the engine nothing themselves."""

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QVBoxLayout, QWidget

from convnext_studio.engine.messages import ImageInfo, ModelInfo
from convnext_studio.geometry import CropGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.render import Rgb
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.lecture.view import LectureView
from convnext_studio.ui.lecture.views.easel import Canvas, Easel
from convnext_studio.ui.panels.base import NO_MODEL, NO_PICTURE
from convnext_studio.ui.scene import Bitmap
from convnext_studio.ui.state import AppState

COMPUTING = "Computing …"


class PaintedView(LectureView):
    """Paints on a canvas, with controls below it.

    Attributes
    ----------
    canvas
        Where it is painted.
    needs_picture
        Nothing is shown before there is a picture and its prediction, which says where the network looks.
    """

    needs_picture = False
    title = ""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.canvas = Canvas(self.title, self._paint)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.canvas, 1)
        self._seen: tuple[CropGeometry, Bitmap] | None = None
        for signal in (
            state.model_loaded,
            state.picture_selected,
            state.prediction_made,
            state.prediction_failed,
        ):
            signal.connect(self._selection_changed)

    def add_control(self, control: QWidget) -> None:
        """Put a control below the canvas."""
        self._column.addWidget(control)

    def prepare(self) -> None:
        """Whoever predicts has been asked already."""
        self.refresh()

    def refresh(self) -> None:
        """Show what changed."""
        self.setAccessibleDescription(self.notice or self.caption())
        self.canvas.update()

    @property
    def is_settled(self) -> bool:
        """Whether it shows what it is going to show."""
        return self.notice != COMPUTING

    @property
    def notice(self) -> str:
        """The sentence in the content's place; empty while there is content."""
        state = self.state
        if state.model is None:
            return NO_MODEL
        if sentence := self.why_not(state.model):
            return sentence
        if not self.needs_picture:
            return ""
        if state.picture is None:
            return NO_PICTURE
        return state.prediction_failure or ("" if state.prediction is not None else COMPUTING)

    def why_not(self, _model: ModelInfo) -> str:
        """Why this model cannot be shown, and what to open; empty where it can."""
        return ""

    def paint(self, easel: Easel, room: QRectF, model: ModelInfo) -> None:
        """Paint the content, of which there is some."""
        raise NotImplementedError

    def seen(self) -> Bitmap:
        """What the network sees of the picture; there is a prediction."""
        picture, prediction = self.state.picture, self.state.prediction
        assert picture is not None
        assert prediction is not None
        if self._seen is None or self._seen[0] is not prediction.geometry:
            self._seen = prediction.geometry, Bitmap(seen_pixels(picture, prediction.geometry))
        return self._seen[1]

    def _selection_changed(self, _changed: object = None) -> None:
        self.refresh()

    def _paint(self, easel: Easel, room: QRectF) -> None:
        model = self.state.model
        if self.notice or model is None:
            easel.notice(room, self.notice)
        else:
            self.paint(easel, room, model)


def why_no_convnext(model: ModelInfo, what: str) -> str:
    """The sentence where a view is about a ConvNeXt's parts and the open model is none, or nothing."""
    if isinstance(model.config, ConvNeXtConfig):
        return ""
    return f"{model.title} is no ConvNeXt: it has no {what}. Open a ConvNeXt to see this."


def convnext(model: ModelInfo) -> ConvNeXtConfig:
    """The architecture of a model that is known to be a ConvNeXt."""
    assert isinstance(model.config, ConvNeXtConfig)
    return model.config


def seen_pixels(picture: ImageInfo, geometry: CropGeometry) -> Rgb:
    """The network's input as colours, from the picture's preview; grey where it reaches beyond the picture."""
    height, width = picture.preview.shape[:2]
    per_pixel = width / picture.size[0], height / picture.size[1]
    box = geometry.crop_box
    left, top, right, bottom = (
        round(value * per_pixel[axis])
        for value, axis in ((box[0], 0), (box[1], 1), (box[0] + box[2], 0), (box[1] + box[3], 1))
    )
    pixels: Rgb = np.full((max(bottom - top, 1), max(right - left, 1), 3), 128, dtype=np.uint8)
    inside = picture.preview[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    y, x = max(-top, 0), max(-left, 0)
    pixels[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return pixels
