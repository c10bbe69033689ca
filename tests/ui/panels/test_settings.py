"""The settings panel changes what is kept between launches, at once, and takes a reset back."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import Device, LoadModel
from convnext_studio.ui.panels.settings.settings_panel import WITH_DEFAULTS, SettingsPanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import Settings, SettingsFile
from convnext_studio.ui.widgets import text_size, theme
from convnext_studio.ui.widgets.progress_bar import ProgressBar
from tests.ui.conftest import FakeEngine, make_model

DEVICES = (
    Device(name="cuda:0", title="NVIDIA H200", memory_bytes=141_000_000_000),
    Device(name="cuda:1", title="NVIDIA H200", memory_bytes=141_000_000_000),
    Device(name="cpu", title="x86_64 CPU, 2 threads"),
)


@pytest.fixture
def panel(filled_window: StudioWindow) -> SettingsPanel:
    action: QAction = filled_window.actions_by_id["settings"]
    assert action.shortcut().toString() == "Ctrl+,"
    action.trigger()
    shown = filled_window.dock_layout.docks["settings"].panel
    assert isinstance(shown, SettingsPanel)
    assert shown.isVisible()
    assert QApplication.activeModalWidget() is None
    return shown


def choose(box: QComboBox, text: str) -> None:
    """Choose an item as a person does."""
    index = box.findText(text)
    assert index >= 0, [box.itemText(row) for row in range(box.count())]
    box.setCurrentIndex(index)
    box.activated.emit(index)


def offered(panel: SettingsPanel) -> list[str]:
    return [panel.device.itemData(row) for row in range(panel.device.count())]


def test_theme_and_text_size_change_at_once_and_follow_the_menu(
    panel: SettingsPanel, filled_window: StudioWindow, qtbot: QtBot
) -> None:
    choose(panel.theme, "Light")
    assert theme.current() == theme.LIGHT
    choose(panel.text_size, "16 points")
    qtbot.waitUntil(lambda: text_size.current_pt() == 16)
    filled_window.actions_by_id["theme_dark"].trigger()
    assert panel.theme.currentText() == "Dark"
    filled_window.actions_by_id["text_system"].trigger()
    assert panel.text_size.currentText() == "As the system"
    qtbot.waitUntil(lambda: text_size.current_pt() == text_size.system_size_pt())


def test_animation_is_that_of_the_application(panel: SettingsPanel, settings: SettingsFile) -> None:
    before = settings.values.is_animated
    panel.animation.click()
    assert settings.values.is_animated is not before
    assert not QApplication.isEffectEnabled(Qt.UIEffect.UI_AnimateMenu)
    bar = ProgressBar("A bar")
    bar.show_waiting()
    assert (bar.minimum(), bar.maximum()) == (0, 1)  # It stands still.
    panel.animation.click()
    assert settings.values.is_animated is before
    bar.show_waiting()
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    bar.deleteLater()


def test_only_devices_that_are_there_are_offered(
    panel: SettingsPanel, state: AppState, engine: FakeEngine, controller: Controller, settings: SettingsFile
) -> None:
    assert offered(panel) == ["auto", "cpu"]
    controller.models.open("preset:convnext_tiny")
    engine.answer(engine.open(LoadModel)[-1], replace(make_model(device="cuda:0"), devices=DEVICES))
    assert [panel.device.itemData(row) for row in range(panel.device.count())] == [
        "auto",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    choose(panel.device, "cuda:1: NVIDIA H200")
    assert engine.open(LoadModel)[-1].device == "cuda:1"
    assert settings.values.device == "cuda:1"
    assert state.model is not None


def test_a_default_is_used_at_once_and_by_the_next_window(
    panel: SettingsPanel,
    filled_window: StudioWindow,
    settings: SettingsFile,
    make_window: Callable[[], StudioWindow],
) -> None:
    assert {name for name, _ in panel.defaults} == set(WITH_DEFAULTS)
    method, protocol = panel.defaults["attribution", "Method"], panel.defaults["receptive_field", "Protocol"]
    assert isinstance(method, QComboBox)
    assert isinstance(protocol, QComboBox)
    choose(method, "SmoothGrad")
    choose(protocol, "RepLKNet")
    assert filled_window.panels.attribution.bar.method.title == "SmoothGrad"
    filled_window.panels.attribution.bar.choose_method("occlusion")
    settings.save()
    assert SettingsFile().values.panel_defaults == {
        "attribution": {"Method": "SmoothGrad"},
        "receptive_field": {"Protocol": "RepLKNet"},
    }
    another = make_window()
    assert another.panels.attribution.bar.method.title == "SmoothGrad"
    assert another.panels.receptive_field.fields.settings.protocol == "replknet"


@pytest.fixture
def make_window(qtbot: QtBot, engine: FakeEngine) -> Callable[[], StudioWindow]:
    """Opens another window, with the settings that were saved."""
    controllers = []

    def make() -> StudioWindow:
        state, bridge, settings = AppState(), EngineBridge(engine), SettingsFile()
        controllers.append(Controller(state, bridge, settings))
        window = StudioWindow(state, bridge, controllers[-1], settings)
        qtbot.addWidget(window)
        return window

    return make


def test_a_reset_is_taken_back(
    panel: SettingsPanel, filled_window: StudioWindow, settings: SettingsFile
) -> None:
    settings.update(recent_pictures=("/a.png",), is_tour_over=True)
    choose(panel.theme, "Light")
    method = panel.defaults["attribution", "Method"]
    assert isinstance(method, QComboBox)
    choose(method, "SmoothGrad")
    changed = settings.values
    panel.reset.click()
    assert settings.values == Settings(
        recent_pictures=("/a.png",),
        is_tour_over=True,
        geometry=changed.geometry,
        layout=changed.layout,
        places=changed.places,
    )
    assert filled_window.panels.attribution.bar.method.title == "Grad-CAM"
    assert panel.theme.currentText() == "As the system"
    panel.undo.click()
    assert settings.values == changed
    assert filled_window.panels.attribution.bar.method.title == "SmoothGrad"
    assert not panel.undo.isVisible()


def test_places_are_said(panel: SettingsPanel, settings: SettingsFile, qtbot: QtBot) -> None:
    assert panel.settings_file.text() == str(settings.path)
    qtbot.waitUntil(lambda: "models of timm" in panel.weights.text())
    settings.update(recent_pictures=("/a.png",))
    panel.clear_recent.click()
    assert settings.values.recent_pictures == ()


def test_a_device_that_is_gone_is_told_and_replaced(
    window: StudioWindow, controller: Controller, settings: SettingsFile, engine: FakeEngine
) -> None:
    settings.update(device="cuda:1")
    controller.models.open("bundled", "cuda:1")
    engine.refuse(engine.open(LoadModel)[0], "There is no device “cuda:1” on this computer.")
    [request] = engine.open(LoadModel)
    assert (request.source, request.device) == ("bundled", "auto")
    engine.answer(request, make_model())
    assert "no device “cuda:1”" in window.messages.text
    assert "the program chooses" in window.messages.text
