"""The garbage collector is off inside the block, and as before after it; what is due is collected by hand."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from convnext_studio.common.processes.garbage_collection import collect_what_is_due, collecting_later


class Knot:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.enable()
    yield
    if not was_on:
        gc.disable()


def test_it_is_off_inside_and_existing_objects_are_excluded() -> None:
    before = gc.get_freeze_count()
    made = [[] for _ in range(1000)]
    with collecting_later():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), collecting_later():
        _ = 1 / 0
    assert gc.isenabled()


def test_it_stays_off_where_something_else_collects() -> None:
    gc.disable()
    with collecting_later():
        pass
    assert not gc.isenabled()


def test_what_is_due_is_collected_and_nothing_before() -> None:
    gc.collect()
    gc.disable()
    knot = weakref.ref(Knot())
    collect_what_is_due()
    assert knot() is not None  # Too few objects have been made since the last collection.
    made = [[] for _ in range(2 * gc.get_threshold()[0])]
    collect_what_is_due()
    assert made
    assert knot() is None
