"""No text is cut off or lies on another, and nothing scrolls sideways, at every size of screen and text."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.model import load
from convnext_studio.protocol.attributions import MeasureFaithfulness
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, TITLES
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from tests.looks.faults import faults, settle
from tests.ui.conftest import FakeEngine
from tests.ui.lecture.test_cut_off import QuickEngine

pytestmark = pytest.mark.usefixtures("dark")
LAPTOPS = [(1024, 768, 9), (1024, 700, 9), (1280, 720, 9), (1366, 768, 9), (1920, 1080, 9)]
LARGE_TEXT = [
    (1024, 768, 20),
    (1280, 720, 20),
    (1366, 768, 20),
    (1366, 768, 28),
    (1920, 1080, 20),
    (1920, 1080, 28),
    (2560, 1440, 28),
]

PIECES = (tuple(name for name in TITLES if name not in ASIDES), *(ASIDES[first::4] for first in range(4)))
"""The panels in pieces of a few, each of which takes a minute or two."""


class _WithoutWaiting(QuickEngine):
    """Measures one step where many would say nothing else."""

    def work_on(self, request: Request) -> Request:
        if isinstance(request, MeasureFaithfulness):
            return replace(request, steps=2, orders=2)
        return super().work_on(request)


class Screen:
    """The whole window with the bundled network, on a screen of any size."""

    def __init__(
        self,
        window: StudioWindow,
        engine: FakeEngine,
        state: AppState,
        monkeypatch: pytest.MonkeyPatch,
        qtbot: QtBot,
    ) -> None:
        self.window = window
        self.found: list[str] = []
        self._engine = engine
        self._monkeypatch = monkeypatch
        self._qtbot = qtbot
        self._live = _WithoutWaiting(engine, state, load("bundled"))

    def use(self, width: int, height: int, text_pt: int) -> None:
        """Lay out the window on a screen of this size, filled by the window, with text of that size."""
        room = QRect(0, 0, width, height)
        screen = SimpleNamespace(
            availableSize=room.size, availableGeometry=lambda: room, devicePixelRatio=lambda: 1.0
        )
        self._monkeypatch.setattr(self.window, "screen", lambda: screen)
        for dock in self.window.dock_layout.docks.values():
            self._monkeypatch.setattr(dock, "screen", lambda: screen)
        self.window.settings.update(text_pt=text_pt)
        self.window.appearance._use_text()
        self._qtbot.wait(120)
        self.window.resize(width, height)
        self._qtbot.wait(200)
        self.window.dock_layout.reset()
        self.answer()

    def answer(self) -> None:
        """Answer all that is asked, until every panel that is seen has its contents."""
        for _ in range(200):
            QApplication.processEvents()
            waiting = [each for each in self._engine.open(Request) if not isinstance(each, LoadModel)]
            if waiting:
                self._live._answer(waiting[0])
            elif self.window.is_settled:
                break
            else:
                self._qtbot.wait(10)
        settle()

    def look(self, where: str) -> None:
        """Keep what is wrong now."""
        self.answer()
        assert self.window.is_settled
        floating = [dock for dock in self.window.dock_layout.docks.values() if dock.isFloating()]
        seen = [self.window, *(dock for dock in floating if dock.isVisible())]
        self.found += [f"{where}: {fault}" for each in seen for fault in faults(each)]


@pytest.fixture
def screen(
    window: StudioWindow,
    engine: FakeEngine,
    state: AppState,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> Screen:
    model = load("bundled")
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    return Screen(window, engine, state, monkeypatch, qtbot)


def look_at_panels(screen: Screen, names: Iterable[str], *, maximised: bool) -> None:
    """Bring each panel to the front and, where wanted, let it fill the window."""
    layout = screen.window.dock_layout
    for name in names:
        layout.show_panel(name)
        screen.look(f"{name} in front")
        if maximised:
            layout.toggle_maximised(name)
            screen.look(f"{name} maximised")
            layout.leave_maximised()
            layout.reset()


@pytest.mark.parametrize(("width", "height", "text_pt"), [*LAPTOPS[:4], *LARGE_TEXT[::2]])
def test_nothing_is_cut_off_at_first(screen: Screen, width: int, height: int, text_pt: int) -> None:
    screen.use(width, height, text_pt)
    assert screen.window.size() == QSize(width, height)
    screen.look("first layout")
    look_at_panels(screen, [name for name in TITLES if name not in ASIDES], maximised=False)
    assert screen.found == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height", "text_pt"), [*LAPTOPS, *LARGE_TEXT])
@pytest.mark.parametrize("names", PIECES, ids=lambda names: names[0])
def test_nothing_is_cut_off_in_any_panel(
    screen: Screen, width: int, height: int, text_pt: int, names: tuple[str, ...]
) -> None:
    screen.use(width, height, text_pt)
    look_at_panels(screen, names, maximised=True)
    assert screen.found == []
