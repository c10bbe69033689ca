"""Completes the source of a model while a person types it."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QStringListModel, Qt, Signal
from PySide6.QtWidgets import QCompleter, QLineEdit

from convnext_studio.ui.widgets.search.fuzzy import match
from convnext_studio.ui.widgets.text_size import follow_text

MOST_OFFERED = 200
ROWS = 12
CHARACTERS = 52


class SourceCompleter(QObject):
    """Offers the sources that fit what is typed, best first; where none fits, a search for published weights.

    Parameters
    ----------
    line
        The field that is typed in.
    sources
        Returns all sources that can be completed to.
    """

    chosen = Signal(str)  # a source that was offered
    search_asked = Signal(str)  # what was typed, which no source fits

    def __init__(self, line: QLineEdit, sources: Callable[[], Iterable[str]]) -> None:
        super().__init__(line)
        self._line = line
        self._sources = sources
        self._offered = QStringListModel(self)
        self.completer = QCompleter(self._offered, self)
        self.completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self.completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.completer.setMaxVisibleItems(ROWS)
        self.completer.activated.connect(self._choose)
        line.setCompleter(self.completer)
        popup = self.completer.popup()
        if popup is not None:  # The field is narrower than most names.
            follow_text(
                popup, lambda: popup.setMinimumWidth(line.fontMetrics().averageCharWidth() * CHARACTERS)
            )
        line.textEdited.connect(self._offer)

    @property
    def offered(self) -> list[str]:
        """What the list below the field offers."""
        return self._offered.stringList()

    @property
    def is_choosing(self) -> bool:
        """Whether an entry of the open list is highlighted, so that Enter chooses it."""
        popup = self.completer.popup()
        return popup is not None and popup.isVisible() and popup.currentIndex().isValid()

    def fitting(self, text: str) -> list[str]:
        """Return the sources that fit a text, best first."""
        found = [(fit.rank, len(source), source) for source in self._sources() if (fit := match(text, source))]
        return [source for _, _, source in sorted(found)][:MOST_OFFERED]

    def search(self, text: str) -> None:
        """Ask for a search for published weights with this text."""
        self.search_asked.emit(text)

    def _offer(self, text: str) -> None:
        typed = text.strip()
        fitting = self.fitting(typed) if typed else []
        nothing = [] if fitting or not typed else [_search_text(typed)]
        self._offered.setStringList(fitting or nothing)

    def _choose(self, text: str) -> None:
        typed = text.removeprefix(_BEFORE).removesuffix(_AFTER)
        if text == _search_text(typed):
            self._line.setText(typed)
            self.search_asked.emit(typed)
        else:
            self.chosen.emit(text)


_BEFORE, _AFTER = "Search published weights for “", "”"


def _search_text(typed: str) -> str:
    return f"{_BEFORE}{typed}{_AFTER}"
