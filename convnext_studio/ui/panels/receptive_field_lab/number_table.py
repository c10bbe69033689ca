"""A table of numbers that shows as many of its columns as fit, and copies all of them."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from convnext_studio.ui.plots.curve_data import LINE_PX
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_MOST_CHARACTERS = 34  # Of the first column, so that a long name leaves room for the numbers.
_LEAST_CHARACTERS = 12
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class NumberTable(QTableWidget):
    """A table with a name in the first column and numbers in the others, as high as its rows.

    It never scrolls sideways: the last columns are hidden where there is no room for them. The tooltip of a
    row has all of them, and so has the tab-separated text that Ctrl+C copies.

    Parameters
    ----------
    columns
        Title and explanation of each column.
    least
        How many columns are never hidden.
    """

    def __init__(self, name: str, columns: dict[str, str], least: int, parent: QWidget | None = None) -> None:
        super().__init__(0, len(columns), parent)
        self._titles = tuple(columns)
        self._least = least
        self.setAccessibleName(name)
        self.setToolTip("Ctrl+C copies the whole table as text, for a spreadsheet")
        for column, (title, tip) in enumerate(columns.items()):
            heading = QTableWidgetItem(title)
            heading.setToolTip(plain_tip(tip))
            self.setHorizontalHeaderItem(column, heading)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        # Qt's stretched section would keep its width when another one becomes the last.
        self.horizontalHeader().setStretchLastSection(False)
        follow_text(self, self._fit_text)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy)

    def show_rows(self, rows: Sequence[Sequence[str]], icons: Sequence[QIcon]) -> None:
        """Replace all rows with these, each with its icon."""
        self.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            tip = "\n".join(f"{title}: {text}" for title, text in zip(self._titles, texts, strict=True))
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(plain_tip(tip))
                if column:
                    item.setTextAlignment(_RIGHT)
                else:
                    item.setIcon(icons[row])
                self.setItem(row, column, item)
        self._fit_columns()
        self.updateGeometry()

    def text(self) -> str:
        """Return the table as text: the header first, one line per row, cells separated by tabs."""
        columns = range(self.columnCount())
        rows = [[self._cell(row, column) for column in columns] for row in range(self.rowCount())]
        lines = [list(self._titles), *rows]
        return "".join("\t".join(cells) + "\n" for cells in lines)

    def copy(self) -> None:
        """Copy the whole table to the clipboard."""
        QGuiApplication.clipboard().setText(self.text())

    def sizeHint(self) -> QSize:
        """Return the size at which all rows fit without vertical scrolling, where there is room."""
        heading = self.horizontalHeader().sizeHint().height()
        rows = max(self.rowCount(), 1) * self.verticalHeader().defaultSectionSize()
        return QSize(super().sizeHint().width(), heading + rows + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the columns that fit."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_columns()

    def _fit_text(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.setIconSize(QSize(scaled_px(LINE_PX[0]), scaled_px(LINE_PX[1])))
        self._fit_columns()
        self.updateGeometry()

    def _fit_columns(self) -> None:
        """Give the numbers the width that they need, the name what is left, and hide what does not fit."""
        heading, room_px = self.horizontalHeader(), self.viewport().width()
        character_px = self.fontMetrics().averageCharWidth()
        name_px, *needed = (
            max(self.sizeHintForColumn(column), heading.sectionSizeHint(column))
            for column in range(self.columnCount())
        )
        left_px = room_px - sum(needed[: self._least - 1])
        name_px = max(min(name_px, left_px, _MOST_CHARACTERS * character_px), _LEAST_CHARACTERS * character_px)
        widths = [name_px]
        for needed_px in needed:
            if len(widths) >= self._least and sum(widths) + needed_px > room_px:
                break
            widths.append(needed_px)
        widths[0] += max(room_px - sum(widths), 0)
        for column in range(self.columnCount()):
            self.setColumnHidden(column, column >= len(widths))
            if column < len(widths):
                self.setColumnWidth(column, widths[column])

    def _cell(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return item.text() if item is not None else ""
