"""The window's end of the engine: asks, cancels, and starts a new engine process when one dies."""

import atexit
import signal
import threading
from collections.abc import Callable

from convnext_studio.engine.client.engine_process import EngineProcess
from convnext_studio.engine.client.ledger import Ledger
from convnext_studio.protocol.envelope import Cancel, Message, Request, Shutdown
from convnext_studio.protocol.transport import DEVICE_FAULT_EXIT_CODE

Listener = Callable[[Message], None]


class EngineClient:
    """Asks an engine process and survives its death.

    Every request gets exactly one of `Done`, `Failed` and `Cancelled`, and no message after it. When an engine
    dies, the listener gets `EngineLost`; a new engine opens the model and the pictures again, which is when
    `EngineReady` comes, and does what is not done. What two engines have died of is answered with `Failed`.
    After five deaths in a row without an answer no new engine is started until the next `ask`.

    All methods may be called from any thread, `close` not from the listener.

    Parameters
    ----------
    entry
        ``module:function`` that the child process calls with its end of a pipe. It is a name, because the
        window's process imports nothing of the engine.
    """

    def __init__(self, entry: str = "convnext_studio.engine.server.worker:main") -> None:
        self._entry = entry
        # Held while the listener runs, so that nothing overtakes: a cancelled request hears nothing more.
        self._lock = threading.RLock()
        self._ledger = Ledger(to_engine=self._send, to_listener=self._deliver)
        self._listener: Listener | None = None
        self._undelivered: list[Message] = []
        self._process: EngineProcess | None = None
        self._keeper: threading.Thread | None = None
        self._is_started = False
        self._is_closed = False

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with every message, in order, those that have come already first.

        It is called from the client's own thread, or within `ask`, `cancel` and `close`. It has to return
        soon, and must not wait for a thread that uses the client.
        """
        with self._lock:
            self._listener = listener
            undelivered, self._undelivered = self._undelivered, []
            for message in undelivered:
                listener(message)

    def start(self) -> None:
        """Start the engine process in the background; returns at once."""
        with self._lock:
            self._check_open()
            if not self._is_started:
                self._is_started = True
                # multiprocessing would end the child, too, but this client would start another one.
                atexit.register(self.close)
                self._start_keeper()

    def ask(self, request: Request) -> int:
        """Send a request and give its id; it waits where the engine is not ready yet.

        Raises
        ------
        RuntimeError
            The client is closed.
        """
        with self._lock:
            self._check_open()
            identifier = self._ledger.ask(request)
            if self._is_started and self._keeper is None:
                self._start_keeper()
            return identifier

    def cancel(self, identifier: int) -> None:
        """Stop working on a request; nothing happens where it was answered already.

        `Cancelled` comes at once. Only a model or a picture that is being opened or closed is answered by the
        engine: it may be done already.
        """
        with self._lock:
            self._ledger.cancel(identifier)

    def close(self, timeout_s: float = 2.0) -> None:
        """End the engine process, also if it computes, and cancel what is not answered."""
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
        """Of the engine process; None where there is none."""
        process = self._process
        return None if process is None else process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is an engine process, ready or not."""
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
        """Run one engine process to its end; whether to run another."""
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
        """Pass on what the engine says until it ends, and give its exit code."""
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
            # The listener failed: be loud about it, but leave no process.
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
    """How a process ended, as half a sentence."""
    if exit_code == DEVICE_FAULT_EXIT_CODE:
        return "the graphics device reported a fault"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    if exit_code == -9:
        return "killed by signal 9, perhaps out of memory"
    return f"killed by signal {-exit_code}, {signal.strsignal(-exit_code)}"
