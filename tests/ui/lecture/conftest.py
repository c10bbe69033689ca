"""A presenter over the fake engine, with a toy lecture."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from tests.networks import small_model
from tests.ui.conftest import FakeEngine, make_image, make_model
from tests.ui.lecture.live import LiveEngine
from tests.ui.lecture.toys import TOYS, toy_lecture


@pytest.fixture
def lecture(tmp_path: Path) -> Lecture:
    return toy_lecture(tmp_path)


@pytest.fixture
def open_state(state: AppState) -> AppState:
    """With a model and a picture."""
    state.set_model(make_model())
    state.opened.add(make_image())
    return state


@pytest.fixture
def presenter(
    qtbot: QtBot, open_state: AppState, bridge: EngineBridge, lecture: Lecture, background: Background
) -> Iterator[Presenter]:
    presenter = Presenter(open_state, bridge, lecture, FormulaBook(background), views=TOYS)
    presenter.resize(1280, 720)
    presenter.show()
    presenter.activateWindow()
    qtbot.waitUntil(presenter.isActiveWindow)
    yield presenter
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()


@pytest.fixture
def live(engine: FakeEngine, state: AppState, monkeypatch: pytest.MonkeyPatch) -> LiveEngine:
    """A small model in a session of its own, with the sample cat."""
    model = small_model()
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    return LiveEngine(engine, state, model)
