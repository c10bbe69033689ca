"""The curves, bars, bands and marks of a plot as pyqtgraph's items, and the legend above them."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QTransform
from PySide6.QtWidgets import QGraphicsGridLayout, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from convnext_studio.ui.plots.curve_data import AxisMark, Bars, Curve, Numbers
from convnext_studio.ui.widgets import theme

_DOT_PX = 5
_BAND_OPACITY = 0.22


def curve_item(curve: Curve, x: Numbers, y: Numbers, pen_scale: float, dot_scale: float) -> Any:
    """Return the line of a curve, with gaps where a height is not finite.

    Parameters
    ----------
    x, y
        Places and heights on the axes.
    pen_scale, dot_scale
        Width of the line in pixels of the screen and size of the dots in logical pixels, relative to the usual.
    """
    pen = curve.pen(theme.current())
    pen.setWidthF(pen.widthF() * pen_scale)
    pen.setCosmetic(True)  # The same width at any zoom.
    # pyqtgraph warns about a curve without a single number, whose bounds it cannot find.
    shown = slice(None) if np.isfinite(y).any() else slice(0)
    return pg.PlotDataItem(
        x[shown],
        y[shown],
        pen=pen,
        connect="finite",
        antialias=True,
        symbol="o" if curve.dots or _has_lone_points(y) else None,
        symbolSize=_DOT_PX * dot_scale,
        symbolPen=None,
        symbolBrush=pen.color(),
    )


def band_items(curve: Curve, x: Numbers, heights: tuple[Numbers, Numbers], line: Any) -> list[Any]:
    """Return what fills the space between two edges, behind the line, which it is hidden with."""
    colour = curve.pen(theme.current()).color()
    colour.setAlphaF(_BAND_OPACITY)
    edges = [pg.PlotCurveItem(x, edge, pen=None) for edge in heights]
    band = pg.FillBetweenItem(*edges, brush=colour)
    band.setZValue(-1)
    # A slot that held the line would keep it, and the band, for ever: Python cannot see what a signal holds.
    line.visibleChanged.connect(partial(_show_with, ref(band), ref(line)))
    return [*edges, band]


def _show_with(band: ref[Any], line: ref[Any]) -> None:
    """Show a band while its line is visible, if they are there still."""
    shown, leading = band(), line()
    if shown is not None and leading is not None:
        shown.setVisible(leading.isVisible())


def bars_item(bars: Bars, x: Numbers, y: Numbers) -> Any:
    """Return bars, which begin at 0 unless they have another base."""
    base = np.zeros_like(y) if bars.base is None else bars.base
    brush = bars.colour(theme.current())
    return pg.BarGraphItem(x=x, y0=base, height=np.nan_to_num(y), width=bars.width, pen=None, brush=brush)


def mark_item(mark: AxisMark, font: QFont, pen_scale: float) -> Any:
    """Return an upright line with its name at the top."""
    look = theme.current()
    pen = pg.mkPen(look.muted, width=1.4 * pen_scale, style=Qt.PenStyle.DashLine)
    # The name hangs from its place; centred there, large text would cross the frame.
    hangs = [(0, 0), (1, 0)]
    options = {"position": 0.98, "anchors": hangs, "color": look.text, "fill": look.surface}
    line = pg.InfiniteLine(mark.x, angle=90, pen=pen, label=plain(mark.text), labelOpts=options)
    line.label.setFont(font)
    return line


class HistogramItem(QGraphicsItem):
    """Bars of width 1 from 0 up, each in a colour of its own.

    pyqtgraph records bars of several colours in a picture and plays that back at every zoom, which smears their
    edges over pixels and hides what is lower than one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heights: NDArray[np.int64] = np.zeros(0, np.int64)
        self._colours: tuple[QColor, ...] = ()

    def show_bars(self, heights: NDArray[np.int64], colours: Sequence[QColor]) -> None:
        """Show these heights in these colours from now on."""
        self.prepareGeometryChange()
        self._heights, self._colours = heights, tuple(colours)
        self.update()

    def boundingRect(self) -> QRectF:
        """Return the area of the bars on the axes."""
        return QRectF(0, 0, len(self._heights), float(self._heights.max(initial=1)))

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None
    ) -> None:
        """Paint each bar over whole pixels; what is not empty is at least one pixel high."""
        placing = painter.worldTransform()
        painter.save()
        painter.setWorldTransform(QTransform())
        for index, (height, colour) in enumerate(zip(self._heights.tolist(), self._colours, strict=True)):
            bar = placing.mapRect(QRectF(index, 0, 1, height))
            left, right = round(bar.left()), max(round(bar.right()), round(bar.left()) + 1)
            high = max(bar.height(), 1.0 if height else 0.0)
            painter.fillRect(QRectF(left, bar.bottom() - high, right - left, high), colour)
        painter.restore()


def _has_lone_points(heights: Numbers) -> bool:
    """Return whether a finite point has no finite neighbour, so that no line would show it."""
    there = np.concatenate([[False], np.isfinite(heights), [False]])
    return bool((there[1:-1] & ~there[:-2] & ~there[2:]).any())


def plain(text: str) -> str:
    """Escape a text so that an HTML label shows it unchanged."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


_LINE_PX = 44  # Width of the line sample beside a label, with its gaps.


class Legend:
    """The names of the curves, where they hide none of them; a click on one hides its curve.

    There is one legend for all curves that a view shows one after the other: PySide has taken the signals of a
    new one for those of one that was deleted.

    Parameters
    ----------
    whole, grid
        The item that holds the legend, and its layout, whose cell at row 0 and column 1 the legend gets.
    """

    def __init__(self, whole: Any, grid: QGraphicsGridLayout) -> None:
        self._whole = whole
        self._grid = grid
        self._item: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether there are names."""
        return self._item is not None

    @property
    def items(self) -> list[tuple[Any, Any]]:
        """The sample and the label of each curve that is listed, as pyqtgraph's items."""
        return [] if self._item is None else list(self._item.items)

    def clear(self) -> None:
        """Remove the names."""
        if self._item is not None:
            self._item.clear()

    def fill(self, curves: Sequence[Curve | Bars], lines: Sequence[Any], font_px: int) -> None:
        """List the curves and bars with samples of their lines."""
        if self._item is None:
            self._item = pg.LegendItem()
            self._item.setParentItem(self._whole)
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            self._grid.addItem(self._item, 0, 1, left)
        self._item.setLabelTextColor(theme.current().text)
        self._item.setLabelTextSize(f"{font_px}px")
        for curve, line in zip(curves, lines, strict=True):
            if isinstance(curve, Curve) or curve.is_listed:
                self._item.addItem(line, plain(curve.label))
        for _, label in self.items:  # Otherwise the columns spread over the whole width, as wide as they come.
            label.setMaximumWidth(label.itemRect().width() + font_px)

    def drop(self) -> None:
        """Give the room of the legend back to the curves."""
        if self._item is not None:
            self._grid.removeItem(self._item)
            self._item.scene().removeItem(self._item)
            self._item = None

    def spread(self, room_px: float, metrics: QFontMetrics) -> None:
        """Put as many names into each row as fit."""
        if self.items:
            widest = max(metrics.horizontalAdvance(label.text) for _, label in self.items)
            columns = min(max(1, int(room_px // (widest + _LINE_PX))), len(self.items))
            self._item.setColumnCount(columns)
            # Wider than the room, it would push the axes and their numbers out of the plot.
            while columns > 1 and self._least_px > room_px:
                columns -= 1
                self._item.setColumnCount(columns)

    @property
    def _least_px(self) -> float:
        layout: QGraphicsGridLayout = self._item.layout
        return layout.effectiveSizeHint(Qt.SizeHint.MinimumSize).width()

    def show_hidden(self) -> None:
        """Paint the samples of hidden curves as such."""
        if self._item is not None:
            self._item.update()
