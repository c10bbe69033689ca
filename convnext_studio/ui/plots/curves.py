"""Curves and their axes: what a plot says, and how one curve is told from another."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap

from convnext_studio.render import Limits, limits_of, number_ticks
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled_px

Numbers = NDArray[np.float64]
Ticks = Sequence[tuple[float, str]]
"""Places on an axis, with what stands there."""

_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotDotLine)
_WIDTH_PX = 2.0
_DASHED_WIDTH_PX = 1.4
_MARGIN = 0.03  # Beyond decades, so that no number meets one of the other axis.
LINE_PX = 28, 12
"""Width and height of a piece of line in a legend, beside text of 9 points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What a plot's two axes say.

    Attributes
    ----------
    x, y
        Titles, with their units.
    is_log
        Decades on the upright axis; what is not above 0 is left out.
    decades
        How many below the largest value are shown, at most, where `is_log`.
    has_legend
        Above the curves; to be left out where another one stands beside them.
    """

    x: str
    y: str
    is_log: bool = False
    decades: int = 9
    has_legend: bool = True

    def heights(self, y: Numbers) -> Numbers:
        """Where values stand on the upright axis: they or their logarithms; NaN where one is left out."""
        if not self.is_log:
            return y
        return np.log10(y, out=np.full(y.shape, np.nan), where=y > 0)

    def limits(self, heights: Numbers) -> Limits:
        """Ends of the upright axis for these heights."""
        found = limits_of(heights)
        if not self.is_log:
            return found
        low = max(found.low, found.high - self.decades)
        margin = _MARGIN * (found.high - low)
        return Limits(low - margin, found.high + margin)

    def ticks(self, limits: Limits) -> Ticks:
        """Numbers along the upright axis between these heights."""
        return log_ticks(limits) if self.is_log else number_ticks(limits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A line through points.

    Attributes
    ----------
    label
        For the legend, and the read-out.
    x, y
        (points,) each; a y that is not finite parts the line.
    series
        From 0: which of the theme's colours.
    dots
        Each point is marked.
    dashed
        Steps back: what another curve is compared with.
    """

    label: str
    x: Numbers
    y: Numbers
    series: int = 0
    dots: bool = False
    dashed: bool = False

    def pen(self, look: theme.Theme) -> QPen:
        """What it is drawn with."""
        colour = QColor(series_colour(self.series, look))
        if self.dashed:
            return QPen(colour, _DASHED_WIDTH_PX, Qt.PenStyle.DashLine)
        return QPen(colour, _WIDTH_PX, series_style(self.series))


def series_colour(series: int, look: theme.Theme | None = None) -> str:
    """The colour of a series in the look that is in force; four differ."""
    look = look or theme.current()
    return (look.accent, look.warning, look.good, look.error)[series % 4]


def series_style(series: int) -> Qt.PenStyle:
    """How a series is drawn, because not everyone tells colours apart."""
    return _STYLES[series % 4]


def line_icon(series: int) -> QIcon:
    """A short piece of a series' line, for a legend outside the plot."""
    width, height = LINE_PX
    drawn = QImage(scaled_px(4 * width), scaled_px(4 * height), QImage.Format.Format_ARGB32_Premultiplied)
    drawn.fill(Qt.GlobalColor.transparent)
    with QPainter(drawn) as painter:
        painter.scale(drawn.width() / width, drawn.width() / width)
        painter.setPen(QPen(QColor(series_colour(series)), _WIDTH_PX, series_style(series)))
        painter.drawLine(0, height // 2, width, height // 2)
    return QIcon(QPixmap.fromImage(drawn))


def log_ticks(limits: Limits) -> Ticks:
    """Numbers at the decades, and between them where there are few; heights and limits are logarithms."""
    exponents = range(math.floor(limits.low), math.ceil(limits.high) + 1)
    step = max(1, len(exponents) // 8)
    named = (1, 2, 5) if limits.high - limits.low <= 3 else (1,)
    ticks = [
        (exponent + math.log10(digit), f"{digit * 10.0**exponent:g}")
        for exponent in exponents
        for digit in named
        if exponent % step == 0
    ]
    return [(height, text) for height, text in ticks if limits.low - 1e-9 <= height <= limits.high + 1e-9]


def runs(x: Numbers, y: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """The parts of a line between the points that are not finite."""
    is_there = np.isfinite(x) & np.isfinite(y)
    borders = np.flatnonzero(np.diff(is_there)) + 1
    for part in np.split(np.arange(len(x)), borders):
        if part.size and is_there[part[0]]:
            yield x[part], y[part]
