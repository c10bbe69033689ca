"""The build panel: its numbers against torch's own counts, its problems, its marks, and what it asks."""

import math
from collections import Counter

import pytest
import torch
from msgspec.structs import replace
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.presets import PRESETS
from convnext_studio.protocol.models import BUILT, LoadModel
from convnext_studio.ui.panels.build.build_panel import BuildPanel
from convnext_studio.ui.panels.build.config_form import STAGE_COUNT
from convnext_studio.ui.panels.build.draft import Account
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine, make_model

TINY = ConvNeXtConfig()
LECTURE = replace(TINY, depths=(1, 2, 1, 1), dims=(8, 12, 16, 20), kernel_size=(3, 5, 7, 31), num_classes=7)
ODD_ONES = {
    "tiny": TINY,
    "lecture": replace(LECTURE, depthwise=False, norm="batch", act="relu", downsample="block", expansion=1.5),
    "overlap": replace(LECTURE, stem_type="overlap_tiered", head_hidden_size=9, layer_scale_init_value=0.0),
    "isotropic": PRESETS["convnext_isotropic_small"].config,
    "v2": PRESETS["convnextv2_atto"].config,
    "rms": replace(LECTURE, norm="rms", head_norm_first=True, stem_stride=2, stem_padding=3, stem_norm=False),
}


@pytest.fixture
def panel(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> BuildPanel:
    panel = BuildPanel(state, bridge)
    qtbot.addWidget(panel)
    panel.resize(400, 900)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def inputs(field: QWidget) -> list[QWidget]:
    """What a person can type into or choose from, but for the lines inside Qt's own spin boxes."""
    kinds = QAbstractSpinBox | QCheckBox | QComboBox | QLineEdit
    found = [child for child in field.findChildren(QWidget) if isinstance(child, kinds)]
    return [child for child in found if not isinstance(child.parent(), QAbstractSpinBox)]


def type_into(panel: BuildPanel, name: str, text: str, index: int = 0) -> None:
    """Replace what stands in a field, key by key."""
    control = inputs(panel.form.rows[name].field)[index]
    assert isinstance(control, QAbstractSpinBox | QLineEdit)
    control.selectAll()
    QTest.keyClicks(control, text)


def enter(panel: BuildPanel, config: ConvNeXtConfig) -> None:
    """Put a config into the form, field by field, as a person would."""
    rows = panel.form.rows
    rows[STAGE_COUNT].field.set_value(str(len(config.depths)))
    for name, value in config.to_dict().items():
        if name in rows:
            rows[name].field.set_value(value)


class Counted:
    """What torch counts on the meta device, where no weights are made."""

    def __init__(self, config: ConvNeXtConfig, input_px: int) -> None:
        self.outputs = 0
        self.shapes: list[tuple[int, ...]] = []
        with torch.device("meta"):
            model = ConvNeXt.from_config(config).eval()
            picture = torch.empty(1, 3, input_px, input_px)
        first = model.downsample_layers[0]
        kept = [module for module in model.modules() if isinstance(module, Block)]
        kept += [layer for layer in model.downsample_layers if not isinstance(layer, nn.Identity)]
        for module in kept:
            module.register_forward_hook(self._count)
        for module in (first, *model.stages):
            module.register_forward_hook(lambda _module, _inputs, output: self.shapes.append(output.shape[1:]))
        with FlopCounterMode(display=False) as counter:
            model(picture)
        self.macs = counter.get_total_flops() // 2
        self.parameters = sum(parameter.numel() for parameter in model.parameters())

    def _count(self, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.outputs += output.numel()


@pytest.mark.parametrize("input_px", [224, 97])
@pytest.mark.parametrize("config", ODD_ONES.values(), ids=ODD_ONES)
def test_numbers_are_what_torch_counts(panel: BuildPanel, config: ConvNeXtConfig, input_px: int) -> None:
    enter(panel, config)
    panel.input_px.setValue(input_px)
    counted = Counted(config, input_px)
    account = panel.account
    assert account is not None
    assert account.config == config
    assert account.parameters == counted.parameters
    assert account.macs == counted.macs
    assert account.activation_bytes == 4 * counted.outputs
    assert account.weight_bytes == 4 * counted.parameters
    shapes = [" × ".join(map(str, shape)) for shape in counted.shapes]
    assert [row[1] for row in panel.table.texts] == shapes
    assert panel.facts["Parameters"].text().split()[0] == f"{counted.parameters:,}"


def test_fields_of_view_are_those_worked_out_by_hand(panel: BuildPanel) -> None:
    """ConvNeXt-T: 4, then + 6 strides a block, and + 1 stride a downsampling."""
    assert [row[4] for row in panel.table.texts] == ["4 px", "76 px", "224 px", "1096 px", "1688 px"]
    type_into(panel, "kernel_size", "3")
    assert [row[4] for row in panel.table.texts][:2] == ["4 px", f"{4 + 3 * 2 * 4} px"]
    inputs(panel.form.rows["grn"].field)[0].click()
    assert panel.table.texts[0][4] == "4 px"
    assert panel.table.texts[1][4] == "all (28 px)"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_comes_back_as_it_is(panel: BuildPanel, name: str) -> None:
    panel.preset.setCurrentText(name)
    assert panel.form.draft.finished() == PRESETS[name].config
    assert panel.form.changed_fields == ()
    assert panel.build.isEnabled()
    assert not panel.obstacles.isVisible()


def test_published_figures_stand_beside_ours_until_a_field_differs(panel: BuildPanel) -> None:
    panel.preset.setCurrentText("convnext_small")
    assert "(published: 50 M)" in panel.facts["Parameters"].text()
    assert "(published: 8.7 G)" in panel.facts["MACs"].text()
    assert "83.1 %" in panel.facts["Accuracy"].text()
    assert "arXiv:2201.03545" in panel.facts["Accuracy"].toolTip()
    panel.input_px.setValue(288)  # The papers count at 224.
    assert "published" not in panel.facts["MACs"].text()
    assert "(published: 50 M)" in panel.facts["Parameters"].text()
    type_into(panel, "num_classes", "10")
    assert "published" not in panel.facts["Parameters"].text()
    assert not panel.facts["Accuracy"].isVisible()
    panel.preset.setCurrentText("tutorial")
    assert not any("published" in label.text() for label in panel.facts.values())


WRONG = [
    ("kernel_size", 0, "6", "odd"),
    ("kernel_size", 0, "33", "31"),
    ("depths", 2, "0", "four numbers from 1 to 1,000"),
    ("dims", 0, "0", "four numbers from 1 to 16,384"),
    ("num_classes", 0, "0", "from 1 to 200,000"),
    ("stem_kernel_size", 0, "0", "from 1 to 64"),
    ("stem_stride", 0, "0", "from 1 to 64"),
    ("stem_padding", 0, "4", "3"),
    ("norm_eps", 0, "0", "above 0"),
    ("norm_eps", 0, "1e-", "a number"),
    ("expansion", 0, "-1", "above 0"),
    ("expansion", 0, "0.001", "one channel"),
    ("drop_path_rate", 0, "1", "below 1"),
    ("layer_scale_init_value", 1, "-1", "at least 0"),
    ("layer_scale_init_value", 1, "x", "a number"),
    ("head_init_scale", 0, "inf", "a number"),
]


@pytest.mark.parametrize(("name", "index", "text", "said"), WRONG)
def test_a_problem_is_said_beside_the_field_that_causes_it(
    panel: BuildPanel, name: str, index: int, text: str, said: str
) -> None:
    type_into(panel, name, text, index)
    row = panel.form.rows[name]
    assert row.problem.isVisible()
    assert said in row.problem.text()
    assert row.field.accessibleDescription() == row.problem.text()
    assert [other for other, each in panel.form.rows.items() if each.problem.isVisible()] == [name]
    assert not panel.build.isEnabled()
    assert row.label in panel.obstacles.text()
    assert panel.account is None
    assert panel.facts["Parameters"].text() == "–"
    assert {cell for cells in panel.table.texts for cell in cells[1:]} == {"–"}
    row.reset.click()
    assert not row.problem.isVisible()
    assert panel.build.isEnabled()


def test_an_input_that_leaves_nothing_of_the_picture_is_a_problem(panel: BuildPanel) -> None:
    panel.input_px.setValue(32)
    assert panel.table.texts[-1][1] == "768 × 1 × 1"
    panel.input_px.setValue(31)
    assert "at least 32" in panel.input_problem.text()
    assert panel.input_problem.isVisible()
    assert not panel.build.isEnabled()


def test_a_hidden_layer_behind_a_first_norm_is_a_problem_of_the_hidden_layer(panel: BuildPanel) -> None:
    inputs(panel.form.rows["head_norm_first"].field)[0].click()
    assert panel.build.isEnabled()
    type_into(panel, "head_hidden_size", "64")
    assert panel.form.rows["head_hidden_size"].problem.isVisible()
    assert not panel.build.isEnabled()


def test_what_differs_from_the_preset_is_marked_and_reset(panel: BuildPanel) -> None:
    row = panel.form.rows["depths"]
    assert not row.reset.isVisible()
    type_into(panel, "depths", "4", index=3)
    assert panel.form.changed_fields == ("depths",)
    assert row.reset.isVisible()
    assert "3-3-9-3" in row.reset.toolTip()
    row.reset.click()
    assert panel.form.changed_fields == ()
    assert not row.reset.isVisible()
    assert panel.form.draft.finished() == TINY


def test_one_stage_has_one_number_each_and_comes_back(panel: BuildPanel) -> None:
    panel.form.rows[STAGE_COUNT].field.set_value("1")
    draft = panel.form.draft
    assert (draft.depths, draft.dims, draft.kernel_size) == ((3,), (96,), 7)
    assert [row[0] for row in panel.table.texts] == ["Stem", "Stage 1"]
    assert STAGE_COUNT in panel.form.changed_fields
    panel.form.rows["dims"].reset.click()
    assert panel.form.changed_fields == ()
    assert len(panel.table.texts) == 5


def test_kernels_are_the_same_for_all_until_that_is_taken_off(panel: BuildPanel) -> None:
    type_into(panel, "kernel_size", "5")
    assert panel.form.draft.kernel_size == 5
    boxes = inputs(panel.form.rows["kernel_size"].field)
    assert [box.isEnabled() for box in boxes] == [True, False, False, False, True]
    boxes[-1].click()
    type_into(panel, "kernel_size", "31", index=3)
    assert panel.form.draft.kernel_size == (5, 5, 5, 31)


def test_stem_fields_that_mean_nothing_are_disabled_unless_they_are_wrong(panel: BuildPanel) -> None:
    rows = panel.form.rows
    rows["stem_type"].field.set_value("overlap")
    assert not rows["stem_padding"].field.isEnabled()
    rows["stem_padding"].field.set_value(40)
    assert rows["stem_padding"].field.isEnabled()
    rows["stem_padding"].reset.click()
    rows["stem_type"].field.set_value("patch")
    assert rows["stem_padding"].field.isEnabled()


def test_what_to_know_before_building_is_said(panel: BuildPanel) -> None:
    assert "1e-06" in panel.warnings.text()
    type_into(panel, "layer_scale_init_value", "1", index=1)
    assert not panel.warnings.isVisible()
    type_into(panel, "dims", "8000", index=3)
    assert panel.account is not None
    assert f"{4 * panel.account.parameters / 2**30:.1f} GiB" in panel.warnings.text()
    assert panel.build.isEnabled()


def test_nothing_is_asked_while_typing_and_building_asks_once(
    filled_window: StudioWindow, engine: FakeEngine, controller: Controller, settings: SettingsFile
) -> None:
    controller.models.open("preset:convnext_tiny", "cuda", "bfloat16")
    engine.answer(engine.open(LoadModel)[0], make_model(device="cuda:0"))
    filled_window.actions_by_id["model_build"].trigger()
    panel = filled_window.dock_layout.docks["build"].panel
    before = Counter(type(request) for request in engine.asked)
    panel.preset.setCurrentText("convnextv2_atto")
    type_into(panel, "num_classes", "10")
    panel.input_px.setValue(96)
    panel.seed.setValue(3)
    assert Counter(type(request) for request in engine.asked) == before
    panel.build.click()
    [request] = engine.open(LoadModel)
    assert request.source == BUILT
    assert request.config == replace(PRESETS["convnextv2_atto"].config, num_classes=10)
    assert (request.seed, request.input_px) == (3, 96)
    assert (request.device, request.precision) == ("cuda", "bfloat16")
    assert settings.values.recent_models == ("preset:convnext_tiny",)


def test_what_was_built_moves_to_another_device_as_it_is(
    window: StudioWindow, engine: FakeEngine, controller: Controller, settings: SettingsFile
) -> None:
    controller.models.open("preset:convnext_tiny")
    window.dock_layout.docks["build"].panel.build.click()
    built = engine.open(LoadModel)[-1]
    engine.answer(built, replace(make_model(random_weights=True), source=BUILT))
    assert "random weights" in window.windowTitle()
    assert settings.values.recent_models == ()  # It is nowhere to be opened from.
    window.actions_by_id["device_cpu"].trigger()
    moved = engine.open(LoadModel)[-1]
    assert moved == replace(built, id=moved.id, device="cpu")
    window.actions_by_id["model_preset:tutorial"].trigger()
    opened = engine.open(LoadModel)[-1]
    assert (opened.source, opened.config) == ("preset:tutorial", None)


def test_a_network_that_cannot_be_built_leaves_the_open_model_and_says_so(
    filled_window: StudioWindow, engine: FakeEngine, state: AppState
) -> None:
    model = state.model
    filled_window.dock_layout.docks["build"].panel.build.click()
    engine.refuse(engine.open(LoadModel)[-1], "The memory does not suffice.")
    assert state.model is model
    assert filled_window.messages.text == "The memory does not suffice."
    assert QApplication.activeModalWidget() is None


def test_the_dock_is_hidden_until_it_is_asked_for(filled_window: StudioWindow, qtbot: QtBot) -> None:
    dock = filled_window.dock_layout.docks["build"]
    assert not dock.isVisible()
    [view] = [action.menu() for action in filled_window.menuBar().actions() if action.text() == "&View"]
    [more] = [action.menu() for action in view.actions() if action.text() == "More &panels"]
    assert dock.toggleViewAction() in more.actions()
    filled_window.actions_by_id["model_build"].trigger()
    assert dock.isVisible()
    qtbot.waitUntil(lambda: filled_window.dock_layout.docks["build"].panel.preset.hasFocus())
    filled_window.actions_by_id["reset"].trigger()
    assert not dock.isVisible()


@pytest.mark.parametrize(("width", "floats"), [(1366, True), (1920, False)])
def test_it_floats_where_there_is_no_room_and_never_widens_the_window(
    filled_window: StudioWindow, qtbot: QtBot, width: int, floats: bool
) -> None:
    filled_window.resize(width, 768)
    filled_window.actions_by_id["reset"].trigger()
    QApplication.processEvents()
    filled_window.actions_by_id["model_build"].trigger()
    dock = filled_window.dock_layout.docks["build"]
    qtbot.waitUntil(dock.isVisible)
    QApplication.processEvents()
    assert dock.isFloating() == floats
    assert filled_window.width() == width


@pytest.mark.parametrize("look", [theme.DARK, theme.LIGHT], ids=lambda look: look.name)
def test_every_control_has_a_name_and_a_tip_and_takes_the_keyboard(
    panel: BuildPanel, qapp: QApplication, look: theme.Theme
) -> None:
    theme.apply(qapp, look)
    names = []
    for control in inputs(panel):
        assert control.accessibleName(), control
        assert control.toolTip(), control.accessibleName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control.accessibleName()
        names.append(control.accessibleName())
    assert [name for name, count in Counter(names).items() if count > 1] == []
    for button in panel.findChildren(QToolButton):
        assert button.accessibleName().startswith("Reset ") or button.objectName().startswith("qt_")


def test_tab_goes_through_the_fields_in_their_order(panel: BuildPanel) -> None:
    panel.activateWindow()
    panel.preset.setFocus()
    seen = []
    for _ in range(60):
        focused = QApplication.focusWidget()
        assert focused is not None
        seen.append(focused.accessibleName())
        if focused is panel.build:
            break
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    order = [
        "Preset",
        "Input size",
        "Stem",
        "Stem kernel",
        "Depth of stage 1",
        "Norm",
        "Classes",
        "Drop path",
        "Seed",
    ]
    assert [name for name in seen if name in order] == order


def test_the_wheel_changes_only_what_has_the_keyboard(panel: BuildPanel) -> None:
    control = inputs(panel.form.rows["num_classes"].field)[0]
    panel.preset.setFocus()
    place = QPointF(5, 5)
    turn = QWheelEvent(
        place,
        control.mapToGlobal(place),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(control, turn)
    assert panel.form.draft.num_classes == 1000
    control.setFocus()
    QApplication.sendEvent(control, turn)
    assert panel.form.draft.num_classes == 1001


@pytest.mark.parametrize("name", ["convnext_tiny", "convnextv2_huge", "convnext_isotropic_large"])
def test_every_text_fits_its_label(panel: BuildPanel, name: str) -> None:
    panel.preset.setCurrentText(name)
    QApplication.processEvents()
    for label in panel.findChildren(QLabel):
        if label.isVisible() and not label.wordWrap() and label.text():
            assert label.width() >= label.fontMetrics().horizontalAdvance(label.text()), label.text()


def test_a_deep_network_is_counted_while_typing(panel: BuildPanel) -> None:
    for name, value in (("depths", (200,) * 4), ("dims", (480,) * 4), ("kernel_size", 31)):
        panel.form.rows[name].field.set_value(value)
    assert panel.account is not None
    assert panel.account == Account(config=panel.form.draft.finished(), input_px=224)
    assert math.log10(panel.account.parameters) > 9
