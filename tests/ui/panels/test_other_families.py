"""Networks of other families in the window: drawn, walked through, and offered only what applies."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.architecture import TimmConfig
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.strip.strip_layout import NetworkLayout
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.state.node_texts import CostKind, describe, stem_texts
from tests.ui.desk import Desk, model

CONFIG = TimmConfig(
    name="swin_small",
    family="Swin",
    in_chans=3,
    num_classes=1000,
    depths=(2, 2, 6, 2),
    dims=(8, 16, 32, 64),
    smallest_input_px=32,
    input_step_px=4,
    head_parameters=65_000,
    head_macs=64_000,
)


def swin(config: TimmConfig = CONFIG) -> ModelInfo:
    """A model of another family, as the engine describes it."""
    stem = NodeInfo(
        name="stem",
        kind="stem",
        shape=(8, 56, 56),
        parameters=400,
        macs=9000,
        field=FieldGeometry().after(4, 4),
    )
    stages = []
    field = stem.field
    for number, dim in enumerate(config.dims, start=1):
        field = field.after(2, 2).without_box() if number > 1 else field.without_box()
        shape = (dim, 224 // field.stride_px, 224 // field.stride_px)
        stages.append(
            NodeInfo(name=f"stage{number}", kind="stage", shape=shape, parameters=9000, macs=10**8, field=field)
        )
    return replace(model(), config=config, nodes=(stem, *stages), input_px=224)


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


def test_strip_draws_blocks_that_cannot_be_chosen(desk: Desk) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, 150)
    desk.state.set_model(swin())
    layout = strip.canvas.places
    assert isinstance(layout, NetworkLayout)
    assert [len(stage.bars) for stage in layout.stages] == [2, 2, 6, 2]
    assert layout.head is None
    assert not strip.grab().isNull()
    node = strip.canvas.node_at(layout.stages[2].bars[3].center())
    assert node is not None
    assert node.name == "stage3"  # A click on a bar takes the stage that it is in.
    assert strip.canvas.node_at(layout.head_rect.center()) is None


def test_keys_walk_the_stages_and_stay_out_of_blocks(desk: Desk, qtbot: QtBot) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, 150)
    desk.state.set_model(swin())
    desk.state.set_node("stage2")
    qtbot.keyClick(strip.canvas, Qt.Key.Key_Return)
    assert (strip.opened, desk.state.node) == ("", "stage2")
    qtbot.keyClick(strip.canvas, Qt.Key.Key_Right)
    assert desk.state.node == "stage3"
    for _ in range(5):
        qtbot.keyClick(strip.canvas, Qt.Key.Key_Left)
    assert desk.state.node == "stem"


def test_texts_say_what_is_known() -> None:
    info = swin()
    assert stem_texts(info) == ("8 ch", "stride 4")
    assert "theoretical field 4 px" in describe(info.node("stem"), CONFIG)
    stage = describe(info.node("stage2"), CONFIG)
    assert "attention windows" in stage
    assert "activations" not in stage  # Nobody counted them.


@pytest.mark.parametrize("kind", ["none", "parameters", "macs", "memory", "time"])
def test_costs_that_are_not_known_are_not_drawn(desk: Desk, kind: CostKind) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, 150)
    desk.state.set_model(swin())
    strip.header.choose_costs(kind)
    assert not strip.grab().isNull()
    assert set(strip.canvas._costs.of) == (
        {"stem", "stage1", "stage2", "stage3", "stage4"} if kind in ("parameters", "macs") else set()
    )
