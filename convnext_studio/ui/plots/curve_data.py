"""Curves and bars, their axes, and the colours and line styles that tell them apart."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap

from convnext_studio.render import Limits, limits_of, number_ticks
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled_px

Numbers = NDArray[np.float64]
Ticks = Sequence[tuple[float, str]]
"""Positions on an axis with their texts."""

_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotDotLine)
_WIDTH_PX = 2.0
_DASHED_WIDTH_PX = 1.4
_FAINT = 0.5  # Opacity of bars that are not to be seen first.
_MARGIN = 0.03  # Added at the ends of a logarithmic axis, so that its numbers do not overlap the other axis's.
LINE_PX = 28, 12
"""Width and height of a line sample in a legend, for text of 9 points."""


class Axes(Struct, frozen=True, kw_only=True):
    """The titles and scales of a plot's two axes.

    Attributes
    ----------
    x, y
        Titles with units.
    is_log, is_x_log
        Whether the y axis and the x axis are logarithmic; values of y that are not above 0 are left out.
    decades
        Largest number of decades shown below the largest value if `is_log`.
    has_legend
        Whether there is a legend above the curves; False if another legend is shown beside them.
    write
        How values of y are written, such as "12 M"; as plain numbers if None.
    numbers
        A text as wide as the numbers of the y axis are at least, so that axes below one another are aligned.
    """

    x: str
    y: str
    is_log: bool = False
    is_x_log: bool = False
    decades: int = 9
    has_legend: bool = True
    write: Callable[[float], str] | None = None
    numbers: str = ""

    def places(self, x: Numbers) -> Numbers:
        """Return the places of values on the x axis: the values or their log10."""
        return np.log10(x) if self.is_x_log else x

    def heights(self, y: Numbers) -> Numbers:
        """Return the heights of values on the y axis: the values or their log10, NaN if one is left out."""
        if not self.is_log:
            return y
        return np.log10(y, out=np.full(y.shape, np.nan), where=y > 0)

    def limits(self, heights: Numbers) -> Limits:
        """Return the limits of the y axis for these heights."""
        found = limits_of(heights)
        if not self.is_log:
            return found
        low = max(found.low, found.high - self.decades)
        margin = _MARGIN * (found.high - low)
        return Limits(low - margin, found.high + margin)

    def ticks(self, limits: Limits) -> Ticks:
        """Return the ticks of the y axis between these heights."""
        found = log_ticks(limits) if self.is_log else number_ticks(limits)
        if self.write is None:
            return found
        return [(height, self.write(10**height if self.is_log else height)) for height, _ in found]


class Curve(Struct, frozen=True, kw_only=True, eq=False):
    """A line through points.

    Attributes
    ----------
    label
        Name in the legend and the read-out.
    x, y
        Coordinates, (points,) each; a y that is not finite leaves a gap in the line.
    series
        Index, from 0, of its colour and line style.
    dots
        Whether each point is marked.
    dashed
        Whether the line is thin and dashed, as a reference for other curves.
    band
        The lower and the upper edge, (points,) each, of a band drawn behind the line; None for no band.
    """

    label: str
    x: Numbers
    y: Numbers
    series: int = 0
    dots: bool = False
    dashed: bool = False
    band: tuple[Numbers, Numbers] | None = None

    def pen(self, look: theme.Theme) -> QPen:
        """Return the pen to draw the curve with."""
        colour = QColor(series_colour(self.series, look))
        if self.dashed:
            return QPen(colour, _DASHED_WIDTH_PX, Qt.PenStyle.DashLine)
        return QPen(colour, _WIDTH_PX, series_style(self.series))


class Bars(Struct, frozen=True, kw_only=True, eq=False):
    """Bars of one colour.

    Attributes
    ----------
    label
        Name in the legend and the read-out.
    x, y
        Middles and heights, (bars,) each.
    width
        Width of each bar.
    series
        Index, from 0, of its colour.
    base
        Where each bar begins, (bars,); at 0 if None.
    is_faint
        Whether others are to be seen before these, such as the chosen one.
    is_listed
        Whether they are in the legend.
    """

    label: str
    x: Numbers
    y: Numbers
    width: float = 0.8
    series: int = 0
    base: Numbers | None = None
    is_faint: bool = False
    is_listed: bool = True

    def colour(self, look: theme.Theme) -> QColor:
        """Return the colour to fill the bars with."""
        colour = QColor(series_colour(self.series, look))
        colour.setAlphaF(_FAINT if self.is_faint else 1.0)
        return colour


class AxisMark(Struct, frozen=True, kw_only=True):
    """An upright line with its name, such as at a mean.

    Attributes
    ----------
    x
        Where it is.
    text
        Its name, beside the line.
    """

    x: float
    text: str


def series_colour(series: int, look: theme.Theme | None = None) -> str:
    """Return the colour of a series in a theme, by default the current one; four series differ."""
    look = look or theme.current()
    return (look.accent, look.warning, look.good, look.error)[series % 4]


def series_style(series: int) -> Qt.PenStyle:
    """Return the line style of a series, because not everyone can tell the colours apart."""
    return _STYLES[series % 4]


def line_icon(series: int) -> QIcon:
    """Return a line sample of a series for a legend outside the plot."""
    width, height = LINE_PX
    drawn = QImage(scaled_px(4 * width), scaled_px(4 * height), QImage.Format.Format_ARGB32_Premultiplied)
    drawn.fill(Qt.GlobalColor.transparent)
    with QPainter(drawn) as painter:
        painter.scale(drawn.width() / width, drawn.width() / width)
        painter.setPen(QPen(QColor(series_colour(series)), _WIDTH_PX, series_style(series)))
        painter.drawLine(0, height // 2, width, height // 2)
    return QIcon(QPixmap.fromImage(drawn))


def log_ticks(limits: Limits) -> Ticks:
    """Return ticks at decades, and between them if there are few; heights and limits are log10 of values."""
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
    """Yield the parts of a line between points that are not finite."""
    is_there = np.isfinite(x) & np.isfinite(y)
    borders = np.flatnonzero(np.diff(is_there)) + 1
    for part in np.split(np.arange(len(x)), borders):
        if part.size and is_there[part[0]]:
            yield x[part], y[part]
