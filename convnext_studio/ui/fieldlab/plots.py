"""Curves in one plot, in the window's colours: axes with units, a legend, a read-out under the pointer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStackedLayout, QWidget

from convnext_studio.render import format_number
from convnext_studio.ui import theme
from convnext_studio.ui.background import Background
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.textsize import scaled_px

Numbers = NDArray[np.float64]
Ticks = Sequence[tuple[float, str]]
_LINES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_WIDTH_PX = 2
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
        At the bottom right, in the plot.
    """

    x: str
    y: str
    is_log: bool = False
    decades: int = 9
    has_legend: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A line through points.

    Attributes
    ----------
    label
        For the legend.
    x, y
        (points,) each; a y that is not finite parts the line.
    series
        From 0: which of the theme's colours.
    dots
        Each point is marked.
    """

    label: str
    x: Numbers
    y: Numbers
    series: int
    dots: bool = False


def series_colour(series: int, look: theme.Theme | None = None) -> str:
    """The colour of a series in the look that is in force; four differ."""
    look = look or theme.current()
    return (look.accent, look.warning, look.good, look.error)[series % 4]


def series_line(series: int) -> Qt.PenStyle:
    """How a series is drawn, because not everyone tells colours apart."""
    return _LINES[series % 4]


def line_icon(series: int) -> QIcon:
    """A short piece of a series' line, for a legend outside the plot."""
    width, height = LINE_PX
    drawn = QImage(scaled_px(4 * width), scaled_px(4 * height), QImage.Format.Format_ARGB32_Premultiplied)
    drawn.fill(Qt.GlobalColor.transparent)
    with QPainter(drawn) as painter:
        painter.scale(drawn.width() / width, drawn.width() / width)
        painter.setPen(QPen(QColor(series_colour(series)), _WIDTH_PX, series_line(series)))
        painter.drawLine(0, height // 2, width, height // 2)
    return QIcon(QPixmap.fromImage(drawn))


def log_ticks(low: float, high: float) -> list[list[tuple[float, str]]]:
    """Numbers at the decades, and between them where there are few; heights and bounds are logarithms."""
    exponents = range(math.floor(low), math.ceil(high) + 1)
    step = max(1, len(exponents) // 8)
    named = (1, 2, 5) if high - low <= 3 else (1,)
    major = [
        (exponent + math.log10(digit), f"{digit * 10.0**exponent:g}")
        for exponent in exponents
        for digit in named
        if exponent % step == 0
    ]
    minor = [(exponent + math.log10(digit), "") for exponent in exponents for digit in range(1, 10)]
    return [major, minor if step == 1 else []]


def load_library(background: Background, then: Callable[[Any], None]) -> None:
    """Import pyqtgraph beside Qt's thread, then call `then` with it.

    Not at the top of this file: the import takes 0.4 s, by which the window would come later and which would
    hold it up; and nothing needs it before the lab is opened.
    """
    background.run(lambda: import_module("pyqtgraph"), then)


class CurvePlot(QWidget):
    """Curves on a pair of axes. Until `build` it says that it is being prepared; until curves come, why not."""

    pointed = Signal(str)  # what is under the pointer, for the read-out; empty when nothing is

    def __init__(self, name: str, axes: Axes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes = axes
        self._curves: tuple[Curve, ...] = ()
        self._ticks: Ticks = ()
        self._items: list[Any] = []
        self._drawn: object = None
        self._plot: Any = None
        self._library: Any = None
        self._legend: Any = None
        self._sentence = plain_label("muted", "Preparing the plot …")
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._sentence)
        self.setAccessibleName(name)
        self.setMinimumSize(220, 150)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn, or will be."""
        return self._curves

    @property
    def sentence(self) -> str:
        """What stands in the curves' place; empty where they are drawn."""
        return self._sentence.text() if self._stack.currentIndex() == 0 else ""

    def build(self, library: Any) -> None:
        """Make the plot itself, with pyqtgraph."""
        self._library = library
        self._plot = library.PlotWidget()
        self._plot.setAccessibleName(self.accessibleName())
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setLogMode(y=self._axes.is_log)
        self._plot.scene().sigMouseMoved.connect(self._point)
        self._stack.addWidget(self._plot)
        self._draw()

    def show_curves(self, curves: Sequence[Curve], sentence: str, ticks: Ticks = ()) -> None:
        """Draw these curves, or say the sentence where there are none; `ticks` name places below."""
        self._curves = tuple(curves)
        self._ticks = tuple(ticks)
        self._sentence.setText(sentence)
        labels = ", ".join(curve.label for curve in curves)
        self.setAccessibleDescription(
            f"{self._axes.y} against {self._axes.x}: {labels}" if labels else sentence
        )
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        """Follow theme and text."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._draw()

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self.pointed.emit("")

    # ------------------------------------------------------------------------------------------- drawing

    def _draw(self) -> None:
        if self._plot is None or not self._curves:
            self._stack.setCurrentIndex(0)
            return
        self._stack.setCurrentIndex(1)
        look = theme.current()
        drawn = (
            look.name,
            self.font().pointSizeF(),
            self.devicePixelRatioF(),
            self._ticks,
            tuple((each.label, each.series, each.dots) for each in self._curves),
        )
        # While a field sharpens only values change: to make the items anew would take several times as long.
        if drawn != self._drawn:
            self._drawn = drawn
            self._draw_anew(look)
        for item, curve in zip(self._items, self._curves, strict=True):
            y = np.where(curve.y > 0, curve.y, np.nan) if self._axes.is_log else curve.y
            item.setData(curve.x, y)
        if self._axes.is_log:
            low, high = self._decades()
            self._plot.getAxis("left").setTicks(log_ticks(low, high))
            self._plot.setYRange(low, high, padding=0.03)

    def _draw_anew(self, look: theme.Theme) -> None:
        item = self._plot.getPlotItem()
        item.clear()
        self._plot.setBackground(look.surface)
        self._draw_axes(item, look)
        if self._axes.has_legend:
            self._draw_legend(item, look)
        self._items = [self._item(curve, look) for curve in self._curves]
        for each in self._items:
            item.addItem(each)

    def _draw_axes(self, item: Any, look: theme.Theme) -> None:
        size = f"{self.font().pointSizeF():g}pt"
        for side, title in (("bottom", self._axes.x), ("left", self._axes.y)):
            axis = item.getAxis(side)
            axis.enableAutoSIPrefix(False)  # The unit is in the title: no kilopixels.
            axis.setLabel(title, **{"color": look.text, "font-size": size})
            axis.setTickFont(self.font())
            axis.setPen(look.outline)
            axis.setTextPen(look.text)
        item.getAxis("bottom").setTicks([list(self._ticks)] if self._ticks else None)
        item.showGrid(x=True, y=True, alpha=0.18)

    def _draw_legend(self, item: Any, look: theme.Theme) -> None:
        if self._legend is not None:
            self._legend.scene().removeItem(self._legend)
        item.legend = None
        self._legend = item.addLegend(
            offset=(-8, -8),
            labelTextColor=look.text,
            labelTextSize=f"{self.font().pointSizeF():g}pt",
            brush=self._library.mkBrush(look.surface + "d0"),
            pen=self._library.mkPen(look.border),
        )

    def _decades(self) -> tuple[float, float]:
        """Logarithms of the smallest and the largest value that are shown."""
        values = np.concatenate([curve.y[curve.y > 0] for curve in self._curves])
        if values.size == 0:
            return 0.0, 1.0
        high = math.log10(float(values.max()))
        return max(math.log10(float(values.min())), high - self._axes.decades), high

    def _item(self, curve: Curve, look: theme.Theme) -> Any:
        colour = series_colour(curve.series, look)
        width = _WIDTH_PX * self.devicePixelRatioF()  # The library's pens count the screen's pixels.
        pen = self._library.mkPen(colour, width=width, style=series_line(curve.series))
        marks = {"symbol": "o", "symbolSize": 6, "symbolBrush": colour, "symbolPen": None} if curve.dots else {}
        return self._library.PlotDataItem(name=curve.label, pen=pen, connect="finite", antialias=True, **marks)

    def _point(self, place: QPointF) -> None:
        x = float(self._plot.getPlotItem().vb.mapSceneToView(place).x())
        said = [
            f"{curve.label} {format_number(float(curve.y[nearest]))}"
            for curve in self._curves
            if curve.x.size
            for nearest in [int(np.argmin(np.abs(curve.x - x)))]
        ]
        self.pointed.emit(" · ".join((f"{self._axes.x} {format_number(x)}", *said)))
