"""What the parts of the window have in common."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:  # The window imports its parts.
    from convnext_studio.ui.shell.window import StudioWindow


class WindowPart(QObject):
    """A part that acts on the whole window, and tells what came of it."""

    noticed = Signal(object)  # Notice

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        self._window = window
