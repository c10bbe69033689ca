"""All pretrained models: search, see data and licence before the download, and open one."""

from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from convnext_studio.engine.messages import (
    Catalogue,
    Failed,
    ListPretrained,
    ModelInfo,
    Payload,
    PretrainedInfo,
)
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.base import Panel, plain_label
from convnext_studio.ui.panels.catalogue_table import CatalogueTable, spoken_megabytes
from convnext_studio.ui.state import AppState


class CataloguePanel(Panel):
    """A table of what timm offers. The engine is asked for it when it is first seen, and only then.

    Parameters
    ----------
    offline
        Nothing can be downloaded.
    """

    title = "Pretrained"
    is_of_model = False
    open_asked = Signal(str)  # the name in timm's catalogue

    def __init__(
        self, state: AppState, bridge: EngineBridge, offline: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(state, bridge, parent)
        self._offline = offline
        self._entries: tuple[PretrainedInfo, ...] = ()
        self._running: int | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search, such as tiny 384; or a name, such as resnet50.a1_in1k…")
        self.search.setAccessibleName("Search the pretrained models")
        self.search.setToolTip(
            "Type words that stand anywhere in a row; Enter goes to the table. Or the whole name of a ResNet, "
            "ViT, Swin, CoAtNet or MobileNetV2 of timm's: Enter looks it up"
        )
        self.search.setClearButtonEnabled(True)
        self.search.setAcceptDrops(False)
        self.table = CatalogueTable()
        self.about = plain_label()
        self.open = QPushButton("Open")
        self.open.setToolTip("Open this model, in place of the one that is open (Enter)")
        self._lay_out()
        self._connect()
        self._show_selected()

    @property
    def is_settled(self) -> bool:
        """Whether it shows the list, or a sentence in its place."""
        return not (self.isVisible() and self._running is not None)

    def sizeHint(self) -> QSize:
        """Wide enough for most of a row."""
        return QSize(self.fontMetrics().averageCharWidth() * 110, 560)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for a name and its numbers: less would be a list of nothing."""
        return QSize(self.fontMetrics().averageCharWidth() * 76, super().minimumSizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        """Ask, the first time."""
        super().showEvent(event)
        if not self.shows_body and not self.notice:
            self.ask_again()

    def ask_again(self) -> None:
        """Ask for the list."""
        self.show_notice("Reading timm's catalogue …")
        self._running = self.bridge.ask(
            ListPretrained(panel="catalogue", offline=self._offline),
            self._receive,
            on_failure=self._refused,
            on_cancel=self._stopped,
        )

    # -------------------------------------------------------------------------------------------- the list

    def _receive(self, answer: Payload) -> None:
        if isinstance(answer, Catalogue):
            self._running = None
            self._entries = answer.entries
            self.table.show_entries(self._entries)
            self.show_body()
            self._show_selected()

    def _look_up(self, name: str) -> None:
        """Ask for a model that is not in the list: it may be of another family."""
        self.about.setText(f"Looking up {name} …")
        self._running = self.bridge.ask(
            ListPretrained(panel="catalogue", offline=self._offline, name=name),
            self._found,
            on_failure=self._not_found,
            on_cancel=self._stopped,
        )

    def _found(self, answer: Payload) -> None:
        """A model that was looked up joins the list."""
        self._running = None
        if isinstance(answer, Catalogue):
            known = {entry.name for entry in answer.entries}
            self._entries = (*(entry for entry in self._entries if entry.name not in known), *answer.entries)
            self.table.show_entries(self._entries)
            self.search.setText(answer.entries[0].name)
            self._go_to_table()
            self._show_selected()

    def _not_found(self, failed: Failed) -> None:
        self._running = None
        self.about.setText(f"{failed.message} {failed.hint}".rstrip())

    def _refused(self, failed: Failed) -> None:
        self._running = None
        self.show_notice(f"{failed.message} {failed.hint}".rstrip(), can_retry=True)

    def _stopped(self) -> None:
        self._running = None
        if self.shows_body:
            self.about.setText("Stopped.")
        else:
            self.show_notice("Stopped.", can_retry=True)

    def _model_loaded(self, model: ModelInfo) -> None:
        """What was opened lies on this computer now."""
        kept = tuple(
            replace(entry, is_cached=True, download_bytes=None, why_not="")
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
        if not self.table.texts and typed and self._running is None:
            self._look_up(typed)
            return
        if self.table.selected is None:
            self.table.select_first()
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_selected(self) -> None:
        entry = self.table.selected
        self.open.setEnabled(entry is not None and not entry.why_not)
        count = len(self.table.texts)
        nothing = "Not in this list. Enter looks it up in the whole of timm's catalogue, by its whole name."
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
        # Not `activated`: on some desktops a single click sets that off, and may begin a download.
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
    """What to know before opening it."""
    sentences = [f"Licence of the weights: {entry.licence}."]
    if entry.is_noncommercial:
        sentences.append("It does not allow commercial use.")
    if entry.why_not:
        sentences.append(entry.why_not)
    elif entry.download_bytes is not None:
        sentences.append(f"Opening it downloads about {spoken_megabytes(entry.download_bytes)}.")
    return " ".join(sentences)
