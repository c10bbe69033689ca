"""A pair of axes on pyqtgraph, in the window's colours: to zoom, to move, and to read under the pointer.

pyqtgraph takes a quarter of a second to import, so this module is imported when the first plot has something to
show, and never in a thread: importing it while Qt painted has crashed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QGraphicsGridLayout, QVBoxLayout, QWidget

from convnext_studio.render import Limits
from convnext_studio.ui.plots.curves import Curve, Numbers, Ticks
from convnext_studio.ui.widgets import theme

_DOT_PX = 5
_GAP_PX = 4
_ZOOM_STEP = 0.8
_LEGEND_LINE_PX = 44  # A piece of line and the gaps around it, beside a label.

TicksBetween = Callable[[Limits], Ticks]
"""Places and texts of the numbers along an axis between these ends."""


class AxesView(QWidget):
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
        super().__init__(parent)
        self._titles = x_title, y_title
        self._ticks = x_ticks, y_ticks
        self._limits = Limits(0.0, 1.0), Limits(0.0, 1.0)
        self._is_fitted = True
        self._legend: Any = None
        self._lines: list[Any] = []
        self._box: Any = pg.ViewBox(enableMenu=False)
        self._across: Any = pg.AxisItem("bottom")
        self._up: Any = pg.AxisItem("left")
        # The grid has axes of its own: pyqtgraph leaves out the numbers at the ends of an axis with a grid.
        self._rules: tuple[Any, Any] = (pg.AxisItem("top"), pg.AxisItem("right"))
        self._whole: Any = pg.GraphicsWidget()
        self._canvas: Any = pg.GraphicsView(self)
        self._place_items()
        self._box.sigRangeChangedManually.connect(self._unfit)
        self._box.sigRangeChanged.connect(self._show_ticks)
        self._canvas.viewport().installEventFilter(self)
        self._canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.follow_look()

    def _place_items(self) -> None:
        self._grid = QGraphicsGridLayout(self._whole)
        self._grid.setSpacing(0)
        for item, row, column in (
            (self._rules[0], 1, 1),
            (self._up, 2, 0),
            (self._box, 2, 1),
            (self._rules[1], 2, 2),
            (self._across, 3, 1),
        ):
            self._grid.addItem(item, row, column)
        self._grid.setRowStretchFactor(2, 1)
        self._grid.setColumnStretchFactor(1, 1)
        for axis in (self._across, self._up, *self._rules):
            axis.linkToView(self._box)
            axis.setZValue(-1000)  # The grid lies below the box with the curves.
        self._canvas.setCentralWidget(self._whole)

    # ---------------------------------------------------------------------------------------- what is shown

    @property
    def area(self) -> QRectF:
        """The room between the axes, in the widget's logical pixels."""
        shown = self._box.mapViewToScene(self._box.viewRect()).boundingRect()
        return QRectF(self._canvas.viewportTransform().mapRect(shown))

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

    @property
    def shown_limits(self) -> tuple[Limits, Limits]:
        """Ends of the axes as they are now."""
        across, up = self._box.viewRange()
        return Limits(*across), Limits(*up)

    def set_ticks(self, x: TicksBetween) -> None:
        """Choose what stands below."""
        self._ticks = x, self._ticks[1]
        self._show_ticks()

    def clear_all(self) -> None:
        """Take away curves, bars and legend."""
        if self._legend is not None:
            self._grid.removeItem(self._legend)
            self._canvas.scene().removeItem(self._legend)
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
            room = self.width() - self._up.width()
            columns = max(1, int(room // (widest + _LEGEND_LINE_PX)))
            self._legend.setColumnCount(min(columns, len(self._legend.items)))

    # ------------------------------------------------------------------------------------------------- look

    @property
    def _font_px(self) -> int:
        return self.fontInfo().pixelSize()

    def follow_look(self) -> None:
        """Take the theme's colours and the text's size."""
        look, metrics = theme.current(), self.fontMetrics()
        self._canvas.setBackground(look.surface)
        self._box.setBorder(look.outline)
        for axis, title in zip((self._across, self._up), self._titles, strict=True):
            axis.setPen(look.outline)
            axis.setTextPen(look.muted)
            axis.setTickFont(self.font())
            axis.setStyle(tickLength=0, hideOverlappingLabels=False)
            if title:
                axis.setLabel(_plain(title), **{"color": look.text, "font-size": f"{self._font_px}px"})
        for rule in self._rules:
            rule.setPen(look.outline)
            rule.setTickPen(look.border)
            rule.setGrid(255)
            rule.setStyle(tickLength=0, showValues=False)
        half_number = metrics.horizontalAdvance("0.00")
        self._rules[1].setWidth(half_number)
        self._rules[0].setHeight(_GAP_PX + metrics.height() // 3)
        self._across.setHeight((2 if self._titles[0] else 1) * metrics.height() + 2 * _GAP_PX)
        self._show_ticks()

    def _show_ticks(self, *_changed: object) -> None:
        """Put numbers and lines where they belong at this zoom, and give the upright numbers their room.

        pyqtgraph would find that room out while it paints, and move everything once more.
        """
        chosen = [list(ticks(ends)) for ticks, ends in zip(self._ticks, self.shown_limits, strict=True)]
        for axis, rule, ticks in zip((self._across, self._up), self._rules, chosen, strict=True):
            axis.setTicks([ticks])
            rule.setTicks([[(place, "") for place, _ in ticks]])
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(text) for _, text in chosen[1]), default=0)
        self._up.setWidth(widest + (metrics.height() if self._titles[1] else 0) + 3 * _GAP_PX)

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        self._whole.setOpacity(0.4 if dimmed else 1.0)

    # ----------------------------------------------------------------------------------------------- events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Listen to the pointer over pyqtgraph's view, which goes on with the event."""
        if event.type() == QEvent.Type.Leave:
            self.pointed_at.emit(None)
        elif isinstance(event, QMouseEvent):
            if event.type() == QEvent.Type.MouseMove:
                self.pointed_at.emit(self._point_at(event.position()))
            elif event.type() == QEvent.Type.MouseButtonPress:
                self.setFocus(Qt.FocusReason.MouseFocusReason)
            elif event.type() == QEvent.Type.MouseButtonDblClick and event.position().y() >= self.area.top():
                self.fit()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the legend as many columns as there is room for."""
        super().resizeEvent(event)
        self._spread_legend()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0, and hide curves by their numbers."""
        number = event.text()
        if event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._zoom(_ZOOM_STEP)
        elif event.key() == Qt.Key.Key_Minus:
            self._zoom(1 / _ZOOM_STEP)
        elif event.key() == Qt.Key.Key_0:
            self.fit()
        elif self._legend is not None and number.isdigit() and int(number) <= len(self._lines):
            self.toggle_curve(int(number) - 1)
        else:
            event.ignore()

    def _point_at(self, place: QPointF) -> tuple[float, float]:
        """The point of the axes at a place of the widget."""
        point = self._box.mapSceneToView(self._canvas.mapToScene(place.toPoint()))
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
