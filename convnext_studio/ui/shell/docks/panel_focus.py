"""Which panel has the keyboard focus, and how the keys go from one to the next."""

from collections.abc import Mapping

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from convnext_studio.ui.shell.docks.dock import PanelDock


class PanelFocus(QObject):
    """Knows the active panel, marks it, and moves the keyboard focus between panels."""

    def __init__(self, window: QMainWindow, docks: Mapping[str, PanelDock]) -> None:
        super().__init__(window)
        self._window = window
        self._docks = docks
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._mark_active)

    @property
    def active(self) -> str | None:
        """Name of the panel with the keyboard focus, or else of the one under the pointer."""
        focused = QApplication.focusWidget()
        for name, dock in self._docks.items():
            if focused is not None and (dock is focused or dock.isAncestorOf(focused)):
                return name
        for name, dock in self._docks.items():
            if dock.isVisible() and dock.rect().contains(dock.mapFromGlobal(QCursor.pos())):
                return name
        return None

    def step(self, step: int, others: tuple[QWidget, ...]) -> None:
        """Move the focus by a step through `others` and then the panels, left to right, top to bottom."""
        docks = [dock for dock in self._docks.values() if dock.shows_panel]
        docks.sort(key=self._order)
        places: list[QWidget] = [*(other for other in others if other.isVisible()), *docks]
        if not places:
            return
        focused = QApplication.focusWidget()
        here = next(
            (
                index
                for index, place in enumerate(places)
                if focused is not None and (place is focused or place.isAncestorOf(focused))
            ),
            -1 if step > 0 else 0,
        )
        wanted = places[(here + step) % len(places)]
        if isinstance(wanted, PanelDock):
            wanted.activateWindow()
            wanted.raise_()
            wanted.take_focus()
        else:
            self._window.activateWindow()
            wanted.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _order(self, dock: PanelDock) -> tuple[bool, int, int]:
        """Return what docks are sorted by; those behind a tab come after the one in front, in their order.

        Qt moves a dock that lies behind another one out of the window.
        """
        group = [dock, *self._window.tabifiedDockWidgets(dock)]
        front = next((each for each in group if not each.visibleRegion().isEmpty()), dock)
        return dock.isFloating(), front.x(), front.y()

    def _mark_active(self, _before: QWidget | None, now: QWidget | None) -> None:
        for dock in self._docks.values():
            dock.set_active(now is not None and dock.isAncestorOf(now))
