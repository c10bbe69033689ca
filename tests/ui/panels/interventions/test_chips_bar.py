"""The chips over the strip: what they are called, and that each is switched, dragged, changed and removed."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.retouches import Retouch
from convnext_studio.ui.panels.interventions.change_menu import channel_changes, node_changes, toggle_node
from convnext_studio.ui.panels.interventions.chips_bar import ChipsBar
from convnext_studio.ui.state.app_state import AppState
from tests.ui.conftest import make_image, make_model

pytestmark = pytest.mark.usefixtures("qapp")
OFF = Change(node="stage2", channels=(3,))


@pytest.fixture
def state() -> AppState:
    state = AppState()
    state.set_model(make_model())
    state.opened.add(make_image("one"))
    state.opened.add(make_image("two"), select=False)
    return state


@pytest.fixture
def bar(state: AppState, qtbot: QtBot) -> ChipsBar:
    bar = ChipsBar(state)
    qtbot.addWidget(bar)
    return bar


def words(bar: ChipsBar) -> list[str]:
    return [chip.switch.text() for chip in bar.chips]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (OFF, "Stage 2 · channel 3 · off"),
        (Change(node="stage2", channels=(3, 7, 8, 9), effect="mean"), "Stage 2 · channels 3, 7–9 · mean"),
        (Change(node="stage3.block2", branch=True), "Stage 3, block 2 · branch · off"),
        (
            Change(node="stage1", region=Region(2, 5, 3, 6), effect="factor", factor=-1.5),
            "Stage 1 · position (y 2, x 5) · × −1.50",
        ),
        (
            Change(node="stage1", region=Region(0, 1, 4, 3), effect="picture mean"),
            "Stage 1 · rows 0–3, columns 1–2 · mean of the pictures",
        ),
        (Change(node="stem", effect="patch", picture="two"), "Stem · from two.png"),
    ],
)
def test_a_change_is_called_by_its_part_and_what_it_does(
    bar: ChipsBar, state: AppState, change: Change, text: str
) -> None:
    assert bar.isHidden()
    state.interventions.add(change)
    assert not bar.isHidden()
    assert words(bar) == [text]
    assert bar.chips[0].switch.accessibleName() == f"Change: {text}"


def test_switch_and_cross(bar: ChipsBar, state: AppState) -> None:
    state.interventions.add(OFF)
    state.interventions.add(replace(OFF, channels=(4,)))
    bar.chips[0].switch.click()
    assert [change.enabled for change in state.interventions.changes] == [False, True]
    assert not bar.chips[0].switch.isChecked()
    bar.chips[0].cross.click()
    assert words(bar) == ["Stage 2 · channel 4 · off"]
    QTest.keyClick(bar.chips[0], Qt.Key.Key_Delete)
    assert state.interventions.recipe.is_empty
    assert bar.isHidden()


def test_a_factor_is_dragged_in_one_step(bar: ChipsBar, state: AppState) -> None:
    state.interventions.add(replace(OFF, effect="factor", factor=1.0))
    chip = bar.chips[0]
    assert not chip.slider.isHidden()
    chip.slider.setSliderDown(True)
    for value in (10, 0, -40):
        chip.slider.setValue(value)
    chip.slider.setSliderDown(False)
    assert state.interventions.changes[0].factor == -2.0
    assert bar.chips[0] is chip, "the widget under the hand stays"
    bar.undo.click()
    assert state.interventions.changes[0].factor == 1.0
    assert chip.slider.value() == 20
    bar.redo.click()
    assert state.interventions.changes[0].factor == -2.0


def test_a_chip_is_changed_in_another_way(bar: ChipsBar, state: AppState) -> None:
    state.interventions.add(OFF)
    menu = bar.chips[0].menu
    menu.aboutToShow.emit()
    chosen(menu, "Multiply by a factor").trigger()
    assert state.interventions.changes[0].effect == "factor"
    menu.aboutToShow.emit()
    chosen(menu, "Select its node").trigger()
    assert (state.node, state.channel) == ("stage2", 3)
    menu.aboutToShow.emit()
    [patches] = [action.menu() for action in menu.actions() if action.menu() is not None]
    assert isinstance(patches, QMenu)
    chosen(patches, "two.png").trigger()
    assert state.interventions.changes[0].picture == "two"


def test_pictures_have_chips_behind_those_of_the_network(bar: ChipsBar, state: AppState) -> None:
    box = Retouch(rectangle=(0.0, 0.0, 9.0, 9.0))
    state.interventions.retouch("one", (box, replace(box, fill="black", inverted=True)))
    state.interventions.add(OFF)
    assert words(bar) == [
        "Stage 2 · channel 3 · off",
        "one.png · mean colour, rectangle",
        "one.png · black, all but the rectangle",
    ]
    bar.chips[1].switch.click()
    assert [each.enabled for each in state.interventions.recipe.of_picture("one")] == [False, True]
    bar.chips[2].cross.click()
    assert len(state.interventions.recipe.of_picture("one")) == 1


def test_clear_can_be_undone(bar: ChipsBar, state: AppState) -> None:
    state.interventions.add(OFF)
    bar.clear.click()
    assert state.interventions.recipe.is_empty
    state.interventions.undo()
    assert words(bar) == ["Stage 2 · channel 3 · off"]


def test_a_block_is_changed_as_a_whole_or_in_its_branch(state: AppState, qtbot: QtBot) -> None:
    menu = QMenu()
    qtbot.addWidget(menu)
    node_changes(menu, state, "stage3.block1")
    branch, whole = (action.menu() for action in menu.actions())
    assert isinstance(branch, QMenu)
    assert isinstance(whole, QMenu)
    chosen(branch, "Set to its mean").trigger()
    assert state.interventions.changes == (Change(node="stage3.block1", branch=True, effect="mean"),)
    chosen(whole, "Switch off").trigger()
    assert len(state.interventions.changes) == 2


def test_the_selected_position_is_offered(state: AppState, qtbot: QtBot) -> None:
    menu = QMenu()
    qtbot.addWidget(menu)
    state.set_node("stage2")
    state.set_unit(1, 2)
    node_changes(menu, state, "stage2")
    last = menu.actions()[-1].menu()
    assert isinstance(last, QMenu)
    chosen(last, "Switch off").trigger()
    assert state.interventions.changes == (Change(node="stage2", region=Region(1, 2, 2, 3)),)


def test_channels_are_gathered_into_one_change(state: AppState, qtbot: QtBot) -> None:
    for channel in (5, 2):
        menu = QMenu()
        qtbot.addWidget(menu)
        channel_changes(state, menu, "stage2", channel)
        if channel == 5:
            first = menu.actions()[0].menu()
            assert isinstance(first, QMenu)
            chosen(first, "Switch off").trigger()
        else:
            chosen(menu, "Change it with the last one").trigger()
    assert state.interventions.changes == (Change(node="stage2", channels=(2, 5)),)


def test_a_key_switches_a_block_off_and_on(state: AppState) -> None:
    toggle_node(state, "stage3.block2")
    assert state.interventions.changes == (Change(node="stage3.block2", branch=True),)
    toggle_node(state, "stage3.block2")
    assert state.interventions.recipe.is_empty


def chosen(menu: QMenu, text: str) -> QAction:
    return next(action for action in menu.actions() if action.text().replace("&", "") == text)
