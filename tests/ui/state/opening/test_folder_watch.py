"""A watched folder's new pictures are opened once they are written to the end, and no sooner."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.pictures import ListedPictures, ListPictures, ShowPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening import folder_watch as watching
from convnext_studio.ui.state.opening.folder_watch import FolderWatch
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine, make_image


@pytest.fixture
def watch(
    bridge: EngineBridge, controller: Controller, settings: SettingsFile, monkeypatch: pytest.MonkeyPatch
) -> FolderWatch:
    monkeypatch.setattr(watching, "SETTLE_MS", 20)
    monkeypatch.setattr(watching, "LOOK_MS", 60)
    return FolderWatch(bridge, controller.pictures, settings, controller)


def look(qtbot: QtBot, engine: FakeEngine, *keys: str, folder: str = "/in") -> None:
    """Wait until the folder is looked at, and say what is in it: ``name`` or, changed, ``name 2``."""
    qtbot.waitUntil(lambda: bool(engine.open(ListPictures)))
    [request] = engine.open(ListPictures)
    assert request.paths == (folder,)
    listed = tuple(make_image(key, f"{folder}/{key.split()[0]}.png").listed for key in keys)
    engine.answer(request, ListedPictures(pictures=listed, checked=len(listed), folders=(folder,)))


def test_a_new_picture_is_opened_when_it_was_the_same_twice(
    qtbot: QtBot, watch: FolderWatch, engine: FakeEngine, state: AppState, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    watch.start(folder)
    look(qtbot, engine, "old", folder=folder)
    (tmp_path / "new.png").touch()  # Qt tells of it.
    look(qtbot, engine, "old", "new", folder=folder)
    assert state.opened.all == ()
    look(qtbot, engine, "old", "new 2", folder=folder)  # It grows.
    assert state.opened.all == ()
    look(qtbot, engine, "old", "new 2", folder=folder)
    assert [picture.key for picture in state.opened.all] == ["new 2"]
    assert [request.image for request in engine.open(ShowPicture)] == ["new 2"]
    look(qtbot, engine, "old", "new 2", folder=folder)
    assert len(state.opened.all) == 1
    watch.stop()


@pytest.mark.parametrize("shows_newest", [True, False])
def test_the_newest_is_shown_or_only_added(
    qtbot: QtBot,
    watch: FolderWatch,
    engine: FakeEngine,
    state: AppState,
    settings: SettingsFile,
    shows_newest: bool,
) -> None:
    settings.update(shows_newest=shows_newest)
    state.opened.add(make_image("shown"))
    watch.start("/in")
    look(qtbot, engine)
    look(qtbot, engine, "a", "b")
    look(qtbot, engine, "a", "b")
    assert [picture.key for picture in state.opened.all] == ["shown", "a", "b"]
    assert state.opened.chosen is not None
    assert state.opened.chosen.key == ("b" if shows_newest else "shown")
    watch.stop()


def test_a_picture_that_is_written_anew_takes_its_place(
    qtbot: QtBot, watch: FolderWatch, engine: FakeEngine, state: AppState
) -> None:
    watch.start("/in")
    look(qtbot, engine)
    for keys in (["a"], ["a"], ["a 2"], ["a 2"]):
        look(qtbot, engine, *keys)
    assert [picture.key for picture in state.opened.all] == ["a 2"]
    watch.stop()


def test_a_stopped_watch_asks_and_opens_nothing(
    qtbot: QtBot, watch: FolderWatch, engine: FakeEngine, state: AppState
) -> None:
    told: list[str] = []
    watch.changed.connect(told.append)
    watch.start("/in")
    look(qtbot, engine)
    qtbot.waitUntil(lambda: bool(engine.open(ListPictures)))
    watch.stop()
    look(qtbot, engine, "late")
    qtbot.wait(100)
    assert engine.open(ListPictures) == []
    assert state.opened.all == ()
    assert told == ["/in", ""]


def test_a_folder_that_has_gone_is_told_and_let_go(
    qtbot: QtBot, watch: FolderWatch, engine: FakeEngine
) -> None:
    notices: list[Notice] = []
    watch.noticed.connect(notices.append)
    watch.start("/in")
    look(qtbot, engine)
    qtbot.waitUntil(lambda: bool(engine.open(ListPictures)))
    engine.answer(engine.open(ListPictures)[0], ListedPictures(pictures=(), checked=0))
    assert watch.folder == ""
    assert "no longer exists" in notices[-1].message
    qtbot.wait(100)
    assert engine.open(ListPictures) == []


def test_stopping_what_is_computed_does_not_stop_the_watch(
    qtbot: QtBot, watch: FolderWatch, bridge: EngineBridge, engine: FakeEngine, state: AppState
) -> None:
    watch.start("/in")
    look(qtbot, engine, "old")
    qtbot.waitUntil(lambda: bool(engine.open(ListPictures)))
    bridge.cancel_all()
    look(qtbot, engine, "old", "new")
    look(qtbot, engine, "old", "new")
    assert [picture.key for picture in state.opened.all] == ["new"]
    watch.stop()
