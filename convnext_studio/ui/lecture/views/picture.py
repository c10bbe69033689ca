"""The current picture and its predictions."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QRectF, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout

from convnext_studio.export.export_contents import label_of
from convnext_studio.lecture.setting import Whole
from convnext_studio.render import format_percent
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.ink import Ink, InkCanvas
from convnext_studio.ui.plots.map_texts import picture_layer
from convnext_studio.ui.plots.scene import Layer, Mark, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme

_PICTURE_PART, _CLASSES_PART = 58, 42  # Shares of the width.
_ROW_LINES = 2.0  # Height of a row, in lines of text.


class PredictedPictureView(LectureView):
    """The picture with the part that the network sees, and the most likely classes as bars.

    Attributes
    ----------
    picture
        The view of the picture: the wheel zooms, dragging moves, and a double click fits.
    """

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._classes = int(settings["classes"])
        self._layer: Layer | None = None
        self._layer_key = ""
        self.picture = ImageView()
        self.picture.setAccessibleName("Picture")
        self.picture.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # The keys are the presenter's.
        self._bars = InkCanvas(self._paint, "Predictions")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture, _PICTURE_PART)
        layout.addWidget(self._bars, _CLASSES_PART)
        self.setAccessibleName("Picture and predictions")
        for signal in (
            state.model_loaded,
            state.picture_selected,
            state.prediction_made,
            state.prediction_failed,
            state.awaited.changed,
        ):
            signal.connect(self._refresh)
        self._refresh()

    @property
    def is_settled(self) -> bool:
        """Whether the prediction has arrived, or there will be none."""
        state = self.state
        is_awaited = state.model is not None and state.picture is not None
        return not is_awaited or state.prediction is not None or bool(state.prediction_failure)

    @property
    def notice(self) -> str:
        """The sentence shown instead of the predictions; empty if they have arrived."""
        state = self.state
        if state.picture is None:
            return state.awaited.invitation
        if state.model is None:
            return state.awaited.why_no_model
        return state.prediction_failure or ("" if state.prediction is not None else "Computing …")

    def rows(self) -> list[tuple[str, float]]:
        """Return the shown classes with their probabilities, most likely first."""
        model, prediction = self.state.model, self.state.prediction
        if model is None or prediction is None:
            return []
        return [
            (label_of(model, index), float(prediction.probabilities[index]))
            for index in prediction.top(self._classes)
        ]

    def prepare(self) -> None:
        """Ask for nothing, because the predictions are part of the selection."""
        self._refresh()

    def set_text_px(self, px: int) -> None:
        """Scale all text, and the gap between picture and classes."""
        super().set_text_px(px)
        layout = self.layout()
        if layout is not None:
            layout.setSpacing(px)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme, which has its own colour for the part that the network sees."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            # Deferred, because the scene's items must not change while Qt is notifying them.
            QTimer.singleShot(0, self, self._refresh)

    def _refresh(self, _changed: object = None) -> None:
        self.picture.set_scene(self._scene())
        self.setAccessibleDescription(
            self.notice
            or ", ".join(f"{label} {format_percent(probability)}" for label, probability in self.rows())
        )
        self._bars.update()

    def _scene(self) -> Scene | None:
        """Return the picture with a frame around the part that the network sees, once that is known."""
        picture, prediction = self.state.picture, self.state.prediction
        if picture is None:
            return None
        if self._layer is None or picture.key != self._layer_key:
            self._layer_key, self._layer = picture.key, picture_layer(picture)
        width, height = picture.size
        marks = []
        if prediction is not None:
            seen = QRectF(*prediction.geometry.crop_box).intersected(QRectF(0, 0, width, height))
            box = (seen.x(), seen.y(), seen.width(), seen.height())
            marks.append(Mark(box, colour=theme.current().accent))
        return Scene(size=(float(width), float(height)), layers=(self._layer,), marks=tuple(marks))

    def _paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the classes, or the sentence in their place, halfway down."""
        rows, notice = self.rows(), self.notice
        height = ink.paragraph_height(room.width(), notice) if notice else len(rows) * _ROW_LINES * ink.line()
        top = max((room.height() - height) / 2, 0.0)
        place = room.adjusted(0, top, 0, -top)
        if notice:
            ink.paragraph(place, notice, colour=ink.look.muted, align="centre")
        else:
            ink.bars(place, rows, ink.look.accent)


SPEC = ViewSpec(
    name="picture",
    title="The current picture, the part that the network sees, and the predictions",
    make=PredictedPictureView,
    settings={
        "classes": Whole(help="How many of the most likely classes to show", default="5", least=1, most=8)
    },
)
