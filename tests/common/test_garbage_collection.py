"""The search for circular garbage is put off, and comes back."""

import gc

import pytest

from convnext_studio.common.garbage_collection import collecting_later


def test_it_is_put_off_and_what_was_made_is_left_alone() -> None:
    gc.unfreeze()
    with collecting_later():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_it_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), collecting_later():
        _ = 1 / 0
    assert gc.isenabled()
    gc.unfreeze()
