"""The real engine's handlers and scheduler in the test's thread, which remember who computed what."""

import itertools
from collections.abc import Iterator

import numpy as np
from msgspec import structs

from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.faults import failure
from convnext_studio.engine.server.scheduler import Scheduler
from convnext_studio.protocol.envelope import (
    Answer,
    Cancelled,
    Done,
    Network,
    Payload,
    Progress,
    Request,
    Started,
)
from convnext_studio.protocol.models import CloseModel, LoadModel, ModelInfo, SwapModels
from tests.ui.conftest import FakeEngine


class SteppedEngine(FakeEngine):
    """The real engine's handlers and scheduler in this thread, computing one step whenever the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._scheduler = Scheduler()
        self._dispatcher = Dispatcher()
        self._models: dict[Network, ModelInfo | None] = {"A": None, "B": None}
        self._owners: dict[int, tuple[object, ModelInfo | None]] = {}

    def ask(self, request: Request) -> int:
        identifier = super().ask(request)
        self._scheduler.add(self.asked[-1])
        return identifier

    def cancel(self, identifier: int) -> None:
        # As the client does, at once; and without processing events, which would paint half a change.
        if identifier in self._open:
            self._open.discard(identifier)
            self._listener(Cancelled(id=identifier))
        self._scheduler.cancel(identifier)

    def step(self) -> bool:
        """Compute one step and tell the window; return whether there was anything to do."""
        job = self._scheduler.next()
        if job is None:
            return False
        identifier = job.request.id
        message: Progress | Done | Cancelled
        try:
            if job.cancelled:
                message = Cancelled(id=identifier)
            else:
                if job.work is None:
                    self.send(Started(id=identifier))
                    job.work = self._dispatcher.answer(job.request, lambda: job.cancelled)
                message = next(job.work)
                self._own(job.request, message.partial)
        except StopIteration as finished:
            self._follow(job.request, finished.value)
            self._own(job.request, finished.value)
            message = Done(id=identifier, payload=finished.value, seconds=0.0)
        except Exception as error:
            message = failure(identifier, error)
        if not isinstance(message, Progress):
            self._scheduler.finish(job)
        if identifier in self._open or isinstance(message, Progress):
            if not isinstance(message, Progress):
                self._open.discard(identifier)
            self.send(message)
        return True

    def finish(self) -> bool:
        """Compute everything that was asked so far, and return True."""
        while self.step():
            pass
        return True

    def owner(self, answer: object) -> ModelInfo | None:
        """Return the network that computed an answer, or the arrays of which the window made it."""
        found = [self._owners[id(each)][1] for each in parts(answer) if id(each) in self._owners]
        assert found, f"nobody computed {type(answer).__name__}"
        assert all(each is found[0] for each in found)
        return found[0]

    def _follow(self, request: Request, payload: Payload) -> None:
        """Take note of which networks are open."""
        models = self._models
        match request:
            case LoadModel():
                assert isinstance(payload, ModelInfo)
                models[request.network] = payload
            case CloseModel():
                models[request.network] = None
            case SwapModels():
                models["A"], models["B"] = models["B"], models["A"]

    def _own(self, request: Request, payload: Payload) -> None:
        for each in parts(payload):
            # Kept with the owner, so that no other object gets the same id.
            self._owners.setdefault(id(each), (each, self._models[request.network]))


def parts(value: object) -> Iterator[object]:
    """Yield an answer and all arrays inside it."""
    if isinstance(value, Answer):
        yield value
        for field in structs.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(parts, value.values()))
    elif isinstance(value, tuple):
        yield from itertools.chain.from_iterable(map(parts, value))
    elif isinstance(value, np.ndarray):
        yield value
