"""Asks the engine each question only once, and passes on only the answer to the latest one."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.protocol.envelope import Failed, Payload, Progress, Request
from convnext_studio.ui.state.bridge import EngineBridge


class Query(QObject):
    """Asks the engine one question at a time, and drops the answers to earlier ones.

    A question is one request, or several requests whose answers are needed together.

    Parameters
    ----------
    on_answer
        Called with the answers, in the order of the requests, once all of them have arrived.
    on_failure
        Called with a sentence that says why there will be no answer.
    on_progress
        Called with the engine's progress reports.
    on_part
        Called with the index of a request and either a partial answer or its answer while others are pending.
    on_cancel
        Called when a person stopped the work; without it, `on_failure` gets "Stopped.".

    Attributes
    ----------
    failure
        The engine's message if the latest question failed, otherwise None.
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
        self._running: dict[int, int] = {}  # Index of each request, by its id.
        self._answers: dict[int, Payload] = {}
        self.failure: Failed | None = None

    @property
    def is_running(self) -> bool:
        """Whether an answer is pending."""
        return bool(self._running)

    @property
    def asked(self) -> Request | None:
        """The last question, if it was a single request."""
        return self._asked[1][0] if self._asked is not None and len(self._asked[1]) == 1 else None

    def is_news(self, *requests: Request, of: object = None) -> bool:
        """Whether this differs from the last question or is about another object (such as the open model)."""
        return self._asked is None or self._asked[0] is not of or self._asked[1] != requests

    def ask(self, *requests: Request, of: object = None) -> None:
        """Drop the last question and ask this one, unless it is the same, even one that failed."""
        if not self.is_news(*requests, of=of):
            return
        self.drop()
        self.take_as_asked(*requests, of=of)
        for index, request in enumerate(requests):
            self._send(index, request)
        if not requests:
            self._on_answer()

    def ask_again(self, *requests: Request, of: object = None) -> None:
        """Ask this even if it was answered last, where that answer is no longer what is shown."""
        if not self.is_running:
            self.drop()
        self.ask(*requests, of=of)

    def take_as_asked(self, *requests: Request, of: object = None) -> None:
        """Treat this question as asked, because its answer is already available."""
        self._asked = (of, requests)

    def drop(self) -> None:
        """Cancel the pending question, so that the same one can be asked again."""
        self._asked = None
        self._end()
        self.failure = None

    def stop(self) -> None:
        """Stop the work as if the person cancelled it in the status bar; the cancellation is reported back."""
        for identifier in list(self._running):
            self._bridge.cancel(identifier)

    def _send(self, index: int, request: Request) -> None:
        # The callbacks run in a later iteration of the event loop, when the id is known.
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
