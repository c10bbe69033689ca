"""Ctrl+C, a terminal that is closed, and a system that wants the program to end: heard by Qt's event loop."""

import signal
import socket
from types import FrameType, TracebackType

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_SHELLS_BASE = 128  # A shell tells of a program that a signal has ended with this, and the signal's number.
# The terminal's end is no signal on Windows.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruptions(QObject):
    """Tells of the first signal that asks the program to end, while the context lasts.

    Python runs a handler only between two of its own steps, of which an event loop makes none. So the signal's
    number goes through a socket that the loop watches, and what comes before the loop runs waits there.
    A signal that whoever started the program has it ignore (``nohup``) stays ignored.
    """

    came = Signal(int)  # The exit status by which a shell knows the signal.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._heard, self._told = socket.socketpair()
        for end in (self._heard, self._told):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._heard.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._tell)

    def __enter__(self) -> "Interruptions":
        self._told_before = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        self._handlers_before = {
            number: signal.signal(number, _leave_to_the_socket)
            for number in numbers
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._told_before)
        self._notifier.setEnabled(False)
        self._heard.close()
        self._told.close()

    def _tell(self) -> None:
        self._notifier.setEnabled(False)
        self.came.emit(_SHELLS_BASE + self._heard.recv(1)[0])


def _leave_to_the_socket(_number: int, _frame: FrameType | None) -> None:
    """Without a handler of Python's, Python would not write to the socket either."""
