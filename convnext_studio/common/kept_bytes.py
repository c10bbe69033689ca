"""Measures how much memory values keep alive, which is what caches are bounded by."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple
from numpy.typing import NDArray


def kept_bytes(value: Any) -> int:
    """Return the size of all memory that the arrays in a value keep alive.

    A view counts as the whole array that it looks at, because that stays in memory as long as the view does.
    Memory that several arrays share counts once.

    Parameters
    ----------
    value
        An array, a tensor, bytes, or data that contains them: Structs, dataclasses, mappings, tuples and lists.
    """
    found: dict[int, int] = {}
    _collect(value, found, set())
    return sum(found.values())


def _collect(value: Any, found: dict[int, int], seen: set[int]) -> None:
    """Add the size of each piece of memory that a value keeps alive, by its address or its owner's identity."""
    if isinstance(value, str | int | float | type(None)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        _collect_array(value, found)
    elif hasattr(value, "untyped_storage"):  # A tensor of torch, which the window does not import.
        storage = value.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
    elif isinstance(value, bytes | bytearray | memoryview):
        found[id(value)] = memoryview(value).nbytes
    else:
        for part in _parts(value):
            _collect(part, found, seen)


def _collect_array(array: NDArray[Any], found: dict[int, int]) -> None:
    owner: Any = array
    while (below := owner.base if isinstance(owner, np.ndarray) else getattr(owner, "obj", None)) is not None:
        owner = below
    if isinstance(owner, np.ndarray):
        found[id(owner)] = owner.nbytes
    elif hasattr(owner, "untyped_storage") or isinstance(owner, bytes | bytearray):
        _collect(owner, found, set())
    else:  # A mapped file, or memory of a library.
        found[id(owner)] = array.nbytes


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Struct):
        return astuple(value)
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple | list) else ()
