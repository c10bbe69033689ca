"""Decodes the messages that travel between window and engine, in both directions."""

import importlib
import pkgutil
from functools import cache
from typing import Any, Union

from msgspec import Struct
from msgspec.structs import asdict

from convnext_studio import protocol
from convnext_studio.common.processes.codec import decode
from convnext_studio.common.processes.frames import Frame
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
    Progress,
    Request,
    Shutdown,
    Started,
)


class _AnswersAreInstances(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Answer)


class _AnyAnswer(metaclass=_AnswersAreInstances):
    """A placeholder for every answer in the annotations below; msgspec validates it with isinstance()."""


class _Done(Struct, tag="Done"):
    """The decoded form of `Done`: msgspec has to be told which answers there are."""

    id: int
    payload: _AnyAnswer | None
    seconds: float
    free_bytes: int = 0


class _Progress(Struct, tag="Progress"):
    """The decoded form of `Progress`."""

    id: int
    done: int
    total: int
    text: str
    partial: _AnyAnswer | None = None
    gives_way: bool = False


def decode_order(frame: Frame) -> Order:
    """Decode a frame that the window sent to the engine.

    Raises
    ------
    ProtocolError
        If the frame is not a valid order.
    """
    order: Order = decode(frame, _orders())
    return order


def decode_message(frame: Frame) -> Message:
    """Decode a frame that the engine sent to the window.

    Raises
    ------
    ProtocolError
        If the frame is not a valid message.
    """
    message: Message | _Done | _Progress = decode(frame, _messages(), {_AnyAnswer: answers()})
    match message:
        case _Done():
            return Done(**asdict(message))
        case _Progress():
            return Progress(**asdict(message))
    return message


@cache
def requests() -> dict[str, type[Request]]:
    """Return all request classes by their tags."""
    return _below(Request)


@cache
def answers() -> dict[str, type[Answer]]:
    """Return all answer classes by their tags."""
    return _below(Answer)


@cache
def _orders() -> Any:
    return Union[Cancel, Shutdown, *requests().values()]


@cache
def _messages() -> Any:
    return Started | _Progress | _Done | Failed | Cancelled | EngineReady | EngineLost | Logged


def _below(base: type[Any]) -> dict[str, type[Any]]:
    """Return all classes in this package that derive from a base class, by their tags."""
    for module in pkgutil.iter_modules(protocol.__path__):
        importlib.import_module(f"{protocol.__name__}.{module.name}")
    found: dict[str, type[Any]] = {}
    left = [base]
    while left:
        kinds = left.pop().__subclasses__()
        found |= {kind.__struct_config__.tag: kind for kind in kinds}
        left += kinds
    return found
