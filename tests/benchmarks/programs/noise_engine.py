"""An engine that answers at once and from this process, so that only the window is measured."""

from collections.abc import Callable, Iterable

from convnext_studio.engine.client.client import EngineClient, Listener
from convnext_studio.protocol.envelope import Message, Request

Answers = Callable[[int, Request], Iterable[Message]]
"""Returns the messages that answer a request with this number; none if nothing is to be answered."""


class NoiseEngine(EngineClient):
    """Answers the questions that a benchmark knows, usually with noise, and no others."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers
        self._count = 0
        self._tell: Listener = lambda _message: None

    def listen(self, listener: Listener) -> None:
        self._tell = listener

    def ask(self, request: Request) -> int:
        self._count += 1
        for message in self._answers(self._count, request):
            self._tell(message)
        return self._count

    def cancel(self, identifier: int) -> None:
        pass
