"""An isotropic network, of one stage only, in the whole window."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.strip.strip_layout import NetworkLayout
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.node_texts import stem_texts
from tests.ui.conftest import FOUR_STAGES, FakeEngine, make_image, make_model, make_prediction

ISOTROPIC = make_model(
    "Isotropic",
    config=replace(FOUR_STAGES, depths=(3,), dims=(8,), stem_kernel_size=16, stem_stride=16, stem_norm=False),
)


@pytest.fixture
def isotropic_window(filled_window: StudioWindow, state: AppState, engine: FakeEngine) -> StudioWindow:
    """A window in which the isotropic model takes the place of one with four stages."""
    assert state.node == "stage2"
    state.set_model(ISOTROPIC)
    engine.answer(engine.open(Predict)[-1], make_prediction(model=ISOTROPIC))
    return filled_window


def test_the_node_falls_to_the_last_stage_there_is(
    isotropic_window: StudioWindow, state: AppState, engine: FakeEngine
) -> None:
    assert isotropic_window.isVisible()
    assert state.node == "stage1"
    assert {request.node for request in engine.open(FeatureMaps)} == {"stage1"}
    state.set_model(make_model())
    assert state.node == "stage1"


def test_keys_reach_what_there_is(isotropic_window: StudioWindow, state: AppState) -> None:
    for action in ("stage_3", "next_stage", "previous_stage", "stage_1"):
        isotropic_window.actions_by_id[action].trigger()
        assert state.node == "stage1"
    state.set_node("stem")
    isotropic_window.actions_by_id["next_stage"].trigger()
    assert state.node == "stage1"


def test_without_a_model_the_stage_keys_do_nothing(window: StudioWindow, state: AppState) -> None:
    for action in ("stage_1", "next_stage"):
        window.actions_by_id[action].trigger()
    assert state.node == "stage2"


def test_the_strip_shows_one_stage_and_is_walked(isotropic_window: StudioWindow, state: AppState) -> None:
    [strip] = isotropic_window.findChildren(NetworkStrip)
    layout = strip.canvas.places
    assert isinstance(layout, NetworkLayout)
    [stage] = layout.stages
    assert [block.node.name for block in stage.blocks] == [f"stage1.block{i}" for i in (1, 2, 3)]
    assert layout.stem.rect.right() < stage.rect.left() < stage.rect.right() < layout.head.rect.left()
    assert layout.head.rect.right() <= strip.width()
    strip.grab()
    walked = []
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Return):
        QTest.keyClick(strip.canvas, key)
        walked.append(state.node)
    assert walked == ["stem", "stage1", "head.norm", "stage1", "stage1.block1"]


def test_the_attribution_has_one_stage_button(isotropic_window: StudioWindow, state: AppState) -> None:
    [panel] = isotropic_window.findChildren(AttributionPanel)
    assert [stage for stage, button in panel.where.stages.items() if button.isVisible()] == ["stage1"]
    assert state.prediction is not None
    shown = panel.figure.cells[0].shown
    assert shown is not None
    np.testing.assert_array_equal(shown.values, state.prediction.cams["stage1"])
    assert "at stage 1" in panel.caption


def test_the_export_asks_for_that_stage_only(
    isotropic_window: StudioWindow, controller: Controller, engine: FakeEngine, tmp_path: Path
) -> None:
    assert isotropic_window.isVisible()
    controller.exporter.export(tmp_path)
    exported = [request for request in engine.open(FeatureMaps) if request.panel.startswith("export")]
    assert [request.node for request in exported] == ["stage1"]
    [field] = [request for request in engine.open(ReceptiveField) if request.panel.startswith("export")]
    assert field.node == "stage1"
    assert engine.open(Explain) == []


def test_in_block_downsampling_is_drawn_with_plain_arrows(window: StudioWindow, state: AppState) -> None:
    state.set_model(make_model(config=replace(FOUR_STAGES, downsample="block")))
    state.opened.add(make_image())
    [strip] = window.findChildren(NetworkStrip)
    layout = strip.canvas.places
    assert isinstance(layout, NetworkLayout)
    assert layout.downsamples == ()
    gap = (
        round((layout.stages[0].rect.right() + layout.stages[1].rect.left()) / 2),
        round(layout.head.rect.center().y()),
    )
    arrow = strip.canvas.grab().toImage().pixelColor(*gap)
    state.set_model(ISOTROPIC)
    empty = strip.canvas.grab().toImage().pixelColor(2, gap[1])
    assert arrow != empty


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({}, ("4×4", "stride 4")),
        ({"stem_kernel_size": 16, "stem_stride": 16}, ("16×16", "stride 16")),
        ({"stem_type": "overlap_tiered"}, ("3×3 twice", "stride 4")),
    ],
)
def test_the_stem_says_what_it_is(changes: dict[str, object], texts: tuple[str, str]) -> None:
    assert stem_texts(make_model(config=replace(FOUR_STAGES, **changes))) == texts
