"""The codec: Structs to frames and back; the head in msgpack, and the arrays as they lie in memory.

In the place of an array, the head has a list of its number among the frame's arrays, its dtype and its shape.
Decoding makes no objects but those that the annotations ask for. Decoded arrays lie on the bytes that were
received, and are read-only.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.processes.frames import Frame, ProtocolError

Array = NDArray[Any]
Tagged = Mapping[str, type[msgspec.Struct]]

_DTYPES = {np.dtype(name).str: np.dtype(name) for name in ("?", "u1", "<i4", "<i8", "<f2", "<f4", "<f8")}
_MOST_AXES = 8

# Python's texts may hold halves of characters, which UTF-8 cannot: so it names files whose names are not UTF-8.
_TO_ESCAPE = re.compile("[\ud800-\udfff\ue000]")
_ESCAPED = re.compile("\ue000([0-9a-f]{4})")


def encode(message: msgspec.Struct) -> Frame:
    """A message as a frame; arrays in it may be of any layout.

    Raises
    ------
    TypeError
        The message holds what cannot be sent.
    """
    arrays: list[memoryview] = []

    def replaced(value: object) -> object:
        if isinstance(value, np.ndarray):
            array = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
            if array.dtype.str not in _DTYPES:
                raise TypeError(f"an array of {value.dtype} cannot be sent")
            arrays.append(array.reshape(-1).view(np.uint8).data)
            return len(arrays) - 1, array.dtype.str, array.shape
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"a {type(value).__name__} cannot be sent")

    try:
        return Frame(msgspec.msgpack.encode(message, enc_hook=replaced), arrays)
    except UnicodeEncodeError:
        arrays.clear()
        plain = msgspec.to_builtins(message, builtin_types=(bytes,), enc_hook=replaced)
        return Frame(msgspec.msgpack.encode(_with_texts(plain, _escape)), arrays, is_escaped=True)


def decode(frame: Frame, kind: object, standing_for: Mapping[type, Tagged] | None = None) -> Any:
    """The message in a frame.

    Parameters
    ----------
    kind
        What it must be: a Struct, or a union of tagged Structs.
    standing_for
        Classes in annotations that stand for many Structs, and these by their tags.

    Raises
    ------
    ProtocolError
        It is something else; the message names the field.
    """

    def made(wanted: Any, plain: object) -> object:
        if get_origin(wanted) is np.ndarray:
            return _array(frame.arrays, wanted, plain)
        choices = (standing_for or {})[wanted]
        tag = plain.get("type") if isinstance(plain, dict) else None
        if not isinstance(tag, str) or tag not in choices:
            raise ValueError(f"{str(tag)[:80]!r} is unknown here")
        return msgspec.convert(plain, choices[tag], dec_hook=made)

    try:
        if not frame.is_escaped:
            return msgspec.msgpack.decode(frame.head, type=kind, dec_hook=made)
        plain = _with_texts(msgspec.msgpack.decode(frame.head), _unescape)
        return msgspec.convert(plain, kind, dec_hook=made)
    # Whatever goes wrong while a stranger's bytes are read is the stranger's fault: no text, too deep.
    except Exception as error:
        raise ProtocolError(f"what came is no message: {error}") from error


def _array(arrays: Sequence[Any], wanted: Any, plain: object) -> Array:
    """An array on the bytes of the frame; a ValueError where its description does not fit them."""
    scalar = get_args(get_args(wanted)[1])[0]
    match plain:
        case [int(index), str(name), list(shape)] if 0 <= index < len(arrays) and name in _DTYPES:
            dtype, memory = _DTYPES[name], arrays[index]
        case _:
            raise ValueError("this is no array")
    if dtype != np.dtype(scalar):
        raise ValueError(f"expected an array of {np.dtype(scalar)}, got one of {dtype}")
    if len(shape) > _MOST_AXES or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("an array's shape makes no sense")
    values = np.frombuffer(memory, dtype) if len(memory) else np.empty(0, dtype)
    return values.reshape(tuple(shape))


def _with_texts(plain: Any, change: Any) -> Any:
    """The same plain data with its texts changed."""
    match plain:
        case str():
            return change(plain)
        case dict():
            return {_with_texts(key, change): _with_texts(value, change) for key, value in plain.items()}
        case list():
            return [_with_texts(value, change) for value in plain]
        case tuple():
            return tuple(_with_texts(value, change) for value in plain)
    return plain


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: f"\ue000{ord(found[0]):04x}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
