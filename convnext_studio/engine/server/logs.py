"""Forwards the engine's log records to the window."""

import logging
import sys
from collections.abc import Callable

from convnext_studio.protocol.envelope import Logged

LOGGER = "convnext_studio"


class LogForwarder(logging.Handler):
    """A logging handler that sends every record as a `Logged`, with its traceback if it has one.

    Parameters
    ----------
    send
        Sends the messages; it is called from any thread.
    """

    def __init__(self, send: Callable[[Logged], None]) -> None:
        super().__init__()
        self._send = send
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._send(Logged(level=record.levelno, source=record.name, text=self.format(record)))


def forward_logs(send: Callable[[Logged], None]) -> None:
    """Forward this process's log records, and still show its warnings and errors in the terminal.

    Python's own warnings are logged too. Of other packages' records, only warnings and errors are sent.
    """
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger().addHandler(terminal)
    logging.getLogger().addHandler(LogForwarder(send))
    logging.getLogger(LOGGER).setLevel(logging.INFO)
