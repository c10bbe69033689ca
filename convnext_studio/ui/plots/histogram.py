"""A histogram of a channel's values, in the colours that they have in the map."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QTimer, Signal
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.render import (
    Limits,
    colorize,
    format_number,
    format_percent,
    labels_with_room,
    limits_of,
    number_ticks,
)
from convnext_studio.ui.plots.curve_data import Ticks

if TYPE_CHECKING:  # pyqtgraph is imported when the first plot has something to show.
    from convnext_studio.ui.plots.canvas.axes_view import AxesView
    from convnext_studio.ui.plots.canvas.curve_items import HistogramItem

BINS = 48
_GAP_PX = 8


class Histogram(QWidget):
    """Bars in the colours that their values have in the map, on axes that can be zoomed as those of any plot.

    The x axis counts bins, so that values of any magnitude can be drawn; its ticks say the values.
    """

    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: NDArray[np.int64] = np.zeros(BINS, dtype=np.int64)
        self._range = Limits(0.0, 1.0)
        self._colours: list[QColor] = []
        self._is_drawn = False
        self._view: AxesView | None = None
        self._bars: HistogramItem | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(110, 70)
        self.setAccessibleName("Histogram of the channel's values")

    @property
    def counts(self) -> NDArray[np.int64]:
        """Values in each of the bins of equal width, which together hold all finite values."""
        return self._counts

    @property
    def range(self) -> Limits:
        """From the left end of the first bin to the right end of the last."""
        return self._range

    @property
    def view(self) -> "AxesView":
        """The axes, created on first use."""
        if self._view is None:
            from convnext_studio.ui.plots.canvas.axes_view import AxesView
            from convnext_studio.ui.plots.canvas.curve_items import HistogramItem

            self._view = AxesView("", "", self._value_ticks, _count_ticks)
            self._bars = HistogramItem()
            self._view.add_item(self._bars)
            self._view.setFont(self.font())
            self._view.pointed_at.connect(self._read)
            self._view.setAccessibleName(self.accessibleName())
            self._layout.addWidget(self._view)
        return self._view

    @property
    def area(self) -> QRectF:
        """The area of the bars in the widget's logical pixels."""
        return self.view.area.translated(self.view.pos())

    def show_values(self, finite: NDArray[np.float32], limits: Limits, colormap: str) -> None:
        """Count the values, and colour the bars as the map's scale does."""
        self._range = limits_of(finite)
        span = (self._range.low, self._range.high)
        # In float64: the edges between nearby float32 values are none of them.
        self._counts, edges = np.histogram(finite.astype(np.float64), BINS, span)
        middles = (edges[:-1] + edges[1:]) / 2
        self._colours = [QColor(*colour) for colour in colorize(middles, limits, colormap).tolist()]
        self.setAccessibleDescription(
            f"{finite.size} values from {format_number(span[0])} to {format_number(span[1])}"
        )
        self._is_drawn = False
        if self.isVisible():
            self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what came while the histogram was hidden."""
        super().showEvent(event)
        if self._colours and not self._is_drawn:
            self._draw()

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font."""
        if self._view is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            # Deferred, because the scene's items must not change while Qt is notifying them.
            QTimer.singleShot(0, self, self._view.follow_look)
        super().changeEvent(event)

    def _draw(self) -> None:
        self._is_drawn = True
        view = self.view
        if self._bars is not None:
            self._bars.show_bars(self._counts, self._colours)
        view.set_ticks(self._value_ticks)
        view.set_limits(Limits(0.0, BINS), Limits(0.0, max(float(self._counts.max()), 1.0)))

    def _value_ticks(self, bins: Limits) -> Ticks:
        """Return ticks at the ends and at round values between these places, as many as have room."""
        low, span = self._range.low, self._range.high - self._range.low
        shown = Limits(low + bins.low / BINS * span, low + bins.high / BINS * span)
        width = bins.high - bins.low
        ticks = [(value, text) for value, text in number_ticks(shown) if shown.low < value < shown.high]
        ends = ((shown.low, format_number(shown.low)), (shown.high, format_number(shown.high)))
        labels = [((value - shown.low) / (shown.high - shown.low), text) for value, text in ticks]
        widest = max(self.fontMetrics().horizontalAdvance(text) for _, text in (*ticks, *ends))
        room_px = 1.0 if self._view is None else max(self.area.width(), 1.0)  # None while the axes are made.
        kept = labels_with_room([(0.0, ends[0][1]), *labels, (1.0, ends[1][1])], room_px, widest + _GAP_PX)
        return [(bins.low + share * width, text) for share, text in kept]

    def _read(self, point: tuple[float, float] | None) -> None:
        """Say what is in the bin under the pointer."""
        index = -1 if point is None else int(point[0] // 1)
        if not (self._colours and 0 <= index < BINS):
            self.hovered.emit("")
            return
        step = (self._range.high - self._range.low) / BINS
        low = self._range.low + index * step
        share = int(self._counts[index]) / max(int(self._counts.sum()), 1)
        self.hovered.emit(
            f"from {format_number(low)} to {format_number(low + step)}: "
            f"{self._counts[index]} of {int(self._counts.sum())} units, {format_percent(share, None)}"
        )


def _count_ticks(limits: Limits) -> Ticks:
    """Return ticks at whole numbers between the limits."""
    return [(value, f"{value:.0f}") for value, _ in number_ticks(limits) if value == round(value)]
