"""Views of a lecture hear nothing more, and are freed, when the presenter has gone on."""

import gc
import weakref

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change
from convnext_studio.model.framing import Framing
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import make_image, make_model


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
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    open_state.awaited.begin(OpenImage(id=99, path="other.png"))  # An error in a slot fails the test.
    open_state.opened.add(make_image("other"))
    open_state.set_model(make_model("Another"))
    open_state.set_node("stage1")
    open_state.set_unit(0, 0)
    open_state.set_target(1)
    open_state.set_framing(Framing(kind="whole"))
    open_state.interventions.add(Change(node="stage1"))
    open_state.second.shown_changed.emit()
    gc.collect()
    assert seen() is None
