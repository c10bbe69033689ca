"""The end of a process that leaves threads at work."""

import atexit
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence


def end_despite_threads(status: int) -> None:
    """Have the process end with this status at once if, when Python ends, a daemon thread is still at work.

    Python would end such a thread where it next wants to run Python. Inside a library's C++, that counts as an
    exception where none is allowed, for which the whole process is aborted.
    """
    at_work = [thread for thread in threading.enumerate() if thread.daemon and thread.is_alive()]
    if at_work:
        atexit.register(_end, at_work, status)


def _end(at_work: Sequence[threading.Thread], status: int) -> None:
    if any(thread.is_alive() for thread in at_work):
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
