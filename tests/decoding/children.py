"""Children that answer what a test says: no process, and frames in memory."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import write_frame


class FakeChild:
    """Stands for a `BoundedChild` that gives these replies, one after the other.

    A reply is a message, or bytes that are none. A child without any more has ended.

    Attributes
    ----------
    sink
        What it was asked.
    limits
        The limit on the time for each reply.
    ends
        How often it was ended.
    is_late
        Whether it is killed because its time is up.
    """

    def __init__(self, *replies: Struct | bytes, is_late: bool = False) -> None:
        self.source, self.sink = io.BytesIO(), io.BytesIO()
        for reply in replies:
            if isinstance(reply, bytes):
                self.source.write(reply)
            else:
                write_frame(self.source, encode(reply))
        self.source.seek(0)
        self.limits: list[float] = []
        self.ends = 0
        self.is_late = is_late
        self.has_ended = False
        self.pid = 0

    def wait_until_ready(self, receive: Callable[[Any], object]) -> None:
        """It is ready."""

    @contextlib.contextmanager
    def ended_after(self, limit_s: float) -> Iterator[threading.Event]:
        """Remember the limit."""
        self.limits.append(limit_s)
        overrun = threading.Event()
        if self.is_late:
            overrun.set()
        yield overrun

    def end(self) -> None:
        """End it."""
        self.ends += 1
        self.has_ended = True
