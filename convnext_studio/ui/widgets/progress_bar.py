"""A progress bar that paints with everything else, and counts further than Qt's numbers go."""

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtWidgets import QApplication, QProgressBar, QWidget

from convnext_studio.ui.widgets.elided_label import plain_tip

LARGEST_TOTAL = 2**31 - 1
"""Qt's numbers have 32 bits, and a download can have more bytes than that."""

_STILL = "is_still"


def is_still() -> bool:
    """Whether the person wants nothing to move that tells nothing."""
    application = QApplication.instance()
    return application is not None and bool(application.property(_STILL))


def keep_still(still: bool) -> None:
    """Let busy bars stand still from now on, or move."""
    application = QApplication.instance()
    if application is not None:
        application.setProperty(_STILL, still)


class ProgressBar(QProgressBar):
    """A progress bar without a text in it.

    QProgressBar repaints itself, and with it all that is waiting to be painted, whenever its numbers change.
    That would show a window in the middle of a change, for example a new network's name over an old map. This
    one is painted with the next frame, like any other widget.

    Parameters
    ----------
    name
        The name for screen readers, and the tooltip.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextVisible(False)
        self.setAccessibleName(name)
        self.setToolTip(plain_tip(name))

    def show_progress(self, done: int, total: int) -> None:
        """Show how much is done of a total; a total of 0 if that is unknown."""
        if total == 0 and is_still():
            done, total = 0, 1  # An empty bar; Qt would let a block move to and fro.
        unit = 1 + total // LARGEST_TOTAL
        with self._painting_later():
            self.setRange(0, total // unit)
            self.setValue(done // unit)

    def show_waiting(self) -> None:
        """Show that nobody knows how long it will take."""
        self.show_progress(0, 0)

    @contextmanager
    def _painting_later(self) -> Iterator[None]:
        self.setUpdatesEnabled(False)
        try:
            yield
        finally:
            self.setUpdatesEnabled(True)  # Qt then asks for a paint event.
