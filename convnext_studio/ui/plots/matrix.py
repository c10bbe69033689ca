"""A view of a small square matrix with values from -1 to 1, as a coloured table."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor

from convnext_studio.common.geometry import Box
from convnext_studio.render import Limits, Rgb, colorize
from convnext_studio.ui.plots.arranged_view import ArrangedView
from convnext_studio.ui.plots.map_texts import numbers_of
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene, Text
from convnext_studio.ui.widgets import theme

LIMITS = Limits(-1.0, 1.0)
COLORMAP = "vik"
_MOST_WIDE_PX = 72.0
_MOST_HIGH_LINES = 2.2
_GAP_PX = 8.0
_WIDEST = "−0.00 "


class MatrixView(ArrangedView):
    """A table that names and numbers its rows, numbers its columns, and shows the value of each cell."""

    pointed = Signal(str)  # the read-out under the pointer; empty if there is none

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._names: tuple[str, ...] = ()
        self._is_whole = True
        self._table: Box = (0.0, 0.0, 1.0, 1.0)
        self._values: NDArray[np.float64] = np.zeros((0, 0))
        self._colours: Rgb = np.zeros((0, 0, 3), dtype=np.uint8)
        self.setMinimumSize(200, 140)
        self.hovered.connect(self._read)
        self.hover_left.connect(partial(self.pointed.emit, ""))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rows and columns."""
        return self._names

    def show_matrix(self, names: Sequence[str], values: NDArray[np.float64], is_whole: bool = True) -> None:
        """Show (n, n) values; those that are not finite are undefined, or, unless `is_whole`, still missing."""
        self._names, self._values, self._is_whole = tuple(names), values, is_whole
        self._colours = colorize(np.nan_to_num(values), LIMITS, COLORMAP)
        self.show_arranged()

    def text_at(self, row: int, column: int) -> str:
        """Return the text of a cell."""
        value = float(self._values[row, column])
        if not np.isfinite(value):
            return "–" if self._is_whole else "…"
        return f"{value:.2f}".replace("-", "−")

    def sizeHint(self) -> QSize:
        """Return a size with room for two digits in each of fourteen columns."""
        return QSize(480, 340)

    def arrange(self, width: float, height: float) -> Scene | None:
        """Return the table: the names on the left, the numbers of the columns above, and the cells."""
        count = len(self._names)
        if not count:
            return None
        line, names = self.metrics.height(), [f"{name}  {row + 1}" for row, name in enumerate(self._names)]
        left = max(self.metrics.horizontalAdvance(name) for name in names) + _GAP_PX
        across = min((width - left) / count, _MOST_WIDE_PX)
        down = min((height - line) / count, _MOST_HIGH_LINES * line)
        self._table = left, line, across * count, down * count
        is_known = np.isfinite(self._values)
        raised = QColor(theme.current().raised)
        bitmap = Bitmap(np.where(is_known[..., None], self._colours, _rgb(raised)))
        texts = [
            Text((0.0, line + row * down, left - _GAP_PX, down), name, align=Qt.AlignmentFlag.AlignRight)
            for row, name in enumerate(names)
        ]
        texts += [
            Text((left + column * across, 0.0, across, line), str(column + 1), "muted")
            for column in range(count)
        ]
        texts += [
            Text(
                (left + column * across, line + row * down, across, down),
                self.text_at(row, column),
                _seen_on(self._colours[row, column]) if is_known[row, column] else "muted",
                least=_WIDEST,
            )
            for row, column in np.ndindex(count, count)
        ]
        layer = Layer(bitmap, self._table, numbers=numbers_of(self._values))
        return Scene(size=(width, height), layers=(layer,), texts=tuple(texts))

    def _read(self, x: float, y: float) -> None:
        """Emit a read-out of the cell under the pointer."""
        left, top, width, height = self._table
        column, row = (x - left) / width * len(self._names), (y - top) / height * len(self._names)
        if not (0 <= row < len(self._names) and 0 <= column < len(self._names)):
            self.pointed.emit("")
            return
        first, second = self._names[int(row)], self._names[int(column)]
        self.pointed.emit(f"{first} and {second} · rank correlation {self.text_at(int(row), int(column))}")


def _rgb(colour: QColor) -> Rgb:
    return np.array([colour.red(), colour.green(), colour.blue()], np.uint8)


def _seen_on(colour: Rgb) -> str:
    red, green, blue = (int(part) for part in colour)
    return QColor(theme.seen_on(red, green, blue)).name()
