"""Painting for the back row: large text, maps with their scales, bars; all measured in the text's height."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import Limits, colorize, format_number, lut
from convnext_studio.ui import theme
from convnext_studio.ui.lecture.view import SMALL
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.scene import Bitmap

LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
CENTRE = Qt.AlignmentFlag.AlignHCenter
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
MAP_COLORMAP = "viridis"


class Easel:
    """One painting of a view.

    Attributes
    ----------
    painter
        For what is not here.
    look
        The theme's colours.
    line, small_line
        Heights of a line of text, and of one of smaller text.
    """

    def __init__(self, painter: QPainter) -> None:
        self.painter = painter
        self.look = theme.current()
        self._font = painter.font()
        self._small = QFont(self._font)
        self._small.setPixelSize(max(1, round(QFontInfo(self._font).pixelSize() * SMALL)))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    @property
    def line(self) -> float:
        """Height of a line of text."""
        return QFontMetricsF(self._font).height()

    @property
    def small_line(self) -> float:
        """Height of a line of smaller text."""
        return QFontMetricsF(self._small).height()

    @property
    def stroke(self) -> float:
        """Width of a line that is seen from the back row."""
        return max(1.5, self.line / 14)

    def width(self, text: str, small: bool = False, bold: bool = False) -> float:
        """Of a text."""
        return QFontMetricsF(self._chosen(small, bold)).horizontalAdvance(text)

    def text(
        self,
        place: QRectF,
        text: str,
        colour: str = "",
        align: Qt.AlignmentFlag = LEFT,
        *,
        small: bool = False,
        bold: bool = False,
    ) -> None:
        """One line, in the middle of the place's height, shortened where it is too long."""
        font = self._chosen(small, bold)
        fitting = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width() + 1)
        self.painter.setFont(font)
        self.painter.setPen(QColor(colour or self.look.text))
        self.painter.drawText(place, int(align | _MIDDLE | Qt.TextFlag.TextDontClip), fitting)
        self.painter.setFont(self._font)

    def sentence(self, place: QRectF, text: str, colour: str = "", small: bool = False) -> float:
        """Wrapped text from the top of the place on; returns its height."""
        self.painter.setFont(self._chosen(small, bold=False))
        self.painter.setPen(QColor(colour or self.look.text))
        flags = int(LEFT | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
        used: QRectF = self.painter.boundingRect(place, flags, text)
        self.painter.drawText(place, flags, text)
        self.painter.setFont(self._font)
        return used.height()

    def notice(self, place: QRectF, text: str) -> None:
        """A sentence in the place of what cannot be shown."""
        self.painter.setPen(QColor(self.look.muted))
        inner = place.adjusted(self.line, self.line, -self.line, -self.line)
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        self.painter.drawText(inner, flags, text)

    def bar(self, place: QRectF, share: float, colour: str = "", of: float = 0.0, of_colour: str = "") -> None:
        """A bar filled from the left up to `share`, and within that up to `of` in another colour."""
        self.painter.fillRect(place, QColor(self.look.border))
        for part, filled in ((share, colour or self.look.accent), (of, of_colour or self.look.warning)):
            if part > 0:
                width = max(place.width() * min(part, 1.0), 1.0)
                self.painter.fillRect(
                    QRectF(place.topLeft(), place.size()).adjusted(0, 0, width - place.width(), 0),
                    QColor(filled),
                )

    def frame(self, place: QRectF, colour: str = "", dashed: bool = False, width: float = 0.0) -> None:
        """A frame around a place."""
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.painter.setPen(
            QPen(QColor(colour or self.look.outline), width or self.stroke, style, j=Qt.PenJoinStyle.MiterJoin)
        )
        self.painter.drawRect(place)

    def arrow(self, start: QPointF, end: QPointF) -> None:
        """A horizontal arrow from left to right."""
        head = self.line / 4
        self.painter.setPen(QPen(QColor(self.look.muted), self.stroke))
        self.painter.drawLine(start, end)
        self.painter.drawPolyline([end + QPointF(-head, -head), end, end + QPointF(-head, head)])

    def bitmap(self, place: QRectF, bitmap: Bitmap) -> None:
        """A picture that fills the place; enlarged, its pixels stay sharp."""
        scale = place.width() / bitmap.image.width() * self.painter.deviceTransform().m11()
        level = bitmap.level(scale)
        self.painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        self.painter.drawImage(place, level, QRectF(level.rect()))

    def map(self, place: QRectF, bitmap: Bitmap) -> None:
        """A coloured map with a thin frame."""
        self.bitmap(place, bitmap)
        self.frame(place, self.look.border, width=1)

    def colour_bar(self, place: QRectF, limits: Limits, colormap: str = MAP_COLORMAP) -> None:
        """A lying bar with the numbers at its ends below it; as high as one and a half lines of small text."""
        bar = QRectF(place.left(), place.top(), place.width(), self.small_line / 2)
        gradient = to_qimage(lut(colormap)[None])
        self.painter.drawImage(bar, gradient, QRectF(gradient.rect()))
        self.frame(bar, self.look.outline, width=1)
        below = QRectF(bar.left(), bar.bottom(), bar.width(), self.small_line)
        low, high = (format_number(value) for value in (limits.low, limits.high))
        if self.width(low + high, small=True) + self.line / 2 > place.width():
            low, high = (format_number(value, 2) for value in (limits.low, limits.high))
        self.text(below, low, self.look.muted, LEFT, small=True)
        self.text(below, high, self.look.muted, RIGHT, small=True)

    @property
    def colour_bar_height(self) -> float:
        """Of a colour bar with its numbers."""
        return 1.5 * self.small_line

    def _chosen(self, small: bool, bold: bool) -> QFont:
        font = QFont(self._small if small else self._font)
        font.setBold(bold)
        return font


class Canvas(QWidget):
    """Has itself painted, and follows the theme."""

    def __init__(self, name: str, paint: Callable[[Easel, QRectF], None]) -> None:
        super().__init__()
        self._paint = paint
        self._dimmed = False
        self.setAccessibleName(name)
        self.setMinimumSize(64, 64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        self._dimmed = dimmed
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme and the size of the text."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()
        super().changeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint."""
        with QPainter(self) as painter:
            painter.setOpacity(0.4 if self._dimmed else 1.0)
            self._paint(Easel(painter), QRectF(self.rect()))


def coloured(values: NDArray[np.float32], limits: Limits, colormap: str = MAP_COLORMAP) -> Bitmap:
    """A map as colours, ready to be painted at any size."""
    return Bitmap(colorize(values, limits, colormap))
