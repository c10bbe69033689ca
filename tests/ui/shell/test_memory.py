"""What a window holds after hours: of pictures that are closed, switched networks, panels that come and go."""

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import QObject
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.shell.docks.panel_specs import PANELS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from tests.leaks import delete_later_now
from tests.networks import small_model, write_weights
from tests.ui.conftest import FakeEngine, make_model, make_prediction
from tests.ui.stepped_engine import SteppedEngine

SWITCHES, OPENINGS = 60, 50
WARM = 6
"""So often, things are made that stay and are used again."""
_ANIMATION_MS = 500
"""Longer than docks and tabs move; their animations delete themselves at the end."""


def qt_objects() -> Counter[str]:
    """All Qt objects that are alive, by class: widgets, what belongs to them, and what Python holds."""
    QTest.qWait(_ANIMATION_MS)
    delete_later_now()
    gc.collect()
    known = [each for each in gc.get_objects() if _is_qt_object(each)]
    roots = [each for each in (*known, *QApplication.topLevelWidgets()) if each.parent() is None]
    found = {}
    for one in (*known, *roots, *(below for root in roots for below in root.findChildren(QObject))):
        found[shiboken6.getCppPointer(one)[0]] = type(one).__name__
    return Counter(found.values())


def _is_qt_object(thing: object) -> bool:
    return issubclass(type(thing), QObject) and shiboken6.isValid(thing)


def assert_no_more_objects(times: int, once: Callable[[int], None]) -> None:
    """Repeat, and compare the numbers of Qt objects after the first times with those after the last."""
    before: Counter[str] = Counter()
    for index in range(times):
        once(index)
        if index == WARM - 1:
            before = qt_objects()
    assert qt_objects() - before == Counter()


@pytest.mark.usefixtures("qapp")
def test_an_object_that_stays_is_counted() -> None:
    kept: list[QObject] = []

    def leave(_index: int) -> None:
        kept.append(QObject())

    with pytest.raises(AssertionError, match="QObject"):
        assert_no_more_objects(WARM + 2, leave)


def switches(window: StudioWindow, engine: FakeEngine) -> Callable[[int], None]:
    """What opens another network, with its answers."""

    def switch(index: int) -> None:
        window.state.set_model(make_model(f"Network {index % 3}", random_weights=index % 2 == 0))
        for asked in engine.open(Predict):
            engine.answer(asked, make_prediction(asked.image))
        QApplication.processEvents()
        engine.asked.clear()

    return switch


def test_a_few_switches_of_the_model_leave_nothing(filled_window: StudioWindow, engine: FakeEngine) -> None:
    filled_window.dock_layout.show_panel("attribution")
    assert_no_more_objects(WARM + 2, switches(filled_window, engine))


@pytest.mark.slow
def test_sixty_switches_of_the_model_leave_no_widgets_menus_or_objects(
    filled_window: StudioWindow, engine: FakeEngine
) -> None:
    for spec in PANELS:
        filled_window.dock_layout.show_panel(spec.name)
    assert_no_more_objects(SWITCHES, switches(filled_window, engine))


@pytest.mark.slow
@pytest.mark.parametrize("name", [spec.name for spec in PANELS])
def test_fifty_openings_of_a_panel_leave_nothing(filled_window: StudioWindow, name: str) -> None:
    def open_and_close(_index: int) -> None:
        filled_window.dock_layout.show_panel(name)
        QApplication.processEvents()
        filled_window.dock_layout.docks[name].close()
        QApplication.processEvents()

    assert_no_more_objects(OPENINGS, open_and_close)


def photographs(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """So many files of so many pixels, as JPEG: noise that was enlarged, so that they are quick to write."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        paths.append(str(folder / f"{number:04}.jpg"))
        small.resize(size).save(paths[-1])
    return paths


class StudioWithEngine:
    """A window in front of the real engine's handlers, with a small network and no picture."""

    def __init__(self, window: StudioWindow, engine: SteppedEngine, qtbot: QtBot) -> None:
        self._window, self._engine, self._qtbot = window, engine, qtbot

    def finish(self) -> None:
        """Let everything be answered and painted."""
        self._qtbot.waitUntil(lambda: self._engine.finish() and self._window.is_settled, timeout=60_000)


@pytest.fixture
def stepped(window: StudioWindow, engine: SteppedEngine, tmp_path: Path, qtbot: QtBot) -> StudioWithEngine:
    path = tmp_path / "network.safetensors"
    write_weights(path, small_model())
    window.controller.models.open(str(path), "cpu")
    studio = StudioWithEngine(window, engine, qtbot)
    studio.finish()
    return studio


class TestWithRealHandlers:
    """Of a window whose questions the real handlers answer."""

    @pytest.fixture
    def engine(self) -> SteppedEngine:
        return SteppedEngine()

    def test_closed_pictures_are_let_go_by_all_but_what_showed_the_last_one(
        self,
        stepped: StudioWithEngine,
        engine: SteppedEngine,
        state: AppState,
        controller: Controller,
        tmp_path: Path,
    ) -> None:
        controller.open_paths(photographs(tmp_path, 3, (320, 240)))
        previews = []
        for step in range(3):
            stepped.finish()
            assert state.picture is not None
            previews.append(weakref.ref(state.picture.preview))
            state.opened.step(1 if step < 2 else 0)
        assert all(preview() is not None for preview in previews)
        controller.close_all_pictures()
        stepped.finish()
        delete_later_now()
        engine._owners.clear()
        gc.collect()
        # A view that is hidden may hold what it showed last, until it shows another picture.
        assert [holders(preview()) for preview in previews[:2]] == ["", ""]


def holders(kept: object) -> str:
    """Which objects hold something, through what; empty where it is gone."""
    return "" if kept is None else " <- ".join(_holders(kept, 4))


def _holders(kept: object, depth: int) -> list[str]:
    others = [each for each in gc.get_referrers(kept) if not isinstance(each, FrameType | list)]
    if not others or not depth:
        return []
    return [f"{type(others[0]).__name__} {str(others[0])[:60]}", *_holders(others[0], depth - 1)]
