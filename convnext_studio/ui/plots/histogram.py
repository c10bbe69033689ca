"""A histogram of a channel's values, in the colours that they have in the map."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import Limits, colorize, format_number, format_percent, limits_of, number_ticks
from convnext_studio.ui.widgets import theme

BINS = 48
_MARGIN_PX = 4
_TICK_PX = 4


class Histogram(QWidget):
    """Bars in the colours that their values have in the map, over an axis with numbers."""

    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: NDArray[np.int64] = np.zeros(BINS, dtype=np.int64)
        self._range = Limits(0.0, 1.0)
        self._colours: list[QColor] = []
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(110, 70)
        self.setAccessibleName("Histogram of the channel's values")

    @property
    def counts(self) -> NDArray[np.int64]:
        """Values in each of the bins of equal width, which together hold all finite values."""
        return self._counts

    @property
    def range(self) -> Limits:
        """From the left end of the first bin to the right end of the last."""
        return self._range

    def show_values(self, finite: NDArray[np.float32], limits: Limits, colormap: str) -> None:
        """Count the values, and colour the bars as the map's scale does."""
        self._range = limits_of(finite)
        span = (self._range.low, self._range.high)
        # In float64: the edges between nearby float32 values are none of them.
        self._counts, edges = np.histogram(finite.astype(np.float64), BINS, span)
        middles = (edges[:-1] + edges[1:]) / 2
        self._colours = [QColor(*colour) for colour in colorize(middles, limits, colormap).tolist()]
        self.setAccessibleDescription(
            f"{finite.size} values from {format_number(span[0])} to {format_number(span[1])}"
        )
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is in the bin under the pointer."""
        area = self._area()
        index = int((event.position().x() - area.left()) / area.width() * BINS)
        if not (self._colours and 0 <= index < BINS):
            self.hovered.emit("")
            return
        step = (self._range.high - self._range.low) / BINS
        low = self._range.low + index * step
        share = int(self._counts[index]) / max(int(self._counts.sum()), 1)
        self.hovered.emit(
            f"from {format_number(low)} to {format_number(low + step)}: "
            f"{self._counts[index]} of {int(self._counts.sum())} units, {format_percent(share, None)}"
        )

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self.hovered.emit("")

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint bars and axes."""
        if self._colours:
            with QPainter(self) as painter:
                self._paint(painter)

    def _area(self) -> QRectF:
        """Return the room of the bars."""
        line = self.fontMetrics().height()
        below = line + _TICK_PX + _MARGIN_PX
        left = self._most_px() + _TICK_PX + _MARGIN_PX
        return QRectF(
            left, line / 2 + 1, self.width() - left - 2 * _MARGIN_PX, self.height() - line / 2 - below
        )

    def _most_px(self) -> float:
        return float(self.fontMetrics().horizontalAdvance(str(int(self._counts.max(initial=0)))))

    def _paint(self, painter: QPainter) -> None:
        look, area = theme.current(), self._area()
        painter.fillRect(self.rect(), QColor(look.surface))
        most, step = max(int(self._counts.max()), 1), area.width() / BINS
        for index, (count, colour) in enumerate(zip(self._counts.tolist(), self._colours, strict=True)):
            # A bin that holds anything is seen.
            height = max(area.height() * count / most, 1.0 if count else 0.0)
            left, right = round(area.left() + index * step), round(area.left() + (index + 1) * step)
            painter.fillRect(QRectF(left, area.bottom() - height, max(right - left, 1), height), colour)
        painter.setPen(QPen(QColor(look.outline), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.bottomLeft())
        self._label_counts(painter, area, most)
        self._label_values(painter, area)

    def _label_counts(self, painter: QPainter, area: QRectF, most: int) -> None:
        line = self.fontMetrics().height()
        for y, text in ((area.top(), str(most)), (area.bottom(), "0")):
            painter.setPen(QColor(theme.current().outline))
            painter.drawLine(QPointF(area.left() - _TICK_PX, y), QPointF(area.left(), y))
            painter.setPen(QColor(theme.current().muted))
            place = QRectF(0, y - line / 2, area.left() - _TICK_PX - 2, line)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _label_values(self, painter: QPainter, area: QRectF) -> None:
        """Both ends, and the round numbers between them that have room."""
        low, high = self._range.low, self._range.high
        taken: list[QRectF] = []
        for value, text in [(low, format_number(low)), (high, format_number(high)), *number_ticks(self._range)]:
            x = area.left() + (value - low) / (high - low) * area.width()
            width = self.fontMetrics().horizontalAdvance(text) + 4.0
            left = min(max(x - width / 2, 0.0), self.width() - width)
            place = QRectF(left, area.bottom() + _TICK_PX, width, self.fontMetrics().height())
            if any(place.adjusted(-2, 0, 2, 0).intersects(other) for other in taken):
                continue
            taken.append(place)
            painter.setPen(QColor(theme.current().outline))
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + _TICK_PX))
            painter.setPen(QColor(theme.current().muted))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
