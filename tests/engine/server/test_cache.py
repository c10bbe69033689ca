"""The cache's bound, against a plain count of what is in it."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.engine.server.cache import ByteCache, array_bytes


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60), st.booleans())))
def test_cache_holds_the_latest_used_within_its_bound(steps: list[tuple[int, int, bool]]) -> None:
    cache: ByteCache[np.ndarray] = ByteCache(100)
    expected: dict[int, int] = {}  # In the order of use.
    for key, size, reads in steps:
        if reads:
            found = cache.get(key)
            assert (None if found is None else found.nbytes) == expected.get(key)
            if key in expected:
                expected[key] = expected.pop(key)
            continue
        cache.put(key, np.zeros(size, np.uint8))
        expected.pop(key, None)
        expected[key] = size
        while sum(expected.values()) > 100:
            del expected[next(iter(expected))]
        assert cache.held_bytes == sum(expected.values()) <= 100
    cache.clear()
    assert cache.held_bytes == 0


def test_what_is_too_large_is_not_kept_and_nothing_goes_for_it() -> None:
    cache: ByteCache[np.ndarray] = ByteCache(100)
    cache.put("small", np.zeros(90, np.uint8))
    cache.put("large", np.zeros(101, np.uint8))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_array_bytes_counts_nested_arrays() -> None:
    assert array_bytes({"a": np.zeros(3, np.float32), "b": [np.zeros(2, np.uint8), "text"], "c": b"1234"}) == 18


def test_tensors_count_as_arrays_do() -> None:
    assert array_bytes({"a": torch.zeros(3, 4), "b": (torch.zeros(2, dtype=torch.bfloat16),)}) == 48 + 4
