"""Asks the engine while something is dragged: the newest question wins, and none waits behind another."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.protocol.envelope import Failed, Payload, Request
from convnext_studio.ui.state.bridge import EngineBridge


class FollowingQuery(QObject):
    """Asks one question at a time; once it is answered, the newest one that came up meanwhile is asked.

    A `Query` cancels what is being computed whenever there is a newer question. Under a hand that never rests,
    nothing would ever be answered then.

    Parameters
    ----------
    on_answer
        Called with each answer.
    on_failure
        Called with a sentence that says why there is none.
    """

    def __init__(
        self,
        bridge: EngineBridge,
        on_answer: Callable[[Payload], None],
        on_failure: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._running: int | None = None
        self._asked: Request | None = None
        self._waiting: Request | None = None

    @property
    def is_running(self) -> bool:
        """Whether an answer is pending."""
        return self._running is not None

    def ask(self, request: Request) -> None:
        """Ask this now, or as soon as what is being computed is answered."""
        if self.is_running:
            self._waiting = request if request != self._asked else None
        else:
            self._send(request)

    def drop(self) -> None:
        """Cancel what is being computed, and ask nothing more."""
        running, self._running = self._running, None
        self._waiting = self._asked = None
        if running is not None:
            self._bridge.cancel(running)

    def _send(self, request: Request) -> None:
        self._asked = request
        # The callbacks run in a later iteration of the event loop, when the id is known.
        identifier = self._running = self._bridge.ask(
            request,
            on_answer=lambda payload: self._end(identifier, lambda: self._on_answer(payload)),
            on_failure=lambda failed: self._end(identifier, lambda: self._on_failure(_sentence(failed))),
            on_cancel=lambda: self._end(identifier, lambda: None),
        )

    def _end(self, identifier: int, tell: Callable[[], None]) -> None:
        if identifier != self._running:
            return
        waiting, self._waiting, self._running = self._waiting, None, None
        if waiting is not None:  # The engine goes on while the answer is shown.
            self._send(waiting)
        tell()


def _sentence(failed: Failed) -> str:
    return f"{failed.message} {failed.hint}".rstrip()
