"""One engine process, seen from the window: started by the name of its entry, of which nothing is imported."""

import contextlib
import ctypes
import multiprocessing
import os
import pkgutil
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection

from convnext_studio.protocol import transport

_EXIT_GRACE_S = 1.0
_NICENESS = 5
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class EngineProcess:
    """A child process and the pipe to it.

    The thread that makes one has to outlive it: on Linux the child is killed when that thread ends.

    Parameters
    ----------
    entry
        ``module:function`` that the child calls with its end of the pipe.

    Raises
    ------
    OSError
        The system gives no process or pipe.
    """

    def __init__(self, entry: str) -> None:
        # Not fork: threads and a CUDA context do not survive it.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(entry, theirs), name="engine", daemon=True)
        try:
            self._process.start()
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._outbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        # Writing blocks while the child lets no Python run (when it imports torch): the window must not wait.
        self._writer = threading.Thread(target=self._write, name="engine-writer", daemon=True)
        self._writer.start()

    def send(self, message: object) -> None:
        """Queue a message; it is lost if the child dies before it is read."""
        self._outbox.put(message)

    def receive(self) -> object:
        """Wait for the child's next message.

        Raises
        ------
        EOFError
            The child has ended, and all that it sent was received.
        """
        try:
            return transport.receive(self._connection)
        except OSError as error:
            # A child that is killed with unread bytes in its pipe resets it.
            raise EOFError from error

    def terminate(self) -> None:
        """Have the system end the child; from any thread."""
        with contextlib.suppress(ValueError):  # reaped meanwhile
            self._process.terminate()

    def kill(self) -> None:
        """End the child whatever it does; from any thread."""
        with contextlib.suppress(ValueError):  # reaped meanwhile
            self._process.kill()

    def reap(self) -> int:
        """Wait until the child is gone, free all that it took, and give its exit code: -n for signal n."""
        self._process.join(_EXIT_GRACE_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        exit_code = self._process.exitcode
        assert exit_code is not None
        self._outbox.put(None)
        self._writer.join()
        self._connection.close()
        self._process.close()
        return exit_code

    def _write(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                transport.send(self._connection, message)
            except OSError:
                # The child is gone; whoever reads finds out, and asks again what was not answered.
                return


def _run(entry: str, connection: Connection) -> None:
    """What the child does: call `entry`, give way to the window, die with it, leave Ctrl+C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        # torch takes every processor there is; a window that wants one for a moment gets it first.
        os.nice(_NICENESS)
    if sys.platform == "linux":
        # The end of the pipe tells the same, but not while a library computes without letting Python run.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    pkgutil.resolve_name(entry)(connection)
