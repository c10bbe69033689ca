"""Keeps the program's latest log lines in memory for display; nothing is written to a file."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

CAPACITY = 2000
LOGGER = "convnext_studio"


class _LineHandler(logging.Handler):
    """A logging handler that passes every record on as text."""

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record))


class LogStore(QObject):
    """Keeps the latest lines from the program's loggers, including the engine's, until it is closed."""

    added = Signal(str)
    _arrived = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: deque[str] = deque(maxlen=CAPACITY)
        # Any thread may log; a signal moves the line to this object's thread.
        self._arrived.connect(self._keep)
        self._handler = _LineHandler(self._arrived.emit)
        logger = logging.getLogger(LOGGER)
        logger.setLevel(logging.INFO)
        logger.addHandler(self._handler)
        self.destroyed.connect(partial(logger.removeHandler, self._handler))

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest `CAPACITY` lines, oldest first; one with a traceback contains line breaks."""
        return tuple(self._lines)

    def close(self) -> None:
        """Stop recording."""
        logging.getLogger(LOGGER).removeHandler(self._handler)

    def _keep(self, line: str) -> None:
        self._lines.append(line)
        self.added.emit(line)
