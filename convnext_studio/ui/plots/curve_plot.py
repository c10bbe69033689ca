"""Curves on a pair of axes, painted in the window's colours."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import Limits, format_number, limits_of, number_ticks
from convnext_studio.ui.plots.curves import Axes, Curve, Numbers, Ticks, runs
from convnext_studio.ui.widgets import theme

_DOT_PX = 2.5
_LEGEND_LINE_PX = 26  # Long enough for a whole period of every style.
_GAP_PX = 4

Place = Callable[[float, float], QPointF]
"""From a point of the axes (upright: its height, see `Axes.heights`) to its place in the widget."""


class CurvePlot(QWidget):
    """Curves with labelled axes; the pointer reads all of them at the nearest point.

    Painted here: the library for it takes a second to import, which would hold up the window, and to import it
    in a thread while Qt paints has crashed.

    Parameters
    ----------
    name
        For screen readers.
    axes
        What the axes say.
    """

    pointed = Signal(str)  # what is under the pointer; empty where nothing is

    def __init__(self, name: str, axes: Axes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes = axes
        self._curves: tuple[Curve, ...] = ()
        self._heights: tuple[Numbers, ...] = ()
        self._limits = Limits(0.0, 1.0), Limits(0.0, 1.0)
        self._names: Ticks = ()
        self._sentence = ""
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 130)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn."""
        return self._curves

    @property
    def sentence(self) -> str:
        """What stands in the curves' place; empty where they are drawn."""
        return "" if self._curves else self._sentence

    def show_curves(
        self,
        curves: Sequence[Curve],
        sentence: str = "",
        *,
        x: Limits | None = None,
        y: Limits | None = None,
        names: Ticks = (),
    ) -> None:
        """Draw these curves, or say the sentence where there are none.

        Parameters
        ----------
        x, y
            Ends of the axes; as far as the curves go where None.
        names
            Stand below, in place of numbers.
        """
        self._curves, self._names, self._sentence = tuple(curves), tuple(names), sentence
        self._heights = tuple(self._axes.heights(curve.y) for curve in curves)
        if curves:
            x = x or limits_of(np.concatenate([curve.x for curve in curves]))
            y = y or self._axes.limits(np.concatenate(self._heights))
            self._limits = x, y
        labels = ", ".join(curve.label for curve in curves)
        self.setAccessibleDescription(
            f"{self._axes.y} against {self._axes.x}: {labels}" if labels else sentence
        )
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
        """Read all curves that have a point where the nearest one is."""
        area, across = self._area, self._limits[0]
        share = (event.position().x() - area.left()) / max(area.width(), 1.0)
        pointed = across.low + share * (across.high - across.low)
        there = [
            curve.x[np.isfinite(heights)] for curve, heights in zip(self._curves, self._heights, strict=True)
        ]
        places = np.concatenate(there) if there else np.empty(0)
        if not places.size:
            return
        x = float(places[np.argmin(np.abs(places - pointed))])
        name = next((text for place, text in self._names if place == x), "")
        said = [name or f"{self._axes.x} {format_number(x)}", *self._read(x)]
        self.pointed.emit(" · ".join(said))

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self.pointed.emit("")

    def _read(self, x: float) -> list[str]:
        return [
            f"{curve.label} {format_number(float(curve.y[index]))}"
            for curve, heights in zip(self._curves, self._heights, strict=True)
            for index in np.flatnonzero((curve.x == x) & np.isfinite(heights))
        ]

    # ------------------------------------------------------------------------------------------ geometry

    @property
    def _line_px(self) -> int:
        return self.fontMetrics().height()

    @property
    def _area(self) -> QRectF:
        """Where the curves are: within the legend, the numbers and the titles."""
        texts = [text for _, text in self._axes.ticks(self._limits[1])]
        numbers = max(map(self.fontMetrics().horizontalAdvance, texts), default=0)
        left = self._line_px + numbers + 10
        top = self._line_px * (len(self._legend_rows()) + 0.5) + _GAP_PX
        # A number or a name stands under the very end.
        last = self._ticks_below()[-1][1]
        right = self.fontMetrics().horizontalAdvance(last) / 2 + _GAP_PX
        return QRectF(left, top, self.width() - left - right, self.height() - top - 2 * self._line_px - 8)

    def _placer(self) -> Place:
        """Gives the place in the widget of a point of the axes; the area is measured once."""
        area, (across, up) = self._area, self._limits

        def place(x: float, height: float) -> QPointF:
            return QPointF(
                area.left() + (x - across.low) / (across.high - across.low) * area.width(),
                area.bottom() - (height - up.low) / (up.high - up.low) * area.height(),
            )

        return place

    def _ticks_below(self) -> Ticks:
        return self._names or number_ticks(self._limits[0])

    def _legend_px(self, curve: Curve) -> int:
        return _LEGEND_LINE_PX + _GAP_PX + self.fontMetrics().horizontalAdvance(curve.label) + 3 * _GAP_PX

    def _legend_rows(self) -> list[list[Curve]]:
        rows: list[list[Curve]] = []
        for curve in self._curves if self._axes.has_legend else ():
            if not rows or sum(map(self._legend_px, [*rows[-1], curve])) > self.width():
                rows.append([])
            rows[-1].append(curve)
        return rows

    # ------------------------------------------------------------------------------------------ painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Axes, curves, legend."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            look = theme.current()
            painter.fillRect(self.rect(), QColor(look.surface))
            if not self._curves:
                self._paint_sentence(painter, look)
                return
            painter.setOpacity(1.0 if self.isEnabled() else 0.4)
            place = self._placer()
            self._paint_axes(painter, place, look)
            self._paint_legend(painter, look)
            # What lies below the lowest decade is not painted over the numbers.
            painter.setClipRect(self._area.adjusted(-_GAP_PX, -_GAP_PX, _GAP_PX, _GAP_PX))
            for curve, heights in zip(self._curves, self._heights, strict=True):
                self._paint_curve(painter, place, curve, heights, look)

    def _paint_sentence(self, painter: QPainter, look: theme.Theme) -> None:
        painter.setPen(QColor(look.muted))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(8, 8, -8, -8), flags, self._sentence)

    def _paint_axes(self, painter: QPainter, place: Place, look: theme.Theme) -> None:
        area, height = self._area, self._line_px
        low = self._limits[1].low
        last_right = -math.inf
        for value, text in self._ticks_below():
            x = place(value, low).x()
            painter.setPen(QColor(look.border))
            painter.drawLine(QLineF(x, area.top(), x, area.bottom()))
            width = self.fontMetrics().horizontalAdvance(text)
            if x - width / 2 > last_right + _GAP_PX:
                last_right = x + width / 2
                painter.setPen(QColor(look.muted))
                below = QRectF(x - width / 2, area.bottom() + 2, width + 1, height)
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
        for value, text in self._axes.ticks(self._limits[1]):
            y = place(self._limits[0].low, value).y()
            painter.setPen(QColor(look.border))
            painter.drawLine(QLineF(area.left(), y, area.right(), y))
            painter.setPen(QColor(look.muted))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - height / 2, area.left() - 5, height), right, text)
        painter.setPen(QPen(QColor(look.outline), 1))
        painter.drawRect(area)
        self._paint_titles(painter, area, look)

    def _paint_titles(self, painter: QPainter, area: QRectF, look: theme.Theme) -> None:
        height = self._line_px
        painter.setPen(QColor(look.text))
        self._paint_title(
            painter, QRectF(area.left(), self.height() - height - 2, area.width(), height), self._axes.x
        )
        painter.save()
        painter.translate(0, area.bottom())
        painter.rotate(-90)
        self._paint_title(painter, QRectF(0, 0, area.height(), height), self._axes.y)
        painter.restore()

    def _paint_title(self, painter: QPainter, place: QRectF, title: str) -> None:
        text = self.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_curve(
        self, painter: QPainter, place: Place, curve: Curve, heights: Numbers, look: theme.Theme
    ) -> None:
        pen = curve.pen(look)
        for x, height in runs(curve.x, heights):
            points = list(map(place, x.tolist(), height.tolist()))
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF(points))
            if curve.dots or len(points) == 1:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(pen.color())
                for point in points:
                    painter.drawEllipse(point, _DOT_PX, _DOT_PX)
                painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_legend(self, painter: QPainter, look: theme.Theme) -> None:
        beside = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for number, row in enumerate(self._legend_rows()):
            x, y = float(_GAP_PX), number * self._line_px + self._line_px / 2
            for curve in row:
                painter.setPen(curve.pen(look))
                painter.drawLine(QLineF(x, y, x + _LEGEND_LINE_PX, y))
                painter.setPen(QColor(look.text))
                start = x + _LEGEND_LINE_PX + _GAP_PX
                place = QRectF(start, y - self._line_px / 2, self.width(), self._line_px)
                painter.drawText(place, beside, curve.label)
                x += self._legend_px(curve)
