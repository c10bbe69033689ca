"""A pair of axes on pyqtgraph, in the window's colours: to zoom, to move, and to read under the pointer.

pyqtgraph takes a quarter of a second to import, so this module is imported when the first plot has something to
show, and never in a thread: importing it while Qt painted has crashed.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QGraphicsGridLayout, QWidget

from convnext_studio.render import Limits
from convnext_studio.ui.plots.curves import Curve, Numbers, Ticks
from convnext_studio.ui.widgets import theme

_DOT_PX = 5
_GAP_PX = 4
_ZOOM_STEP = 0.8
_LEGEND_LINE_PX = 44  # A piece of line and the gaps around it, beside a label.

TicksBetween = Callable[[Limits], Ticks]
"""Places and texts of the numbers along an axis between these ends."""


class TickAxis(pg.AxisItem):
    """An axis whose numbers are chosen by a function of its ends, at any zoom."""

    def __init__(self, orientation: str, ticks: TicksBetween) -> None:
        super().__init__(orientation)
        self._ticks = ticks
        self._texts: dict[float, str] = {}

    def use(self, ticks: TicksBetween) -> None:
        """Choose the numbers in another way."""
        self._ticks = ticks
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, _size_px: float) -> list[tuple[float, list[float]]]:
        """Where the numbers stand; pyqtgraph asks."""
        if not low < high:
            return []
        self._texts = dict(self._ticks(Limits(low, high)))
        return [(high - low, sorted(self._texts))]

    def boundingRect(self) -> QRectF:
        """Room for the numbers at both ends, which reach half beyond the axis; pyqtgraph leaves them out."""
        reach = 30
        return super().boundingRect().adjusted(-reach, -reach, reach, reach)

    def widest_px(self, limits: Limits, metrics: QFontMetrics) -> int:
        """Width of the widest number between these ends."""
        return max((metrics.horizontalAdvance(text) for _, text in self._ticks(limits)), default=0)

    def tickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        """The numbers as texts; pyqtgraph asks."""
        return [self._texts.get(value, "") for value in values]


class AxesView(pg.GraphicsView):
    """Curves and bars on one pair of axes.

    The wheel and the right mouse button zoom, over an axis only along it; dragging moves; a double click or 0
    fits. A click on a line of the legend, or its number on the keyboard, hides that curve.

    It is put together from pyqtgraph's box, axes and legend: its PlotItem would bring menus with some eighty
    widgets, which nobody sees here.

    Parameters
    ----------
    x_title, y_title
        What the axes say, with units.
    x_ticks, y_ticks
        Their numbers.
    """

    pointed_at = Signal(object)  # tuple[float, float] | None: a point between the axes

    def __init__(
        self,
        x_title: str,
        y_title: str,
        x_ticks: TicksBetween,
        y_ticks: TicksBetween,
        parent: QWidget | None = None,
    ) -> None:
        # pyqtgraph resizes the view while it makes it.
        self._legend: pg.LegendItem | None = None
        self._lines: list[pg.PlotDataItem] = []
        super().__init__(parent)
        self._titles = {"bottom": x_title, "left": y_title}
        self._limits = Limits(0.0, 1.0), Limits(0.0, 1.0)
        self._is_fitted = True
        self._box = pg.ViewBox(enableMenu=False)
        self._across, self._up = TickAxis("bottom", x_ticks), TickAxis("left", y_ticks)
        self._whole = pg.GraphicsWidget()
        self._grid = QGraphicsGridLayout(self._whole)
        self._grid.setSpacing(0)
        self._grid.addItem(self._up, 1, 0)
        self._grid.addItem(self._box, 1, 1)
        self._grid.addItem(self._across, 2, 1)
        self._grid.setRowStretchFactor(1, 1)
        self._grid.setColumnStretchFactor(1, 1)
        for axis in (self._across, self._up):
            axis.linkToView(self._box)
            axis.setZValue(-1)  # The grid lies below the curves.
        self.setCentralWidget(self._whole)
        self._box.sigRangeChangedManually.connect(self._unfit)
        self._box.sigYRangeChanged.connect(self._make_room)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.follow_look()

    # ---------------------------------------------------------------------------------------- what is shown

    @property
    def area(self) -> QRectF:
        """The room between the axes, in the widget's logical pixels."""
        shown = self._box.mapViewToScene(self._box.viewRect()).boundingRect()
        return self.viewportTransform().mapRect(shown)

    @property
    def limits(self) -> tuple[Limits, Limits]:
        """Ends of the axes when everything is shown."""
        return self._limits

    @property
    def is_fitted(self) -> bool:
        """Whether everything is shown, as opposed to a part that a person chose."""
        return self._is_fitted

    def fit(self) -> None:
        """Show everything."""
        self._is_fitted = True
        across, up = self._limits
        self._box.setRange(xRange=(across.low, across.high), yRange=(up.low, up.high), padding=0)

    def set_limits(self, x: Limits, y: Limits) -> None:
        """Say what everything is; a part that a person chose stays in view."""
        self._limits = x, y
        if self._is_fitted:
            self.fit()

    def set_ticks(self, x: TicksBetween) -> None:
        """Choose what stands below."""
        self._across.use(x)

    def clear_all(self) -> None:
        """Take away curves, bars and legend."""
        if self._legend is not None:
            self._grid.removeItem(self._legend)
            self.scene().removeItem(self._legend)
            self._legend = None
        self._lines = []
        self._box.clear()

    def add_curves(self, curves: Sequence[Curve], heights: Sequence[Numbers], *, has_legend: bool) -> None:
        """Draw curves; where a height is not finite, the line is parted."""
        look = theme.current()
        for curve, y in zip(curves, heights, strict=True):
            pen = curve.pen(look)
            pen.setCosmetic(True)  # As wide at any zoom.
            dots = curve.dots or _has_lone_points(y)
            line = pg.PlotDataItem(
                curve.x,
                y,
                pen=pen,
                connect="finite",
                antialias=True,
                symbol="o" if dots else None,
                symbolSize=_DOT_PX,
                symbolPen=None,
                symbolBrush=pen.color(),
            )
            self._box.addItem(line)
            self._lines.append(line)
        if has_legend and curves:
            self._add_legend(curves)

    def add_bars(self, edges: Numbers, heights: NDArray[np.int64], colours: Sequence[QColor]) -> None:
        """Draw bars from 0 up; between two edges each."""
        brushes = [pg.mkBrush(colour) for colour in colours]
        bars = pg.BarGraphItem(x0=edges[:-1], x1=edges[1:], y0=0, height=heights, brushes=brushes, pen=None)
        self._box.addItem(bars)

    def toggle_curve(self, index: int) -> None:
        """Hide a curve, or show it again."""
        line = self._lines[index]
        line.setVisible(not line.isVisible())
        if self._legend is not None:
            self._legend.update()

    def shows_curve(self, index: int) -> bool:
        """Whether a curve is not hidden."""
        return bool(self._lines[index].isVisible())

    def _add_legend(self, curves: Sequence[Curve]) -> None:
        """Above the curves, where it hides none of them."""
        legend = pg.LegendItem(labelTextColor=theme.current().text, labelTextSize=f"{self._font_px}px")
        legend.setParentItem(self._whole)
        for curve, line in zip(curves, self._lines, strict=True):
            legend.addItem(line, _plain(curve.label))
        self._grid.addItem(legend, 0, 1)
        self._legend = legend
        self._spread_legend()

    def _spread_legend(self) -> None:
        """Put as many labels into a row as there is room for."""
        if self._legend is not None and self._legend.items:
            metrics = self.fontMetrics()
            widest = max(metrics.horizontalAdvance(label.text) for _, label in self._legend.items)
            columns = max(1, int(self.area.width() // (widest + _LEGEND_LINE_PX)))
            self._legend.setColumnCount(min(columns, len(self._legend.items)))

    # ------------------------------------------------------------------------------------------------- look

    @property
    def _font_px(self) -> int:
        return self.fontInfo().pixelSize()

    def follow_look(self) -> None:
        """Take the theme's colours and the text's size."""
        look, metrics = theme.current(), self.fontMetrics()
        self.setBackground(look.surface)
        self._box.setBorder(look.outline)
        for axis, title in ((self._across, self._titles["bottom"]), (self._up, self._titles["left"])):
            axis.setPen(look.outline)
            axis.setTextPen(look.muted)
            axis.setTickPen(look.border)
            axis.setTickFont(self.font())
            axis.setGrid(255)
            axis.setStyle(tickLength=0, hideOverlappingLabels=False)
            if title:
                axis.setLabel(_plain(title), **{"color": look.text, "font-size": f"{self._font_px}px"})
        self._grid.setContentsMargins(0, _GAP_PX, metrics.horizontalAdvance("0.00"), 0)
        lines = 2 if self._titles["bottom"] else 1
        self._across.setHeight(lines * metrics.height() + 2 * _GAP_PX)
        self._make_room()

    def _make_room(self, _changed: object = None) -> None:
        """Give the upright axis its width before it is painted: pyqtgraph would find it out while painting."""
        low, high = self._box.viewRange()[1]
        metrics = self.fontMetrics()
        numbers = self._up.widest_px(Limits(low, high), metrics) if low < high else 0
        title = metrics.height() if self._titles["left"] else 0
        self._up.setWidth(numbers + title + 3 * _GAP_PX)

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        self._whole.setOpacity(0.4 if dimmed else 1.0)

    # ----------------------------------------------------------------------------------------------- events

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        """Give the legend as many columns as there is room for."""
        super().resizeEvent(ev)
        self._spread_legend()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        """Say where between the axes the pointer is."""
        super().mouseMoveEvent(ev)
        self.pointed_at.emit(self.point_at(ev.position()))

    def mouseDoubleClickEvent(self, ev: QMouseEvent) -> None:
        """Fit, unless the legend was clicked twice."""
        super().mouseDoubleClickEvent(ev)
        if ev.position().y() >= self.area.top():
            self.fit()

    def leaveEvent(self, ev: QEvent) -> None:
        """Nothing is under the pointer any more."""
        super().leaveEvent(ev)
        self.pointed_at.emit(None)

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0, and hide curves by their numbers."""
        number = ev.text()
        if ev.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._zoom(_ZOOM_STEP)
        elif ev.key() == Qt.Key.Key_Minus:
            self._zoom(1 / _ZOOM_STEP)
        elif ev.key() == Qt.Key.Key_0:
            self.fit()
        elif self._legend is not None and number.isdigit() and int(number) <= len(self._lines):
            self.toggle_curve(int(number) - 1)
        else:
            ev.ignore()

    def point_at(self, place: QPointF) -> tuple[float, float]:
        """The point of the axes at a place of the widget."""
        point = self._box.mapSceneToView(self.mapToScene(place.toPoint()))
        return point.x(), point.y()

    def _zoom(self, factor: float) -> None:
        self._unfit()
        self._box.scaleBy((factor, factor))

    def _unfit(self, _changed: object = None) -> None:
        self._is_fitted = False


def _has_lone_points(heights: Numbers) -> bool:
    """Whether a point stands between two that are missing, so that no line would show it."""
    there = np.concatenate([[False], np.isfinite(heights), [False]])
    return bool((there[1:-1] & ~there[:-2] & ~there[2:]).any())


def _plain(text: str) -> str:
    """A text for a label that reads HTML, to be shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
