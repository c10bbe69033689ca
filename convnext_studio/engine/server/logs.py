"""The engine's log lines on their way to the window."""

import logging
import sys
from collections.abc import Callable

from convnext_studio.protocol.envelope import Logged

LOGGER = "convnext_studio"


class LogForwarder(logging.Handler):
    """Turns every record into a `Logged`, with its traceback where it has one.

    Parameters
    ----------
    send
        Takes the messages, from any thread.
    """

    def __init__(self, send: Callable[[Logged], None]) -> None:
        super().__init__()
        self._send = send
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._send(Logged(level=record.levelno, source=record.name, text=self.format(record)))


def forward_logs(send: Callable[[Logged], None]) -> None:
    """Send what this process logs, and show its warnings and errors in the terminal as before.

    Python's own warnings are logged, too. Of other packages' lines only warnings and errors are sent.
    """
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger().addHandler(terminal)
    logging.getLogger().addHandler(LogForwarder(send))
    logging.getLogger(LOGGER).setLevel(logging.INFO)
