"""A view of a small square matrix with values from -1 to 1, as a coloured table."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import Limits, Rgb, colorize
from convnext_studio.ui.widgets import theme

LIMITS = Limits(-1.0, 1.0)
COLORMAP = "vik"


class MatrixView(QWidget):
    """A table that names and numbers its rows, numbers its columns, and shows the value of each cell."""

    pointed = Signal(str)  # the read-out under the pointer; empty if there is none

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._is_whole = True
        self._values: NDArray[np.float64] = np.zeros((0, 0))
        self._colours: Rgb = np.zeros((0, 0, 3), dtype=np.uint8)
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 140)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rows and columns."""
        return self._names

    def show_matrix(self, names: Sequence[str], values: NDArray[np.float64], is_whole: bool = True) -> None:
        """Show (n, n) values; those that are not finite are undefined, or, unless `is_whole`, still missing."""
        self._names, self._values, self._is_whole = tuple(names), values, is_whole
        self._colours = colorize(np.nan_to_num(values), LIMITS, COLORMAP)
        self.update()

    def text_at(self, row: int, column: int) -> str:
        """Return the text of a cell."""
        value = float(self._values[row, column])
        if not np.isfinite(value):
            return "–" if self._is_whole else "…"
        return f"{value:.2f}".replace("-", "−")

    def sizeHint(self) -> QSize:
        """Return a size with room for two digits in each of fourteen columns."""
        return QSize(480, 340)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Emit a read-out of the cell under the pointer."""
        place = self._cell_at(event.position())
        if place is None:
            self.pointed.emit("")
        else:
            row, column = place
            said = (
                f"{self._names[row]} and {self._names[column]} · rank correlation {self.text_at(row, column)}"
            )
            self.pointed.emit(said)

    def leaveEvent(self, _event: QEvent) -> None:
        """Clear the read-out."""
        self.pointed.emit("")

    def _box(self, row: int, column: int) -> QRectF:
        height = self.fontMetrics().height()
        left = max(
            (self.fontMetrics().horizontalAdvance(self._row_text(i)) for i in range(self._count)), default=0
        )
        across = (self.width() - left - 10) / max(1, self._count)
        down = (self.height() - height - 4) / max(1, self._count)
        side = min(down, 2.2 * height)
        width = min(across, 72.0)
        return QRectF(left + 8 + column * width, height + 2 + row * side, width, side)

    @property
    def _count(self) -> int:
        return len(self._names)

    def _row_text(self, row: int) -> str:
        return f"{self._names[row]}  {row + 1}"

    def _cell_at(self, point: QPointF) -> tuple[int, int] | None:
        cells = ((row, column) for row in range(self._count) for column in range(self._count))
        return next((cell for cell in cells if self._box(*cell).contains(point)), None)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the names, the numbers of rows and columns, and the cells."""
        look = theme.current()
        with QPainter(self) as painter:
            painter.setOpacity(1.0 if self.isEnabled() else 0.4)
            for row in range(self._count):
                first = self._box(row, 0)
                painter.setPen(QColor(look.text))
                right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(
                    QRectF(0, first.top(), first.left() - 5, first.height()), right, self._row_text(row)
                )
                head = self._box(0, row)
                head.translate(0, -self.fontMetrics().height() - 1)
                head.setHeight(self.fontMetrics().height())
                painter.setPen(QColor(look.muted))
                painter.drawText(head, Qt.AlignmentFlag.AlignCenter, str(row + 1))
            painter.setFont(self._cell_font())
            for row, column in np.ndindex(self._count, self._count):
                self._paint_cell(painter, row, column, look)

    def _cell_font(self) -> QFont:
        """Return the widget's font, made smaller if a number would not fit its cell."""
        font = QFont(self.font())
        needed = self.fontMetrics().horizontalAdvance("−0.00") + 4
        if self._count and self._box(0, 0).width() < needed:
            height = self.fontMetrics().height() * self._box(0, 0).width() / needed
            font.setPixelSize(max(6, round(0.8 * height)))
        return font

    def _paint_cell(self, painter: QPainter, row: int, column: int, look: theme.Theme) -> None:
        box = self._box(row, column).adjusted(0.5, 0.5, -0.5, -0.5)
        if np.isfinite(self._values[row, column]):
            red, green, blue = (int(part) for part in self._colours[row, column])
            painter.fillRect(box, QColor(red, green, blue))
            painter.setPen(theme.seen_on(red, green, blue))
        else:
            painter.fillRect(box, QColor(look.raised))
            painter.setPen(QColor(look.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text_at(row, column))
