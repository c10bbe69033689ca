"""A search field that finds a class by part of its name or by its number."""

from collections.abc import Sequence

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QCompleter, QLineEdit, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.model.labels import find_class, named_exactly, said_of_digits
from convnext_studio.ui.widgets.elided_label import plain_tip


class ClassSearch(QLineEdit):
    """A search field that offers the classes matching the typed text, and clears itself after a choice.

    Parameters
    ----------
    has_list
        Whether it opens a list of them below itself.
    """

    chosen = Signal(int)
    not_found = Signal(str)  # what was typed
    taken_by_name = Signal(str)  # A sentence; the chosen class has the number of another one as its name.

    def __init__(self, name: str, tip: str, parent: QWidget | None = None, *, has_list: bool = True) -> None:
        super().__init__(parent)
        self._labels: tuple[str, ...] = ()
        self._is_listed = False
        self.setPlaceholderText("Search for a class…")
        self.setAccessibleName(name)
        self.setToolTip(plain_tip(tip))
        self.setClearButtonEnabled(True)
        self.setAcceptDrops(False)
        self.returnPressed.connect(self._entered)
        self._choices = QStringListModel(self)
        completer = QCompleter(self._choices, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(12)
        completer.activated.connect(self._choose)
        if has_list:
            self.setCompleter(completer)

    def set_labels(self, labels: Sequence[str]) -> None:
        """Set the classes to search."""
        self._labels = tuple(labels)
        self._is_listed = False
        if self.hasFocus():
            self._list()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """List the classes before anything is typed: it takes milliseconds, and few are searched."""
        self._list()
        super().focusInEvent(event)

    def _list(self) -> None:
        if self.completer() is not None and not self._is_listed:
            self._choices.setStringList([_entry(label, index) for index, label in enumerate(self._labels)])
            self._is_listed = True

    def _entered(self) -> None:
        text = self.text().strip()
        if not text or not self._labels:
            return
        found = self._found(text)
        if found is None:
            self.not_found.emit(text)
            return
        self.chosen.emit(found)
        self.clear()
        if said := said_of_digits(text, self._labels):
            self.taken_by_name.emit(said)

    def _found(self, text: str) -> int | None:
        """Return the class of that name or, if there is none, of that number; of equal names the first."""
        listed = (index for index, label in enumerate(self._labels) if text == _entry(label, index))
        if (of_list := next(listed, None)) is not None:
            return of_list
        exact = named_exactly(text, self._labels)
        if len(exact) > 1 and text not in map(str, exact):
            return exact[0]
        if not exact and not text.isdecimal():
            return None  # A part of a name is for the list.
        try:
            return find_class(text, self._labels)
        except StudioError:
            return None

    def _choose(self, text: str) -> None:
        self.chosen.emit(int(text.rpartition(" ")[2]))
        # The completer fills the line after this signal.
        self.setText("")


def _entry(label: str, index: int) -> str:
    """Return a label with its number, which tells equal names apart (ImageNet has two cranes)."""
    return f"{label} · {index}"
