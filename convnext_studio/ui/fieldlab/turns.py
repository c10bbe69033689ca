"""Work in small pieces, so that the window answers between them."""

from collections import deque
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer


class Turns(QObject):
    """Calls functions one by one, each in a turn of Qt's event loop."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pieces: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._do_one)

    @property
    def is_busy(self) -> bool:
        """Whether there is something left to do."""
        return bool(self._pieces)

    def do(self, pieces: Iterable[Callable[[], None]]) -> None:
        """Do these, in place of what is left of those before."""
        self._pieces = deque(pieces)
        if self._pieces:
            self._timer.start()
        else:
            self._timer.stop()

    def _do_one(self) -> None:
        piece = self._pieces.popleft()
        if not self._pieces:
            self._timer.stop()
        piece()
