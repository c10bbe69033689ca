"""The bundled lecture with the real engine: every step shows its answer, and no student breaks one."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views.live_view import AskingView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile

SETTLED_MS = 60_000
PRESSES = 25
LECTURE = checked_lecture()
KEYS = [key for key in Qt.Key if Qt.Key.Key_Space <= key <= Qt.Key.Key_AsciiTilde] + [
    Qt.Key.Key_Tab,
    Qt.Key.Key_Return,
    Qt.Key.Key_Backspace,
    Qt.Key.Key_Delete,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    *[Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down] * 6,
]
pytestmark = pytest.mark.slow


@pytest.fixture
def bridge(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineBridge]:
    monkeypatch.setenv("CONVNEXT_STUDIO_CONFIG_DIR", str(tmp_path))
    client = EngineClient()
    client.start()
    bridge = EngineBridge(client)
    yield bridge
    bridge.close()
    qapp.processEvents()


@pytest.fixture
def presenter(qtbot: QtBot, qapp: QApplication, bridge: EngineBridge, weights: Path) -> Iterator[Presenter]:
    state, background = AppState(), Background(qapp)
    controller = Controller(state, bridge, SettingsFile(read_only=True))
    controller.models.open(str(weights))
    controller.open_sample("cat")
    qtbot.waitUntil(lambda: state.prediction is not None, timeout=SETTLED_MS)
    presenter = Presenter(state, bridge, LECTURE, FormulaBook(background))
    presenter.resize(1366, 768)
    presenter.show()
    qtbot.waitUntil(presenter.isActiveWindow)
    yield presenter
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()
    controller.close()
    background.close()


def test_every_step_shows_its_answer(presenter: Presenter, qtbot: QtBot) -> None:
    said: dict[str, str] = {}
    for index, step in enumerate(LECTURE.steps):
        presenter.go_to(index)
        qtbot.waitUntil(lambda: presenter.is_settled, timeout=SETTLED_MS)
        view = presenter.view
        if isinstance(view, AskingView) and view.notice:
            said[step.title] = view.notice
        assert view.caption()
    assert said == {}


@pytest.mark.parametrize("seed", range(2))
def test_no_student_breaks_a_step(
    presenter: Presenter, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Random keys, clicks, drags and double-clicks; pytest-qt fails on any exception in Qt's callbacks."""
    # What would wait for a person is not the lecture's.
    monkeypatch.setattr(QMenu, "exec", lambda *_: None)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    rng = random.Random(seed)
    for index in range(len(LECTURE.steps)):
        presenter.go_to(index)
        qtbot.waitUntil(lambda: presenter.is_settled, timeout=SETTLED_MS)
        for _ in range(PRESSES):
            _press_something(presenter, rng)
            QApplication.processEvents()
        while presenter.cover.isVisible() or presenter.overview.isVisible() or presenter.help.isVisible():
            focused = presenter.focusWidget() or presenter
            QTest.keyClick(QApplication.activePopupWidget() or focused, Qt.Key.Key_Escape)
        if presenter.is_zoomed:
            presenter.toggle_zoom()
    presenter.go_to(0)
    qtbot.waitUntil(lambda: presenter.is_settled, timeout=SETTLED_MS)


def _press_something(presenter: Presenter, rng: random.Random) -> None:
    popup = QApplication.activePopupWidget()
    if popup is not None:
        QTest.keyClick(
            popup, rng.choice([Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return, Qt.Key.Key_Escape])
        )
        return
    view = presenter.view
    place = QPoint(rng.randrange(view.width()), rng.randrange(view.height()))
    target = view.childAt(place) or view
    inside = target.mapFrom(view, place)
    match rng.randrange(6):
        case 0:
            QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=inside)
        case 1:
            QTest.mousePress(target, Qt.MouseButton.LeftButton, pos=inside)
            QTest.mouseMove(target, inside + QPoint(30, -20))
            QTest.mouseRelease(target, Qt.MouseButton.LeftButton, pos=inside + QPoint(30, -20))
        case 2:
            QTest.mouseDClick(target, Qt.MouseButton.LeftButton, pos=inside)
        case _:
            QTest.keyClick(presenter.focusWidget() or presenter, rng.choice(KEYS))
