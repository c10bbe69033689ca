"""Answers any request by finding its handler and running it."""

import importlib
import pkgutil
from collections.abc import Generator
from typing import cast

from convnext_studio.analysis.capture import never
from convnext_studio.decoding import images
from convnext_studio.decoding.images import PictureReader
from convnext_studio.engine import handlers
from convnext_studio.engine.server.devices import free_bytes
from convnext_studio.engine.server.handler_registry import HANDLERS
from convnext_studio.engine.server.workspace import CACHE_BYTES, PICTURE_BYTES, ShouldStop, Work, Workspace
from convnext_studio.protocol.envelope import Payload, Request

# Importing a handler's module registers the handler.
for _module in pkgutil.iter_modules(handlers.__path__):
    importlib.import_module(f"{handlers.__name__}.{_module.name}")


class Dispatcher:
    """A dispatcher that answers requests about one model and several pictures.

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

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request; a generator that yields progress and returns the answer.

        Raises
        ------
        StudioError
            If the request cannot be met; the message says why in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        answered = HANDLERS[type(request)](self._workspace, request, should_stop)
        if isinstance(answered, Generator):
            return (yield from answered)
        return answered

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
