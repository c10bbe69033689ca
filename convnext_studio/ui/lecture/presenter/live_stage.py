"""What a camera sees, live on the whole screen of a lecture: the picture, why, and the likeliest classes."""

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QWidget

from convnext_studio.export.export_contents import label_of
from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import COLORMAPS, Rgb, format_percent, limits_of, overlay
from convnext_studio.ui.lecture.presenter.keys import LectureCommand
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.live.rates import FrameRate, rate_text
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.qimage import to_qimage

AVERAGING_S = 1.0
CLASSES = 5
WAITING = "Waiting for the first picture …"
_KEYS = "Space freezes · A averages · M shows why · C switches the camera off"
_PICTURE_PART = 0.6  # Of the width.
_ROW_LINES, _BAR_LINES = 2.6, 0.6
_STAYS = (
    LectureCommand.BLACK,
    LectureCommand.WHITE,
    LectureCommand.SPOTLIGHT,
    LectureCommand.HELP,
    LectureCommand.THEME,
    LectureCommand.SPEAKER,
)
"""The commands that do what they do elsewhere; those that go to another step do nothing while this is shown."""

Probabilities = NDArray[np.float64]


class RunningAverage:
    """The average of probabilities over the last while, in which older ones count less and less.

    Parameters
    ----------
    seconds
        After this time, a prediction counts 1/e of what it did at first.
    clock_s
        Returns the time in seconds.
    """

    def __init__(self, seconds: float = AVERAGING_S, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock_s = seconds, clock_s
        self._last_s = 0.0
        self._mean: Probabilities | None = None

    def clear(self) -> None:
        """Begin anew."""
        self._mean = None

    def add(self, probabilities: Probabilities) -> Probabilities:
        """Add a prediction, and return the average."""
        now = self._clock_s()
        if self._mean is None or len(self._mean) != len(probabilities):
            self._mean = probabilities.astype(np.float64)
        else:
            kept = math.exp(-(now - self._last_s) / self._seconds)
            self._mean = kept * self._mean + (1 - kept) * probabilities
        self._last_s = now
        return self._mean


class LiveStage(QWidget):
    """A cover over the lecture with the live picture, its class activation map, and bars for the classes.

    Attributes
    ----------
    is_averaged
        Whether the bars show the average over the last second, which is then said.
    shows_why
        Whether the class activation map of the last stage lies over the picture.
    """

    asked = Signal(bool)  # whether a camera is wanted
    freeze_asked = Signal()
    step_asked = Signal(int)

    def __init__(self, state: AppState, parent: QWidget) -> None:
        super().__init__(parent)
        self._state, self._behind = state, parent
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Live camera")
        self.is_averaged, self.shows_why = True, True
        self._average = RunningAverage()
        self._rate = FrameRate()
        self._mean: Probabilities | None = None
        self._image: QImage | None = None
        self._text_px = 24
        self.hide()
        state.picture_selected.connect(self._count)
        state.prediction_made.connect(self._follow)

    def toggle(self) -> None:
        """Show what the camera sees, or switch it off."""
        if self.isVisible():
            self.hide()
            self.asked.emit(False)
            return
        self._average.clear()
        self._rate.clear()
        self._mean = self._image = None
        self.setGeometry(self._behind.rect())
        self.raise_()
        self.show()
        self.asked.emit(True)
        self._follow(self._state.prediction if self._state.live.is_on else None)

    def set_text_px(self, px: int) -> None:
        """Set the height of the text."""
        self._text_px = px
        font = self.font()
        font.setPixelSize(px)
        self.setFont(font)

    def takes(self, command: LectureCommand) -> bool:
        """Handle a command of the lecture, and return whether that was done."""
        if not self.isVisible():
            return False
        if command in (LectureCommand.LEAVE, LectureCommand.CAMERA):
            self.toggle()
        return command not in _STAYS

    def takes_key(self, key: int) -> bool:
        """Handle a key, and return whether that was done."""
        if not self.isVisible():
            return False
        if key == Qt.Key.Key_Space:
            self.freeze_asked.emit()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.step_asked.emit(-1 if key == Qt.Key.Key_Left else 1)
        elif key == Qt.Key.Key_A:
            self.is_averaged = not self.is_averaged
            self._refresh()
        elif key == Qt.Key.Key_M:
            self.shows_why = not self.shows_why
            self._refresh()
        else:
            return False
        return True

    # ------------------------------------------------------------------------------------------- what is shown

    @property
    def rows(self) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities, averaged if that was chosen."""
        model, prediction = self._state.model, self._state.prediction
        if model is None or prediction is None or not model.has_classes:
            return []
        shown = self._mean if self.is_averaged and self._mean is not None else prediction.probabilities
        best = np.argsort(-shown, kind="stable")[:CLASSES]
        return [(label_of(model, int(index)), float(shown[index])) for index in best]

    @property
    def facts(self) -> str:
        """What is said below: the frame, how many a second, and whether the numbers are averaged."""
        picture = self._state.picture
        number = None if picture is None else number_of(picture.key)
        if picture is None or self._image is None:
            return _KEYS
        frame = "frozen" if number is None else f"frame {number + 1:,}, {rate_text(self._rate.per_second)}"
        averaged = f"averaged over {AVERAGING_S:g} s" if self.is_averaged else "of this frame alone"
        why = "Grad-CAM of the last stage over the picture" if self.shows_why else "the picture alone"
        return f"{picture.name}: {frame} · probabilities {averaged} · {why} · {_KEYS}"

    def _count(self, picture: ImageInfo | None) -> None:
        if picture is not None and number_of(picture.key) is not None:
            self._rate.count()

    def _follow(self, prediction: Prediction | None) -> None:
        if not self.isVisible():
            return
        if prediction is not None and self._state.live.is_on:
            self._mean = self._average.add(prediction.probabilities)
        self._refresh()

    def _refresh(self) -> None:
        picture, prediction, model = self._state.picture, self._state.prediction, self._state.model
        if picture is not None and (self._state.live.is_on or self._image is not None):
            pixels = picture.preview
            if (
                self.shows_why
                and prediction is not None
                and model is not None
                and prediction.image == picture.key
            ):
                pixels = explained(picture, prediction, model)
            self._image = to_qimage(pixels)
        self.setAccessibleDescription(
            ", ".join(f"{label} {format_percent(share)}" for label, share in self.rows) or WAITING
        )
        self.update()

    # ---------------------------------------------------------------------------------------------- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the picture at the left, the classes at the right, and the facts below."""
        look, px = theme.current(), self._text_px
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            room = QRectF(self.rect()).adjusted(px, px, -px, -px)
            below = QRectF(room.left(), room.bottom() - 1.2 * px, room.width(), 1.2 * px)
            room.setBottom(below.top() - 0.6 * px)
            painter.setPen(QColor(look.muted))
            small = painter.font()
            small.setPixelSize(max(8, round(0.6 * px)))
            painter.setFont(small)
            text = painter.fontMetrics().elidedText(
                self.facts, Qt.TextElideMode.ElideRight, round(below.width())
            )
            painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
            painter.setFont(self.font())
            if self._image is None:
                painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), WAITING)
                return
            left = QRectF(room)
            left.setWidth(_PICTURE_PART * room.width())
            scale = min(left.width() / self._image.width(), left.height() / self._image.height())
            box = QRectF(0, 0, self._image.width() * scale, self._image.height() * scale)
            box.moveCenter(left.center())
            painter.drawImage(box, self._image, QRectF(self._image.rect()))
            room.setLeft(left.right() + px)
            self._paint_rows(painter, room)

    def _paint_rows(self, painter: QPainter, room: QRectF) -> None:
        look, line = theme.current(), painter.fontMetrics().height()
        rows = self.rows
        y = room.center().y() - len(rows) * _ROW_LINES * line / 2
        for label, share in rows:
            percentage = format_percent(share)
            text = QRectF(room.left(), y, room.width(), line)
            painter.setPen(QColor(look.text))
            painter.drawText(text, int(Qt.AlignmentFlag.AlignRight), percentage)
            beside = round(room.width()) - painter.fontMetrics().horizontalAdvance(f"{percentage}  ")
            name = painter.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, beside)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft), name)
            bar = QRectF(room.left(), text.bottom() + 0.2 * line, room.width(), _BAR_LINES * line)
            painter.fillRect(bar, QColor(look.border))
            bar.setWidth(bar.width() * share)
            painter.fillRect(bar, QColor(look.accent))
            y += _ROW_LINES * line


def explained(picture: ImageInfo, prediction: Prediction, model: ModelInfo) -> Rgb:
    """Return a picture with what speaks for the explained class in the last stage, as Grad-CAM has it."""
    stage = model.config.stages[-1]
    values = np.maximum(prediction.cams[stage], 0)
    field, scale = model.node(stage).field, picture.preview.shape[1] / picture.size[0]
    x, y, width, height = prediction.geometry.box_to_picture(field.map_box(*values.shape))
    box = (x * scale, y * scale, width * scale, height * scale)
    return overlay(picture.preview, values, box, limits_of(values), COLORMAPS["positive"][0], smooth=True)
