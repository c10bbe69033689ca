"""The current picture and its predictions."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen

from convnext_studio.export.export_contents import label_of
from convnext_studio.lecture.setting import Whole
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import format_percent
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.state.app_state import NO_MODEL, NO_PICTURE, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme

_PICTURE_PART = 0.58  # Fraction of the width.
_ROW_LINES = 2.4  # Height of a row, in lines of text.
_BAR_LINES = 0.5


class ShownPicture(LectureView):
    """The picture with the part that the network sees, and the most likely classes as bars."""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._classes = int(settings["classes"])
        self._bitmap: Bitmap | None = None
        self._bitmap_key = ""
        self.setAccessibleName("Picture and predictions")
        for signal in (
            state.model_loaded,
            state.picture_selected,
            state.prediction_made,
            state.prediction_failed,
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
            return NO_PICTURE
        if state.model is None:
            return NO_MODEL
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

    def _refresh(self, _changed: object = None) -> None:
        picture = self.state.picture
        key = "" if picture is None else picture.key
        if key != self._bitmap_key:
            self._bitmap_key = key
            self._bitmap = None if picture is None else Bitmap(picture.preview)
        self.setAccessibleDescription(
            self.notice
            or ", ".join(f"{label} {format_percent(probability)}" for label, probability in self.rows())
        )
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the picture on the left and the classes on the right."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            left = QRectF(self.contentsRect())
            left.setWidth(left.width() * _PICTURE_PART)
            self._paint_picture(painter, left)
            right = QRectF(self.contentsRect())
            right.setLeft(left.right() + self.text_px)
            self._paint_predictions(painter, right)

    def _paint_picture(self, painter: QPainter, room: QRectF) -> None:
        picture = self.state.picture
        if picture is None or self._bitmap is None:
            return
        image = self._bitmap.image
        scale = min(room.width() / image.width(), room.height() / image.height())
        box = QRectF(0, 0, image.width() * scale, image.height() * scale)
        box.moveCenter(room.center())
        level = self._bitmap.level(scale * self.devicePixelRatioF())
        painter.drawImage(box, level, QRectF(level.rect()))
        prediction: Prediction | None = self.state.prediction
        if prediction is None:
            return
        x, y, width, height = prediction.geometry.crop_box
        per_pixel = box.width() / picture.size[0]
        seen = QRectF(x * per_pixel, y * per_pixel, width * per_pixel, height * per_pixel)
        painter.setPen(QPen(QColor(theme.current().accent), max(2, self.text_px // 10)))
        painter.drawRect(seen.translated(box.topLeft()).intersected(box))

    def _paint_predictions(self, painter: QPainter, room: QRectF) -> None:
        look = theme.current()
        if self.notice:
            painter.setPen(QColor(look.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(room, int(flags), self.notice)
            return
        line = painter.fontMetrics().height()
        rows = self.rows()
        y = room.center().y() - len(rows) * _ROW_LINES * line / 2
        for label, probability in rows:
            percentage = format_percent(probability)
            text = QRectF(room.left(), y, room.width(), line)
            painter.setPen(QColor(look.text))
            painter.drawText(text, int(Qt.AlignmentFlag.AlignRight), percentage)
            number_px = painter.fontMetrics().horizontalAdvance(f"{percentage}  ")
            name = painter.fontMetrics().elidedText(
                label, Qt.TextElideMode.ElideRight, round(room.width() - number_px)
            )
            painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft), name)
            bar = QRectF(room.left(), text.bottom() + 0.2 * line, room.width(), _BAR_LINES * line)
            painter.fillRect(bar, QColor(look.border))
            bar.setWidth(bar.width() * probability)
            painter.fillRect(bar, QColor(look.accent))
            y += _ROW_LINES * line


SPEC = ViewSpec(
    name="picture",
    title="The current picture, the part that the network sees, and the predictions",
    make=ShownPicture,
    settings={
        "classes": Whole(help="How many of the most likely classes to show", default="5", least=1, most=8)
    },
)
