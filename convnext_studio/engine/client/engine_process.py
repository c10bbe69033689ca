"""Starts one engine process and exchanges messages with it, without importing the engine."""

import contextlib
import logging
import queue
import subprocess
import threading

from msgspec import Struct

from convnext_studio.common.processes.child_processes import python_command, streams_of
from convnext_studio.common.processes.frames import ProtocolError
from convnext_studio.common.processes.heap import with_huge_pages
from convnext_studio.common.processes.module_search import environment
from convnext_studio.protocol.connection.message_codec import decode_message
from convnext_studio.protocol.connection.transport import Channel
from convnext_studio.protocol.envelope import Message

_EXIT_GRACE_S = 1.0
_LOG = logging.getLogger(__name__)
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Has torch's threads sleep while they have nothing to do, unless the person chose otherwise.

They would spin otherwise, and take a core from the window and from the threads that compute: on two busy cores,
forward and backward of ConvNeXt-T then took more than twice as long, 540 instead of 240 ms.
"""


class EngineProcess:
    """A child process and the pipe to it.

    The thread that creates it has to outlive it: on Linux, the child is killed when that thread ends.

    Parameters
    ----------
    entry
        The ``module:function`` that the child calls with its end of the pipe.

    Raises
    ------
    OSError
        If the system cannot create the process or the pipe.
    """

    def __init__(self, entry: str) -> None:
        # Not fork: threads and a CUDA context do not survive it. Not multiprocessing: it sends pickles.
        self._process = subprocess.Popen(
            python_command("convnext_studio.engine.server.engine_child", entry),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=_PATIENT | with_huge_pages(environment()),
        )
        self._channel = Channel(*streams_of(self._process), decode_message)
        self.pid = self._process.pid
        self._outbox: queue.SimpleQueue[Struct | None] = queue.SimpleQueue()
        # Writing blocks while the child cannot run Python (as when it imports torch); the window must not wait.
        self._writer = threading.Thread(target=self._write, name="engine-writer", daemon=True)
        self._writer.start()

    def send(self, message: Struct) -> None:
        """Queue a message; it is lost if the child dies before reading it."""
        self._outbox.put(message)

    def receive(self) -> Message:
        """Wait for the child's next message.

        Raises
        ------
        EOFError
            If the child has ended and everything it sent was received, or if it sent something that is not a
            message and was therefore killed.
        """
        try:
            return self._channel.receive()
        except OSError as error:
            raise EOFError from error
        except ProtocolError as error:
            # A child that dies while writing also leaves an incomplete message.
            _LOG.warning("The engine's message cannot be read (%s).", error)
            self.kill()
            raise EOFError from error

    def terminate(self) -> None:
        """Ask the system to end the child; may be called from any thread."""
        with contextlib.suppress(OSError):  # It has just ended.
            self._process.terminate()

    def kill(self) -> None:
        """Kill the child unconditionally; may be called from any thread."""
        with contextlib.suppress(OSError):  # It has just ended.
            self._process.kill()

    def reap(self) -> int:
        """Wait until the child is gone, free its resources, and return its exit code: -n for signal n."""
        try:
            exit_code = self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            exit_code = self._process.wait()
        self._outbox.put(None)
        self._writer.join()
        self._channel.close()
        return exit_code

    def _write(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._channel.send(message)
            except (OSError, ValueError):
                # The child is gone, or the channel was closed. The reading thread notices this, and unanswered
                # requests are sent again.
                return
