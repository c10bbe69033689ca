"""A cache bounded in bytes that forgets what was used longest ago."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

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
