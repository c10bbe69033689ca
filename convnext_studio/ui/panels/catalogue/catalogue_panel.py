"""The catalogue of pretrained models: search it, see data and licence before a download, open a model."""

from collections.abc import Iterable

from msgspec.structs import replace
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import Catalogue, ListPretrained, ModelInfo, PretrainedInfo
from convnext_studio.render import format_count, format_size
from convnext_studio.ui.panels.base import Panel, plain_label
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.text_size import follow_text

COLUMNS = {
    "Name": "In timm's catalogue; the ConvNeXts come first",
    "Accuracy": "Published top-1 accuracy on the validation photographs of ImageNet-1k",
    "Size on disk": "Size of the file with the weights; estimated if it is not on this computer",
    "Here": "Whether the weights are already on this computer",
    "Licence": "Licence of the weights",
    "Parameters": "Number of parameters of the whole network",
    "Input": "Side of the input in pixels",
    "Trained on": "Data sets in the order of training",
}
_NUMBERS = ("Accuracy", "Size on disk", "Parameters", "Input")
MOST_CHARACTERS = {"Licence": 18, "Trained on": 24}
"""Longer texts are elided where the names need the room; the tooltip has them whole."""
DISPENSABLE = ("Trained on", "Input", "Parameters")
"""Columns that are hidden, the first one first, where names would be cut off; the line below says them."""
DISPENSABLE_AT_LAST = ("Licence", "Size on disk")
"""Columns that are hidden where not even the beginning and the end of a name fit beside them."""
_LEAST_NAME = 18  # Characters of a name that are always shown.
_ENTRY, _ORDER = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_FLOAT_BYTES = 4


class CatalogueTable(QTreeView):
    """A table with one row per model; models that cannot be opened are grey."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QStandardItemModel(0, len(COLUMNS), self)
        self._rows.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(COLUMNS.values()):
            self._rows.horizontalHeaderItem(column).setToolTip(plain_tip(tip))
            self._rows.horizontalHeaderItem(column).setTextAlignment(_side(column))
        self._found = _Found(self)
        self._found.setSourceModel(self._rows)
        self._found.setSortRole(_ORDER)
        self.setModel(self._found)
        self.setAccessibleName("Pretrained models")
        self.setAccessibleDescription("Choose a model with the arrow keys; Enter opens it")
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.header().setStretchLastSection(False)
        # Qt would show it for a moment, until the columns have their widths.
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._wanted_px: dict[str, int] = {}
        self._elided_px: dict[str, int] = {}  # What the columns that are elided lack.
        follow_text(self, self._measure_columns)

    def show_entries(self, entries: Iterable[PretrainedInfo]) -> None:
        """Show these models and keep the selection."""
        selected = self.selected
        self._rows.removeRows(0, self._rows.rowCount())
        for entry in entries:
            self._rows.appendRow(_row(entry, self.palette().placeholderText()))
        self._measure_columns()
        if selected is not None:
            self.select(selected.name)

    def _measure_columns(self) -> None:
        """Find out how wide the contents of each column are, and fit the columns into the table."""
        self._wanted_px, self._elided_px = {}, {}
        for column, heading in enumerate(COLUMNS):
            self.setColumnHidden(column, False)
            wanted_px = max(self.sizeHintForColumn(column), self.header().sectionSizeHint(column))
            if heading in MOST_CHARACTERS:
                most_px = self._characters_px(MOST_CHARACTERS[heading])
                self._elided_px[heading] = max(wanted_px - most_px, 0)
                wanted_px = min(wanted_px, most_px)
            self._wanted_px[heading] = wanted_px
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Show whole names, without those columns for which there is no room then."""
        if not self._wanted_px:
            return
        shown, room_px = dict(self._wanted_px), self.viewport().width()
        name_px, least_px = shown.pop("Name"), self._characters_px(_LEAST_NAME)
        for headings, needed_px in ((DISPENSABLE, name_px), (DISPENSABLE_AT_LAST, least_px)):
            for heading in headings:
                if sum(shown.values()) + needed_px > room_px:
                    del shown[heading]
        shown["Name"] = max(min(name_px, room_px - sum(shown.values())), least_px)
        for heading, elided_px in self._elided_px.items():
            if heading in shown:
                shown[heading] += max(min(elided_px, room_px - sum(shown.values())), 0)
        elastic = "Trained on" if "Trained on" in shown else "Name"
        shown[elastic] += max(room_px - sum(shown.values()), 0)
        for column, heading in enumerate(COLUMNS):
            self.setColumnHidden(column, heading not in shown)
            if heading in shown:
                self.setColumnWidth(column, shown[heading])

    def _characters_px(self, count: int) -> int:
        return self.fontMetrics().averageCharWidth() * count

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many columns as fit."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_columns()

    def search(self, text: str) -> None:
        """Show only the rows that contain all these words, in any column."""
        self._found.set_words(text)

    @property
    def selected(self) -> PretrainedInfo | None:
        """The model of the selected, visible row, or None."""
        indices = self.selectionModel().selectedRows()
        entry = indices[0].data(_ENTRY) if indices else None
        return entry if isinstance(entry, PretrainedInfo) else None

    @property
    def texts(self) -> list[list[str]]:
        """The texts of the rows that match the search, in their order."""
        rows = range(self._found.rowCount())
        return [[self._found.index(row, column).data() for column in range(len(COLUMNS))] for row in rows]

    def select(self, name: str) -> None:
        """Select a model by its name; do nothing if its row is not shown."""
        for row in range(self._found.rowCount()):
            if self._found.index(row, 0).data() == name:
                self.setCurrentIndex(self._found.index(row, 0))

    def select_first(self) -> None:
        """Select the first row, if there is one."""
        self.setCurrentIndex(self._found.index(0, 0))


class _Found(QSortFilterProxyModel):
    """A filter model that keeps the rows with all search words, in any column."""

    def __init__(self, parent: CatalogueTable) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def set_words(self, text: str) -> None:
        """Set the text whose words are searched for."""
        self._words = text.lower().split()
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        """Whether a row contains all the words."""
        source = self.sourceModel()
        columns = range(source.columnCount())
        texts = [str(source.index(source_row, column, source_parent).data()).lower() for column in columns]
        return all(any(word in text for text in texts) for word in self._words)


def _side(column: int) -> Qt.AlignmentFlag:
    """Return where the texts of a column stand: numbers right, and a word between numbers in the middle."""
    heading = list(COLUMNS)[column]
    flags = Qt.AlignmentFlag
    across = {"Here": flags.AlignHCenter}.get(heading, flags.AlignLeft)
    return (flags.AlignRight if heading in _NUMBERS else across) | flags.AlignVCenter


def _row(entry: PretrainedInfo, grey: object) -> list[QStandardItem]:
    licence = f"{entry.licence} (non-commercial)" if entry.is_noncommercial else entry.licence
    size, estimated = entry.disk_bytes, entry.disk_bytes is None
    if size is None:
        size = entry.download_bytes or _FLOAT_BYTES * entry.parameters
    # The sort keys are floats, because Qt compares Python's integers in 32 bits.
    cells: list[tuple[str, str | float]] = [
        (entry.name, f"{0 if entry.is_convnext else 1} {entry.name}"),
        ("–" if entry.accuracy is None else f"{entry.accuracy:.1f} %", entry.accuracy or 0.0),
        (f"~ {format_size(size)}" if estimated else format_size(size), float(size)),
        ("yes" if entry.is_cached else "no", "no" if entry.is_cached else "yes"),
        (licence, licence),
        (format_count(entry.parameters), float(entry.parameters)),
        (str(entry.input_px), float(entry.input_px)),
        (entry.data, entry.data),
    ]
    items = []
    for column, (text, order) in enumerate(cells):
        item = QStandardItem(text)
        item.setData(order, _ORDER)
        item.setData(entry, _ENTRY)
        item.setToolTip(plain_tip(entry.why_not or _tip(entry, text)))
        item.setTextAlignment(_side(column))
        if entry.why_not:
            item.setData(grey, Qt.ItemDataRole.ForegroundRole)
        items.append(item)
    return items


def _tip(entry: PretrainedInfo, text: str) -> str:
    if entry.accuracy is not None and text == f"{entry.accuracy:.1f} %":
        return f"{text} of the pictures are right at {entry.measured_px} × {entry.measured_px} px"
    return text


class CataloguePanel(Panel):
    """A panel with a table of timm's models, which is requested only once, when it is first shown.

    Parameters
    ----------
    offline
        Whether downloads are impossible.
    """

    title = "Pretrained models"
    is_of_model = False
    open_asked = Signal(str)  # the name in timm's catalogue

    def __init__(
        self, state: AppState, bridge: EngineBridge, offline: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(state, bridge, parent)
        self._offline = offline
        self._entries: tuple[PretrainedInfo, ...] = ()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search…")
        self.search.setAccessibleName("Search the pretrained models")
        self.search.setToolTip(
            "Type words from any column, such as tiny 384; Enter goes to the table. You can also type the full "
            "timm name of a ResNet, ViT, Swin, CoAtNet or MobileNetV2, such as resnet50.a1_in1k; Enter looks "
            "it up"
        )
        self.search.setClearButtonEnabled(True)
        self.search.setAcceptDrops(False)
        self.table = CatalogueTable()
        self.about = plain_label()
        self.open = QPushButton("Open")
        self.open.setToolTip("Open this model in place of the open one (Enter)")
        self._lay_out()
        self._connect()
        # Sent once, when the panel is first shown: the list does not depend on the open model.
        self.query = PanelQuery(
            self,
            lambda: ListPretrained(panel="catalogue", offline=offline, families=True),
            self._show_list,
            lambda _dimmed: None,
            needs_model=False,
            waiting="Reading timm's catalogue …",
        )
        self._look_up = Query(bridge, self._show_found, self.about.setText, parent=self)
        self._show_selected()

    @property
    def is_settled(self) -> bool:
        """Whether the panel shows the list or a notice, and no look-up is in progress."""
        return super().is_settled and not (self.isVisible() and self._look_up.is_running)

    def sizeHint(self) -> QSize:
        """Make room for most of a row."""
        return QSize(self.fontMetrics().averageCharWidth() * 112, 560)

    def minimumSizeHint(self) -> QSize:
        """Keep room for a model's name and its numbers."""
        return QSize(self.fontMetrics().averageCharWidth() * 48, super().minimumSizeHint().height())

    def search_for(self, text: str) -> None:
        """Show the models that have these words."""
        self.search.setText(text)

    # -------------------------------------------------------------------------------------------- the list

    def _show_list(self, answer: Payload) -> None:
        if isinstance(answer, Catalogue):
            self._entries = answer.entries
            self.table.show_entries(self._entries)
            self._show_selected()

    def _show_found(self, answer: Payload) -> None:
        """Add a model that was looked up to the list, and select it."""
        if isinstance(answer, Catalogue):
            known = {entry.name for entry in answer.entries}
            self._entries = (*(entry for entry in self._entries if entry.name not in known), *answer.entries)
            self.table.show_entries(self._entries)
            self.search.setText(answer.entries[0].name)
            self._go_to_table()
            self._show_selected()

    def _model_loaded(self, model: ModelInfo) -> None:
        """Mark the opened model as available on this computer."""
        kept = tuple(
            replace(
                entry,
                is_cached=True,
                download_bytes=None,
                why_not="",
                disk_bytes=entry.disk_bytes or entry.download_bytes,
            )
            if model.source == f"timm:{entry.name}"
            else entry
            for entry in self._entries
        )
        if kept != self._entries:
            self._entries = kept
            self.table.show_entries(kept)
            self._show_selected()

    # ------------------------------------------------------------------------------------------- the choice

    def _search(self, text: str) -> None:
        self.table.search(text)
        self._show_selected()

    def _go_to_table(self) -> None:
        typed = self.search.text().strip().removeprefix("timm:")
        if not self.table.texts and typed and not self._look_up.is_running:
            # It may belong to another model family, which is not in the list.
            self.about.setText(f"Looking up {typed} …")
            self._look_up.drop()
            self._look_up.ask(ListPretrained(panel="catalogue", offline=self._offline, name=typed))
            return
        if self.table.selected is None:
            self.table.select_first()
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_selected(self) -> None:
        entry = self.table.selected
        self.open.setEnabled(entry is not None and not entry.why_not)
        count = len(self.table.texts)
        nothing = "Not in this list. Press Enter to look up the full name in timm's whole catalogue."
        self.about.setText(_about(entry) if entry is not None else f"{count} models" if count else nothing)
        warns = entry is not None and entry.is_noncommercial
        if self.about.property("warning") != warns:
            self.about.setProperty("warning", warns)
            self.about.style().polish(self.about)

    def _open(self) -> None:
        entry = self.table.selected
        if entry is not None and not entry.why_not:
            self.open_asked.emit(entry.name)

    # ---------------------------------------------------------------------------------------------- set up

    def _connect(self) -> None:
        self.setFocusProxy(self.search)
        self.search.textChanged.connect(self._search)
        self.search.returnPressed.connect(self._go_to_table)
        self.table.selectionModel().selectionChanged.connect(self._show_selected)
        self.table.doubleClicked.connect(self._open)
        # Not `activated`: on some desktops a single click emits that, and could start a download.
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shortcut = QShortcut(QKeySequence(key), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(self._open)
        self.open.clicked.connect(self._open)
        self.state.model_loaded.connect(self._model_loaded)

    def _lay_out(self) -> None:
        there = QWidget()
        body = QVBoxLayout(there)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(4)
        body.addWidget(self.search)
        body.addWidget(self.table, 1)
        row = QHBoxLayout()
        row.addWidget(self.about, 1)
        row.addWidget(self.open, alignment=Qt.AlignmentFlag.AlignBottom)
        body.addLayout(row)
        self.set_body(there)


def _about(entry: PretrainedInfo) -> str:
    """Return what to know before opening a model."""
    numbers = f"{format_count(entry.parameters)} parameters, {entry.input_px} × {entry.input_px} px"
    sentences = [f"{numbers}; trained on {entry.data}. Licence of the weights: {entry.licence}."]
    if entry.is_noncommercial:
        sentences.append("It does not allow commercial use.")
    if entry.why_not:
        sentences.append(entry.why_not)
    elif entry.download_bytes is not None:
        sentences.append(f"Opening it downloads about {format_size(entry.download_bytes)}.")
    return " ".join(sentences)
