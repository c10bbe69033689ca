"""The legend above the curves of a plot, in as many columns as have room."""

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QGraphicsGridLayout

from convnext_studio.ui.plots.canvas.curve_items import plain
from convnext_studio.ui.plots.curves import Bars, Curve
from convnext_studio.ui.widgets import theme

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
            self._grid.addItem(self._item, 0, 1)
        self._item.setLabelTextColor(theme.current().text)
        self._item.setLabelTextSize(f"{font_px}px")
        for curve, line in zip(curves, lines, strict=True):
            if isinstance(curve, Curve) or curve.is_listed:
                self._item.addItem(line, plain(curve.label))

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
            columns = max(1, int(room_px // (widest + _LINE_PX)))
            self._item.setColumnCount(min(columns, len(self.items)))

    def show_hidden(self) -> None:
        """Paint the samples of hidden curves as such."""
        if self._item is not None:
            self._item.update()
