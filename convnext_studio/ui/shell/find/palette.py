"""The command palette, which finds commands and things to open by a few typed letters."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPalette,
    QTextCharFormat,
    QTextLayout,
)
from PySide6.QtWidgets import (
    QApplication,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.ui.shell.find.palette_entries import PaletteEntry
from convnext_studio.ui.widgets.elided_label import PlainLabel
from convnext_studio.ui.widgets.overlay_sheet import Overlay
from convnext_studio.ui.widgets.search.fuzzy import Match, match

ROW_ROLE = Qt.ItemDataRole.UserRole
MARGIN_PX = 8
GAP_PX = 16
KIND_CHARACTERS = 11


class Row(Struct, frozen=True):
    """What the delegate paints in a row of the list.

    Attributes
    ----------
    text, letters
        The text, and the indices of its letters that were typed.
    beside, kind
        Detail and kind, which are painted to the right of the text.
    is_possible
        Whether the row can be chosen.
    """

    text: str
    letters: tuple[int, ...]
    beside: str
    kind: str
    is_possible: bool


class PaletteDelegate(QStyledItemDelegate):
    """Paints text at the left, with the typed letters bold and underlined, and detail and kind at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of a row: one and a half lines high, with the width left to the list."""
        return QSize(0, round(option.fontMetrics.height() * 1.5))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row."""
        row, palette, metrics = index.data(ROW_ROLE), option.palette, option.fontMetrics
        muted = palette.color(QPalette.ColorRole.PlaceholderText)
        text = palette.color(QPalette.ColorRole.Text) if row.is_possible else muted
        mark = palette.color(QPalette.ColorRole.Link) if row.is_possible else muted
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, palette.color(QPalette.ColorRole.Highlight))
            text = mark = muted = palette.color(QPalette.ColorRole.HighlightedText)
        painter.setFont(option.font)
        inside = option.rect.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
        kind_px = metrics.averageCharWidth() * KIND_CHARACTERS
        beside = inside.adjusted(0, 0, -kind_px - GAP_PX, 0)
        line = _line(row, option.font, beside.width(), metrics, mark)
        painter.setPen(text)
        line.draw(painter, QPointF(inside.left(), inside.top() + (inside.height() - metrics.height()) / 2))
        painter.setPen(muted)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        beside.setLeft(inside.left() + round(line.lineAt(0).naturalTextWidth()) + GAP_PX)
        painter.drawText(beside, right, _cut(row.beside, beside.width(), metrics))
        painter.drawText(inside, right, row.kind)
        painter.restore()


def _line(row: Row, font: QFont, width_px: int, metrics: QFontMetrics, mark: QColor) -> QTextLayout:
    """Lay out the text of a row on one line, with the typed letters marked, and not by colour alone."""
    text = _cut(row.text, width_px, metrics)
    marked = QTextCharFormat()
    marked.setForeground(mark)
    marked.setFontWeight(QFont.Weight.Bold)
    marked.setFontUnderline(True)
    layout = QTextLayout(text, font)
    formats = []
    for index in row.letters:
        if index < len(text):
            letter = QTextLayout.FormatRange()
            letter.start, letter.length, letter.format = index, 1, marked
            formats.append(letter)
    layout.setFormats(formats)
    layout.beginLayout()
    layout.createLine().setNumColumns(len(text))
    layout.endLayout()
    return layout


def _cut(text: str, width_px: int, metrics: QFontMetrics) -> str:
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(width_px, 0))


SHOWN_AT_MOST = 60
ROWS_SEEN = 13
WIDTH_CHARACTERS = 96
_LIST_KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_ENTER_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def ranked(
    query: str, entries: Sequence[PaletteEntry], recent: Sequence[str]
) -> list[tuple[PaletteEntry, Match]]:
    """Return the entries that match a query: best fit first, then most recently chosen, then shortest.

    Without a query, recently chosen entries come before those that are always offered.
    """
    return _best(query, _fitting(query, entries, recent), recent)


def _fitting(
    query: str, entries: Sequence[PaletteEntry], recent: Sequence[str]
) -> list[tuple[PaletteEntry, Match]]:
    """Return all entries that match a query, in their order.

    A single letter searches only recently chosen entries and those that are always offered, because most of the
    thousands of classes, nodes and pictures contain it.
    """
    searches_all = len(query.strip()) > 1
    meant = (entry for entry in entries if searches_all or entry.is_offered or entry.key in recent)
    return [(entry, fit) for entry in meant if (fit := _fit(query, entry)) is not None]


def _best(
    query: str, fitting: Sequence[tuple[PaletteEntry, Match]], recent: Sequence[str]
) -> list[tuple[PaletteEntry, Match]]:
    ages = {key: age for age, key in enumerate(recent)}
    typed_count = len(query.strip())
    found = sorted(
        fitting,
        key=lambda pair: (
            pair[1].rank,
            bool(pair[0].why_not),
            ages.get(pair[0].key, len(ages)),
            len(pair[0].text) if typed_count else 0,
        ),
    )
    return found[:SHOWN_AT_MOST]


def _fit(query: str, entry: PaletteEntry) -> Match | None:
    """Match a query against an entry; words that are not shown count less than any that are."""
    shown = match(query, entry.text)
    hidden = match(query, f"{entry.text} {entry.also}") if entry.also else None
    if hidden is None or (shown is not None and shown.rank <= hidden.rank + 1):
        return shown
    return Match(hidden.rank + 1, tuple(index for index in hidden.letters if index < len(entry.text)))


class Palette(Overlay):
    """An overlay with a search line and the matching entries, which can be used by keyboard alone.

    Parameters
    ----------
    entries
        Returns the entries to choose from; called whenever the palette opens.

    Attributes
    ----------
    is_gathering
        Whether more entries will come, so that what is not found now may be found soon.
    """

    chosen = Signal(str)  # the key of what was chosen

    def __init__(self, window: QWidget, entries: Callable[[], Sequence[PaletteEntry]]) -> None:
        super().__init__(window, "Find anything")
        self._gather = entries
        self.is_gathering = False
        self._entries: Sequence[PaletteEntry] = ()
        self._recent: tuple[str, ...] = ()
        self._searched = ""
        self._fitting: list[tuple[PaletteEntry, Match]] = []
        self._found: list[tuple[PaletteEntry, Match]] = []
        self.line = QLineEdit()
        self.line.setPlaceholderText(
            "Find a command, an option, a model, a class, help, a step of the lecture…"
        )
        self.line.setAccessibleName("Find anything")
        self.line.setToolTip("Type a few letters; choose with the arrow keys, Enter to run, Esc to close")
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self._search)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName("Results")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(PaletteDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(lambda _item: self._choose())
        self.nothing = PlainLabel("No match.")
        self.nothing.setProperty("muted", True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        for widget in (self.line, self.nothing, self.list):
            layout.addWidget(widget)
        self.setFocusProxy(self.line)

    def open_with(self, recent: Sequence[str]) -> None:
        """Open with an empty query; `recent` holds the keys of recently chosen entries, the latest first."""
        self._recent = tuple(recent)
        self._take_entries()
        self.line.clear()
        self._search("")
        self.open()

    def refresh(self) -> None:
        """Gather the entries again, and keep what was typed and the current row."""
        self._take_entries()
        row = self.list.currentRow()
        self._search(self.line.text())
        self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))

    def place(self) -> None:
        """Place the palette at the top centre of the window, no larger than the window allows."""
        window = self.host
        row_px = self.list.sizeHintForRow(0) if self.list.count() else self.fontMetrics().height()
        wanted = QSize(
            self.fontMetrics().averageCharWidth() * WIDTH_CHARACTERS,
            self.line.sizeHint().height() + ROWS_SEEN * row_px + 30,
        )
        size = wanted.boundedTo(window.size() - QSize(24, 80))
        self.setGeometry((window.width() - size.width()) // 2, 32, size.width(), size.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Pass the arrow keys of the search line to the list, and let Enter choose the current entry."""
        if watched is self.line and isinstance(event, QKeyEvent) and not event.modifiers() & _CHANGING:
            is_list_key = event.key() in _LIST_KEYS
            if event.type() == QEvent.Type.ShortcutOverride and (is_list_key or event.key() in _ENTER_KEYS):
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress and is_list_key:
                QApplication.sendEvent(self.list, event)
                return True
            if event.type() == QEvent.Type.KeyPress and event.key() in _ENTER_KEYS:
                self._choose()
                return True
        return super().eventFilter(watched, event)

    def _take_entries(self) -> None:
        self._entries = self._gather()
        self._searched = ""

    def _search(self, text: str) -> None:
        # What one more letter fits has fitted before, so only the first two search in thousands.
        narrows = len(self._searched.strip()) > 1 and text.startswith(self._searched)
        entries = [entry for entry, _ in self._fitting] if narrows else self._entries
        self._searched, self._fitting = text, _fitting(text, entries, self._recent)
        self._found = _best(text, self._fitting, self._recent)
        self.list.clear()
        for entry, fit in self._found:
            beside = entry.why_not or entry.detail
            # Screen readers read this text.
            item = QListWidgetItem(", ".join(part for part in (entry.text, beside, entry.kind) if part))
            item.setData(ROW_ROLE, Row(entry.text, fit.letters, beside, entry.kind, not entry.why_not))
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.nothing.setText("Looking through the panels …" if self.is_gathering else "No match.")
        self.nothing.setVisible(not self._found)

    def _choose(self) -> None:
        row = self.list.currentRow()
        if 0 <= row < len(self._found) and not (entry := self._found[row][0]).why_not:
            # Return the focus first, so that the entry may move it elsewhere.
            self.close_sheet()
            self.chosen.emit(entry.key)
            entry.run()


_CHANGING = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)
