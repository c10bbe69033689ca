"""Answers any request by finding its handler and running it."""

import importlib
import pkgutil
from collections.abc import Generator
from contextlib import nullcontext
from typing import Protocol, cast

from msgspec.structs import replace

from convnext_studio.analysis.capture import never
from convnext_studio.decoding import images
from convnext_studio.decoding.images import PictureReader
from convnext_studio.engine import handlers
from convnext_studio.engine.handlers.model_handlers import model_info
from convnext_studio.engine.server.handler_registry import HANDLERS
from convnext_studio.engine.server.hardware.devices import free_bytes
from convnext_studio.engine.server.workspace import CACHE_BYTES, PICTURE_BYTES, ShouldStop, Work, Workspace
from convnext_studio.protocol.envelope import Network, Payload, Request
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import CloseModel, ModelInfo

# Importing a handler's module registers the handler.
for _module in pkgutil.walk_packages(handlers.__path__, f"{handlers.__name__}."):
    importlib.import_module(_module.name)


class Answers(Protocol):
    """The interface of what answers requests synchronously."""

    def run(self, request: Request) -> Payload:
        """Answer a request, discarding its progress."""


class Dispatcher:
    """A dispatcher that answers requests about one or two models and several pictures.

    Parameters
    ----------
    cache_bytes, picture_bytes
        The sizes of the caches for results and for decoded pictures.
    reader
        Decodes pictures, in this process or in a separate one.
    """

    def __init__(
        self, cache_bytes: int = CACHE_BYTES, picture_bytes: int = PICTURE_BYTES, reader: PictureReader = images
    ) -> None:
        self._workspace = Workspace(cache_bytes, picture_bytes, reader=reader)
        self._workspaces: dict[Network, Workspace] = {"A": self._workspace, "B": self._workspace.beside()}

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request; a generator that yields progress and returns the answer.

        Raises
        ------
        StudioError
            If the request cannot be met; the message says why in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        answered = HANDLERS[type(request)](self._workspaces[request.network], request, should_stop)
        if isinstance(answered, Generator):
            return (yield from answered)
        return answered

    def share_model(self, other: "Dispatcher") -> ModelInfo:
        """Use the network A of another dispatcher as the network B of this one, too, without a copy."""
        opened = other._workspace
        # Its changes inside are set in its module already; those of pictures are the workspace's.
        changes = nullcontext() if opened.is_changed_inside else None
        self._workspaces["B"].open_model(opened.model, opened.precision, changes, opened.retouched)
        return model_info(opened.model, opened.precision)

    def with_changes(self, request: Intervene) -> tuple["Dispatcher", ModelInfo]:
        """Return a dispatcher whose network is this one's, changed inside, and that knows the same pictures."""
        changed = Dispatcher(reader=self._workspace.pictures.reader)
        changed._workspace.pictures.know(self._workspace.pictures.sources)
        changed.share_model(self)
        model = cast("ModelInfo", changed.run(replace(request, network="A")))
        changed.run(CloseModel(network="B"))
        return changed, model

    def for_b(self) -> "DispatcherOfB":
        """Return what answers the requests of anyone who knows one network only, about the network B."""
        return DispatcherOfB(self)

    @property
    def gpu_free_bytes(self) -> int:
        """How much memory is free on the GPU that the model runs on; 0 if it runs on another device."""
        workspace = self._workspace
        return (free_bytes(workspace.model.device) or 0) if workspace.has_model else 0

    def run(self, request: Request) -> Payload:
        """Answer a request synchronously, discarding its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)


class DispatcherOfB:
    """Passes requests on to a dispatcher as requests about its network B."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def run(self, request: Request) -> Payload:
        """Answer a request synchronously, discarding its progress."""
        return self._dispatcher.run(replace(request, network="B"))
