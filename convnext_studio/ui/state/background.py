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


class Background(QObject):
    """Runs functions in separate threads and reports their outcomes in Qt's thread."""

    begun = Signal(int, str)  # number and name of named work
    ended = Signal(int, float, str)  # number, duration in seconds, and reason for a failure or empty
    _finished = Signal(object)  # A function to call in Qt's thread.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads: list[Thread] = []
        self._is_closed = False
        self._numbers = itertools.count(1)
        self._finished.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether a function is running."""
        return any(thread.is_alive() for thread in self._threads)

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
        if what:
            work = self._announced(work, what)

        def work_and_tell() -> None:
            try:
                result = work()
            except StudioError as error:
                if on_failure is None:
                    raise
                self._finished.emit(partial(on_failure, error))
            else:
                self._finished.emit(partial(on_done, result))

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(Thread(target=work_and_tell, name="background"))
        self._threads[-1].start()

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
                self._finished.emit(partial(self.ended.emit, number, seconds, failure))

        return timed

    def close(self) -> None:
        """Wait for running work, so that no file stays half written, and report no more outcomes."""
        self._is_closed = True
        for thread in self._threads:
            thread.join()

    def _tell(self, outcome: Callable[[], None]) -> None:
        if not self._is_closed:
            outcome()
