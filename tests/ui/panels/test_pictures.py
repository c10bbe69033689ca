"""The opened pictures: their classes, order, filter, menu, and how large their thumbnails are."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication, QTextDocumentFragment
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.pictures import CloseImage, ListPictures, Thumbnail
from convnext_studio.protocol.predictions import Classes, Classify, Predict, TopClass
from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from tests.ui.conftest import FakeEngine, answer_listing, make_image, make_prediction

NAMES = ("one", "two", "three")
SHARES = {"one": (3, 0.9), "two": (1, 0.4), "three": (2, 0.99)}


@pytest.fixture
def panel(filled_window: StudioWindow, state: AppState) -> PicturesPanel:
    for name in NAMES[1:]:
        state.opened.add(make_image(name), select=False)
    return filled_window.panels.pictures


def classify(engine: FakeEngine) -> None:
    """Answer for the pictures that are asked about, and the current one's prediction as it was."""
    while asked := engine.open(Classify):
        classes = tuple(
            TopClass(image=key, target=SHARES[key][0], probability=SHARES[key][1]) for key in asked[0].images
        )
        engine.answer(asked[0], Classes(classes=classes))


def shown(panel: PicturesPanel) -> list[str]:
    model = panel.list.model()
    return [str(model.index(row, 0).data(Qt.ItemDataRole.DisplayRole)) for row in range(model.rowCount())]


def triggered(menu: QMenu, text: str) -> None:
    [action] = [each for each in menu.actions() if each.text().replace("&", "") == text]
    assert action.isEnabled()
    action.trigger()


def test_every_picture_has_its_class_below_it(panel: PicturesPanel, engine: FakeEngine) -> None:
    classify(engine)
    asked = [request.images for request in engine.asked if isinstance(request, Classify)]
    assert asked == [("two",), ("three",)]  # That of the current picture is known.
    assert shown(panel)[1:] == ["two\nthing 1 40.0 %", "three\nthing 2 99.0 %"]
    assert shown(panel)[0].startswith("one\n")
    assert not engine.open(Classify)


def test_a_name_with_tags_is_told_as_it_is(panel: PicturesPanel, state: AppState) -> None:
    path = "/pictures/<img src=x> <b>cat</b>.png"
    state.opened.add(make_image("tags", path), select=False)
    tip = panel.list.model().index(3, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert QTextDocumentFragment.fromHtml(tip).toPlainText().startswith(path)


def test_another_network_forgets_the_classes(panel: PicturesPanel, engine: FakeEngine, state: AppState) -> None:
    classify(engine)
    assert state.model is not None
    state.set_model(state.model)
    assert shown(panel)[1] == "two\n"
    engine.answer(engine.open(Predict)[-1], make_prediction())
    [asked] = engine.open(Classify)
    assert asked.images == ("two", "three")


def test_pictures_are_sorted_and_filtered(panel: PicturesPanel, engine: FakeEngine) -> None:
    classify(engine)
    keys = panel.shown.rows
    for order, expected in (
        ("name", ["one", "three", "two"]),
        ("confidence", ["three", "two"]),
        ("opened", ["one", "two", "three"]),
    ):
        panel.order.setCurrentIndex(panel.order.findData(order))
        assert [key for key in keys() if key in expected] == expected
    panel.order.setCurrentIndex(panel.order.findData("class"))
    assert [key for key in keys() if key != "one"] == ["two", "three"]
    panel.search.setText("THING 2")
    assert "three" in keys()
    assert "two" not in keys()
    panel.search.setText("")
    panel.confidence.setCurrentIndex(panel.confidence.findText("Under 50 %"))
    assert "two" in keys()
    assert "three" not in keys()
    panel.confidence.setCurrentIndex(0)
    assert len(keys()) == 3


def test_a_sorted_list_still_steps_through_the_pictures(
    panel: PicturesPanel, engine: FakeEngine, state: AppState
) -> None:
    classify(engine)
    panel.order.setCurrentIndex(panel.order.findData("name"))
    assert panel.list.currentIndex().row() == 0
    panel.list.setCurrentIndex(panel.shown.index(1, 0))
    assert state.opened.chosen is not None
    assert state.opened.chosen.key == "three"


def test_every_cell_has_the_room_of_the_grid_for_names_in_any_script(
    panel: PicturesPanel, state: AppState, qtbot: QtBot
) -> None:
    state.opened.add(make_image("tall", "/pictures/猫の写真.png"), select=False)
    qtbot.wait(120)
    cells = [panel.list.visualRect(panel.shown.index(row, 0)) for row in range(panel.shown.rowCount())]
    grid = panel.list.gridSize()
    assert {cell.size().toTuple() for cell in cells} == {(grid.width() - 2, grid.height() - 2)}


def test_thumbnails_are_as_large_as_there_is_room(
    panel: PicturesPanel, filled_window: StudioWindow, state: AppState, qtbot: QtBot
) -> None:
    for name in ("four", "five"):
        state.opened.add(make_image(name), select=False)
    qtbot.wait(120)
    small = panel.list.iconSize().width()
    filled_window.dock_layout.toggle_maximised("pictures")
    qtbot.waitUntil(lambda: panel.list.iconSize().width() == 128)
    assert small < 80
    filled_window.dock_layout.leave_maximised()
    qtbot.waitUntil(lambda: panel.list.iconSize().width() == small)


def test_the_current_picture_stays_in_sight_in_a_smaller_list(panel: PicturesPanel, qtbot: QtBot) -> None:
    panel.list.setParent(None)
    qtbot.addWidget(panel.list)
    panel.list.resize(600, 300)
    panel.list.show()
    panel.list.setCurrentIndex(panel.shown.index(2, 0))
    qtbot.wait(120)
    panel.list.resize(160, 120)

    def is_in_sight() -> None:
        place = panel.list.visualRect(panel.list.currentIndex())
        assert panel.list.viewport().rect().contains(place.center())

    qtbot.waitUntil(is_in_sight)
    assert panel.list.verticalScrollBar().value() > 0


def test_the_menu_copies_reveals_and_closes(
    panel: PicturesPanel,
    state: AppState,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    triggered(panel.menu_about("two"), "Copy path")
    assert QGuiApplication.clipboard().text() == "/pictures/two.png"
    triggered(panel.menu_about("two"), "Show in folder")
    assert opened == [str(Path("/pictures"))]
    triggered(panel.menu_about("three"), "Show")
    assert state.opened.chosen is not None
    assert state.opened.chosen.key == "three"
    triggered(panel.menu_about("two"), "Close all others")
    assert [picture.key for picture in state.opened.all] == ["two"]


@pytest.mark.usefixtures("panel")
def test_closing_all_pictures_is_undone_in_their_order(
    engine: FakeEngine, state: AppState, filled_window: StudioWindow
) -> None:
    state.opened.select("two")
    filled_window.actions_by_id["close_all"].trigger()
    assert state.opened.all == ()
    assert set(engine.open(CloseImage)[-1].images) == set(NAMES)
    assert filled_window.messages.text == "3 pictures were closed. Ctrl+Z opens them again."
    assert filled_window.actions_by_id["undo"].isEnabled()
    filled_window.actions_by_id["undo"].trigger()
    [asked] = engine.open(ListPictures)
    assert asked.paths == tuple(f"/pictures/{name}.png" for name in NAMES)
    answer_listing(engine, *(make_image(name) for name in NAMES))
    assert [picture.key for picture in state.opened.all] == list(NAMES)
    assert state.opened.chosen is not None
    assert state.opened.chosen.key == "two"
    assert filled_window.messages.text == ""


@pytest.mark.usefixtures("panel")
def test_a_pasted_picture_comes_back_too(
    engine: FakeEngine, state: AppState, filled_window: StudioWindow
) -> None:
    state.opened.add(replace(make_image("pasted"), path=""), select=False)
    filled_window.actions_by_id["close_all"].trigger()
    assert "pasted" not in engine.open(CloseImage)[-1].images
    filled_window.actions_by_id["undo"].trigger()
    answer_listing(engine, *(make_image(name) for name in NAMES))
    assert [picture.key for picture in state.opened.all] == [*NAMES, "pasted"]
    filled_window.actions_by_id["close_all"].trigger()
    state.opened.add(make_image("two"))
    filled_window.actions_by_id["close_all"].trigger()  # The first ones are gone for good.
    assert any("pasted" in request.images for request in engine.open(CloseImage))


@pytest.mark.usefixtures("panel")
def test_only_listed_pictures_need_thumbnails(engine: FakeEngine) -> None:
    assert all(request.image in NAMES for request in engine.open(Thumbnail))
