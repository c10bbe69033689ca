"""What was made lately, so that it need not be made again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Keeps values by key, and forgets those used longest ago where all together are too large.

    Parameters
    ----------
    capacity_bytes
        Of all values together; the newest is kept however large it is.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._held_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """What is kept under a key, which counts as a use."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Value, size_bytes: int) -> None:
        """Keep a value of that size."""
        _, size_before = self._values.pop(key, (None, 0))
        self._values[key] = value, size_bytes
        self._held_bytes += size_bytes - size_before
        while self._held_bytes > self._capacity_bytes and len(self._values) > 1:
            _, (_, freed) = self._values.popitem(last=False)
            self._held_bytes -= freed

    def keep_only(self, is_wanted: Callable[[Value], bool]) -> None:
        """Forget every value of which that is false."""
        self.keep_keys(lambda key: is_wanted(self._values[key][0]))

    def keep_keys(self, is_wanted: Callable[[Hashable], bool]) -> None:
        """Forget what is kept under every key of which that is false."""
        for key in [key for key in self._values if not is_wanted(key)]:
            _, freed = self._values.pop(key)
            self._held_bytes -= freed

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()
        self._held_bytes = 0
