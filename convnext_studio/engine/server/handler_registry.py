"""The registry of request handlers, which register themselves with the decorator `handles`."""

from collections.abc import Callable
from typing import Any, TypeVar

from convnext_studio.engine.server.workspace import ShouldStop, Work, Workspace
from convnext_studio.protocol.envelope import Payload, Request

Asked = TypeVar("Asked", bound=Request)
Given = TypeVar("Given", bound=Work | Payload)

HANDLERS: dict[type[Request], Callable[[Workspace, Any, ShouldStop], Work | Payload]] = {}
"""The handlers by request class; filled when the modules of `convnext_studio.engine.handlers` are imported."""


def handles(
    kind: type[Asked],
) -> Callable[
    [Callable[[Workspace, Asked, ShouldStop], Given]], Callable[[Workspace, Asked, ShouldStop], Given]
]:
    """Register a function as the handler of a request class.

    The function takes the workspace, the request and a function that says whether to stop, and either returns
    the answer or is a generator that yields its progress and returns the answer.

    Raises
    ------
    ValueError
        If the class already has a handler.
    """

    def registered(
        handler: Callable[[Workspace, Asked, ShouldStop], Given],
    ) -> Callable[[Workspace, Asked, ShouldStop], Given]:
        if kind in HANDLERS:
            raise ValueError(f"{kind.__name__} has two handlers")
        HANDLERS[kind] = handler
        return handler

    return registered
