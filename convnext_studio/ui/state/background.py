"""Runs work that would block the window, such as writing an export, in background threads."""

import itertools
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from convnext_studio.common.errors import StudioError

Result = TypeVar("Result")

_READERS_GRACE_S = 0.2


class Background(QObject):
    """Runs functions in separate threads and reports their outcomes in Qt's thread."""

    begun = Signal(int, str)  # number and name of named work
    ended = Signal(int, float, str)  # number, duration in seconds, and reason for a failure or empty
    _finished = Signal(object)  # A function to call in Qt's thread.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads: list[Thread] = []
        self._readers: list[Thread] = []
        self._is_closed = False
        self._numbers = itertools.count(1)
        self._finished.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether a function is running."""
        return any(thread.is_alive() for thread in (*self._threads, *self._readers))

    def run(
        self,
        work: Callable[[], Result],
        on_done: Callable[[Result], None],
        on_failure: Callable[[StudioError], None] | None = None,
        what: str = "",
    ) -> None:
        """Call `work` in a thread, then report its result or StudioError to a callback in Qt's thread.

        Without `on_failure`, a StudioError is raised in the thread like any other error. Work that a person
        waits for has a name, `what`.
        """
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(self._started(work, on_done, on_failure, what, is_daemon=False))

    def read(
        self,
        work: Callable[[], Result],
        on_done: Callable[[Result], None],
        on_failure: Callable[[StudioError], None] | None = None,
        what: str = "",
    ) -> None:
        """Do the same with work that writes nothing: closing does not wait for it, however long it takes."""
        self._readers = [thread for thread in self._readers if thread.is_alive()]
        self._readers.append(self._started(work, on_done, on_failure, what, is_daemon=True))

    def _started(
        self,
        work: Callable[[], Result],
        on_done: Callable[[Result], None],
        on_failure: Callable[[StudioError], None] | None,
        what: str,
        is_daemon: bool,
    ) -> Thread:
        if what:
            work = self._announced(work, what)

        def work_and_tell() -> None:
            try:
                result = work()
            except StudioError as error:
                if on_failure is None:
                    raise
                self._report(partial(on_failure, error))
            else:
                self._report(partial(on_done, result))

        thread = Thread(target=work_and_tell, name="background", daemon=is_daemon)
        thread.start()
        return thread

    def _announced(self, work: Callable[[], Result], what: str) -> Callable[[], Result]:
        """Return the work wrapped so that its beginning and end are reported."""
        number = next(self._numbers)
        self.begun.emit(number, what)

        def timed() -> Result:
            begin, failure = time.perf_counter(), "An internal error occurred."
            try:
                result = work()
                failure = ""
            except StudioError as error:
                failure = str(error)
                raise
            else:
                return result
            finally:
                seconds = time.perf_counter() - begin
                self._report(partial(self.ended.emit, number, seconds, failure))

        return timed

    def close(self) -> None:
        """Wait for what is being written, so that no file stays half written, and report no more outcomes.

        What is being read may be on a disk that does not answer; it gets a moment and is then left behind.
        """
        self._is_closed = True
        for thread in self._threads:
            thread.join()
        deadline = time.monotonic() + _READERS_GRACE_S
        for thread in self._readers:
            thread.join(max(deadline - time.monotonic(), 0))

    def _report(self, outcome: Callable[[], None]) -> None:
        if not self._is_closed:  # A reader that was left behind must not reach an object that has been deleted.
            self._finished.emit(outcome)

    def _tell(self, outcome: Callable[[], None]) -> None:
        if not self._is_closed:
            outcome()
