"""Caches bounded in bytes, which forget what was used longest ago, and how many bytes values keep alive."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from msgspec import Struct
from msgspec.structs import astuple
from numpy.typing import NDArray

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Keeps values by key while all together fit into a number of bytes.

    A value that is larger by itself is not kept, and no other is forgotten for it.

    Parameters
    ----------
    capacity_bytes
        Bound on all values together.
    size_of
        Bytes of a value.
    """

    def __init__(self, capacity_bytes: int, size_of: Callable[[Value], int]) -> None:
        self._size_of = size_of  # Called once for each value: an answer with many parts takes a while.
        self._values: LRUCache[Hashable, tuple[int, Value]] = LRUCache(capacity_bytes, lambda entry: entry[0])

    @property
    def capacity_bytes(self) -> int:
        """Bound on all values together."""
        return int(self._values.maxsize)

    @property
    def held_bytes(self) -> int:
        """Bytes of all values."""
        return int(self._values.currsize)

    def get(self, key: Hashable) -> Value | None:
        """Give what is kept under a key, which counts as a use; None where there is nothing."""
        entry = self._values.get(key)
        return None if entry is None else entry[1]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, and forget old ones to make room."""
        self.forget(key)
        size = self._size_of(value)
        if size <= self._values.maxsize:
            self._values[key] = size, value

    def forget(self, key: Hashable) -> None:
        """Drop what is kept under a key, if anything."""
        self._values.pop(key, None)

    def forget_where(self, is_void: Callable[[Hashable, Value], bool]) -> None:
        """Drop every key and value of which that is true."""
        for key in [key for key, (_, value) in self._values.items() if is_void(key, value)]:
            self.forget(key)

    def resize(self, capacity_bytes: int) -> None:
        """Set another bound, and forget old values that do not fit into it any more."""
        former, self._values = self._values, LRUCache(capacity_bytes, lambda entry: entry[0])
        while former:
            key, entry = former.popitem()  # The one that was used longest ago.
            if entry[0] <= capacity_bytes:
                self._values[key] = entry

    def clear(self) -> None:
        """Drop everything."""
        self._values.clear()


def kept_bytes(value: Any) -> int:
    """Return the size of all memory that the arrays in a value keep alive.

    A view counts as the whole array that it looks at, because that stays in memory as long as the view does.
    Memory that several arrays share counts once.

    Parameters
    ----------
    value
        An array, a tensor, bytes, or data that contains them: Structs, mappings, tuples and lists.
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
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple | list) else ()
