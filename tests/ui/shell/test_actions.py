"""The action table is consistent, and everything in the window can be found, named and reached."""

from collections import Counter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QMenu,
    QScrollBar,
    QWidget,
)

from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from tests.ui.conftest import FakeEngine, make_image, make_model

REAL = [spec for spec in ACTIONS if spec.text != SEPARATOR]


def test_ids_shortcuts_and_texts_are_unique() -> None:
    for values in (
        [spec.id for spec in ACTIONS],
        [spec.shortcut for spec in REAL if spec.shortcut],
        [(spec.menu, spec.text) for spec in REAL],
    ):
        assert [value for value, count in Counter(values).items() if count > 1] == []


@pytest.mark.parametrize("spec", REAL, ids=lambda spec: spec.id)
def test_every_action_says_what_it_does_and_has_valid_keys(spec: ActionSpec) -> None:
    assert spec.tip
    assert not spec.tip.endswith(".")
    if spec.shortcut:
        assert QKeySequence(spec.shortcut).toString() == spec.shortcut


def test_access_keys_are_unique_in_each_menu() -> None:
    keys: Counter[tuple[str, str]] = Counter()
    for spec in REAL:
        _, ampersand, rest = spec.text.partition("&")
        if ampersand:
            keys[spec.menu, rest[0].lower()] += 1
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_action_is_in_its_menu_and_shows_its_shortcut(window: StudioWindow) -> None:
    in_menus = set()

    def walk(widget: QWidget) -> None:
        for action in widget.actions():
            in_menus.add(action.objectName())
            if action.menu() is not None:
                walk(action.menu())

    walk(window.menuBar())
    assert {spec.id for spec in ACTIONS} <= in_menus
    for spec in REAL:
        assert spec.shortcut in window.actions_by_id[spec.id].toolTip()


def test_no_menu_is_higher_than_a_small_screen(window: StudioWindow) -> None:
    """Such as 700 pixels with text of 9 points, of which an entry takes 22; Qt would show a second column."""
    menus = [menu for action in window.menuBar().actions() if isinstance(menu := action.menu(), QMenu)]
    assert len(menus) == 7
    inside = [menu for above in menus for menu in above.findChildren(QMenu)]
    for menu in (*menus, *inside):
        assert len(menu.actions()) <= 30, menu.title()


def test_no_key_of_a_view_or_a_panel_is_one_of_the_window(filled_window: StudioWindow) -> None:
    """Qt would then call it ambiguous, and do nothing."""
    panels = [dock.panel for dock in filled_window.dock_layout.docks.values()]
    actions = {each for panel in panels for each in panel.findChildren(QAction)}
    keys = {each.shortcut().toString() for each in actions}
    keys |= {each.key().toString() for panel in panels for each in panel.findChildren(QShortcut)}
    of_window = {
        each.shortcut().toString()
        for each in filled_window.actions_by_id.values()
        if each.shortcutContext() == Qt.ShortcutContext.WindowShortcut
    }
    assert {"Ctrl+S", "Ctrl+Shift+N"} <= keys
    assert keys & of_window - {""} == set()


def test_every_control_has_a_name_and_a_tooltip(filled_window: StudioWindow) -> None:
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
    for control in filled_window.findChildren(QWidget):
        # What Qt puts into its own controls (arrows, clear buttons, scroll bars, dock buttons) is Qt's to name.
        is_qts = isinstance(control.parent(), kinds) or control.objectName().startswith("qt_")
        is_qts = is_qts or isinstance(control, QScrollBar) or isinstance(control.parent(), QDockWidget)
        if not isinstance(control, kinds) or is_qts or not control.isVisible():
            continue
        text = control.text() if isinstance(control, QAbstractButton) else ""
        where = f"{type(control).__name__} {text!r} in {type(control.parent()).__name__}"
        assert control.accessibleName() or text, where
        assert control.toolTip(), where


@pytest.mark.parametrize(
    ("action", "node"),
    [("stage_1", "stage1"), ("stage_3", "stage3"), ("previous_stage", "stage1"), ("next_stage", "stage3")],
)
def test_stages_are_reached_by_keys(
    filled_window: StudioWindow, state: AppState, action: str, node: str
) -> None:
    filled_window.actions_by_id[action].trigger()
    assert state.node == node


def test_pictures_are_stepped_through(filled_window: StudioWindow, state: AppState) -> None:
    state.opened.add(make_image("two"), select=False)
    step = filled_window.actions_by_id
    for action, key in [("next_picture", "two"), ("next_picture", "two"), ("previous_picture", "one")]:
        step[action].trigger()
        assert state.picture is not None
        assert state.picture.key == key


def test_bfloat16_is_offered_on_cuda_only(window: StudioWindow, state: AppState) -> None:
    state.set_model(make_model(device="cpu"))
    assert not window.actions_by_id["precision_bfloat16"].isEnabled()
    state.set_model(make_model(device="cuda:0"))
    assert window.actions_by_id["precision_bfloat16"].isEnabled()


@pytest.mark.parametrize(
    ("action", "changed"),
    [
        ("model_preset:tutorial", {"source": "preset:tutorial"}),
        ("device_cpu", {"device": "cpu"}),
        ("precision_bfloat16", {"precision": "bfloat16"}),
    ],
)
def test_model_actions_load_the_model_with_one_thing_changed(
    window: StudioWindow, controller: Controller, engine: FakeEngine, action: str, changed: dict[str, str]
) -> None:
    controller.models.open("preset:convnext_tiny", "cuda", "float32")
    engine.answer(engine.open(LoadModel)[0], make_model(device="cuda:0"))
    window.actions_by_id[action].trigger()
    [request] = engine.open(LoadModel)
    wanted = {"source": "preset:convnext_tiny", "device": "cuda", "precision": "float32"} | changed
    assert {name: getattr(request, name) for name in wanted} == wanted


def test_the_look_is_remembered(window: StudioWindow) -> None:
    window.actions_by_id["theme_light"].trigger()
    window.close()
    assert SettingsFile().values.theme == "light"
