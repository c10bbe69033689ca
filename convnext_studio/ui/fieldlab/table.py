"""Numbers of the subjects in rows, to be read and to be copied."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from convnext_studio.ui.curves import LINE_PX
from convnext_studio.ui.textsize import follow_text, scaled_px

_WIDEST = 34  # Of a column, in letters.
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class NumberTable(QTableWidget):
    """A table of texts, as high as its rows; Ctrl+C copies all of it, tab separated, with its heading.

    Parameters
    ----------
    columns
        Title and explanation of each.
    words
        How many columns, from the left, hold words; the others hold numbers and are set to the right.
    """

    def __init__(self, name: str, columns: dict[str, str], words: int, parent: QWidget | None = None) -> None:
        super().__init__(0, len(columns), parent)
        self._titles = tuple(columns)
        self._words = words
        self.setAccessibleName(name)
        self.setToolTip("Ctrl+C copies the whole table as text, for a spreadsheet")
        for column, (title, tip) in enumerate(columns.items()):
            heading = QTableWidgetItem(title)
            heading.setToolTip(tip)
            self.setHorizontalHeaderItem(column, heading)
        self.verticalHeader().hide()
        follow_text(self, self._fit_text)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy)

    def _fit_text(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.setIconSize(QSize(scaled_px(LINE_PX[0]), scaled_px(LINE_PX[1])))
        # A long name would push the numbers out of sight; it is whole in its tooltip.
        self.horizontalHeader().setMaximumSectionSize(self.fontMetrics().averageCharWidth() * _WIDEST)
        self.updateGeometry()

    def show_rows(self, rows: Sequence[Sequence[str]], icons: Sequence[QIcon]) -> None:
        """Show these rows in place of the others, each with its icon."""
        self.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column >= self._words:
                    item.setTextAlignment(_RIGHT)
                if column == 0:
                    item.setIcon(icons[row])
                self.setItem(row, column, item)
        self.updateGeometry()

    def text(self) -> str:
        """All of it, a line a row, cells parted by tabs, the heading first."""
        columns = range(self.columnCount())
        rows = [[self._cell(row, column) for column in columns] for row in range(self.rowCount())]
        lines = [list(self._titles), *rows]
        return "".join("\t".join(cells) + "\n" for cells in lines)

    def copy(self) -> None:
        """Put it on the clipboard."""
        QGuiApplication.clipboard().setText(self.text())

    def hide_cut_columns(self) -> list[int]:
        """Hide the columns that do not fit into the width, for a picture; which they are."""
        width = self.viewport().width()
        cut = [
            column
            for column in range(self.columnCount())
            if self.columnViewportPosition(column) + self.columnWidth(column) > width
        ]
        for column in cut:
            self.hideColumn(column)
        return cut

    def sizeHint(self) -> QSize:
        """All rows without scrolling down, where there is room."""
        heading, bar = (
            self.horizontalHeader().sizeHint().height(),
            self.horizontalScrollBar().sizeHint().height(),
        )
        rows = max(self.rowCount(), 1) * self.verticalHeader().defaultSectionSize()
        return QSize(super().sizeHint().width(), heading + rows + bar + 4)

    def _cell(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return item.text() if item is not None else ""
