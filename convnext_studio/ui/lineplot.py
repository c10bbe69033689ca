"""Curves on a pair of axes, painted in the window's colours."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import Limits, format_number, format_ticks, nice_ticks
from convnext_studio.ui import theme

_DOT_PX = 2.5
_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotDotLine)

Place = Callable[[float, float], QPointF]
"""From a point of the axes to its place in the widget."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A curve.

    Attributes
    ----------
    label
        For the legend, and the read-out.
    x, y
        (points,) each; points that are not finite are left out.
    series
        From 0: which of the theme's colours.
    dashed
        Steps back: what another curve is compared with.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    series: int = 0
    dashed: bool = False


class LinePlot(QWidget):
    """Lines with labelled axes and a legend above; the pointer reads the nearest point.

    Painted here, because the library for it takes a second to import, which would hold up the window.

    Parameters
    ----------
    name
        For screen readers.
    x_title, y_title
        What the axes say, with units.
    """

    pointed = Signal(str)  # what is under the pointer; empty where nothing is

    def __init__(self, name: str, x_title: str, y_title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._titles = x_title, y_title
        self._lines: tuple[Line, ...] = ()
        self._limits = Limits(0.0, 1.0), Limits(0.0, 1.0)
        self._names: tuple[str, ...] = ()
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 130)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is drawn."""
        return self._lines

    def show_lines(self, lines: Sequence[Line], x: Limits, y: Limits, names: Sequence[str] = ()) -> None:
        """Draw these lines between these limits; `names` stand at x = 0, 1, … in place of numbers."""
        self._lines, self._limits, self._names = tuple(lines), (x, y), tuple(names)
        self.setAccessibleDescription(", ".join(line.label for line in lines))
        self.update()

    def sizeHint(self) -> QSize:
        """Wider than high."""
        return QSize(360, 200)

    def changeEvent(self, event: QEvent) -> None:
        """Follow theme and text, and step back where something newer is under way."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.EnabledChange):
            self.update()
        super().changeEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read the nearest point."""
        place = self._placer()
        places = [
            ((place(x, y) - event.position()).manhattanLength(), line.label, x, y)
            for line in self._lines
            for x, y in _points(line)
        ]
        if not places:
            return
        _, label, x, y = min(places)
        at = self._names[round(x)] if self._names else f"{self._titles[0]} {format_number(x)}"
        self.pointed.emit(f"{label} · {at} · {self._titles[1]} {format_number(y)}")

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self.pointed.emit("")

    # ------------------------------------------------------------------------------------------ geometry

    @property
    def _line_px(self) -> int:
        return self.fontMetrics().height()

    @property
    def _area(self) -> QRectF:
        """Where the curves are: within the legend, the numbers and the titles."""
        numbers = max(self.fontMetrics().horizontalAdvance(text) for _, text in self._ticks(1))
        left = self._line_px + numbers + 10
        top = self._line_px * (len(self._legend_rows()) + 0.5) + 4
        right = self.fontMetrics().horizontalAdvance("0.00") / 2 + 4
        return QRectF(left, top, self.width() - left - right, self.height() - top - 2 * self._line_px - 8)

    def _placer(self) -> Place:
        """Gives the place in the widget of a point of the axes; the area is measured once."""
        area, (across, up) = self._area, self._limits

        def place(x: float, y: float) -> QPointF:
            return QPointF(
                area.left() + (x - across.low) / (across.high - across.low) * area.width(),
                area.bottom() - (y - up.low) / (up.high - up.low) * area.height(),
            )

        return place

    def _ticks(self, axis: int) -> list[tuple[float, str]]:
        if axis == 0 and self._names:
            return [(float(index), name) for index, name in enumerate(self._names)]
        ticks = nice_ticks(self._limits[axis])
        return list(zip(ticks, format_ticks(ticks), strict=True))

    def _legend_px(self, line: Line) -> int:
        return 22 + self.fontMetrics().horizontalAdvance(line.label) + 12

    def _legend_rows(self) -> list[list[Line]]:
        rows: list[list[Line]] = [[]]
        for line in self._lines:
            if rows[-1] and sum(map(self._legend_px, [*rows[-1], line])) > self.width():
                rows.append([])
            rows[-1].append(line)
        return rows

    # ------------------------------------------------------------------------------------------ painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Axes, curves, legend."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            look = theme.current()
            painter.fillRect(self.rect(), QColor(look.surface))
            painter.setOpacity(1.0 if self.isEnabled() else 0.4)
            place = self._placer()
            self._paint_axes(painter, place, look)
            for line in self._lines:
                self._paint_line(painter, [place(x, y) for x, y in _points(line)], _pen(line, look))
            self._paint_legend(painter, look)

    def _paint_axes(self, painter: QPainter, place: Place, look: theme.Theme) -> None:
        area, height = self._area, self._line_px
        last_right = -math.inf
        for value, text in self._ticks(0):
            x = place(value, 0).x()
            painter.setPen(QColor(look.border))
            painter.drawLine(QLineF(x, area.top(), x, area.bottom()))
            width = self.fontMetrics().horizontalAdvance(text)
            if x - width / 2 > last_right + 4:
                last_right = x + width / 2
                painter.setPen(QColor(look.muted))
                below = QRectF(x - width / 2, area.bottom() + 2, width + 1, height)
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
        for value, text in self._ticks(1):
            y = place(0, value).y()
            painter.setPen(QColor(look.border))
            painter.drawLine(QLineF(area.left(), y, area.right(), y))
            painter.setPen(QColor(look.muted))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - height / 2, area.left() - 5, height), right, text)
        painter.setPen(QPen(QColor(look.outline), 1))
        painter.drawRect(area)
        painter.setPen(QColor(look.text))
        below = QRectF(area.left(), self.height() - height - 2, area.width(), height)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._titles[0])
        painter.save()
        painter.translate(0, area.bottom())
        painter.rotate(-90)
        painter.drawText(QRectF(0, 0, area.height(), height), Qt.AlignmentFlag.AlignCenter, self._titles[1])
        painter.restore()

    def _paint_line(self, painter: QPainter, points: list[QPointF], pen: QPen) -> None:
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF(points))
        if self._names:
            painter.setBrush(pen.color())
            for point in points:
                painter.drawEllipse(point, _DOT_PX, _DOT_PX)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_legend(self, painter: QPainter, look: theme.Theme) -> None:
        for number, row in enumerate(self._legend_rows()):
            x, y = 4.0, number * self._line_px + self._line_px / 2
            for line in row:
                painter.setPen(_pen(line, look))
                painter.drawLine(QLineF(x, y, x + 18, y))
                painter.setPen(QColor(look.text))
                place = QRectF(x + 22, y - self._line_px / 2, self.width(), self._line_px)
                painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line.label)
                x += self._legend_px(line)


def _points(line: Line) -> list[tuple[float, float]]:
    is_there = np.isfinite(line.x) & np.isfinite(line.y)
    return list(zip(line.x[is_there].tolist(), line.y[is_there].tolist(), strict=True))


def _pen(line: Line, look: theme.Theme) -> QPen:
    colour = QColor((look.accent, look.warning, look.good, look.error)[line.series % 4])
    # Not everyone tells colours apart.
    style = Qt.PenStyle.DashLine if line.dashed else _STYLES[line.series % 4]
    return QPen(colour, 1.4 if line.dashed else 2.0, style)
