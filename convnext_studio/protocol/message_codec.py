"""What may come from either side of the engine: requests to it, and messages from it."""

import importlib
import pkgutil
from functools import cache
from typing import Any, Union, cast

from msgspec import Struct

from convnext_studio import protocol
from convnext_studio.common.codec import decode
from convnext_studio.common.frames import Frame
from convnext_studio.protocol.envelope import (
    Answer,
    Cancel,
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Logged,
    Message,
    Order,
    Payload,
    Progress,
    Request,
    Shutdown,
    Started,
)


class _AnswersAreInstances(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Answer)


class _AnyAnswer(metaclass=_AnswersAreInstances):
    """Stands for all answers in the annotations below: msgspec asks whether what it got is an instance."""


class _Done(Struct, tag="Done"):
    """`Done` on its way: msgspec has to be told which answers there are."""

    id: int
    payload: _AnyAnswer | None
    seconds: float


class _Progress(Struct, tag="Progress"):
    """`Progress` on its way."""

    id: int
    done: int
    total: int
    text: str
    partial: _AnyAnswer | None


def decode_order(frame: Frame) -> Order:
    """What the window wants of the engine.

    Raises
    ------
    ProtocolError
        It is nothing of the kind.
    """
    order: Order = decode(frame, _orders())
    return order


def decode_message(frame: Frame) -> Message:
    """What the engine tells the window.

    Raises
    ------
    ProtocolError
        It is nothing of the kind.
    """
    message: Message | _Done | _Progress = decode(frame, _messages(), {_AnyAnswer: answers()})
    match message:
        case _Done(id=identifier, payload=payload, seconds=seconds):
            return Done(id=identifier, payload=cast("Payload", payload), seconds=seconds)
        case _Progress(id=identifier, done=done, total=total, text=text, partial=partial):
            return Progress(id=identifier, done=done, total=total, text=text, partial=cast("Payload", partial))
    return message


@cache
def requests() -> dict[str, type[Request]]:
    """All classes of requests, by their tags."""
    return _below(Request)


@cache
def answers() -> dict[str, type[Answer]]:
    """All classes of answers, by their tags."""
    return _below(Answer)


@cache
def _orders() -> Any:
    return Union[Cancel, Shutdown, *requests().values()]


@cache
def _messages() -> Any:
    return Started | _Progress | _Done | Failed | Cancelled | EngineReady | EngineLost | Logged


def _below(base: type[Any]) -> dict[str, type[Any]]:
    """All that is derived from a class, anywhere in this package, by the tags."""
    for module in pkgutil.iter_modules(protocol.__path__):
        importlib.import_module(f"{protocol.__name__}.{module.name}")
    found: dict[str, type[Any]] = {}
    left = [base]
    while left:
        kinds = left.pop().__subclasses__()
        found |= {kind.__struct_config__.tag: kind for kind in kinds}
        left += kinds
    return found
