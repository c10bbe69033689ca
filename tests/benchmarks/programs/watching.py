"""What can be observed of any window: when it is painted, and how long its event loop stands still."""

import time
from array import array
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from tests.benchmarks.timing import report

TICK_MS = 2


class Painted(QObject):
    """Calls `then` once, when the next painting of a window is over."""

    def __init__(self, window: QWidget, then: Callable[[], None]) -> None:
        super().__init__(window)
        self._window = window
        self._then = then
        _application().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for a paint event of any part of the window."""
        if (
            event.type() == QEvent.Type.Paint
            and isinstance(watched, QWidget)
            and watched.window() is self._window
        ):
            _application().removeEventFilter(self)
            # All parts are painted and flushed before the event loop turns.
            QTimer.singleShot(0, self._then)
        return False


class Gaps(QObject):
    """What happens between the ticks of a timer that should come every `TICK_MS`.

    Attributes
    ----------
    seconds
        From tick to tick.
    working_s
        Of these, the processor's time for this thread: on a busy machine the rest is others' work.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        # Lists of numbers would grow by megabytes in a test that watches the memory for an hour.
        self.seconds = array("d")
        self.working_s = array("d")
        self._last = time.perf_counter(), time.thread_time()
        timer = QTimer(self)
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(self._tick)
        timer.start(TICK_MS)

    def _tick(self) -> None:
        now = time.perf_counter(), time.thread_time()
        self.seconds.append(now[0] - self._last[0])
        self.working_s.append(now[1] - self._last[1])
        self._last = now


def report_and_end(window: QWidget, **values: object) -> None:
    """Report the time now and these values; then close the window and end the program."""
    report(**values)
    window.close()
    QApplication.exit(0)


def _application() -> QApplication:
    instance = QApplication.instance()
    assert isinstance(instance, QApplication)
    return instance
