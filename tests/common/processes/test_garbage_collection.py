"""The garbage collector is off inside the block, and on again after it."""

import gc

import pytest

from convnext_studio.common.processes.garbage_collection import collecting_later


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
