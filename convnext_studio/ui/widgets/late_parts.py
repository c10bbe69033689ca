"""Parts of widgets that are made after the window is painted, because nobody sees them at first."""

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget


class LatePart(QObject):
    """A part of a widget that is made when it is first needed, or when the program has nothing else to do.

    Parameters
    ----------
    owner
        The widget that it belongs to.
    make
        Makes it; called once at most.
    """

    def __init__(self, owner: QWidget, make: Callable[[], None]) -> None:
        super().__init__(owner)
        self._make = make
        self._is_made = False

    @property
    def is_made(self) -> bool:
        """Whether the part has been made, or is being made."""
        return self._is_made

    def make(self) -> None:
        """Make the part unless that was done before."""
        if not self._is_made:
            self._is_made = True
            self._make()


def make_late_parts(widget: QWidget) -> None:
    """Make all that is still missing inside a widget, for those who look through it."""
    for part in widget.findChildren(LatePart):
        part.make()
