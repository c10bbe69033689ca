"""A plot of curves that can be zoomed and read under the pointer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QSizePolicy, QStackedLayout, QWidget

from convnext_studio.render import Limits, format_number, limits_of, number_ticks
from convnext_studio.ui.plots.curve_data import Axes, AxisMark, Bars, Curve, Numbers, Ticks
from convnext_studio.ui.widgets.elided_label import PlainLabel

if TYPE_CHECKING:  # pyqtgraph is imported when the first plot has something to show.
    from convnext_studio.ui.plots.canvas.axes_view import AxesView


class CurvePlot(QWidget):
    """A plot of curves with labelled axes, which reads all curves at the point nearest to the pointer.

    Parameters
    ----------
    name
        Name for screen readers.
    axes
        Titles and scales of the axes.
    """

    pointed = Signal(str)  # the read-out under the pointer; empty if there is none
    clicked = Signal(float)  # the x of the point or bar nearest to the click

    def __init__(self, name: str, axes: Axes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes = axes
        self._curves: tuple[Curve | Bars, ...] = ()
        self._places: tuple[Numbers, ...] = ()
        self._heights: tuple[Numbers, ...] = ()
        self._marks: tuple[AxisMark, ...] = ()
        self._names: Ticks = ()
        self._view: AxesView | None = None
        self._notice = PlainLabel()
        self._notice.setTextFormat(Qt.TextFormat.PlainText)
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._notice.setProperty("muted", True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._notice)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 130)

    @property
    def curves(self) -> tuple[Curve | Bars, ...]:
        """The curves and bars that are drawn."""
        return self._curves

    @property
    def sentence(self) -> str:
        """The sentence shown instead of curves; empty if there are curves."""
        return "" if self._curves else self._notice.text()

    @property
    def view(self) -> "AxesView":
        """The axes, created on first use."""
        if self._view is None:
            from convnext_studio.ui.plots.canvas.axes_view import AxesView

            self._view = AxesView(self._axes.x, self._axes.y, number_ticks, self._axes.ticks)
            self._view.setFont(self.font())
            self._view.set_axes(self._axes)
            self._view.pointed_at.connect(self._read)
            self._view.clicked_at.connect(self._choose)
            self._view.setAccessibleName(self.accessibleName())
            self._view.setAccessibleDescription(
                "The wheel or + and - zoom, dragging moves, a double click or 0 fits; a number hides a curve."
            )
            self._stack.addWidget(self._view)
        return self._view

    @property
    def area(self) -> QRectF:
        """The area between the axes in the widget's logical pixels."""
        return self.view.area.translated(self.view.pos())

    def set_axes(self, axes: Axes) -> None:
        """Set other titles and scales, for the curves that are shown next."""
        self._axes = axes
        if self._view is not None:
            self._view.set_axes(axes)

    def link_x(self, other: "CurvePlot") -> None:
        """Show the same part of the x axis as another plot."""
        self.view.link_x(other.view)

    def show_curves(
        self,
        curves: Sequence[Curve | Bars],
        sentence: str = "",
        *,
        x: Limits | None = None,
        y: Limits | None = None,
        names: Ticks = (),
        marks: Sequence[AxisMark] = (),
    ) -> None:
        """Draw curves and bars, or show the sentence if there are none.

        Parameters
        ----------
        x, y
            Limits of the axes, as places and heights on them; the extent of the curves if None.
        names
            Ticks of the x axis in place of numbers.
        marks
            Upright lines.
        """
        self._curves = tuple(curves)
        self._names = tuple((float(self._axes.places(np.array(at))), text) for at, text in names)
        self._marks = tuple(AxisMark(x=float(self._axes.places(np.array(m.x))), text=m.text) for m in marks)
        self._places = tuple(self._axes.places(curve.x) for curve in curves)
        self._heights = tuple(self._axes.heights(curve.y) for curve in curves)
        self._notice.setText(sentence)
        labels = ", ".join(curve.label for curve in curves)
        self.setAccessibleDescription(
            f"{self._axes.y} against {self._axes.x}: {labels}" if labels else sentence
        )
        if not curves:
            self._stack.setCurrentWidget(self._notice)
            return
        x = x or limits_of(np.concatenate(self._places))
        y = y or self._axes.limits(np.concatenate(self._heights))
        self._draw(x, y)
        self._stack.setCurrentWidget(self.view)

    def _draw(self, x: Limits, y: Limits) -> None:
        view = self.view
        view.clear_all()
        view.set_ticks((lambda _limits: self._names) if self._names else number_ticks)
        view.add_curves(self._curves, self._places, self._heights, has_legend=self._axes.has_legend)
        view.add_marks(self._marks)
        view.set_limits(x, y)

    def sizeHint(self) -> QSize:
        """Return a size that is wider than high."""
        return QSize(360, 200)

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font, and dim the plot while it is disabled."""
        if self._view is not None:
            if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
                # Deferred, because the scene's items must not be removed while Qt is notifying them.
                QTimer.singleShot(0, self, self._follow_look)
            elif event.type() == QEvent.Type.EnabledChange:
                self._view.set_dimmed(not self.isEnabled())
        super().changeEvent(event)

    def _follow_look(self) -> None:
        self.view.follow_look()
        if self._curves:
            self._draw(*self.view.limits)

    def _nearest(self, x: float) -> float | None:
        """Return the place of the visible point nearest to a place on the x axis; None if there is none."""
        there = [
            places[np.isfinite(heights)]
            for index, (places, heights) in enumerate(zip(self._places, self._heights, strict=True))
            if self.view.shows_curve(index)
        ]
        if not sum(map(len, there)):
            return None
        places = np.concatenate(there)
        return float(places[np.argmin(np.abs(places - x))])

    def _choose(self, point: tuple[float, float]) -> None:
        x = self._nearest(point[0])
        if x is not None:
            self.clicked.emit(10**x if self._axes.is_x_log else x)

    def _read(self, point: tuple[float, float] | None) -> None:
        """Emit a read-out of all visible curves that have a point at the x nearest to the pointer."""
        x = None if point is None else self._nearest(point[0])
        if x is None:
            self.pointed.emit("")
            return
        write = self._axes.write or format_number
        name = next((text for place, text in self._names if place == x), "")
        said = [
            f"{curve.label} {write(float(curve.y[index]))}"
            for number, (curve, places, heights) in enumerate(
                zip(self._curves, self._places, self._heights, strict=True)
            )
            for index in np.flatnonzero((places == x) & np.isfinite(heights))
            if self.view.shows_curve(number)
        ]
        value = format_number(10**x if self._axes.is_x_log else x)
        self.pointed.emit(" · ".join([name or f"{self._axes.x} {value}", *said]))
