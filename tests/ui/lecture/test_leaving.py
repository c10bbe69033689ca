"""Views of a lecture hear nothing more, and are freed, when the presenter has gone on."""

import gc
import weakref

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.leaks import delete_later_now
from tests.ui.conftest import change_all


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_was_left_hears_nothing_more(
    qtbot: QtBot, open_state: AppState, bridge: EngineBridge, name: str
) -> None:
    spec = VIEWS[name]
    settings = {each: setting.default for each, setting in spec.settings.items()}
    view = spec.make(open_state, bridge, settings)
    view.resize(800, 500)
    view.show()
    view.prepare()
    qtbot.waitExposed(view)
    seen = weakref.ref(view)
    view.retire()
    view.hide()
    view.deleteLater()
    del view
    delete_later_now()
    change_all(open_state)  # An error in a slot fails the test.
    gc.collect()
    assert seen() is None
