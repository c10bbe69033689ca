"""Curves that can be read from the back row, with linear or logarithmic axes and a legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPen

from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.network_picture import series_colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One of two axes.

    Attributes
    ----------
    title
        With its unit.
    low, high
        Ends, `low` above 0 where `is_log`.
    ticks
        Values with their texts.
    is_log
        In decades.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the ends, from 0 to 1."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return (value - low) / (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line through points; gaps where a y is not finite.

    Attributes
    ----------
    label
        For the legend.
    points
        x and y.
    series
        Which of the colours.
    dashed
        What others are compared with.
    """

    label: str
    points: Sequence[tuple[float, float]]
    series: int
    dashed: bool = False


def paint_curves(ink: Ink, room: QRectF, curves: Sequence[Curve], x: Axis, y: Axis) -> QRectF:
    """Legend above, axes, curves; gives the area between the axes."""
    small = ink.line(ink.small)
    top = _paint_legend(ink, room, curves)
    numbers = max(ink.width(text, ink.small) for _, text in y.ticks)
    area = QRectF(room)
    beyond = max([ink.width(text, ink.small) / 2 for _, text in x.ticks[-1:]], default=0.0)
    area.adjust(numbers + 0.4 * ink.px, top + 1.4 * small, -max(0.8 * ink.px, beyond), -2.2 * small)
    above = QRectF(room.left(), room.top() + top, room.width(), small)
    ink.text(above, y.title, px=ink.small, colour=ink.look.muted)
    below = QRectF(area.left(), area.bottom() + 1.1 * small, area.width(), small)
    ink.text(below, x.title, align="centre", px=ink.small, colour=ink.look.muted)
    _paint_grid(ink, area, x, y)
    for curve in curves:
        ink.painter.setPen(_pen(ink, curve))
        for part in _parts(curve):
            ink.painter.drawPolyline([place(area, x, y, *point) for point in part])
    return area


def place(area: QRectF, x: Axis, y: Axis, at: float, value: float) -> QPointF:
    """Where a point is in the area between the axes."""
    return QPointF(
        area.left() + x.share(at) * area.width(),
        area.bottom() - min(max(y.share(value), 0.0), 1.0) * area.height(),
    )


def _paint_legend(ink: Ink, room: QRectF, curves: Sequence[Curve]) -> float:
    """As many entries in a row as fit; gives the height."""
    left, top, line = room.left(), room.top(), ink.line()
    for curve in curves:
        width = 1.6 * ink.px + ink.width(curve.label) + ink.px
        if left > room.left() and left + width > room.right() + ink.px:
            left, top = room.left(), top + line
        middle = top + line / 2
        ink.painter.setPen(_pen(ink, curve))
        ink.painter.drawLine(QLineF(left, middle, left + 1.2 * ink.px, middle))
        ink.text(QRectF(left + 1.6 * ink.px, top, room.right() - left, line), curve.label)
        left += width
    return top + 1.15 * line - room.top()


def _paint_grid(ink: Ink, area: QRectF, x: Axis, y: Axis) -> None:
    small = ink.line(ink.small)
    last = -math.inf
    for value, text in x.ticks:
        at = area.left() + x.share(value) * area.width()
        _rule(ink, QLineF(at, area.top(), at, area.bottom()))
        half = ink.width(text, ink.small) / 2
        if at - half > last + 0.3 * ink.px:
            last = at + half
            # The first one keeps clear of the upright axis' numbers.
            below = QRectF(max(at - half, area.left()) - 2, area.bottom() + 2, 2 * half + 4, small)
            ink.text(below, text, align="centre", px=ink.small)
    last = math.inf
    for value, text in y.ticks:
        at = area.bottom() - y.share(value) * area.height()
        _rule(ink, QLineF(area.left(), at, area.right(), at))
        if at + small < last:
            last = at
            left = QRectF(area.left() - 400, at - small / 2, 400 - 0.3 * ink.px, small)
            ink.text(left, text, align="right", px=ink.small)


def _rule(ink: Ink, line: QLineF) -> None:
    ink.painter.setPen(QPen(QColor(ink.look.border), 1))
    ink.painter.drawLine(line)


def _parts(curve: Curve) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in curve.points:
        if math.isfinite(point[1]):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _pen(ink: Ink, curve: Curve) -> QPen:
    style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
    return QPen(QColor(series_colour(ink, curve.series)), max(2.0, ink.px / 8), style)
