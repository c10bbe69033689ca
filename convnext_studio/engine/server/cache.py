"""A cache bounded in bytes that forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple
from torch import Tensor

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Keeps values by key while their arrays fit into a number of bytes.

    Parameters
    ----------
    capacity_bytes
        Bound on the arrays of all values together. A value that is larger by itself is not kept.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._held_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    @property
    def held_bytes(self) -> int:
        """Bytes in the arrays of all values."""
        return self._held_bytes

    def get(self, key: Hashable) -> Value | None:
        """Give what is kept under a key, which counts as a use; None where there is nothing."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, and forget old ones to make room."""
        self.forget(key)
        size = array_bytes(value)
        if size > self._capacity_bytes:
            return
        while self._held_bytes + size > self._capacity_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self._held_bytes -= freed
        self._values[key] = value, size
        self._held_bytes += size

    def forget(self, key: Hashable) -> None:
        """Drop what is kept under a key, if anything."""
        if key in self._values:
            self._held_bytes -= self._values.pop(key)[1]

    def forget_where(self, is_void: Callable[[Hashable], bool]) -> None:
        """Drop what is kept under every key of which that is true."""
        for key in [key for key in self._values if is_void(key)]:
            self.forget(key)

    def clear(self) -> None:
        """Drop everything."""
        self._values.clear()
        self._held_bytes = 0


def array_bytes(value: Any) -> int:
    """Bytes in the arrays of a value: an array, a tensor, or dataclasses, mappings and sequences of them."""
    if isinstance(value, np.ndarray | Tensor):
        return value.nbytes
    if isinstance(value, Struct):
        return sum(map(array_bytes, astuple(value)))
    if is_dataclass(value):
        return sum(array_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return sum(array_bytes(entry) for entry in value.values())
    if isinstance(value, tuple | list):
        return sum(array_bytes(entry) for entry in value)
    return len(value) if isinstance(value, bytes) else 0
