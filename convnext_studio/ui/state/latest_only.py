"""Work that a newer one of its kind makes pointless: colouring what is to be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

Result = TypeVar("Result")


@dataclass(slots=True)
class _Worker:
    """The thread that runs, and whether anyone listens still; outlives the QObject."""

    thread: Thread | None = None
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True
        if self.thread is not None:
            self.thread.join()


class LatestOnly(QObject):
    """Runs one function at a time in a thread; of those that wait only the newest is ever run.

    Parameters
    ----------
    owner
        With it this ends, after what is running.
    """

    _finished = Signal(object)  # A function to call in Qt's thread.

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self._worker = _Worker()
        self._waiting: Callable[[], None] | None = None
        self._finished.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        # A method of the worker's: this object is being deleted by then.
        owner.destroyed.connect(self._worker.close)

    @property
    def is_busy(self) -> bool:
        """Whether a function runs, or its result waits to be told."""
        return self._worker.thread is not None

    def run(self, work: Callable[[], Result], on_done: Callable[[Result], Any]) -> None:
        """Call `work` in a thread, once it is free, and `on_done` with the result here."""
        self._waiting = partial(self._work, work, on_done)
        if not self.is_busy:
            self._start()

    def _start(self) -> None:
        if self._waiting is not None:
            self._worker.thread, self._waiting = Thread(target=self._waiting, name="latest only"), None
            self._worker.thread.start()

    def _work(self, work: Callable[[], Result], on_done: Callable[[Result], Any]) -> None:
        outcome: Callable[[], Any] = _nothing
        try:
            outcome = partial(on_done, work())
        finally:
            if not self._worker.is_closed:
                self._finished.emit(outcome)

    def _tell(self, outcome: Callable[[], Any]) -> None:
        if self._worker.thread is not None:
            self._worker.thread.join()
        self._worker.thread = None
        self._start()
        outcome()


def _nothing() -> None:
    """What there is to tell of work that failed: Python has said on standard error how."""
