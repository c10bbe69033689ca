"""A child process that reads what may be hostile, with limits on its time and memory."""

import contextlib
import io
import os
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.child_processes import python_command, streams_of
from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import ProtocolError, write_frame
from convnext_studio.common.processes.module_search import environment
from convnext_studio.decoding.closeable import Closeable

_START_LIMIT_S = 60.0
_MOST_EXTENSIONS = 5
_STARVED_SHARE = 0.75
_ORPHAN_FACTOR = 1.5 + _MOST_EXTENSIONS
_EXIT_GRACE_S = 1.0

Reply = TypeVar("Reply")


class BoundedChild:
    """A running module of `convnext_studio.decoding`, whose memory and time for a reply are limited.

    Parameters
    ----------
    module
        The module that is run. It gets the limits as arguments, and its first message says that it is ready.
    limit_s, limit_bytes
        The limit on the time for one reply, and on the child's address space where the system supports that.

    Attributes
    ----------
    source, sink
        The streams from and to the process.
    pid
        Its process id.

    Raises
    ------
    OSError
        If the process cannot be started.
    """

    def __init__(self, module: str, limit_s: float, limit_bytes: int) -> None:
        self._process = subprocess.Popen(
            python_command(module, f"{_ORPHAN_FACTOR * limit_s}", f"{limit_bytes}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Thread pools would take up the child's limited address space.
            env=environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self.source, self.sink = streams_of(self._process)
        self.pid = self._process.pid
        self._is_ready = False

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def wait_until_ready(self, receive: Callable[[io.RawIOBase], object]) -> None:
        """Wait until the child has loaded its libraries, and receive its first message.

        Raises
        ------
        StudioError
            If that fails.
        """
        if self._is_ready:
            return
        try:
            with self.ended_after(_START_LIMIT_S):
                receive(self.source)
        except (EOFError, ProtocolError):
            raise _not_started("it ended at once") from None
        self._is_ready = True

    @contextlib.contextmanager
    def ended_after(self, limit_s: float) -> Iterator[threading.Event]:
        """Kill the process and set the event if the body of the with statement takes longer than the limit.

        While a busy machine does not let the process compute, the time is extended, within bounds.
        """
        overrun, is_done = threading.Event(), threading.Event()
        before_s = computed_s(self.pid)

        def watch() -> None:
            for extended in range(1 + _MOST_EXTENSIONS):
                if is_done.wait(limit_s):
                    return
                if extended == _MOST_EXTENSIONS or not self._is_starved(limit_s, before_s):
                    break
            overrun.set()
            self._process.kill()

        # Not every system can wait for a pipe with a timeout.
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield overrun
        finally:
            is_done.set()
            watcher.join()

    def _is_starved(self, limit_s: float, before_s: float | None) -> bool:
        """Return whether the process wants to compute, but could not for most of the time; only Linux tells."""
        now_s = computed_s(self.pid)
        if before_s is None or now_s is None or not wants_to_compute(self.pid):
            return False
        return now_s - before_s < _STARVED_SHARE * limit_s

    def end(self) -> None:
        """End the process, at the latest after a second."""
        with contextlib.suppress(OSError):  # Unread data is lost when the child has died.
            self.sink.close()
        try:
            self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.source.close()


def computed_s(pid: int) -> float | None:
    """Return how much processor time a process has had; None where the system does not tell."""
    facts = _facts(pid)
    return None if not facts else (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def wants_to_compute(pid: int) -> bool:
    """Return whether a process computes or would if a processor were free, rather than wait for something."""
    return _facts(pid)[:1] == ["R"]


def _facts(pid: int) -> list[str]:
    """Return what Linux says of a process, beginning with its state; empty on other systems."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # Before that is its name, which may contain anything.


class ChildFailedError(Exception):
    """A child gave no reply that can be used, and was ended.

    Parameters
    ----------
    is_overrun
        Whether it was killed because it took too long.
    """

    def __init__(self, is_overrun: bool) -> None:
        super().__init__("the child took too long" if is_overrun else "the child gave no sound reply")
        self.is_overrun = is_overrun


class ChildReader(Closeable, Generic[Reply]):
    """What reads by a bounded child, which is started when it is needed, and again after it had to be killed.

    A reader must be used from one thread only. The child ends when this process ends for any reason.

    Parameters
    ----------
    module, reply_limit_s, limit_bytes
        What `BoundedChild` takes.
    receive_reply
        Waits for a reply in the stream from the child; EOFError or ProtocolError if none comes.
    """

    def __init__(
        self,
        module: str,
        reply_limit_s: float,
        limit_bytes: int,
        receive_reply: Callable[[io.RawIOBase], Reply],
    ) -> None:
        self._module = module
        self._reply_limit_s, self._limit_bytes = reply_limit_s, limit_bytes
        self._receive_reply = receive_reply
        self._child: BoundedChild | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, or None if there is no child."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the child if it is not running, and return at once, so that it is ready for the first question.

        Raises
        ------
        StudioError
            If the system cannot start the process.
        """
        self._started()

    def close(self) -> None:
        """End the child process, if there is one."""
        self._end_child()

    def _exchange(self, question: Struct, limit_s: float) -> Reply:
        """Send a question to the child, which is started where it does not run, and return the reply.

        Raises
        ------
        StudioError
            If the system cannot start the process.
        ChildFailedError
            If the child ends, sends anything but a reply, or takes longer than the limit; it is ended.
        """
        child = self._started()
        child.wait_until_ready(self._receive_reply)
        try:
            with child.ended_after(limit_s) as overrun:
                write_frame(child.sink, encode(question))
                return self._receive_reply(child.source)
        except (EOFError, OSError, ProtocolError):
            self._end_child()
            raise ChildFailedError(overrun.is_set()) from None

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _started(self) -> BoundedChild:
        if self._child is None or self._child.has_ended:
            self._end_child()
            try:
                self._child = BoundedChild(self._module, self._reply_limit_s, self._limit_bytes)
            except OSError as error:
                raise _not_started(error.strerror or str(error)) from error
        return self._child


def is_picture(
    pixels: NDArray[np.uint8], values: NDArray[np.float32] | None, bands: Collection[int] = (1, 3)
) -> bool:
    """Whether arrays that a child sent have the shapes of a picture and its values, in so many bands."""
    is_sound = values is None or (
        values.ndim == 3 and values.shape[:2] == pixels.shape[:2] and values.shape[2] in bands
    )
    return pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0 and is_sound


def _not_started(reason: str) -> StudioError:
    """Return the error for a child process that does not run; `reason` is part of a sentence."""
    return StudioError(
        f"The process that decodes pictures cannot be started: {reason}.", "The terminal may show the reason."
    )
