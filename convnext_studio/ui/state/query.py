"""A question to the engine: it is asked once, and only the answer to the latest one is handed on."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.protocol.envelope import Failed, Payload, Progress, Request
from convnext_studio.ui.state.bridge import EngineBridge


class Query(QObject):
    """Ask the engine one thing at a time, and drop the answers to what was asked before.

    A question is one request, or several whose answers are wanted together.

    Parameters
    ----------
    on_answer
        Gets the answers once all of them are there, in the order of the requests.
    on_failure
        Gets the sentence that says why there will be no answer.
    on_progress
        Gets the engine's word on work that goes on.
    on_part
        Gets the index of a request and an answer to it that is partial, or that others are still awaited with.
    on_cancel
        Is called where the person stopped the work; without it that is the failure "Stopped.".

    Attributes
    ----------
    failure
        What the engine said when the latest question failed; None where it did not.
    """

    def __init__(
        self,
        bridge: EngineBridge,
        on_answer: Callable[..., None],
        on_failure: Callable[[str], None],
        on_progress: Callable[[Progress], None] | None = None,
        *,
        on_part: Callable[[int, Payload], None] | None = None,
        on_cancel: Callable[[], None] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._on_part = on_part
        self._on_cancel = on_cancel
        self._asked: tuple[object, tuple[Request, ...]] | None = None
        self._running: dict[int, int] = {}  # The index of a request, by the id under which it was asked.
        self._answers: dict[int, Payload] = {}
        self.failure: Failed | None = None

    @property
    def is_running(self) -> bool:
        """Whether the engine owes an answer."""
        return bool(self._running)

    def is_news(self, *requests: Request, of: object = None) -> bool:
        """Whether this is not what was asked last, of the very same object (such as the open model)."""
        return self._asked is None or self._asked[0] is not of or self._asked[1] != requests

    def ask(self, *requests: Request, of: object = None) -> None:
        """Ask, unless that is what was asked last, even in vain; what was asked before is dropped."""
        if not self.is_news(*requests, of=of):
            return
        self.drop()
        self.take_as_asked(*requests, of=of)
        for index, request in enumerate(requests):
            self._send(index, request)
        if not requests:
            self._on_answer()

    def take_as_asked(self, *requests: Request, of: object = None) -> None:
        """Count this as asked: its answer is at hand."""
        self._asked = (of, requests)

    def drop(self) -> None:
        """Await no answer any more; the same may be asked again."""
        self._asked = None
        self._end()
        self.failure = None

    def stop(self) -> None:
        """Stop the work as when the person cancels it in the status bar: the engine's word comes back."""
        for identifier in list(self._running):
            self._bridge.cancel(identifier)

    def _send(self, index: int, request: Request) -> None:
        # The callbacks run in later turns of the event loop, when the id is known.
        identifier = self._bridge.ask(
            request,
            on_answer=lambda payload: self._receive(identifier, payload),
            on_progress=self._advance,
            on_failure=self._fail,
            on_cancel=lambda: self._notice_cancelled(identifier),
        )
        self._running[identifier] = index

    def _end(self) -> None:
        running, self._running = self._running, {}
        self._answers = {}
        for identifier in running:
            self._bridge.cancel(identifier)

    def _receive(self, identifier: int, payload: Payload) -> None:
        index = self._running.pop(identifier, None)
        if index is None:
            return
        self._answers[index] = payload
        if not self._running:
            answers, self._answers = self._answers, {}
            self._on_answer(*(answers[index] for index in sorted(answers)))
        elif self._on_part is not None:
            self._on_part(index, payload)

    def _advance(self, progress: Progress) -> None:
        index = self._running.get(progress.id)
        if index is None:
            return
        if self._on_progress is not None:
            self._on_progress(progress)
        if self._on_part is not None and progress.partial is not None:
            self._on_part(index, progress.partial)

    def _fail(self, failed: Failed) -> None:
        if self._running.pop(failed.id, None) is not None:
            self._end()
            self.failure = failed
            self._on_failure(f"{failed.message} {failed.hint}".rstrip())

    def _notice_cancelled(self, identifier: int) -> None:
        if self._running.pop(identifier, None) is None:
            return
        self._end()
        if self._on_cancel is not None:
            self._on_cancel()
        else:
            self._on_failure("Stopped.")
