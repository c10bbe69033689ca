"""Check what scripts ask for before the engine works on it, and say in words what is wrong.

The window's requests cross a pipe, where the codec holds them to their types. Those of a script do not, so they
are sent through the codec here: a text in the place of a number would otherwise end in an error of a library,
and a measure or an output that does not exist would be taken for another one in silence.
"""

import re
from numbers import Integral
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.codec import decode, encode
from convnext_studio.common.processes.frames import ProtocolError
from convnext_studio.engine.server.dispatch import Answers
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.pictures import OpenImage

Checked = TypeVar("Checked", bound=Struct)

_PLACE = re.compile(r" - at `\$\.(?P<way>[\w.]+)(?P<within>[^`]*)`$")
_WANTED = re.compile(r"Expected `(?P<kind>\w+)[^`]*`(?P<least>( >=? -?[\d.]+)?)")
_ARRAY = re.compile(r"expected an array of (?P<wanted>\w+), got one of (?P<given>\w+)")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a description",
}
_LONGEST_VALUE = 60


class CheckedAnswers:
    """What answers the requests of scripts: an engine that is asked only what it can understand."""

    def __init__(self, engine: Answers) -> None:
        self._engine = engine

    def run(self, request: Request) -> Payload:
        """Answer a request; raise a StudioError that names the part of it that makes no sense."""
        return self._engine.run(checked(request))


def checked(asked: Checked) -> Checked:
    """Return a request, or a part of one, with lists as tuples and numbers of numpy as Python's.

    Raises
    ------
    StudioError
        If a part of it is of another kind than is wanted, or no choice that there is.
    """
    if isinstance(asked, OpenImage):  # Its bytes are looked at by the decoder, and may be many.
        return asked
    try:
        found: Checked = decode(encode(asked), type(asked))
    except ProtocolError as error:
        raise _explained(asked, str(error.__cause__ or error)) from error
    except (TypeError, ValueError, OverflowError) as error:  # An object, or a number beyond all sense.
        raise StudioError(
            "What was asked for contains something that is neither a number, a text nor an array.",
            "Look at the types in the documentation of the function.",
        ) from error
    return found


def not_negative(**numbers: object) -> None:
    """Raise a StudioError that names the first number that is negative or no whole number."""
    for name, number in numbers.items():
        if not isinstance(number, Integral) or number < 0:
            raise StudioError(f"{name} is {_told(number)}, but must be a whole number from 0 on.")


def _explained(asked: Struct, said: str) -> StudioError:
    place = _PLACE.search(said)
    if place is None:
        return StudioError("What was asked for cannot be understood.", "Look at the types of the arguments.")
    way = place["way"].split(".")
    subject = f"{way[-1]} is {_told(_part(asked, way))}"
    if array := _ARRAY.match(said):
        return StudioError(f"{way[-1]} is an array of {array['given']}, but must be one of {array['wanted']}.")
    if choices := _choices(asked, way):
        return StudioError(f"{subject}, which does not exist.", f"There are: {', '.join(map(str, choices))}.")
    wanted = _WANTED.match(said)
    if wanted is None:
        return StudioError(f"{subject}, which cannot be understood.")
    kind = _KINDS.get(wanted["kind"], "of another kind")
    parts = " in all of its parts" if place["within"] else ""
    return StudioError(f"{subject}, but must be {kind}{wanted['least']}{parts}.")


def _part(asked: object, way: list[str]) -> object:
    """Return the part of a request that the names of fields lead to."""
    for name in way:
        asked = getattr(asked, name, None)
    return asked


def _choices(asked: Struct, way: list[str]) -> tuple[Any, ...]:
    """Return what a field can be, if it is one of a few words; otherwise nothing."""
    hint = get_type_hints(type(_part(asked, way[:-1]))).get(way[-1])
    return get_args(hint) if get_origin(hint) is Literal else ()


def _told(value: object) -> str:
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
