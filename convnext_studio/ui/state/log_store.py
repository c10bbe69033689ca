"""The program's log, as it is kept for the person: bounded, in memory, never in a file of its own accord."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

CAPACITY = 2000
LOGGER = "convnext_studio"


class _LineHandler(logging.Handler):
    """Hands every record on as text."""

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record))


class LogStore(QObject):
    """Keeps the latest lines that the program's loggers write, the engine's among them, until it is closed."""

    added = Signal(str)
    _arrived = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: deque[str] = deque(maxlen=CAPACITY)
        # Any thread may log; a signal brings the line into this object's.
        self._arrived.connect(self._keep)
        self._handler = _LineHandler(self._arrived.emit)
        logger = logging.getLogger(LOGGER)
        logger.setLevel(logging.INFO)
        logger.addHandler(self._handler)
        self.destroyed.connect(partial(logger.removeHandler, self._handler))

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest `CAPACITY` lines, the oldest first; one with a traceback holds line breaks."""
        return tuple(self._lines)

    def close(self) -> None:
        """Listen no more."""
        logging.getLogger(LOGGER).removeHandler(self._handler)

    def _keep(self, line: str) -> None:
        self._lines.append(line)
        self.added.emit(line)
