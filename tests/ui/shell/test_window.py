"""The window as a whole: drops, messages, layout, closing, with a fake engine behind it."""

import re
import warnings
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import (
    ListedPictures,
    ListPictures,
    OpenImage,
    PictureFailure,
    ShowPicture,
)
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import OpenField
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.drop_target import DropTarget, DropVeil
from convnext_studio.ui.widgets.elided_label import HintLabel
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine, answer_listing, make_image, make_model, make_prediction

NOTHING_OPEN = re.compile("[Nn]o (picture|model) is open|Drop a picture here")
_FIRST = ARRANGEMENTS["inspect"].variants[0]
ANY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def drag(mime: QMimeData) -> QDragEnterEvent:
    with warnings.catch_warnings():
        # Newer Qt has a constructor with QPointF instead, which older Qt lacks.
        warnings.simplefilter("ignore", DeprecationWarning)
        return QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, mime, *ANY)


def drop(target: QWidget, mime: QMimeData) -> bool:
    """Drag and drop as Qt would bring it; whether the drag was accepted."""
    enter = drag(mime)
    QApplication.sendEvent(target, enter)
    if enter.isAccepted():
        QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, *ANY))
    return enter.isAccepted()


def files(*paths: str) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    return mime


def test_files_are_dropped_on_the_window_and_on_floating_panels(
    window: StudioWindow, engine: FakeEngine
) -> None:
    assert drop(window, files("/a.png", "/b.png"))
    floating = window.dock_layout.docks["pictures"]
    floating.setFloating(True)
    assert drop(floating, files("/c.png"))
    assert [request.paths for request in engine.open(ListPictures)] == [("/a.png", "/b.png"), ("/c.png",)]


def test_a_saved_field_that_is_dropped_opens_in_the_lab(
    filled_window: StudioWindow, engine: FakeEngine
) -> None:
    assert not filled_window.panels.field_lab.isVisible()
    assert drop(filled_window, files("/fields/erf.npy", "/a.png"))
    assert filled_window.panels.field_lab.isVisible()
    assert [request.path for request in engine.open(OpenField)] == ["/fields/erf.npy"]
    assert [request.paths for request in engine.open(ListPictures)] == [("/a.png",)]


def test_the_lab_opens_by_its_shortcut_and_has_the_keyboard(filled_window: StudioWindow, qtbot: QtBot) -> None:
    filled_window.actions_by_id["field_lab"].trigger()
    lab = filled_window.panels.field_lab
    assert lab.isVisible()
    qtbot.waitUntil(lambda: lab.ready_made.hasFocus())
    filled_window.actions_by_id["reset"].trigger()
    assert not lab.isVisible()


def test_the_lab_floats_inside_a_window_without_room_for_it(
    filled_window: StudioWindow,
) -> None:
    filled_window.resize(1180, 700)
    filled_window.actions_by_id["field_lab"].trigger()
    dock = filled_window.dock_layout.docks["field_lab"]
    assert dock.isFloating()
    assert filled_window.frameGeometry().contains(dock.geometry())


@pytest.mark.usefixtures("dark")
def test_what_floats_leaves_the_status_bar_free_with_large_text(
    filled_window: StudioWindow, qtbot: QtBot
) -> None:
    filled_window.settings.update(text_pt=28)
    filled_window.appearance._use_text()
    bar = filled_window.statusBar()
    qtbot.waitUntil(lambda: bar.height() > filled_window.height() // 24)
    filled_window.dock_layout.show_panel("similarity")
    dock = filled_window.dock_layout.docks["similarity"]
    assert dock.isFloating()
    assert dock.geometry().bottom() < bar.mapToGlobal(QPoint()).y()


@pytest.mark.usefixtures("dark")
def test_the_controls_of_live_sources_leave_the_room_to_the_picture(
    filled_window: StudioWindow, qtbot: QtBot
) -> None:
    filled_window.resize(1280, 720)
    filled_window.dock_layout.show_panel("live")
    dock = filled_window.dock_layout.docks["live"]
    qtbot.waitUntil(dock.isVisible)
    qtbot.wait(200)
    assert dock.width() < 0.34 * 1280


def test_text_is_not_accepted(window: StudioWindow) -> None:
    mime = QMimeData()
    mime.setText("hello")
    assert not drop(window, mime)


def test_a_bad_drop_is_read_in_the_window_and_changes_nothing(
    filled_window: StudioWindow, engine: FakeEngine, state: AppState
) -> None:
    before = state.picture, state.prediction
    drop(filled_window, files("/notes.txt"))
    assert not filled_window.messages.isVisible()
    failure = PictureFailure(path="/notes.txt", message="notes.txt is not a picture.")
    answer_listing(engine, failures=[failure])
    assert filled_window.messages.isVisible()
    assert filled_window.messages.text == "notes.txt is not a picture."
    assert filled_window.messages.height() < 60
    assert (state.picture, state.prediction) == before
    assert QApplication.activeModalWidget() is None
    drop(filled_window, files("/two.png"))
    answer_listing(engine, make_image("two"))
    assert not filled_window.messages.isVisible()


def test_nothing_says_that_nothing_is_open_while_it_is_being_opened(
    window: StudioWindow, engine: FakeEngine, controller: Controller, state: AppState
) -> None:
    """With all panels, which takes a while: each has its own sentence."""
    while window.dock_layout.make_one():
        pass

    def said() -> set[str]:
        texts = {label.text() for label in window.findChildren(QLabel)}
        return {text for text in texts if NOTHING_OPEN.search(text)}

    assert len(said()) > 2
    controller.models.open("bundled")
    one = make_image()
    drop(window, files(one.path))
    assert said() == set()
    [request] = engine.open(ListPictures)
    engine.answer(request, ListedPictures(pictures=(one.listed,), checked=1))
    assert said() == set()
    assert state.opened.chosen is not None
    notice = cast(Panel, window.dock_layout.docks["feature_maps"].panel).notice
    assert notice == "Opening one.png …"
    [request_to_show] = engine.open(ShowPicture)
    engine.answer(request_to_show, PictureFailure(path=one.path, message="It is damaged.", key=one.key))
    assert len(said()) > 1
    [load] = engine.open(LoadModel)
    engine.refuse(load, "It is damaged.")
    assert len(said()) > 2


def test_pasting_takes_the_clipboards_files_and_pixels(
    window: StudioWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    clipboard = QGuiApplication.clipboard()
    clipboard.setMimeData(files("/copied.png"))
    window.actions_by_id["paste"].trigger()
    assert [request.paths for request in engine.open(ListPictures)] == [("/copied.png",)]
    pixels = QImage(4, 3, QImage.Format.Format_RGB32)
    pixels.fill(Qt.GlobalColor.red)
    clipboard.setImage(pixels)
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: bool(engine.open(OpenImage)))
    assert engine.open(OpenImage)[0].data.startswith(b"\x89PNG")
    clipboard.clear()


def test_recent_pictures_are_offered_and_opened(
    window: StudioWindow, engine: FakeEngine, settings: SettingsFile
) -> None:
    settings.update(recent_pictures=("/first & last.png", "/second.png"))
    window._recent_menu.aboutToShow.emit()
    texts = [action.text() for action in window._recent_menu.actions()]
    assert texts == ["Pictures", "/first && last.png", "/second.png", "", "&Clear this list"]
    window._recent_menu.actions()[1].trigger()
    assert engine.open(ListPictures)[0].paths == ("/first & last.png",)


def test_the_title_names_picture_and_model_and_marks_random_weights(
    window: StudioWindow, state: AppState
) -> None:
    state.set_model(make_model("Small", random_weights=True))
    state.opened.add(make_image())
    assert window.windowTitle() == "one.png – Small (random weights) – ConvNeXt Studio"


@pytest.mark.parametrize("size", [(1366, 700), (1366, 768), (1920, 1080)])
def test_every_panel_has_room_at_common_sizes(
    filled_window: StudioWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    filled_window.resize(*size)
    filled_window.actions_by_id["reset"].trigger()
    docks = filled_window.dock_layout.docks
    variant = ARRANGEMENTS["inspect"].variant_for(*size)
    shares = {names[0]: share for share, rows in variant.columns for names, _ in rows}

    def has_room() -> None:
        assert (filled_window.width(), filled_window.height()) == size
        for name, share in shares.items():
            assert docks[name].width() == pytest.approx(share * size[0], rel=0.1)
            assert docks[name].height() > 90

    qtbot.waitUntil(has_room)  # Docks move in the next turns of the event loop.


def test_the_layout_is_remembered_and_reset(
    window: StudioWindow,
    qtbot: QtBot,
    state: AppState,
    bridge: EngineBridge,
    controller: Controller,
) -> None:
    window.dock_layout.docks["model"].close()
    window.close()
    again = StudioWindow(state, bridge, controller, SettingsFile())
    qtbot.addWidget(again)
    again.show()
    assert not again.dock_layout.docks["model"].isVisible()
    assert again.strip.isVisible()
    again.actions_by_id["reset"].trigger()
    assert again.dock_layout.docks["model"].isVisible()


def test_a_message_stays_when_the_layout_is_reset(window: StudioWindow) -> None:
    window.messages.tell(Notice("pictures", "It is no picture."))
    window.actions_by_id["reset"].trigger()
    assert window.messages.isVisible()
    assert window.strip.isVisible()


def test_rubbish_in_the_remembered_layout_gives_the_first_one(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, controller: Controller, settings: SettingsFile
) -> None:
    settings.update(geometry="ü?", layout="AAAA")
    window = StudioWindow(state, bridge, controller, settings)
    qtbot.addWidget(window)
    window.show()
    shown = {name for name, dock in window.dock_layout.docks.items() if dock.isVisible()}
    assert shown == set(_FIRST.panels)


def test_broken_settings_are_told(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, controller: Controller, settings_folder: Path
) -> None:
    settings_folder.mkdir()
    (settings_folder / "settings.json").write_text("{")
    window = StudioWindow(state, bridge, controller, SettingsFile())
    qtbot.addWidget(window)
    window.show()
    assert "damaged" in window.messages.text
    assert window.messages.isVisible()


def test_closing_ends_the_engine_and_remembers(
    window: StudioWindow, engine: FakeEngine, settings_folder: Path
) -> None:
    window.close()
    assert engine.is_closed
    assert (settings_folder / "settings.json").is_file()


def test_it_is_settled_when_nothing_is_awaited(
    filled_window: StudioWindow, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    def settle() -> bool:
        for request in engine.open(Request):
            if isinstance(request, Predict):
                engine.answer(request, make_prediction(request.image))
            else:
                engine.refuse(request, "Not now.")
        return filled_window.is_settled

    qtbot.waitUntil(settle)
    state.opened.add(make_image("two"))
    assert not filled_window.is_settled
    qtbot.waitUntil(settle)


def test_every_text_fits_its_label(filled_window: StudioWindow) -> None:
    """No label on a single line is narrower than its text; of a hint, one of its wordings is shown."""
    for label in filled_window.findChildren(QLabel):
        if label.isVisible() and not label.wordWrap() and label.text():
            text = label.shown_text if isinstance(label, HintLabel) else label.text()
            assert text, f"nothing of {label.text()}"
            assert label.width() >= label.fontMetrics().horizontalAdvance(text), text


def test_the_network_is_walked_from_the_menu(filled_window: StudioWindow, state: AppState) -> None:
    actions = filled_window.actions_by_id
    state.set_node("stage3")
    walked = []
    for name in ("open_node", "next_node", "open_node", "next_node", "go_up", "previous_node", "go_up"):
        actions[name].trigger()
        walked.append(state.node.removeprefix("stage3."))
    assert walked == ["block1", "block2", "block2.dwconv", "block2.norm", "block2", "block1", "stage3"]


def test_the_costs_are_chosen_in_the_menu_or_the_strip(filled_window: StudioWindow) -> None:
    actions, strip = filled_window.actions_by_id, filled_window.strip
    assert actions[f"costs_{strip.cost_kind}"].isChecked()
    actions["costs_memory"].trigger()
    assert strip.cost_kind == "memory"
    strip.choose_costs("none")
    assert actions["costs_none"].isChecked()


def test_unit_and_pin_are_let_go_from_the_menu(filled_window: StudioWindow, state: AppState) -> None:
    actions = filled_window.actions_by_id
    assert not actions["clear_unit"].isEnabled()
    state.set_unit(0, 0)
    actions["clear_unit"].trigger()
    assert state.unit is None
    actions["pin"].trigger()
    assert state.kept.pin is not None
    assert actions["pin"].isChecked()
    actions["pin"].trigger()
    assert state.kept.pin is None
    assert not actions["pin"].isChecked()


def test_escape_leaves_a_level_before_it_stops_what_is_computed(
    filled_window: StudioWindow, state: AppState, engine: FakeEngine
) -> None:
    """The strip has the keyboard; what it asked itself is under way."""
    strip = filled_window.strip
    state.set_node("stage2")
    strip.open_selected()
    strip.canvas.setFocus()
    QApplication.processEvents()
    cancelled = len(engine.cancelled)
    QTest.keyClick(strip.canvas, Qt.Key.Key_Escape)
    assert strip.opened == ""
    QTest.keyClick(strip.canvas, Qt.Key.Key_Escape)
    assert len(engine.cancelled) > cancelled


@pytest.mark.parametrize(("button", "aside"), [("evidence", "evidence"), ("sheet", "contact_sheet")])
def test_the_attribution_leads_to_its_evidence_and_its_sheet(
    filled_window: StudioWindow, button: str, aside: str
) -> None:
    dock = filled_window.dock_layout.docks[aside]
    assert not dock.isVisible()
    getattr(filled_window.panels.attribution.bar, button).click()
    assert dock.isVisible()


def test_resetting_the_layout_keeps_the_windows_size(filled_window: StudioWindow) -> None:
    """Also where a panel floats that has no room in the window."""
    filled_window.dock_layout.show_panel("evidence")
    assert filled_window.dock_layout.docks["evidence"].isFloating()
    filled_window.actions_by_id["reset"].trigger()
    QApplication.processEvents()
    assert (filled_window.width(), filled_window.height()) == (1366, 768)
    assert not filled_window.dock_layout.docks["evidence"].isVisible()


@pytest.mark.parametrize("size", [(1180, 700), (1366, 768)])
def test_a_message_does_not_enlarge_the_window(
    filled_window: StudioWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    filled_window.resize(*size)
    qtbot.wait(300)  # It is arranged for this size.
    before = filled_window.size()
    panels = {name: dock.geometry() for name, dock in filled_window.dock_layout.docks.items()}
    for good in (False, True):
        filled_window.messages.tell(Notice("test", "Something that is told.", good=good))
        qtbot.wait(50)
        assert filled_window.messages.isVisible()
        assert filled_window.size() == before
        assert {name: dock.geometry() for name, dock in filled_window.dock_layout.docks.items()} == panels


def test_escape_closes_what_is_open_goes_up_and_never_stops_work(
    filled_window: StudioWindow, engine: FakeEngine, state: AppState
) -> None:
    escape, layout = filled_window.actions_by_id["go_back"].trigger, filled_window.dock_layout
    assert filled_window.actions_by_id["go_back"].shortcut().toString() == "Esc"
    assert filled_window.actions_by_id["cancel"].shortcut().toString() == "Ctrl+."
    state.set_node("stage3")
    filled_window.actions_by_id["open_node"].trigger()
    layout.toggle_maximised("picture")
    filled_window.messages.tell(Notice("test", "Something that is told."))
    escape()
    assert not filled_window.messages.isVisible()
    assert layout.maximised == "picture"
    escape()
    assert layout.maximised is None
    assert filled_window.strip.opened == "stage3"
    escape()
    assert filled_window.strip.opened == ""
    is_asked = [request.id for request in engine.open(Request)]
    assert is_asked
    escape()
    assert [request.id for request in engine.open(Request)] == is_asked
    filled_window.statusBar().cancel.click()
    assert not engine.open(Request)


def test_escape_closes_the_aside_that_has_the_keyboard(filled_window: StudioWindow, qtbot: QtBot) -> None:
    escape, docks = filled_window.actions_by_id["go_back"].trigger, filled_window.dock_layout.docks

    def go_to(name: str) -> None:
        filled_window.dock_layout.show_panel(name)
        docks[name].window().activateWindow()
        qtbot.waitUntil(lambda: docks[name].isAncestorOf(QApplication.focusWidget()))

    go_to("settings")
    go_to("predictions")  # It is not below the aside, which showing it would hide.
    escape()
    assert docks["settings"].isVisible()
    go_to("settings")
    escape()
    assert not docks["settings"].isVisible()
    assert docks["predictions"].isVisible()


def test_a_veil_says_what_a_drop_will_do_and_goes(filled_window: StudioWindow, qtbot: QtBot) -> None:
    [drops] = filled_window.findChildren(DropTarget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    mime = files("/a.png", "/b.png", "/c.png")
    for target in (filled_window, filled_window.dock_layout.docks["picture"]):
        entering = drag(mime)
        QApplication.sendEvent(target, entering)
        assert entering.isAccepted()
        assert drops.told == "Drop to open 3 pictures"
        [veil] = filled_window.findChildren(DropVeil)
        assert veil.geometry() == filled_window.rect()
        # Over the next panel, it stays.
        QApplication.sendEvent(target, QDragLeaveEvent())
    qtbot.waitUntil(lambda: not drops.told)
    assert drop(filled_window, mime)
    assert not drops.told


def test_enter_opens_a_stage_after_its_number(filled_window: StudioWindow, qtbot: QtBot) -> None:
    active_window = filled_window
    active_window.activateWindow()
    qtbot.waitUntil(active_window.isActiveWindow)
    active_window.dock_layout.docks["picture"].take_focus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_3)
    assert active_window.state.node == "stage3"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert active_window.strip.opened == "stage3"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert active_window.strip.opened == ""


def test_the_strips_menu_opens_and_copies(filled_window: StudioWindow, state: AppState) -> None:
    strip = filled_window.strip
    assert state.model is not None
    menu = strip.menu_about(state.model.node("stage3"))
    entries = {action.text().replace("&", ""): action for action in menu.actions()}
    entries["Copy the name"].trigger()
    assert QGuiApplication.clipboard().text() == "stage3"
    entries["Open Stage 3"].trigger()
    assert (strip.opened, state.node) == ("stage3", "stage3.block1")
    menu = strip.menu_about(None)
    [up] = menu.actions()
    up.trigger()
    assert strip.opened == ""
