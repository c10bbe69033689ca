"""What a panel asks besides its main question."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Progress, Request
from convnext_studio.ui.state.bridge import EngineBridge


class SideQuestion(QObject):
    """Asks one thing at a time; the answer to what is not wanted any more is dropped.

    Parameters
    ----------
    on_answer, on_progress
        Get the engine's words, in Qt's thread.
    on_failure
        Gets the sentence that says why there will be no answer.
    """

    def __init__(
        self,
        bridge: EngineBridge,
        on_answer: Callable[[Payload], None],
        on_failure: Callable[[str], None],
        on_progress: Callable[[Progress], None] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._asked: Request | None = None
        self._running: int | None = None
        bridge.request_finished.connect(self._notice_cancelled)

    @property
    def is_running(self) -> bool:
        """Whether the engine owes an answer."""
        return self._running is not None

    def ask(self, request: Request) -> None:
        """Ask, unless that is what was asked last, also in vain; drops what was asked before."""
        if request == self._asked:
            return
        self.drop()
        self._asked = request
        # The callbacks run in later turns of the event loop, when the id is known.
        identifier = self._bridge.ask(
            request,
            on_answer=lambda payload: self._receive(identifier, payload),
            on_progress=self._receive_progress,
            on_failure=self._receive_failure,
        )
        self._running = identifier

    def drop(self) -> None:
        """Want no answer; the same may be asked again."""
        self._asked = None
        identifier, self._running = self._running, None
        if identifier is not None:
            self._bridge.cancel(identifier)

    def stop(self) -> None:
        """As when the person cancels: the engine's word comes back, and is a failure."""
        if self._running is not None:
            self._bridge.cancel(self._running)

    def _receive(self, identifier: int, payload: Payload) -> None:
        if identifier == self._running:
            self._running = None
            self._on_answer(payload)

    def _receive_progress(self, progress: Progress) -> None:
        if progress.id == self._running and self._on_progress is not None:
            self._on_progress(progress)

    def _receive_failure(self, failed: Failed) -> None:
        if failed.id == self._running:
            self._end(f"{failed.message} {failed.hint}".rstrip())

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        message = finished[1]
        if isinstance(message, Cancelled) and message.id == self._running:
            self._end("Stopped.")

    def _end(self, reason: str) -> None:
        self._running = None
        self._on_failure(reason)
