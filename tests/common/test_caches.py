"""The cache's bound, against a plain count of what is in it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.caches import ByteCache


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60), st.booleans())))
def test_cache_holds_the_latest_used_within_its_bound(steps: list[tuple[int, int, bool]]) -> None:
    cache: ByteCache[np.ndarray] = ByteCache(100, lambda array: array.nbytes)
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
    cache: ByteCache[np.ndarray] = ByteCache(100, lambda array: array.nbytes)
    cache.put("small", np.zeros(90, np.uint8))
    cache.put("large", np.zeros(101, np.uint8))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    cache = of_texts()
    cache.put("a", "AAAA")
    cache.put("b", "BBBB")
    assert cache.get("a") == "AAAA"
    cache.put("c", "CCCC")
    assert [cache.get(key) for key in "abc"] == ["AAAA", None, "CCCC"]


def test_a_value_put_again_counts_once() -> None:
    cache = of_texts()
    cache.put("a", "AAAA")
    for _ in range(5):
        cache.put("b", "BBBBBB")
    assert cache.get("a") == "AAAA"
    cache.put("c", "C" * 1000)
    assert [cache.get(key) for key in "abc"] == ["AAAA", "BBBBBB", None]
    cache.put("a", "A" * 1000)  # What it was is not its value any more.
    assert [cache.get(key) for key in "ab"] == [None, "BBBBBB"]
    cache.put("d", "DDDDD")
    assert [cache.get(key) for key in "bd"] == [None, "DDDDD"]
    cache.clear()
    assert cache.get("d") is None


def test_what_is_not_wanted_any_more_makes_room() -> None:
    cache = of_texts()
    for key in "abc":
        cache.put(key, key * 3)
    cache.forget_where(lambda _, value: value == "bbb")
    assert [cache.get(key) for key in "abc"] == ["aaa", None, "ccc"]
    cache.put("d", "DDDD")
    assert [cache.get(key) for key in "acd"] == ["aaa", "ccc", "DDDD"]


def of_texts() -> ByteCache[str]:
    """A cache of ten letters."""
    return ByteCache(10, len)
