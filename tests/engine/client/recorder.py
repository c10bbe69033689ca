"""A listener that keeps what it hears, and waits for what a test expects."""

import threading
from collections.abc import Callable
from typing import TypeVar

from convnext_studio.protocol.envelope import Cancelled, Done, EngineReady, Failed, Message, Progress
from convnext_studio.protocol.maps import FeatureMapsResult

_TIMEOUT_S = 20.0

Kind = TypeVar("Kind")


class Recorder:
    """Call it with messages; ask it for them from another thread."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._changed = threading.Condition()

    def __call__(self, message: Message) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until it is so; AssertionError with all that was heard if that does not come."""
        with self._changed:
            assert self._changed.wait_for(condition, _TIMEOUT_S), self.messages

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The messages of a kind, in order."""
        return [message for message in self.messages if isinstance(message, kind)]

    def about(self, identifier: int) -> list[Message]:
        """The messages about a request, in order."""
        return [message for message in self.messages if getattr(message, "id", None) == identifier]

    def answers(self, identifier: int) -> list[Done | Failed | Cancelled]:
        """The final messages about a request: one, or none yet."""
        return [m for m in self.about(identifier) if isinstance(m, Done | Failed | Cancelled)]

    def answer(self, identifier: int) -> Done | Failed | Cancelled:
        """The answer to a request, once it is there."""
        self.wait(lambda: bool(self.answers(identifier)))
        (answer,) = self.answers(identifier)
        return answer

    def text(self, identifier: int) -> str:
        """What the fake engine answered, once it has."""
        answer = self.answer(identifier)
        assert isinstance(answer, Done), answer
        assert isinstance(answer.payload, FeatureMapsResult)
        return answer.payload.node

    def wait_for_progress(self, identifier: int, count: int = 1) -> None:
        """Until so many reports of progress on a request have come."""
        self.wait(lambda: sum(isinstance(m, Progress) for m in self.about(identifier)) >= count)

    def wait_for_ready(self, count: int = 1) -> None:
        """Until so many engines have become ready."""
        self.wait(lambda: len(self.of(EngineReady)) >= count)
