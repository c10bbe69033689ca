"""A zoomable pair of axes based on pyqtgraph, in the colours of the theme.

pyqtgraph takes a quarter of a second to import, so this module is imported when the first plot has something to
show, and never in a thread, because importing it while Qt was painting has crashed.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QGraphicsGridLayout, QGraphicsItem, QVBoxLayout, QWidget

from convnext_studio.render import Limits
from convnext_studio.ui.plots.canvas.curve_items import (
    Legend,
    band_items,
    bars_item,
    curve_item,
    mark_item,
    plain,
)
from convnext_studio.ui.plots.curve_data import Axes, AxisMark, Bars, Curve, Numbers, Ticks
from convnext_studio.ui.widgets import theme

_USUAL_FONT_PX = 13  # The size of text at which lines have the width that their pens say.
_STILL_PX = 4  # Up to here a press and a release are a click, and not a drag.
_GAP_PX = 4
_ZOOM_STEP = 0.8

TicksBetween = Callable[[Limits], Ticks]
"""Returns the positions and texts of the ticks between the ends of an axis."""


class AxisPair:
    """The axes on the left and below a view box, with their titles, ticks and grid lines.

    Parameters
    ----------
    widget
        The widget that shows them, whose font they have.
    box
        pyqtgraph's view box, whose range they show.
    titles
        Titles of the x axis and the y axis, with units.
    ticks
        Functions that choose the ticks of the x axis and the y axis.
    """

    def __init__(
        self, widget: QWidget, box: Any, titles: tuple[str, str], ticks: tuple[TicksBetween, TicksBetween]
    ) -> None:
        self._widget = widget
        self._box = box
        self._titles = titles
        self._ticks = ticks
        self._numbers = ""
        self._across: Any = pg.AxisItem("bottom")
        self._up: Any = pg.AxisItem("left")
        # The grid has its own axes, because pyqtgraph omits the numbers at the ends of an axis with a grid.
        self._rules: tuple[Any, Any] = (pg.AxisItem("top"), pg.AxisItem("right"))
        box.sigRangeChanged.connect(self.show_ticks)
        box.sigResized.connect(self.show_ticks)

    def place(self, grid: QGraphicsGridLayout) -> None:
        """Put the box into a layout, with the axes around it."""
        for item, row, column in (
            (self._rules[0], 1, 1),
            (self._up, 2, 0),
            (self._box, 2, 1),
            (self._rules[1], 2, 2),
            (self._across, 3, 1),
        ):
            grid.addItem(item, row, column)
        grid.setRowStretchFactor(2, 1)
        grid.setColumnStretchFactor(1, 1)
        for axis in (self._across, self._up, *self._rules):
            axis.linkToView(self._box)
            axis.enableAutoSIPrefix(False)  # It would scale the title for its own ticks, which are not shown.
            axis.setZValue(-1000)  # Draw the grid below the curves.

    @property
    def beside_px(self) -> float:
        """The width of what is on the left and the right of the view box."""
        return float(self._up.width() + self._rules[1].width())

    def set_x_ticks(self, ticks: TicksBetween) -> None:
        """Set the function that chooses the ticks of the x axis."""
        self._ticks = ticks, self._ticks[1]
        self.show_ticks()

    def set_axes(self, axes: Axes) -> None:
        """Set titles and the ticks of the y axis."""
        self._titles = axes.x, axes.y
        self._ticks = self._ticks[0], axes.ticks
        self._numbers = axes.numbers
        self.follow_look()

    def follow_look(self) -> None:
        """Apply the colours of the theme and the size of the font."""
        look, metrics = theme.current(), self._widget.fontMetrics()
        for axis, title in zip((self._across, self._up), self._titles, strict=True):
            axis.setPen(look.outline)
            axis.setTextPen(look.muted)
            axis.setTickFont(self._widget.font())
            # How far the numbers at the ends may reach beyond the axis, for which there is room.
            axis.setStyle(tickLength=0, tickTextOffset=_GAP_PX, hideOverlappingLabels=6 * metrics.height())
            # Its numbers are ours; pyqtgraph would write “(x0.001)” beside the title without dividing them.
            axis.enableAutoSIPrefix(False)
            if title:
                axis.setLabel(
                    plain(title),
                    **{"color": look.text, "font-size": f"{self._widget.fontInfo().pixelSize()}px"},
                )
        for rule in self._rules:
            rule.setPen(look.outline)
            rule.setTickPen(look.border)
            rule.setGrid(255)
            rule.setStyle(tickLength=0, showValues=False)
        self._rules[0].setHeight(_GAP_PX + metrics.height() // 3)
        self._across.setHeight((2 if self._titles[0] else 1) * metrics.height() + 2 * _GAP_PX)
        self.show_ticks()

    def show_ticks(self, *_changed: object) -> None:
        """Set ticks and grid lines for the current zoom, and the room for the numbers of both axes.

        Otherwise pyqtgraph would find that room only while painting, and lay everything out again.
        """
        limits = [Limits(*ends) for ends in self._box.viewRange()]
        chosen = [list(ticks(ends)) for ticks, ends in zip(self._ticks, limits, strict=True)]
        metrics = self._widget.fontMetrics()
        chosen = [
            _apart(
                chosen[0], limits[0], self._box.width(), lambda text: metrics.horizontalAdvance(text) + _GAP_PX
            ),
            _apart(chosen[1], limits[1], self._box.height(), lambda _text: metrics.height()),
        ]
        for axis, rule, ticks in zip((self._across, self._up), self._rules, chosen, strict=True):
            axis.setTicks([ticks])
            rule.setTicks([[(place, "") for place, _ in ticks]])
        texts = [self._numbers, *(text for _, text in chosen[1])]
        widest = max(metrics.horizontalAdvance(text) for text in texts)
        self._up.setWidth(widest + (metrics.height() if self._titles[1] else 0) + 3 * _GAP_PX)
        last = max(chosen[0], default=(0.0, ""))[1]
        self._rules[1].setWidth(
            max(metrics.horizontalAdvance(text) for text in ("0.00", last[: len(last) // 2]))
        )


class AxesView(QWidget):
    """A widget that shows curves on one pair of axes.

    The wheel and the right mouse button zoom (over an axis, only along it), dragging moves, and a double click
    or 0 fits. A click on a line in the legend, or its number on the keyboard, hides that curve.

    The widget is assembled from pyqtgraph's view box, axes and legend, because a PlotItem would create menus
    with some eighty widgets that are not used here.

    Parameters
    ----------
    x_title, y_title
        Titles of the axes, with units.
    x_ticks, y_ticks
        Functions that choose the ticks.
    """

    pointed_at = Signal(object)  # tuple[float, float] | None: the point under the pointer in axis coordinates
    clicked_at = Signal(object)  # tuple[float, float]: the point that was clicked

    def __init__(
        self,
        x_title: str,
        y_title: str,
        x_ticks: TicksBetween,
        y_ticks: TicksBetween,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._limits = Limits(0.0, 1.0), Limits(0.0, 1.0)
        self._is_fitted = True
        self._pressed: QPointF | None = None
        self._lines: list[Any] = []
        self._box: Any = pg.ViewBox(enableMenu=False)
        self._whole: Any = pg.GraphicsWidget()
        self._canvas: Any = pg.GraphicsView(self)
        self._grid = QGraphicsGridLayout(self._whole)
        self._grid.setSpacing(0)
        self._legend = Legend(self._whole, self._grid)
        self._axes = AxisPair(self, self._box, (x_title, y_title), (x_ticks, y_ticks))
        self._axes.place(self._grid)
        self._canvas.setCentralWidget(self._whole)
        self._box.sigRangeChangedManually.connect(self._unfit)
        self._canvas.viewport().installEventFilter(self)
        self._canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.follow_look()

    # ---------------------------------------------------------------------------------------- what is shown

    @property
    def area(self) -> QRectF:
        """The area between the axes in the widget's logical pixels."""
        shown = self._box.mapViewToScene(self._box.viewRect()).boundingRect()
        return QRectF(self._canvas.viewportTransform().mapRect(shown))

    @property
    def limits(self) -> tuple[Limits, Limits]:
        """The limits of the x and y axes when everything is shown."""
        return self._limits

    @property
    def is_fitted(self) -> bool:
        """Whether everything is shown, as opposed to a part that the user chose."""
        return self._is_fitted

    def fit(self) -> None:
        """Show everything."""
        self._is_fitted = True
        across, up = self._limits
        self._box.setRange(xRange=(across.low, across.high), yRange=(up.low, up.high), padding=0)

    def set_limits(self, x: Limits, y: Limits) -> None:
        """Set the limits at which everything is shown; a part that the user chose stays in view."""
        self._limits = x, y
        if self._is_fitted:
            self.fit()
        self._spread_legend()  # The axes beside it may have become wider.

    @property
    def shown_limits(self) -> tuple[Limits, Limits]:
        """The current limits of the x and y axes."""
        across, up = self._box.viewRange()
        return Limits(*across), Limits(*up)

    def set_ticks(self, x: TicksBetween) -> None:
        """Set the function that chooses the ticks of the x axis."""
        self._axes.set_x_ticks(x)

    def set_axes(self, axes: Axes) -> None:
        """Set titles and the ticks of the y axis."""
        self._axes.set_axes(axes)

    def link_x(self, other: "AxesView") -> None:
        """Show the same part of the x axis as another view."""
        self._box.setXLink(other._box)

    def clear_all(self) -> None:
        """Remove the curves and their names in the legend."""
        self._legend.clear()
        self._lines = []
        self._box.clear()

    def add_curves(
        self,
        curves: Sequence[Curve | Bars],
        places: Sequence[Numbers],
        heights: Sequence[Numbers],
        *,
        has_legend: bool,
    ) -> None:
        """Draw bars, and curves with gaps in the lines where a height is not finite.

        Parameters
        ----------
        places, heights
            Where the points of each curve are on the axes.
        """
        for curve, x, y in zip(curves, places, heights, strict=True):
            if isinstance(curve, Bars):
                item = bars_item(curve, x, y)
            else:
                item = curve_item(curve, x, y, self._pen_scale, self._line_scale)
            self._box.addItem(item)
            if isinstance(curve, Curve) and curve.band is not None:
                for behind in band_items(curve, x, curve.band, item):
                    self._box.addItem(behind)
            self._lines.append(item)
        if has_legend and any(isinstance(curve, Curve) or curve.is_listed for curve in curves):
            self._legend.fill(curves, self._lines, self._font_px)
            self._spread_legend()
        else:
            self._legend.drop()

    def add_item(self, item: QGraphicsItem) -> None:
        """Draw an item of one's own in the coordinates of the axes."""
        self._box.addItem(item, ignoreBounds=True)

    def add_marks(self, marks: Sequence[AxisMark]) -> None:
        """Draw upright lines with their names at the top."""
        for mark in marks:
            self._box.addItem(mark_item(mark, self.font(), self._pen_scale))

    def toggle_curve(self, index: int) -> None:
        """Hide a curve, or show it if it is hidden."""
        line = self._lines[index]
        line.setVisible(not line.isVisible())
        self._legend.show_hidden()

    def shows_curve(self, index: int) -> bool:
        """Return whether a curve is visible."""
        return bool(self._lines[index].isVisible())

    def _spread_legend(self) -> None:
        self._legend.spread(self.width() - self._axes.beside_px, self.fontMetrics())

    # ------------------------------------------------------------------------------------------------- look

    @property
    def _font_px(self) -> int:
        return self.fontInfo().pixelSize()

    @property
    def _line_scale(self) -> float:
        """The width of lines relative to the usual one, so that they can be seen as far as the text is read."""
        return max(1.0, self._font_px / _USUAL_FONT_PX)

    @property
    def _pen_scale(self) -> float:
        """The same for pens that do not follow the zoom, whose widths Qt counts in pixels of the screen."""
        return self._line_scale * self.devicePixelRatioF()

    def follow_look(self) -> None:
        """Apply the colours of the theme and the size of the font."""
        look = theme.current()
        self._canvas.setBackground(look.surface)
        self._box.setBorder(look.outline)
        self._axes.follow_look()

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the contents while newer ones are being computed, or undo that."""
        self._whole.setOpacity(0.4 if dimmed else 1.0)

    # ----------------------------------------------------------------------------------------------- events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Observe mouse events of pyqtgraph's viewport without consuming them."""
        if event.type() == QEvent.Type.Leave:
            self.pointed_at.emit(None)
        elif isinstance(event, QMouseEvent):
            if event.type() == QEvent.Type.MouseMove:
                self.pointed_at.emit(self._point_at(event.position()))
            elif event.type() == QEvent.Type.MouseButtonPress:
                self._pressed = event.position()
                self.setFocus(Qt.FocusReason.MouseFocusReason)
            elif event.type() == QEvent.Type.MouseButtonRelease:
                self._tell_click(event)
            elif event.type() == QEvent.Type.MouseButtonDblClick and event.position().y() >= self.area.top():
                self.fit()
        return super().eventFilter(watched, event)

    def _tell_click(self, event: QMouseEvent) -> None:
        still, self._pressed = self._pressed, None
        if still is None or event.button() != Qt.MouseButton.LeftButton:
            return
        is_still = (event.position() - still).manhattanLength() <= _STILL_PX
        if is_still and self.area.contains(event.position()):
            self.clicked_at.emit(self._point_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Keep double clicks, which fit, from the widgets behind."""
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the legend as many columns as fit."""
        super().resizeEvent(event)
        self._spread_legend()

    def event(self, event: QEvent) -> bool:
        """Receive its own keys before the window's actions, which have the numbers, too."""
        is_asked = event.type() == QEvent.Type.ShortcutOverride
        if is_asked and isinstance(event, QKeyEvent) and self._action_of(event) is not None:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0, and show or hide curves by their numbers."""
        act = self._action_of(event)
        if act is None:
            event.ignore()
        else:
            act()

    def _action_of(self, event: QKeyEvent) -> Callable[[], None] | None:
        """Return what a key does; None if it does nothing."""
        number = event.text()
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                return partial(self._zoom, _ZOOM_STEP)
            case Qt.Key.Key_Minus:
                return partial(self._zoom, 1 / _ZOOM_STEP)
            case Qt.Key.Key_0:
                return self.fit
        if self._legend.is_shown and number.isdigit() and 0 < int(number) <= len(self._lines):
            return partial(self.toggle_curve, int(number) - 1)
        return None

    def _point_at(self, place: QPointF) -> tuple[float, float]:
        """Return the axis coordinates of a position in the widget."""
        point = self._box.mapSceneToView(self._canvas.mapToScene(place.toPoint()))
        return point.x(), point.y()

    def _zoom(self, factor: float) -> None:
        self._unfit()
        self._box.scaleBy((factor, factor))

    def _unfit(self, _changed: object = None) -> None:
        self._is_fitted = False


def _apart(
    ticks: list[tuple[float, str]], ends: Limits, length_px: float, room_px: Callable[[str], float]
) -> list[tuple[float, str]]:
    """Return as many ticks at even steps as have room for their texts; the first one always has."""
    ordered = sorted(ticks)
    per_unit = length_px / (ends.high - ends.low)
    for step in range(1, len(ordered)):
        kept = ordered[::step]
        if all(
            (after - before) * per_unit >= (room_px(text) + room_px(its)) / 2
            for (before, text), (after, its) in pairwise(kept)
        ):
            return kept
    return ordered[:1]
