"""The pretrained models as rows that can be searched and sorted."""

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from convnext_studio.engine.messages import PretrainedInfo
from convnext_studio.render import format_count
from convnext_studio.ui.textsize import follow_text

COLUMNS = {
    "Name": "In timm's catalogue",
    "Parameters": "Numbers that are learnt, of the whole network",
    "Input": "Side of the pictures that it was trained for, in pixels",
    "Licence": "Of the weights",
    "On this computer": "Whether the weights need no download",
    "Trained on": "Data sets, in order of training",
}
NAME_CHARACTERS = 48
_ENTRY, _ORDER = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CatalogueTable(QTreeView):
    """One row a model; what cannot be opened is grey."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QStandardItemModel(0, len(COLUMNS), self)
        self._rows.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(COLUMNS.values()):
            self._rows.horizontalHeaderItem(column).setToolTip(tip)
        self._found = _Found(self)
        self._found.setSourceModel(self._rows)
        self._found.setSortRole(_ORDER)
        self.setModel(self._found)
        self.setAccessibleName("Pretrained models")
        self.setAccessibleDescription("Arrow keys walk the models; Enter opens one")
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        follow_text(self, self._fit_columns)

    def show_entries(self, entries: Iterable[PretrainedInfo]) -> None:
        """Show these models, and keep the one that was selected."""
        selected = self.selected
        self._rows.removeRows(0, self._rows.rowCount())
        for entry in entries:
            self._rows.appendRow(_row(entry, self.palette().placeholderText()))
        self._fit_columns()
        if selected is not None:
            self.select(selected.name)

    def _fit_columns(self) -> None:
        for column in range(len(COLUMNS)):
            self.resizeColumnToContents(column)
        # The longest names leave room for the numbers beside them; their beginning and end tell them apart.
        name_px = self.fontMetrics().averageCharWidth() * NAME_CHARACTERS
        self.setColumnWidth(0, min(self.columnWidth(0), name_px))

    def search(self, text: str) -> None:
        """Leave the rows that have all these words somewhere in them."""
        self._found.set_words(text)

    @property
    def selected(self) -> PretrainedInfo | None:
        """The model whose row is selected and can be seen."""
        indices = self.selectionModel().selectedRows()
        entry = indices[0].data(_ENTRY) if indices else None
        return entry if isinstance(entry, PretrainedInfo) else None

    @property
    def texts(self) -> list[list[str]]:
        """What stands in the rows that are left, in their order."""
        rows = range(self._found.rowCount())
        return [[self._found.index(row, column).data() for column in range(len(COLUMNS))] for row in rows]

    def select(self, name: str) -> None:
        """Select a model by its name, or nothing where its row is not shown."""
        for row in range(self._found.rowCount()):
            if self._found.index(row, 0).data() == name:
                self.setCurrentIndex(self._found.index(row, 0))

    def select_first(self) -> None:
        """Select the uppermost row, where there is one."""
        self.setCurrentIndex(self._found.index(0, 0))


class _Found(QSortFilterProxyModel):
    """Rows that have all words that are searched for, in any column."""

    def __init__(self, parent: CatalogueTable) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def set_words(self, text: str) -> None:
        """Search for the words of a text."""
        self._words = text.lower().split()
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        """Whether a row has all the words."""
        source = self.sourceModel()
        columns = range(source.columnCount())
        texts = [str(source.index(source_row, column, source_parent).data()).lower() for column in columns]
        return all(any(word in text for text in texts) for word in self._words)


def spoken_megabytes(count: int) -> str:
    """A size of a download for people: "114 MB", "3.4 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 999.5e6 else f"{max(count / 1e6, 1):.0f} MB"


def _row(entry: PretrainedInfo, grey: object) -> list[QStandardItem]:
    licence = f"{entry.licence} (non-commercial)" if entry.is_noncommercial else entry.licence
    size = entry.download_bytes or 0
    here = "yes" if entry.is_cached else f"no, about {spoken_megabytes(size)}"
    # What is sorted by: floats, because Qt compares the integers of Python in 32 bits.
    cells: list[tuple[str, str | float]] = [
        (entry.name, entry.name),
        (format_count(entry.parameters), float(entry.parameters)),
        (str(entry.input_px), float(entry.input_px)),
        (licence, licence),
        (here, float(size)),
        (entry.data, entry.data),
    ]
    items = []
    for text, order in cells:
        item = QStandardItem(text)
        item.setData(order, _ORDER)
        item.setData(entry, _ENTRY)
        item.setToolTip(entry.why_not or text)
        if isinstance(order, float) and text != here:
            item.setTextAlignment(_RIGHT)
        if entry.why_not:
            item.setData(grey, Qt.ItemDataRole.ForegroundRole)
        items.append(item)
    return items
