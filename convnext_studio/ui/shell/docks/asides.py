"""The panels beside an arrangement: they get a column of their own, or float where there is no room for one."""

from collections.abc import Mapping

from PySide6.QtCore import QMargins, QPoint
from PySide6.QtWidgets import QMainWindow

from convnext_studio.ui.shell.docks.columns import (
    SCROLL_BAR_PX,
    SEPARATOR_PX,
    DockColumns,
    least_px,
    least_width,
)
from convnext_studio.ui.shell.docks.dock import PanelDock
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, PANELS
from convnext_studio.ui.widgets.text_size import scaled_px

_WIDE = frozenset(spec.name for spec in PANELS if spec.is_wide)
_MARGIN_PX = 8


class Asides:
    """Lets an aside float while the window has no room for another column, and docks it again."""

    def __init__(self, window: QMainWindow, docks: Mapping[str, PanelDock], columns: DockColumns) -> None:
        self._window = window
        self._docks = docks
        self._columns = columns
        self._floated: set[str] = set()  # Floated for lack of room, not by the user.

    def is_new_column(self, name: str) -> bool:
        """Return whether showing a panel adds a column to the window."""
        dock = self._docks[name]
        return name in ASIDES and not dock.isVisible() and not dock.isFloating()

    def prepare_all(self) -> None:
        """Let hidden asides float once they are shown, if the window has no room for another column."""
        for name in self._made:
            self.prepare(name)

    def prepare(self, name: str) -> None:
        """Let one aside float once it is shown, if there is no room for it; other panels are left alone."""
        if name in ASIDES and not self._docks[name].isVisible():
            self._settle(name, least_px(self._docks[name]))

    def settle_all(self) -> None:
        """Let the asides that are open follow a new text size."""
        for name in self._made:
            if self._docks[name].isFloating() or not self._docks[name].isHidden():
                self._settle(name, wanted_px(self._docks[name]))

    def docked(self, name: str) -> None:
        """Forget why an aside floated, so that it stays floating if the user floats it."""
        self._floated.discard(name)

    @property
    def _made(self) -> list[str]:
        """The asides that have been made, except those that the current arrangement places in a column."""
        placed = set(self._columns.variant.panels)
        return [name for name in ASIDES if name not in placed and self._docks[name].is_made]

    def _settle(self, name: str, width_px: int) -> None:
        dock, window, has_room = self._docks[name], self._window, self._has_room_for(name)
        if dock.isFloating() and name in self._floated and has_room:
            dock.setFloating(False)
        elif dock.isFloating():
            keep_on_screen(dock, width_px)
        elif not has_room:
            self._floated.add(name)
            float_above(dock, window, is_high=name in _WIDE)

    def _has_room_for(self, name: str) -> bool:
        """Whether an aside fits into the window beside the other columns at their minimum widths."""
        dock = self._docks[name]
        own_px = dock.panel.sizeHint().width() if name in _WIDE else least_px(dock)
        columns = self._columns.docked()
        # A panel that gets narrower may have to scroll, because its texts need more lines.
        others_px = sum(map(least_width, columns)) + scaled_px(SEPARATOR_PX + SCROLL_BAR_PX) * len(columns)
        return own_px + others_px <= self._window.width()


def float_above(dock: PanelDock, window: QMainWindow, *, is_high: bool) -> None:
    """Let a panel float above the right part of the window, at its preferred width.

    Parameters
    ----------
    is_high
        Whether it covers everything below the menu bar, rather than only the panels.
    """
    dock.setFloating(True)
    top_px = window.menuBar().height() if is_high else window.height() // 6
    inside = window.rect().marginsRemoved(QMargins(0, top_px, _MARGIN_PX, window.height() // 24))
    inside.setLeft(max(inside.left(), inside.right() - wanted_px(dock)))
    dock.setGeometry(inside.translated(window.mapToGlobal(QPoint())))
    keep_on_screen(dock, least_px(dock))


def keep_on_screen(dock: PanelDock, width_px: int) -> None:
    """Give a floating dock at least this width, and keep it entirely on its screen."""
    place, screen = dock.geometry(), dock.screen().availableGeometry()
    place.setWidth(min(max(place.width(), width_px), screen.width()))
    place.setHeight(min(place.height(), screen.height()))
    place.moveLeft(max(min(place.left(), screen.right() + 1 - place.width()), screen.left()))
    place.moveTop(max(min(place.top(), screen.bottom() + 1 - place.height()), screen.top()))
    dock.setGeometry(place)


def wanted_px(dock: PanelDock) -> int:
    """Return the preferred width of a panel, with a scroll bar."""
    return max(dock.panel.sizeHint().width() + scaled_px(SCROLL_BAR_PX), least_px(dock))
