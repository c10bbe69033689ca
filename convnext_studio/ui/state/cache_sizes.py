"""How much the caches of the window may hold together."""

from typing import Any
from weakref import WeakKeyDictionary

from convnext_studio.common.caches import ByteCache

WINDOW_BYTES = 936 << 20
"""What all caches of the window hold by default."""
ENGINE_BYTES = 2880 << 20
"""What those of the engine do."""


class CacheSizes:
    """Sets the sizes of all caches at once; each has one by default, of which they may hold a share."""

    def __init__(self) -> None:
        self._share = 1.0
        self._defaults: WeakKeyDictionary[ByteCache[Any], int] = WeakKeyDictionary()

    @property
    def total_bytes(self) -> int:
        """What all caches may hold together."""
        return sum(cache.capacity_bytes for cache in self._defaults)

    @property
    def held_bytes(self) -> int:
        """What all caches hold."""
        return sum(cache.held_bytes for cache in self._defaults)

    def set_share(self, share: float) -> None:
        """Let all caches, and those that are made later, hold a share of what they hold by default."""
        self._share = share
        for cache, default_bytes in self._defaults.items():
            cache.resize(int(share * default_bytes))

    def add(self, cache: ByteCache[Any]) -> None:
        """Take a cache whose size is the default."""
        self._defaults[cache] = cache.capacity_bytes
        cache.resize(int(self._share * cache.capacity_bytes))
