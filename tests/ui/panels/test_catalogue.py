"""The list of pretrained models: asked for once, searched, sorted, and opened with its licence in sight."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import Catalogue, ListPretrained, LoadModel, PretrainedInfo
from convnext_studio.ui.panels.catalogue.catalogue_panel import (
    COLUMNS,
    DISPENSABLE,
    CataloguePanel,
)
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.widgets import text_size
from tests.looks.faults import settle
from tests.ui.conftest import FakeEngine, make_model

TINY = PretrainedInfo(
    name="convnext_tiny.fb_in1k",
    parameters=28_589_128,
    input_px=224,
    data="ImageNet-1k",
    licence="apache-2.0",
    is_noncommercial=False,
    download_bytes=114_356_512,
    is_cached=False,
    accuracy=82.7,
    measured_px=288,
)
HUGE = replace(
    TINY,
    name="convnextv2_huge.fcmae_ft_in22k_in1k_384",
    parameters=660_289_640,
    input_px=384,
    data="ImageNet-1k (no labels, masked pictures), then ImageNet-22k, then ImageNet-1k",
    licence="cc-by-nc-4.0",
    is_noncommercial=True,
    download_bytes=2_641_158_560,
)
ATTO = replace(
    TINY,
    name="convnext_atto.d2_in1k",
    parameters=3_695_520,
    is_cached=True,
    download_bytes=None,
    disk_bytes=14_795_000,
    accuracy=77.0,
)
OFFLINE = replace(
    TINY, name="convnext_nano.in12k", why_not="The program is offline.", accuracy=None, measured_px=None
)
ENTRIES = (TINY, HUGE, ATTO, OFFLINE)


@pytest.fixture
def panel(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> CataloguePanel:
    panel = CataloguePanel(state, bridge)
    qtbot.addWidget(panel)
    panel.resize(800, 400)
    return panel


@pytest.fixture
def filled(qtbot: QtBot, panel: CataloguePanel, engine: FakeEngine) -> CataloguePanel:
    panel.show()
    qtbot.waitExposed(panel)
    engine.answer(engine.open(ListPretrained)[0], Catalogue(entries=ENTRIES))
    return panel


def try_again(panel: CataloguePanel) -> QPushButton:
    [button] = [each for each in panel.findChildren(QPushButton) if each.text() == "Try again"]
    return button


def test_random_weights_are_no_property_of_the_list(filled: CataloguePanel, state: AppState) -> None:
    state.set_model(make_model(random_weights=True))
    assert not filled.marks_random_weights


def names(panel: CataloguePanel) -> list[str]:
    return [row[0] for row in panel.table.texts]


def test_the_list_is_asked_once_and_only_when_it_is_seen(panel: CataloguePanel, engine: FakeEngine) -> None:
    assert engine.asked == []
    assert panel.is_settled
    panel.show()
    panel.hide()
    panel.show()
    assert not panel.is_settled
    [request] = engine.open(ListPretrained)
    assert not request.offline
    engine.answer(request, Catalogue(entries=ENTRIES))
    panel.hide()
    panel.show()
    assert panel.is_settled
    assert len(engine.asked) == 1


def test_rows_say_what_people_choose_by(filled: CataloguePanel) -> None:
    rows = {row[0]: row[1:] for row in filled.table.texts}
    assert rows[TINY.name] == ["82.7 %", "~ 114 MB", "no", "apache-2.0", "28.6 M", "224", "ImageNet-1k"]
    assert rows[HUGE.name][1:4] == ["~ 2.6 GB", "no", "cc-by-nc-4.0 (non-commercial)"]
    assert rows[ATTO.name][1:3] == ["15 MB", "yes"]
    assert rows[OFFLINE.name][0] == "–"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [ATTO, OFFLINE, TINY, HUGE]),
        ("tiny", [TINY]),
        ("384 HUGE", [HUGE]),
        ("non-commercial", [HUGE]),
        ("22k tiny", []),
        ("yes", [ATTO]),
    ],
)
def test_all_words_are_searched_in_all_columns(
    filled: CataloguePanel, qtbot: QtBot, text: str, found: list[PretrainedInfo]
) -> None:
    qtbot.keyClicks(filled.search, text)
    assert names(filled) == [entry.name for entry in found]


def test_numbers_are_sorted_as_numbers(filled: CataloguePanel) -> None:
    columns = list(COLUMNS)
    for column in ("Parameters", "Size on disk"):
        filled.table.sortByColumn(columns.index(column), Qt.SortOrder.DescendingOrder)
        assert (names(filled)[0], names(filled)[-1]) == (HUGE.name, ATTO.name)
    filled.table.sortByColumn(columns.index("Accuracy"), Qt.SortOrder.AscendingOrder)
    assert names(filled)[:2] == [OFFLINE.name, ATTO.name]
    filled.table.sortByColumn(columns.index("Here"), Qt.SortOrder.AscendingOrder)
    assert names(filled)[0] == ATTO.name


def test_other_families_come_after_the_convnexts_and_are_searched(
    panel: CataloguePanel, qtbot: QtBot, engine: FakeEngine
) -> None:
    panel.show()
    qtbot.waitExposed(panel)
    [request] = engine.open(ListPretrained)
    assert request.families
    vit = replace(TINY, name="a_vit.augreg", is_convnext=False)
    engine.answer(request, Catalogue(entries=(vit, *ENTRIES)))
    assert names(panel)[-1] == vit.name
    panel.search_for("vit")
    assert names(panel) == [vit.name]


def test_licence_and_size_are_said_before_the_download(filled: CataloguePanel) -> None:
    assert filled.about.text() == "4 models"
    filled.table.select(HUGE.name)
    assert filled.about.text() == (
        "660 M parameters, 384 × 384 px; trained on ImageNet-1k (no labels, masked pictures),"
        " then ImageNet-22k, then ImageNet-1k. Licence of the weights: cc-by-nc-4.0."
        " It does not allow commercial use."
        " Opening it downloads about 2.6 GB."
    )
    assert filled.about.property("warning")
    filled.table.select(ATTO.name)
    assert filled.about.text() == (
        "3.70 M parameters, 224 × 224 px; trained on ImageNet-1k. Licence of the weights: apache-2.0."
    )
    assert not filled.about.property("warning")


def shown_columns(panel: CataloguePanel) -> dict[str, int]:
    table = panel.table
    return {
        heading: table.columnWidth(column)
        for column, heading in enumerate(COLUMNS)
        if not table.isColumnHidden(column)
    }


@pytest.mark.parametrize("text_pt", [9, 20, 28])
@pytest.mark.parametrize("width", [400, 600, 800, 1000, 1900])
def test_names_are_whole_where_there_is_room_and_nothing_scrolls_sideways(
    filled: CataloguePanel, qapp: QApplication, width: int, text_pt: int
) -> None:
    try:
        text_size.apply(qapp, text_pt)
        settle()
        filled.resize(max(width, filled.minimumSizeHint().width()), 400)
        settle()
        shown, room = shown_columns(filled), filled.table.viewport().width()
        assert sum(shown.values()) == room
        assert {"Name", "Accuracy", "Here"} <= set(shown)
        needed = max(map(filled.table.fontMetrics().horizontalAdvance, names(filled)))
        # Of the columns that can be told elsewhere none is kept while a name is cut off.
        assert shown["Name"] >= needed or not set(DISPENSABLE) & set(shown)
        assert set(shown) == set(COLUMNS) or width < 1900 or text_pt > 9
    finally:
        text_size.apply(qapp, text_size.AS_SYSTEM)


@pytest.mark.parametrize("width", [1100, 1900])
def test_licences_are_whole_once_the_names_are(filled: CataloguePanel, width: int) -> None:
    filled.resize(width, 400)
    settle()
    shown, table = shown_columns(filled), filled.table
    assert shown["Licence"] >= table.sizeHintForColumn(list(COLUMNS).index("Licence"))
    assert shown["Name"] >= max(map(table.fontMetrics().horizontalAdvance, names(filled)))


def test_what_cannot_be_opened_says_why(filled: CataloguePanel, qtbot: QtBot) -> None:
    opened: list[str] = []
    filled.open_asked.connect(opened.append)
    filled.table.select(OFFLINE.name)
    assert not filled.open.isEnabled()
    assert filled.about.text().endswith("The program is offline.")
    qtbot.keyClick(filled.table, Qt.Key.Key_Return)
    assert opened == []


def test_button_double_click_and_enter_open(filled: CataloguePanel, qtbot: QtBot) -> None:
    opened: list[str] = []
    filled.open_asked.connect(opened.append)
    assert not filled.open.isEnabled()
    filled.table.select(TINY.name)
    assert opened == []
    qtbot.mouseClick(filled.open, Qt.MouseButton.LeftButton)
    place: QPoint = filled.table.visualRect(filled.table.currentIndex()).center()
    qtbot.mouseClick(filled.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert len(opened) == 1  # One click only selects.
    qtbot.mouseDClick(filled.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert opened == [TINY.name] * 2


def test_it_works_from_the_keyboard_alone(filled: CataloguePanel, qtbot: QtBot) -> None:
    opened: list[str] = []
    filled.open_asked.connect(opened.append)
    filled.activateWindow()
    filled.setFocus()
    qtbot.waitUntil(filled.search.hasFocus)
    qtbot.keyClicks(filled.search, "tiny")
    qtbot.keyClick(filled.search, Qt.Key.Key_Return)
    assert filled.table.hasFocus()
    assert opened == []
    qtbot.keyClick(filled.table, Qt.Key.Key_Return)
    assert opened == [TINY.name]


def test_a_selection_that_the_search_hides_is_not_opened(filled: CataloguePanel, qtbot: QtBot) -> None:
    filled.table.select(TINY.name)
    qtbot.keyClicks(filled.search, "huge")
    assert filled.table.selected is None or filled.table.selected.name == HUGE.name
    filled.search.clear()
    qtbot.keyClicks(filled.search, "nothing at all")
    assert filled.table.selected is None
    assert not filled.open.isEnabled()


def test_a_whole_name_of_another_family_is_looked_up_before_it_is_opened(
    filled: CataloguePanel, engine: FakeEngine, qtbot: QtBot
) -> None:
    opened: list[str] = []
    filled.open_asked.connect(opened.append)
    qtbot.keyClicks(filled.search, "timm:resnet50")
    assert "Press Enter to look up" in filled.about.text()
    qtbot.keyClick(filled.search, Qt.Key.Key_Return)
    request = engine.open(ListPretrained)[-1]
    assert request.name == "resnet50"
    resnet = replace(TINY, name="resnet50.a1_in1k", licence="cc-by-nc-4.0", is_noncommercial=True)
    engine.answer(request, Catalogue(entries=(resnet,)))
    assert filled.table.selected == resnet
    assert "commercial" in filled.about.text()
    assert opened == []  # First a person reads that.
    qtbot.mouseClick(filled.open, Qt.MouseButton.LeftButton)
    assert opened == [resnet.name]
    filled.search.clear()
    assert len(names(filled)) == len(ENTRIES) + 1


def test_a_name_that_timm_does_not_have_is_told(
    filled: CataloguePanel, engine: FakeEngine, bridge: EngineBridge, qtbot: QtBot
) -> None:
    qtbot.keyClicks(filled.search, "resnet5000")
    qtbot.keyClick(filled.search, Qt.Key.Key_Return)
    engine.refuse(engine.open(ListPretrained)[-1], "timm has no “resnet5000”.", "Did you mean resnet50?")
    assert filled.about.text() == "timm has no “resnet5000”. Did you mean resnet50?"
    assert filled.shows_body
    qtbot.keyClick(filled.search, Qt.Key.Key_Return)
    bridge.cancel_all()
    qtbot.waitUntil(lambda: filled.about.text() == "Stopped.")
    assert filled.shows_body


def test_what_was_opened_is_on_this_computer(filled: CataloguePanel, state: AppState) -> None:
    filled.table.select(TINY.name)
    state.set_model(replace(make_model(), source=f"timm:{TINY.name}"))
    rows = {row[0]: row[1:] for row in filled.table.texts}
    assert rows[TINY.name][2] == "yes"
    assert filled.table.selected is not None
    assert filled.table.selected.name == TINY.name
    assert "downloads" not in filled.about.text()


def test_refusal_and_stopping_are_said_and_can_be_retried(
    panel: CataloguePanel, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    panel.show()
    qtbot.waitExposed(panel)
    engine.refuse(engine.open(ListPretrained)[0], "timm cannot be read.", "Install it.")
    assert panel.notice == "timm cannot be read. Install it."
    qtbot.mouseClick(try_again(panel), Qt.MouseButton.LeftButton)
    bridge.cancel_all()
    qtbot.waitUntil(try_again(panel).isVisible)
    assert panel.notice == "Stopped."
    assert panel.is_settled
    qtbot.mouseClick(try_again(panel), Qt.MouseButton.LeftButton)
    engine.answer(engine.open(ListPretrained)[0], Catalogue(entries=ENTRIES))
    assert panel.shows_body


def test_offline_is_told_to_the_engine(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, engine: FakeEngine
) -> None:
    panel = CataloguePanel(state, bridge, offline=True)
    qtbot.addWidget(panel)
    panel.show()
    assert engine.open(ListPretrained)[0].offline


def test_the_window_opens_the_list_by_key_and_loads_what_is_chosen(
    window: StudioWindow, controller: Controller, engine: FakeEngine, qtbot: QtBot
) -> None:
    controller.models.open("preset:small", device="cpu")
    assert not window.dock_layout.docks["catalogue"].isVisible()
    assert engine.open(ListPretrained) == []
    window.actions_by_id["model_pretrained"].trigger()
    assert window.dock_layout.docks["catalogue"].isVisible()
    assert not window.dock_layout.docks["build"].isVisible()
    engine.answer(engine.open(ListPretrained)[0], Catalogue(entries=ENTRIES))
    panel = window.dock_layout.docks["catalogue"].panel
    panel.table.select(TINY.name)
    qtbot.mouseClick(panel.open, Qt.MouseButton.LeftButton)
    asked = engine.open(LoadModel)[-1]
    assert (asked.source, asked.device, asked.offline) == (f"timm:{TINY.name}", "cpu", False)
    window.actions_by_id["reset"].trigger()
    assert not window.dock_layout.docks["catalogue"].isVisible()


def test_both_panels_that_are_hidden_at_first_fit_one_before_the_other(window: StudioWindow) -> None:
    window.resize(2400, 1000)
    window.actions_by_id["model_build"].trigger()
    window.actions_by_id["model_pretrained"].trigger()
    docks = window.dock_layout.docks
    assert docks["build"] in window.tabifiedDockWidgets(docks["catalogue"])
    assert window.dock_layout.docks["catalogue"].panel.isVisible()


def test_everything_but_the_data_is_seen_without_scrolling(filled: CataloguePanel, qtbot: QtBot) -> None:
    filled.resize(780, 400)  # What it has beside the other panels at 1366 x 768.
    qtbot.wait(10)
    assert not filled.table.horizontalScrollBar().isVisible()
    assert filled.table.texts[0][0] == ATTO.name
