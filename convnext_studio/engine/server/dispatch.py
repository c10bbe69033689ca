"""Answers any request, in any process: finds the handler, and runs it to its end."""

import importlib
import pkgutil
from collections.abc import Generator
from typing import cast

from convnext_studio.analysis.capture import never
from convnext_studio.decoding import images
from convnext_studio.decoding.images import PictureReader
from convnext_studio.engine import handlers
from convnext_studio.engine.server.handler_registry import HANDLERS
from convnext_studio.engine.server.workspace import CACHE_BYTES, PICTURE_BYTES, ShouldStop, Work, Workspace
from convnext_studio.protocol.envelope import Payload, Request

# Importing a handler's module is what makes the handler known.
for _module in pkgutil.iter_modules(handlers.__path__):
    importlib.import_module(f"{handlers.__name__}.{_module.name}")


class Dispatcher:
    """Answers requests about one model and several pictures.

    Parameters
    ----------
    cache_bytes, picture_bytes
        Bounds on the results and on the decoded pictures that are kept.
    reader
        How pictures are decoded: here, or in a process of its own.
    """

    def __init__(
        self, cache_bytes: int = CACHE_BYTES, picture_bytes: int = PICTURE_BYTES, reader: PictureReader = images
    ) -> None:
        self._workspace = Workspace(cache_bytes, picture_bytes, reader=reader)

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request: a generator of progress that returns the answer.

        Raises
        ------
        StudioError
            Where the request cannot be met, in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        answered = HANDLERS[type(request)](self._workspace, request, should_stop)
        if isinstance(answered, Generator):
            return (yield from answered)
        return answered

    def run(self, request: Request) -> Payload:
        """Answer a request at once, without its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)
