"""A window that stays as large as it is while its parts change."""

from PySide6.QtCore import QSize, QTimer
from PySide6.QtWidgets import QWidget

_TURNS = 5  # Panels, docks and window hear of a new size one after the other.


def keep_size(window: QWidget) -> None:
    """Keep a window's size through the next turns of the event loop.

    Qt enlarges a window until all its parts have heard of the room that they have, and leaves it so.
    """
    if not window.isMaximized() and not window.isFullScreen():
        _restore(window, window.size(), _TURNS)


def _restore(window: QWidget, size: QSize, turns: int) -> None:
    window.resize(size)
    if turns > 0:
        QTimer.singleShot(0, window, lambda: _restore(window, size, turns - 1))
