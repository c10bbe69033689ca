"""Delivers the signals that ask the program to end (SIGINT, SIGTERM, SIGHUP) to Qt's event loop."""

import signal
import socket
from types import FrameType, TracebackType

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_SHELLS_BASE = 128  # For a program ended by a signal, a shell reports this plus the signal's number.
# SIGHUP does not exist on Windows.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruptions(QObject):
    """A context manager that reports the first signal that asks the program to end.

    Python runs a signal handler only between its own bytecode instructions, and Qt's event loop executes none.
    So the number of the signal is written to a socket that the loop watches; a signal that arrives before the
    loop runs waits there. A signal that the parent process has set to be ignored (``nohup``) stays ignored.
    """

    came = Signal(int)  # The exit status that a shell reports for the signal.

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
    """Do nothing: Python writes to the wakeup socket only for signals that have a Python handler."""
