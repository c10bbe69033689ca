"""The lab, shown, with a fake engine behind it."""

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_image, make_model
from tests.ui.panels.receptive_field_lab.told import TITLES, asked, compare, field_result, settle


@pytest.fixture
def lab(qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background) -> ReceptiveFieldLab:
    """The lab, shown, with a model and a picture; the open model is its only subject."""
    state.set_model(make_model("Trained"))
    state.opened.add(make_image())
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    lab.resize(1280, 720)
    lab.show()
    qtbot.waitExposed(lab)
    return lab


@pytest.fixture
def pair(lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot) -> ReceptiveFieldLab:
    """Trained, with a field of 4, against random weights, with one of 0.5."""
    compare(lab, TITLES[0])
    trained, random = asked(engine)
    engine.answer(trained, field_result(state))
    engine.answer(random, field_result(state, 0.5, random=True))
    settle(qtbot, lab)
    return lab
