"""Thumbnails are asked for when they are seen, a few at a time, and kept within bounds."""

import gc
import weakref

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.pictures import ListedPicture, PictureFailure, Thumbnail, ThumbnailPixels
from convnext_studio.ui.panels.pictures.pictures_model import PicturesModel
from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
from convnext_studio.ui.state import thumbnail_loader as thumbnails
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import AT_ONCE, MOST_WAITING, ThumbnailLoader
from tests.ui.conftest import FakeEngine, make_image

COUNT = 2000


@pytest.fixture
def many(state: AppState) -> AppState:
    state.opened.list_pictures(
        ListedPicture(str(row), f"scan{row}.png", f"/scan{row}.png") for row in range(COUNT)
    )
    return state


def reply(engine: FakeEngine) -> list[str]:
    """Answer what is asked, until nothing is; what it was."""
    keys = []
    while requests := engine.open(Thumbnail):
        for request in requests:
            keys.append(request.image)
            pixels = np.full((30, 40, 3), len(keys) % 256, np.uint8)
            engine.answer(request, ThumbnailPixels(image=request.image, pixels=pixels))
    return keys


@pytest.fixture
def small(many: AppState, bridge: EngineBridge) -> ThumbnailLoader:
    return ThumbnailLoader(many, bridge, 40)


def test_few_are_asked_for_at_once_and_the_last_seen_first(small: ThumbnailLoader, engine: FakeEngine) -> None:
    arrived: list[str] = []
    small.arrived.connect(arrived.append)
    for row in range(COUNT):
        assert small.get(str(row)) is None
    assert len(engine.open(Thumbnail)) == AT_ONCE
    keys = reply(engine)
    assert arrived == keys
    assert set(keys[AT_ONCE:]) == {str(row) for row in range(COUNT - MOST_WAITING, COUNT)}
    assert keys[AT_ONCE] == str(COUNT - 1)
    assert small.is_settled
    kept = small.get(str(COUNT - 1))
    assert kept is not None
    assert kept.shape == (30, 40, 3)
    assert engine.open(Thumbnail) == []


def test_what_was_forgotten_is_asked_for_again(
    many: AppState, bridge: EngineBridge, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "KEPT_BYTES", 2 * 30 * 40 * 3)
    small = ThumbnailLoader(many, bridge, 40)
    for row in range(3):
        small.get(str(row))
        reply(engine)
    assert [small.get(str(row)) is not None for row in (1, 2, 0)] == [True, True, False]
    assert [request.image for request in engine.open(Thumbnail)] == ["0"]


def test_a_refusal_is_kept_and_a_cancelled_one_is_asked_again(
    small: ThumbnailLoader, engine: FakeEngine, bridge: EngineBridge
) -> None:
    small.get("1")
    engine.refuse(engine.open(Thumbnail)[0], "It is damaged.")
    assert (small.get("1"), small.why_not("1")) == (None, "It is damaged.")
    assert engine.open(Thumbnail) == []
    broken: list[object] = []
    small.found_broken.connect(broken.append)
    small.get("7")
    failure = PictureFailure(path="/7.png", message="It is cut off.", key="7")
    engine.answer(engine.open(Thumbnail)[0], failure)
    assert broken == [failure]
    assert small.why_not("7") == "It is cut off."
    small.get("2")
    bridge.cancel_all()
    QApplication.processEvents()
    assert small.get("2") is None
    assert [request.image for request in engine.open(Thumbnail)] == ["2"]


def test_a_picture_that_was_shown_needs_no_asking(
    small: ThumbnailLoader, many: AppState, engine: FakeEngine
) -> None:
    shown = make_image("shown")
    many.opened.add(shown, select=False)
    assert small.get("shown") is shown.thumbnail
    assert engine.open(Thumbnail) == []


def test_a_panel_asks_only_for_what_can_be_seen(
    many: AppState, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    panel = PicturesPanel(many, bridge)
    qtbot.addWidget(panel)
    panel.resize(300, 220)
    panel.show()
    qtbot.waitExposed(panel)
    qtbot.waitUntil(lambda: bool(engine.open(Thumbnail)))
    first = reply(engine)
    # Qt may ask for its last row, too, to measure it.
    seen = {int(key) for key in first} - {COUNT - 1}
    assert 4 <= len(seen) <= 24
    assert seen == set(range(len(seen)))
    many.opened.select("1900")
    qtbot.waitUntil(lambda: bool(engine.open(Thumbnail)))
    later = [int(key) for key in reply(engine)]
    assert 1900 in later
    assert min(later) > 1800, later
    assert panel.is_settled
    assert panel.count.text() == "Picture 1,901 of 2,000"


def test_nothing_is_kept_of_a_closed_picture(state: AppState, bridge: EngineBridge) -> None:
    model = PicturesModel(state, bridge)
    state.opened.changed.connect(model.show)
    for key in ("closed", "left"):
        state.opened.add(make_image(key))
    shown = state.opened.preview("closed")
    assert shown is not None
    kept = [weakref.ref(model.data(model.index(0), Qt.ItemDataRole.DecorationRole))]
    kept += [weakref.ref(shown.preview), weakref.ref(shown.thumbnail)]
    del shown
    assert all(each() is not None for each in kept)
    state.opened.remove({"closed"})
    gc.collect()
    assert all(each() is None for each in kept)


def test_on_a_fine_screen_the_pixels_of_a_preview_are_used_and_more_are_asked_for(
    state: AppState, bridge: EngineBridge, engine: FakeEngine
) -> None:
    shown = make_image()
    state.opened.add(shown)
    state.opened.list_pictures([ListedPicture("two", "two.png", "/two.png")])
    large = ThumbnailLoader(state, bridge, 256)
    np.testing.assert_array_equal(large.get("one"), shown.preview)
    assert large.get("two") is None
    [request] = engine.open(Thumbnail)
    assert (request.image, request.longest_px) == ("two", 256)


def test_thumbnails_of_another_size_replace_those_that_were_loaded(
    state: AppState, bridge: EngineBridge, engine: FakeEngine
) -> None:
    state.opened.list_pictures([ListedPicture("two", "two.png", "/two.png")])
    loader = ThumbnailLoader(state, bridge, 128)
    assert loader.get("two") is None
    loader.use_size(256)
    assert loader.is_settled
    assert loader.get("two") is None
    [request] = engine.open(Thumbnail)
    assert (request.image, request.longest_px) == ("two", 256)
