"""Carries requests from the panels to the engine, and the answers back to Qt's thread."""

import logging
from collections import deque
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import QObject, Qt, Signal

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import (
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Logged,
    Message,
    Payload,
    Progress,
    Request,
    Started,
)
from convnext_studio.ui.state.turns import Turn, Turns

OnAnswer = Callable[[Payload], None]
OnFailure = Callable[[Failed], None]
_LOG = logging.getLogger("convnext_studio.engine")


_NOT_ASKED = 0


class _Asker(Struct, frozen=True):
    request: Request
    on_answer: OnAnswer
    on_progress: Callable[[Progress], None] | None
    on_failure: OnFailure | None
    on_cancel: Callable[[], None] | None


class EngineBridge(QObject):
    """The panels' interface to the engine: `ask` sends a request, and its callback runs in Qt's thread.

    Answers that come fast are handed over one in each turn of the event loop, because panels show them at once.

    Parameters
    ----------
    turns
        The turns that answers take with the window's other work; without it, they only wait for each other.
    """

    engine_ready = Signal(object)  # EngineReady
    engine_lost = Signal(object)  # EngineLost
    request_asked = Signal(object)  # Request
    request_started = Signal(object)  # Request
    progressed = Signal(object)  # Progress
    request_failed = Signal(object)  # Failed, if no on_failure was given
    request_finished = Signal(object)  # (Request, Done | Failed | Cancelled)
    _received = Signal(object)

    def __init__(self, client: EngineClient, turns: Turns | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._askers: dict[int, _Asker] = {}
        self._is_closed = False
        self._messages: deque[Message] = deque()
        self._turn = Turn(turns or Turns(self), self._deliver, self)
        # The client calls from its reader thread; a queued signal moves the message to this object's thread.
        self._received.connect(self._receive, Qt.ConnectionType.QueuedConnection)
        client.listen(self._received.emit)

    def ask(
        self,
        request: Request,
        on_answer: OnAnswer,
        on_progress: Callable[[Progress], None] | None = None,
        on_failure: OnFailure | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> int:
        """Send a request and return its id; the callbacks run later.

        If the request is cancelled or replaced, only `on_cancel` runs. Once the bridge is closed, nothing is
        sent, and no callback runs any more.
        """
        if self._is_closed:  # A timer or a watched folder may ask while the window is being closed.
            return _NOT_ASKED
        identifier = self._client.ask(request)
        request = replace(request, id=identifier)
        self._askers[identifier] = _Asker(request, on_answer, on_progress, on_failure, on_cancel)
        self.request_asked.emit(request)
        return identifier

    @property
    def pending(self) -> tuple[Request, ...]:
        """The requests that have not been answered yet."""
        return tuple(asker.request for asker in self._askers.values())

    def cancel(self, identifier: int) -> None:
        """Cancel a request; only its `on_cancel` callback will run."""
        if not self._is_closed:
            self._client.cancel(identifier)

    def cancel_all(self) -> None:
        """Cancel all requests, both running and waiting."""
        for identifier in list(self._askers):
            self._client.cancel(identifier)

    def close(self) -> None:
        """End the engine process within 2 s, even while it computes."""
        self._is_closed = True
        self._client.close()

    def _receive(self, message: Message) -> None:
        """Hand over a message, in the order of their arrival."""
        if self._messages or _brings_values(message):
            self._messages.append(message)
            self._turn.start()
        else:
            self._dispatch(message)

    def _deliver(self) -> None:
        """Hand over messages up to the first that brings values to be shown."""
        while self._messages:
            message = self._messages.popleft()
            is_last = _brings_values(message)
            if is_last and self._messages:
                self._turn.start()
            self._dispatch(message)
            if is_last:
                return

    def _dispatch(self, message: Message) -> None:
        if self._is_closed:
            return
        match message:
            case EngineReady():
                self.engine_ready.emit(message)
            case EngineLost():
                self.engine_lost.emit(message)
            case Started():
                if (asker := self._askers.get(message.id)) is not None:
                    self.request_started.emit(asker.request)
            case Progress():
                self._show_progress(message)
            case Done() | Failed() | Cancelled():
                self._finish(message)
            case Logged():
                _LOG.log(message.level, "%s: %s", message.source, message.text)

    def _show_progress(self, message: Progress) -> None:
        asker = self._askers.get(message.id)
        if asker is None:
            return
        self.progressed.emit(message)
        if asker.on_progress is not None:
            asker.on_progress(message)

    def _finish(self, message: Done | Failed | Cancelled) -> None:
        asker = self._askers.pop(message.id, None)
        if asker is None:
            return
        self.request_finished.emit((asker.request, message))
        if isinstance(message, Done):
            asker.on_answer(message.payload)
        elif isinstance(message, Failed):
            if asker.on_failure is not None:
                asker.on_failure(message)
            else:
                self.request_failed.emit(message)
        elif asker.on_cancel is not None:
            asker.on_cancel()


def _brings_values(message: Message) -> bool:
    return isinstance(message, Done) or (isinstance(message, Progress) and message.partial is not None)
