"""Keys, help, tour, log and report are reached from the window, and say what is true of it."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.panels.help.help_panel import FOLDER, HelpPanel, page_path, page_title
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.docks.panel_specs import HELP_PAGES
from convnext_studio.ui.shell.find import tour as tour_module
from convnext_studio.ui.shell.find.cheat_sheet import CheatSheet, Group, in_columns
from convnext_studio.ui.shell.find.tour import STEPS, Tour, above, beside
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction

# ------------------------------------------------------------------------------------------------ the keys


@pytest.fixture
def sheet(filled_window: StudioWindow, qtbot: QtBot) -> CheatSheet:
    filled_window.activateWindow()
    filled_window.actions_by_id["shortcuts"].trigger()
    sheet = filled_window.guide.cheat_sheet
    assert sheet is not None
    qtbot.waitUntil(sheet.search.hasFocus)
    return sheet


def test_the_sheet_lists_every_shortcut_and_can_be_searched(sheet: CheatSheet) -> None:
    listed = sheet.text.toPlainText().split()
    for spec in ACTIONS:
        if spec.shortcut:
            assert spec.shortcut in listed, spec.id
    QTest.keyClicks(sheet.search, "next stage")
    text = sheet.text.toPlainText()
    assert "Alt+Right" in text
    assert "Ctrl+O" not in text
    sheet.search.setText("no such thing")
    assert "No shortcut" in sheet.text.toPlainText()


def test_escape_closes_the_sheet_and_computes_on(sheet: CheatSheet, engine: FakeEngine) -> None:
    before = list(engine.cancelled)
    QTest.keyClick(sheet.search, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert engine.cancelled == before


def test_panels_that_are_arranged_anew_stay_below_the_sheet(
    sheet: CheatSheet, filled_window: StudioWindow, qtbot: QtBot
) -> None:
    for size in ((1024, 700), (1920, 1080)):
        filled_window.resize(*size)
        qtbot.wait(300)
        inside = sheet.geometry().adjusted(20, 20, -20, -20)
        for place in (inside.topLeft(), inside.center(), inside.bottomRight()):
            child = filled_window.childAt(place)
            assert child is not None
            assert sheet.isAncestorOf(child), (size, place)


def test_the_sheet_is_saved_whole_as_a_pdf(sheet: CheatSheet, tmp_path: Path) -> None:
    sheet.search.setText("quit")
    sheet.save_pdf(tmp_path / "keys.pdf")
    written = (tmp_path / "keys.pdf").read_bytes()
    assert written[:5] == b"%PDF-"
    assert len(re.findall(rb"/Type /Page\b(?!s)", written)) == 1  # It fits on a sheet of paper.
    printed = sheet.document().toPlainText()
    assert "Ctrl+O" in printed
    assert "Ctrl+Q" in printed


def test_columns_are_as_short_as_can_be() -> None:
    groups: list[Group] = [(str(count), [("K", "effect")] * count) for count in (8, 3, 12, 5, 14, 4, 8)]
    columns = in_columns(groups, 3)
    assert [group for column in columns for group in column] == groups
    lengths = [sum(len(pairs) + 2 for _, pairs in column) for column in columns]
    assert lengths == [29, 23, 16]  # By hand: 8 3 12 | 5 14 | 4 8; every other way is longer.
    assert in_columns(groups[:1], 3) == [groups[:1]]


# ------------------------------------------------------------------------------------------------ the help


def test_every_panel_has_a_page_and_every_page_a_panel(window: StudioWindow) -> None:
    assert {*window.dock_layout.docks, "network", "start"} == set(HELP_PAGES)
    assert {path.stem for path in FOLDER.iterdir()} == set(HELP_PAGES)


@pytest.mark.parametrize("name", HELP_PAGES)
def test_a_page_says_what_is_not_meant_and_its_links_lead_somewhere(name: str, qtbot: QtBot) -> None:
    text = page_path(name).read_text(encoding="utf-8")
    assert page_title(name)
    assert name == "start" or "## What it does not mean" in text
    for link in text.split("](")[1:]:
        target = link.partition(")")[0]
        assert target.startswith("https://arxiv.org/abs/") or page_path(target.removesuffix(".md")).is_file()
    panel = HelpPanel(HELP_PAGES)
    qtbot.addWidget(panel)
    panel.show_page(name)
    assert panel.page == name
    assert panel.browser.toPlainText().startswith(page_title(name))


def test_titles_are_those_of_the_panels(window: StudioWindow) -> None:
    for name, dock in window.dock_layout.docks.items():
        assert page_title(name) == dock.windowTitle()


def test_the_page_of_the_panel_with_the_keyboard_opens(filled_window: StudioWindow, qtbot: QtBot) -> None:
    filled_window.activateWindow()
    help_panel = filled_window.guide.help_panel
    filled_window.panels.predictions.search.setFocus()
    qtbot.waitUntil(filled_window.panels.predictions.search.hasFocus)
    filled_window.actions_by_id["panel_help"].trigger()
    assert help_panel.isVisible()
    assert help_panel.page == "predictions"
    assert help_panel.pages.currentText() == "Predictions"
    filled_window.dock_layout.docks["attribution"].help_asked.emit()
    assert (help_panel.page, help_panel.pages.currentText()) == ("attribution", "Attribution")
    help_panel.back.click()
    assert help_panel.page == "predictions"
    filled_window.actions_by_id["help"].trigger()
    assert help_panel.page == "start"


# ------------------------------------------------------------------------------------------------ the tour


@pytest.fixture
def tour(filled_window: StudioWindow, qtbot: QtBot) -> Tour:
    filled_window.activateWindow()
    filled_window.actions_by_id["tour"].trigger()
    tour = filled_window.guide.tour
    assert tour is not None
    qtbot.waitUntil(tour.next.hasFocus)
    return tour


def test_the_tour_is_walked_by_keys_and_seen_once(tour: Tour, settings: SettingsFile) -> None:
    assert len(STEPS) == 6
    assert not tour.back.isEnabled()
    for number, step in enumerate(STEPS, start=1):
        assert tour.step == step
        assert tour.count.text() == f"{number} of 6"
        assert tour.text.text() == step.text
        QTest.keyClick(tour.next, Qt.Key.Key_Return)
    assert not tour.isVisible()
    settings.save()
    assert SettingsFile().values.is_tour_over


def test_the_tour_brings_panels_behind_tabs_to_the_front(
    tour: Tour, filled_window: StudioWindow, qtbot: QtBot
) -> None:
    filled_window.resize(1024, 768)
    qtbot.wait(300)  # Its panels lie behind tabs now.
    for step in STEPS:
        assert tour.step == step
        qtbot.waitUntil(lambda: filled_window.rect().contains(tour.geometry()))
        if step.target in filled_window.dock_layout.docks:
            assert not filled_window.dock_layout.docks[step.target].visibleRegion().isEmpty()
        tour.next.click()


def test_the_tour_goes_back_and_is_skipped_with_escape(
    tour: Tour, engine: FakeEngine, settings: SettingsFile
) -> None:
    tour.next.click()
    tour.back.click()
    assert tour.step == STEPS[0]
    before = list(engine.cancelled)
    QTest.keyClick(tour.next, Qt.Key.Key_Escape)
    assert not tour.isVisible()
    assert engine.cancelled == before
    assert settings.values.is_tour_over


def test_escape_ends_the_tour_and_stops_nothing_while_a_panel_has_the_keyboard(
    tour: Tour, filled_window: StudioWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    filled_window.dock_layout.docks["picture"].panel.setFocus()
    qtbot.waitUntil(lambda: not tour.isAncestorOf(QApplication.focusWidget()))
    before = list(engine.cancelled)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert not tour.isVisible()
    assert engine.cancelled == before
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert engine.cancelled == before
    control = Qt.KeyboardModifier.ControlModifier
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Period, control)
    assert len(engine.cancelled) > len(before)


def test_the_card_lies_in_the_window_and_not_on_what_it_talks_about(
    tour: Tour, filled_window: StudioWindow
) -> None:
    for step in STEPS:
        assert filled_window.rect().contains(tour.geometry())
        assert tour.text.height() >= tour.text.heightForWidth(tour.text.width())
        if step.target in filled_window.dock_layout.docks:
            dock = filled_window.dock_layout.docks[step.target]
            target = QRect(dock.mapTo(filled_window, dock.rect().topLeft()), dock.size())
            assert not target.intersects(tour.geometry()), step.target
        tour.next.click()


def test_the_card_makes_way_for_a_message(
    tour: Tour, filled_window: StudioWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bottom, where messages appear."""
    at_the_bottom = QRect(10, filled_window.height() - tour.height(), tour.width(), tour.height())
    monkeypatch.setattr(tour_module, "beside", lambda *_: QRect(at_the_bottom))
    tour.place()
    before = tour.geometry()
    filled_window.messages.tell(Notice("test", "Something that is told."))

    def bar() -> QRect:
        shown = filled_window.messages
        return QRect(shown.mapTo(filled_window, QPoint()), shown.size())

    qtbot.waitUntil(lambda: filled_window.messages.isVisible() and not bar().intersects(tour.geometry()))
    assert bar().intersects(before)
    assert filled_window.rect().contains(tour.geometry())
    filled_window.messages.withdraw("test")
    qtbot.waitUntil(lambda: tour.geometry() == before)


def test_a_panel_that_is_hidden_is_talked_about_all_the_same(tour: Tour, filled_window: StudioWindow) -> None:
    filled_window.dock_layout.docks["picture"].hide()
    tour.next.click()
    assert tour.step.target == "picture"
    assert tour.isVisible()


def test_the_card_lies_above_a_message_that_it_would_cover() -> None:
    room, bar = QRect(0, 0, 1000, 800), QRect(0, 770, 600, 30)
    assert above(bar, QRect(14, 690, 200, 100), room) == QRect(14, 656, 200, 100)
    assert above(bar, QRect(14, 400, 200, 100), room) == QRect(14, 400, 200, 100)
    assert above(bar, QRect(14, 50, 200, 780), room) == QRect(14, 50, 200, 780)


@pytest.mark.parametrize(
    ("target", "at"),
    [
        (QRect(0, 0, 300, 400), (314, 0)),  # right of it
        (QRect(700, 100, 300, 400), (486, 100)),  # left of it
        (QRect(0, 0, 1000, 100), (14, 114)),  # below it
        (QRect(0, 500, 1000, 300), (14, 386)),  # above it
        (QRect(0, 0, 1000, 800), (785, 685)),  # in its corner
    ],
)
def test_where_the_card_lies(target: QRect, at: tuple[int, int]) -> None:
    room, card = QRect(0, 0, 1000, 800), QSize(200, 100)
    place = beside(target, card, room)
    assert room.contains(place)
    # Qt's right and bottom are the last pixels inside, one less than the edge.
    assert abs(place.x() - at[0]) <= 1
    assert abs(place.y() - at[1]) <= 1


def test_the_first_tour_begins_when_there_is_something_to_see(
    qtbot: QtBot, window: StudioWindow, state: AppState, engine: FakeEngine
) -> None:
    window.guide.offer_tour()
    state.set_model(make_model())
    state.opened.add(make_image())
    assert window.guide.tour is None
    engine.answer(engine.open(Predict)[-1], make_prediction())
    qtbot.waitUntil(lambda: (tour := window.guide.tour) is not None and tour.isVisible())


def test_who_has_seen_the_tour_is_left_alone(
    window: StudioWindow, state: AppState, engine: FakeEngine, settings: SettingsFile
) -> None:
    settings.update(is_tour_over=True)
    window.guide.offer_tour()
    state.set_model(make_model())
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    assert window.guide.tour is None


# --------------------------------------------------------------------------------------- undo, log, report


def test_undo_is_enabled_where_there_is_something_to_undo(filled_window: StudioWindow, state: AppState) -> None:
    undo, redo = (filled_window.actions_by_id[name] for name in ("undo", "redo"))
    assert not undo.isEnabled()
    filled_window.actions_by_id["stage_1"].trigger()
    assert undo.isEnabled()
    undo.trigger()
    assert state.node == "stage2"
    assert not undo.isEnabled()
    redo.trigger()
    assert state.node == "stage1"
    assert not redo.isEnabled()


def test_failures_are_in_the_log_and_the_report_is_written(
    filled_window: StudioWindow, engine: FakeEngine, state: AppState, tmp_path: Path
) -> None:
    state.opened.add(make_image("two", "/pictures/secret.png"))
    engine.refuse(engine.open(Predict)[-1], "secret.png has no pixels.", "Open another.")
    filled_window.actions_by_id["log"].trigger()
    panel = filled_window.panels.activity
    assert panel.log.isVisible()
    assert "has no pixels" in panel.log.text.toPlainText()
    filled_window.guide.write_report(tmp_path / "report.txt")
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "has no pixels" in text
    assert "secret.png" not in text
    assert str(Path.home()) not in text
    assert "saved as" in filled_window.messages.text
    filled_window.guide.write_report(tmp_path / "no folder" / "report.txt")
    assert "could not be written" in filled_window.messages.text


def test_no_dialog_is_open(filled_window: StudioWindow) -> None:
    for action in ("help", "panel_help", "shortcuts", "palette", "tour", "activity", "log"):
        filled_window.actions_by_id[action].trigger()
        assert QApplication.activeModalWidget() is None
