"""The engine client: it sends and cancels requests, and starts a new engine process when one dies."""

import atexit
import signal
import threading
from collections.abc import Callable

from convnext_studio.engine.client.engine_process import EngineProcess
from convnext_studio.engine.client.ledger import Ledger
from convnext_studio.protocol.connection.transport import DEVICE_FAULT_EXIT_CODE
from convnext_studio.protocol.envelope import Cancel, Message, Request, Shutdown

Listener = Callable[[Message], None]


class EngineClient:
    """A client that sends requests to an engine process and survives its death.

    Every request gets exactly one of `Done`, `Failed` and `Cancelled`, and no message after it. When an engine
    dies, the listener gets `EngineLost`. A new engine then reopens the model and the pictures, after which
    `EngineReady` is sent, and handles the unanswered requests. A request that has killed two engines is
    answered with `Failed`. After five deaths in a row without an answer, no new engine is started until the
    next `ask`.

    All methods may be called from any thread, except that the listener must not call `close`.

    Parameters
    ----------
    entry
        The ``module:function`` that the child process calls with its end of a pipe. It is a name because the
        window's process must not import the engine.
    """

    def __init__(self, entry: str = "convnext_studio.engine.server.worker:main") -> None:
        self._entry = entry
        # Held while the listener runs, to keep messages in order: a cancelled request gets no further message.
        self._lock = threading.RLock()
        self._ledger = Ledger(to_engine=self._send, to_listener=self._deliver)
        self._listener: Listener | None = None
        self._undelivered: list[Message] = []
        self._process: EngineProcess | None = None
        self._keeper: threading.Thread | None = None
        self._is_started = False
        self._is_closed = False

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every message, in order, starting with those already received.

        It is called from the client's own thread, or within `ask`, `cancel` and `close`. It must return
        quickly, and must not wait for a thread that uses the client.
        """
        with self._lock:
            self._listener = listener
            undelivered, self._undelivered = self._undelivered, []
            for message in undelivered:
                listener(message)

    def start(self) -> None:
        """Start the engine process in the background and return at once."""
        with self._lock:
            self._check_open()
            if not self._is_started:
                self._is_started = True
                # The child ends with this process anyway, but the client would then start another one.
                atexit.register(self.close)
                self._start_keeper()

    def ask(self, request: Request) -> int:
        """Send a request, which waits until the engine is ready, and return its id.

        Raises
        ------
        RuntimeError
            If the client is closed.
        """
        with self._lock:
            self._check_open()
            identifier = self._ledger.ask(request)
            if self._is_started and self._keeper is None:
                self._start_keeper()
            return identifier

    def cancel(self, identifier: int) -> None:
        """Stop working on a request; do nothing if it was already answered.

        `Cancelled` is delivered at once, except for requests that open or close a model or picture or save a
        file: the engine answers those, because they may already be done.
        """
        with self._lock:
            self._ledger.cancel(identifier)

    def close(self, timeout_s: float = 2.0) -> None:
        """End the engine process, even if it is computing, and cancel all unanswered requests."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                atexit.unregister(self.close)
                self._ledger.cancel_all()
            keeper = self._keeper
        if keeper is None:
            return
        for end in (_ask_to_end, EngineProcess.terminate, EngineProcess.kill):
            with self._lock:
                process = self._process
            if process is not None:
                end(process)
            keeper.join(timeout_s / 3)

    @property
    def pid(self) -> int | None:
        """The process id of the engine process, or None if there is none."""
        process = self._process
        return None if process is None else process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is an engine process, whether or not it is ready."""
        return self._process is not None

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the engine client has been closed")

    def _send(self, message: Request | Cancel) -> None:
        if self._process is not None:
            self._process.send(message)

    def _deliver(self, message: Message) -> None:
        if self._listener is None:
            self._undelivered.append(message)
        else:
            self._listener(message)

    # ------------------------------------------------------------------------------- the client's thread

    def _start_keeper(self) -> None:
        self._keeper = threading.Thread(target=self._keep, name="engine-keeper", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while self._run_engine():
            pass

    def _run_engine(self) -> bool:
        """Run one engine process until it ends; return whether to run another."""
        try:
            process = EngineProcess(self._entry)
        except OSError as error:
            end = f"it cannot be started: {error}"
        else:
            end = _describe(self._follow(process))
        with self._lock:
            if not self._is_closed and (self._ledger.died(end) or self._ledger.has_unanswered):
                return True
            self._keeper = None
            return False

    def _follow(self, process: EngineProcess) -> int:
        """Pass on the engine's messages until it ends, and return its exit code."""
        with self._lock:
            self._process = process
            if self._is_closed:
                process.kill()
            else:
                self._ledger.connected()
        try:
            while True:
                message = process.receive()
                with self._lock:
                    if not self._is_closed:
                        self._ledger.received(message)
        except EOFError:
            pass
        except BaseException:
            # The listener failed: raise its error, but leave no process behind.
            process.kill()
            raise
        finally:
            with self._lock:
                self._process = None
            exit_code = process.reap()
        return exit_code


def _ask_to_end(process: EngineProcess) -> None:
    process.send(Shutdown())


def _describe(exit_code: int) -> str:
    """Describe how a process ended, as part of a sentence."""
    if exit_code == DEVICE_FAULT_EXIT_CODE:
        return "the graphics device reported a fault"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    if exit_code == -9:
        return "killed by signal 9, perhaps out of memory"
    return f"killed by signal {-exit_code}, {signal.strsignal(-exit_code)}"
