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
        self._size_of = size_of
        self._values: LRUCache[Hashable, Value] = LRUCache(capacity_bytes, size_of)

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
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, and forget old ones to make room."""
        self.forget(key)
        # LRUCache refuses what is too large with a ValueError, which `getsizeof` may raise, too.
        if self._values.getsizeof(value) <= self._values.maxsize:
            self._values[key] = value

    def forget(self, key: Hashable) -> None:
        """Drop what is kept under a key, if anything."""
        self._values.pop(key, None)

    def forget_where(self, is_void: Callable[[Hashable, Value], bool]) -> None:
        """Drop every key and value of which that is true."""
        for key in [key for key, value in self._values.items() if is_void(key, value)]:
            self.forget(key)

    def resize(self, capacity_bytes: int) -> None:
        """Set another bound, and forget old values that do not fit into it any more."""
        former, self._values = self._values, LRUCache(capacity_bytes, self._size_of)
        while former:
            self.put(*former.popitem())  # The one that was used longest ago.

    def clear(self) -> None:
        """Drop everything."""
        self._values.clear()
