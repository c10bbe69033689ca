"""Screenshots of the window, for documentation and for a first look over ssh."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QObject, QSize, QTimer, Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.files import checked_ending, written_whole

POLL_MS = 50
TIMEOUT_S = 120
# Number of consecutive quiet polls required: an answer may make a panel send another request.
QUIET_POLLS = 4


def save_picture_of(widget: QWidget, path: Path) -> None:
    """Save a screenshot of a widget as a PNG file, completely or not at all.

    Raises
    ------
    StudioError
        If the file cannot be written, or its name has another ending.
    """
    checked_ending(path, (".png",), "A screenshot")
    encoded = QBuffer()
    widget.grab().save(encoded, "PNG")
    with written_whole(path) as stream:
        stream.write(encoded.data().data())


def larger_than(widget: QWidget, wanted: QSize | None) -> list[str]:
    """Return a message if a widget does not have the wanted size; no message if that is None."""
    size = widget.size()
    if wanted is None or size == wanted:
        return []
    return [
        (
            f"The picture has {size.width()} × {size.height()} px, because the contents of the window "
            "need that much room."
        )
    ]


class Quiet(QObject):
    """Waits until everything is shown, and then emits `reached`, or `timed_out` after `TIMEOUT_S`.

    Parameters
    ----------
    is_quiet
        Whether everything is shown; polled every `POLL_MS`.
    """

    reached = Signal()
    timed_out = Signal()

    def __init__(self, is_quiet: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_quiet = is_quiet
        self._in_a_row = 0
        self._polls_left = TIMEOUT_S * 1000 // POLL_MS
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    def _poll(self) -> None:
        self._in_a_row = self._in_a_row + 1 if self._is_quiet() else 0
        self._polls_left -= 1
        if self._in_a_row >= QUIET_POLLS:
            self._timer.stop()
            self.reached.emit()
        elif self._polls_left <= 0:
            self._timer.stop()
            self.timed_out.emit()
