"""Where a panel lies that floats above the window."""

from PySide6.QtCore import QMargins, QPoint
from PySide6.QtWidgets import QMainWindow

from convnext_studio.ui.dock import PanelDock
from convnext_studio.ui.textsize import scaled_px

_SCROLL_BAR_PX = 18
_MARGIN_PX = 8


def float_above(dock: PanelDock, window: QMainWindow, *, is_high: bool) -> None:
    """Let a panel float above the right part of the window, as wide as it would like to be.

    Parameters
    ----------
    is_high
        It covers all below the menus, and not only the panels.
    """
    dock.setFloating(True)
    top_px = window.menuBar().height() if is_high else window.height() // 6
    inside = window.rect().marginsRemoved(QMargins(0, top_px, _MARGIN_PX, window.height() // 24))
    inside.setLeft(max(inside.left(), inside.right() - wanted_px(dock)))
    dock.setGeometry(inside.translated(window.mapToGlobal(QPoint())))
    keep_on_screen(dock, least_px(dock))


def keep_on_screen(dock: PanelDock, width_px: int) -> None:
    """Let one that floats be at least so wide, and wholly on its screen."""
    place, screen = dock.geometry(), dock.screen().availableGeometry()
    place.setWidth(min(max(place.width(), width_px), screen.width()))
    place.setHeight(min(place.height(), screen.height()))
    place.moveLeft(max(min(place.left(), screen.right() + 1 - place.width()), screen.left()))
    place.moveTop(max(min(place.top(), screen.bottom() + 1 - place.height()), screen.top()))
    dock.setGeometry(place)


def least_px(dock: PanelDock) -> int:
    """The width that a panel needs, with a scroll bar."""
    return dock.panel.minimumSizeHint().width() + scaled_px(_SCROLL_BAR_PX)


def wanted_px(dock: PanelDock) -> int:
    """The width that a panel would like, with a scroll bar."""
    return max(dock.panel.sizeHint().width() + scaled_px(_SCROLL_BAR_PX), least_px(dock))
