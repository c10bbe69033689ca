"""The views of the chapters about norms, depthwise convolutions and the block, over the fake engine."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QSlider
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.activations import CURVES
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ACTS
from convnext_studio.protocol.envelope import Progress, Request
from convnext_studio.protocol.interventions import ChangedLogits
from convnext_studio.protocol.lecture import DropBlocks, SlideKernel, SwapPart, WalkBlock
from convnext_studio.render import Limits
from convnext_studio.ui.lecture.views.block.block_designs import BlockDesignsView
from convnext_studio.ui.lecture.views.block.block_walk import BlockWalkView
from convnext_studio.ui.lecture.views.block.drop_path import DropPathView
from convnext_studio.ui.lecture.views.block.dropped_blocks import DroppedBlocksView
from convnext_studio.ui.lecture.views.block.mixing_matrix import MixingMatrixView
from convnext_studio.ui.lecture.views.block.one_channel import OneChannelView
from convnext_studio.ui.lecture.views.block.swapped_part import SwappedPartView
from convnext_studio.ui.lecture.views.depthwise.kernels import KernelsView
from convnext_studio.ui.lecture.views.depthwise.separable_cost import SeparableCostView
from convnext_studio.ui.lecture.views.depthwise.sliding_kernel import SlidingKernelView
from convnext_studio.ui.lecture.views.live_view import LectureView
from convnext_studio.ui.lecture.views.norm_and_gelu.activation import ActivationView
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import NormValuesView, beyond
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FOUR_STAGES, FakeEngine, make_image, make_model
from tests.ui.lecture.answers import answer_to, distribution
from tests.ui.panels.test_other_families import swin

ASKING = [
    "norm-values",
    "activation",
    "swapped-part",
    "kernels",
    "sliding-kernel",
    "mixing-matrix",
    "block-walk",
    "dropped-blocks",
    "one-channel",
]
STILL = ["norm-axes", "separable-cost", "block-designs", "drop-path"]

Maker = Callable[..., LectureView]


@pytest.fixture
def make(qtbot: QtBot, state: AppState, bridge: EngineBridge, engine: FakeEngine) -> Maker:
    """Show a view, and answer what it asks."""

    def made(name: str, answered: bool = True, **settings: str) -> LectureView:
        spec = VIEWS[name]
        view = spec.make(
            state, bridge, {key: settings.get(key, each.default) for key, each in spec.settings.items()}
        )
        qtbot.addWidget(view)
        view.set_text_px(20)
        view.resize(900, 620)
        view.prepare()
        view.show()
        qtbot.waitExposed(view)
        if answered:
            answer_all(engine, state)
        return view

    return made


def answer_all(engine: FakeEngine, state: AppState) -> None:
    # Some views ask more once they have an answer.
    while requests := [each for each in engine.open(Request) if each.panel.startswith("lecture")]:
        for request in requests:
            if request.panel.startswith("lecture"):
                assert state.model is not None
                engine.answer(request, answer_to(request, state.model))


def asked_last(engine: FakeEngine) -> Request:
    return engine.asked[-1]


@pytest.mark.parametrize("name", ASKING)
def test_a_view_says_what_is_missing_and_then_shows(
    make: Maker, name: str, state: AppState, engine: FakeEngine
) -> None:
    view = make(name, answered=False)
    assert view.is_settled
    assert "model" in view.notice
    state.set_model(make_model())
    QApplication.processEvents()
    if name not in ("kernels", "mixing-matrix"):
        assert "picture" in view.notice
    state.opened.add(make_image())
    QApplication.processEvents()
    assert not view.is_settled
    answer_all(engine, state)
    assert view.is_settled
    assert view.shows_body
    assert "Small" in view.caption()


@pytest.mark.parametrize("name", ASKING)
def test_other_families_are_told_what_to_open(
    make: Maker, name: str, state: AppState, engine: FakeEngine
) -> None:
    state.set_model(swin())
    state.opened.add(make_image())
    asked = len(engine.asked)
    view = make(name)
    assert "Open a ConvNeXt" in view.notice
    assert "conv," not in view.caption()
    assert ".dwconv" not in view.caption()
    assert view.is_settled
    assert len(engine.asked) == asked


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize(
    "config",
    [
        ConvNeXtConfig(
            num_classes=12, depths=(1, 2, 1, 1), dims=(4, 6, 8, 10), grn=True, layer_scale_init_value=0
        ),
        ConvNeXtConfig(num_classes=12, depths=(2,), dims=(8,), stem_norm=False, norm="batch", act="relu"),
        ConvNeXtConfig(
            num_classes=12, depths=(1, 1, 1, 1), dims=(4, 6, 8, 10), downsample="block", act="silu", norm="rms"
        ),
    ],
    ids=["v2", "isotropic", "downsampling blocks"],
)
def test_every_convnext_is_shown(make: Maker, name: str, state: AppState, config: ConvNeXtConfig) -> None:
    state.set_model(make_model(config=config, random_weights=True))
    state.opened.add(make_image())
    view = make(name)
    assert view.shows_body
    assert "random weights" in view.caption().lower()
    assert not view.grab().isNull()


@pytest.mark.parametrize("name", [*ASKING, *STILL])
@pytest.mark.usefixtures("open_state")
def test_every_control_is_named_and_explained(make: Maker, name: str) -> None:
    view = make(name)
    controls = [control for kind in (QComboBox, QSlider, QPushButton) for control in view.findChildren(kind)]
    assert controls or name == "dropped-blocks"
    for control in controls:
        assert control.accessibleName()
        assert control.toolTip()
    assert view.canvas.accessibleName()


@pytest.mark.parametrize("name", [*ASKING, *STILL])
@pytest.mark.usefixtures("open_state")
def test_every_size_is_painted(make: Maker, name: str) -> None:
    view = make(name)
    view.set_text_px(32)
    for size in [(1840, 800), (870, 640), (500, 300)]:
        view.resize(*size)
        image = view.canvas.grab().toImage()
        colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
        assert len(colours) > 1


def test_another_picture_is_asked_for_and_answers_for_the_old_one_are_dropped(
    make: Maker, open_state: AppState, engine: FakeEngine
) -> None:
    view = make("block-walk", answered=False)
    assert isinstance(view, BlockWalkView)
    (old,) = engine.open(WalkBlock)
    open_state.opened.add(make_image("two"))
    QApplication.processEvents()
    (new,) = engine.open(WalkBlock)
    assert new.image == "two"
    assert old.id in engine.cancelled
    answer_all(engine, open_state)
    assert view.shown is not None
    assert view.shown.image == "two"


@pytest.mark.usefixtures("open_state")
def test_a_block_that_is_not_there_gives_way_to_the_nearest(make: Maker) -> None:
    view = make("norm-values", block="stage3.block9")
    assert isinstance(view, NormValuesView)
    assert view.block == "stage3.block2"
    view = make("norm-values", block="stage1.block3")
    assert isinstance(view, NormValuesView)
    assert view.block == "stage1.block1"


# ------------------------------------------------------------------------------------- norms, activations


@pytest.mark.parametrize("of", ["values", "positions", "channels"])
@pytest.mark.usefixtures("open_state")
def test_every_look_at_a_norm_is_painted(make: Maker, of: str) -> None:
    view = make("norm-values", of=of)
    assert isinstance(view, NormValuesView)
    assert view.looks.currentData() == of
    first = view.grab().toImage()
    view.looks.setCurrentIndex((view.looks.currentIndex() + 1) % 3)
    assert view.grab().toImage() != first


@pytest.mark.parametrize("act", list(CURVES))
def test_the_curves_are_torchs(act: str) -> None:
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    curve = CURVES[act][1]
    np.testing.assert_allclose([curve(value) for value in x.tolist()], ACTS[act]()(x), atol=1e-12)


@pytest.mark.usefixtures("open_state")
def test_the_share_below_0_is_told(make: Maker) -> None:
    view = make("activation")
    assert isinstance(view, ActivationView)
    assert view.shown is not None
    assert view.sentences()[0].startswith(f"{100 * view.shown.before.below_zero:.1f} %")


def test_the_network_s_own_curve_is_drawn_where_it_is_another(make: Maker, state: AppState) -> None:
    state.set_model(make_model(config=ConvNeXtConfig(**{**FOUR_STAGES.to_dict(), "act": "silu"})))
    state.opened.add(make_image())
    view = make("activation")
    assert isinstance(view, ActivationView)
    assert view.curves() == ["gelu", "relu", "silu"]


def test_what_is_swapped_is_what_the_network_has(make: Maker, state: AppState, engine: FakeEngine) -> None:
    state.set_model(
        make_model(config=ConvNeXtConfig(**{**FOUR_STAGES.to_dict(), "act": "relu", "norm": "batch"}))
    )
    state.opened.add(make_image())
    view = make("swapped-part", answered=False, stage="2")
    assert isinstance(view, SwappedPartView)
    request = asked_last(engine)
    assert isinstance(request, SwapPart)
    assert (request.act, request.norm, request.stage) == ("gelu", None, "stage2")
    view.parts.setCurrentIndex(view.parts.findData("norm"))
    request = asked_last(engine)
    assert isinstance(request, SwapPart)
    assert (request.act, request.norm) == (None, "layer")
    answer_all(engine, state)
    assert view.titles() == ("Batch norm", "Layer norm")
    assert "in stem, blocks and downsampling" in view.caption()  # As `variant` swaps them, but for the head's.
    before, after = view.rows()
    assert view.shown is not None
    assert before[0][1] == pytest.approx(view.shown.probabilities.max())
    assert after[0][1] == pytest.approx(view.shown.swapped_probabilities.max())
    assert "25.0 %" in view.foot_text()


def test_the_stage_that_is_asked_for_is_the_one_that_the_slider_says(
    make: Maker, state: AppState, engine: FakeEngine
) -> None:
    one_stage = ConvNeXtConfig(**{**FOUR_STAGES.to_dict(), "depths": (2,), "dims": (6,)})
    state.set_model(make_model(config=one_stage))
    state.opened.add(make_image())
    view = make("swapped-part", stage="4", answered=False)
    assert isinstance(view, SwappedPartView)
    request = asked_last(engine)
    assert isinstance(request, SwapPart)
    assert request.stage == "stage1"
    assert (view.stages.value, view.stages.isEnabled()) == (1, False)
    state.set_model(make_model(config=FOUR_STAGES))
    QApplication.processEvents()
    assert (view.stages.value, view.stages.isEnabled()) == (4, True)


def test_a_histogram_says_what_it_does_not_show() -> None:
    found = distribution((4, 8, 8))
    assert beyond(found, Limits(-9.0, 9.0)) == ""
    short = replace(found, counts=found.counts.copy())
    short.counts[-1] -= 1
    assert beyond(short, Limits(-9.0, 9.0)) == " (0.4 % left out)"  # 1 of 256
    edges = np.linspace(found.low, found.high, len(found.counts) + 1)
    middle = Limits(float(edges[5]), float(edges[15]))
    assert beyond(found, middle) == f" ({100 - found.counts[5:15].sum() / 2.56:.1f} % left out)"


# --------------------------------------------------------------------------------- depthwise convolutions


@pytest.mark.usefixtures("open_state")
def test_kernels_turn_pages_on_one_scale(make: Maker) -> None:
    view = make("kernels", block="stage4.block1", count="4")
    assert isinstance(view, KernelsView)
    assert view.channels == [0, 1, 2, 3]
    scale = view._pictures[0].limits
    assert scale.low == -scale.high
    view.first.setValue(view.first.maximum())
    assert view.channels == [6, 7, 8, 9]
    assert {picture.limits for picture in view._pictures} == {scale}


def test_dense_convolutions_have_no_kernels_to_show(make: Maker, state: AppState) -> None:
    state.set_model(make_model(config=ConvNeXtConfig(**{**FOUR_STAGES.to_dict(), "depthwise": False})))
    state.opened.add(make_image())
    for name in ("kernels", "sliding-kernel"):
        assert "dense" in make(name).notice


@pytest.mark.usefixtures("open_state")
def test_the_sum_under_the_kernel_is_the_output_at_every_place(make: Maker) -> None:
    view = make("sliding-kernel")
    assert isinstance(view, SlidingKernelView)
    shown = view.shown
    assert shown is not None
    height, width = shown.after.shape
    view.row.setValue(0)
    view.column.setValue(0)
    seen = []
    for _ in range(height * width):
        seen.append(view.place)
        assert view.products().sum() + shown.bias == pytest.approx(float(shown.after[view.place]), abs=1e-4)
        view.step()
    assert seen == [(y, x) for y in range(height) for x in range(width)]
    assert view.place == (0, 0)
    given = view.sum_text().rpartition(" ")[2]
    assert float(given) == pytest.approx(float(shown.after[0, 0]), rel=1e-3)


@pytest.mark.usefixtures("open_state")
def test_keys_and_clicks_place_the_kernel(make: Maker, qtbot: QtBot) -> None:
    view = make("sliding-kernel")
    assert isinstance(view, SlidingKernelView)
    view.canvas.grab()
    box = view._boxes["input"]
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=box.topLeft().toPoint() + QPoint(3, 3))
    assert view.place == (0, 0)
    for key, place in [(Qt.Key.Key_Right, (0, 1)), (Qt.Key.Key_Down, (1, 1)), (Qt.Key.Key_Left, (1, 0))]:
        qtbot.keyClick(view.canvas, key)
        assert view.place == place
    middle = view._boxes["output"].center().toPoint() + QPoint(3, 3)
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=middle)
    assert view.shown is not None
    assert view.place == tuple(side // 2 for side in view.shown.after.shape)


@pytest.mark.usefixtures("open_state")
def test_another_channel_is_another_question(make: Maker, engine: FakeEngine) -> None:
    view = make("sliding-kernel", channel="2")
    assert isinstance(view, SlidingKernelView)
    view.channel.setValue(3)
    request = asked_last(engine)
    assert isinstance(request, SlideKernel)
    assert request.channel == 3
    view.playing.click()
    view.hide()
    assert not view.playing.isChecked()


def test_the_sliders_change_the_costs(make: Maker) -> None:
    view = make("separable-cost", channels="96", kernel="7")
    assert isinstance(view, SeparableCostView)
    dense, depthwise, pointwise = view.convs()
    assert (dense.weights, depthwise.weights, pointwise.weights) == (49 * 96 * 96, 49 * 96, 96 * 96)
    view.channels_slider.set_value(16)
    view.kernel_slider.set_value(3)
    assert [conv.weights for conv in view.convs()] == [9 * 256, 9 * 16, 256]


def test_what_a_step_says_of_channels_and_kernel_is_not_rounded(make: Maker) -> None:
    costs = make("separable-cost", channels="100", kernel="4")
    assert isinstance(costs, SeparableCostView)
    assert (costs.channels, costs.kernel) == (100, 4)
    assert costs.channels_slider.slider.accessibleDescription() == "100"
    designs = make("block-designs", channels="100")
    assert isinstance(designs, BlockDesignsView)
    assert designs.channels == 100


@pytest.mark.usefixtures("open_state")
def test_a_click_takes_a_column_out_of_the_matrix(make: Maker, qtbot: QtBot) -> None:
    view = make("mixing-matrix", block="stage2.block1")
    assert isinstance(view, MixingMatrixView)
    assert view.weight is not None
    assert view.weight.shape == (24, 6)
    view.canvas.grab()
    point = view._box.center()
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=point.toPoint())
    assert view.chosen.value() in (11, 12)


# ------------------------------------------------------------------------------------------- the block


@pytest.mark.usefixtures("open_state")
def test_the_walk_begins_where_the_step_says(make: Maker) -> None:
    view = make("block-walk", operation="pwconv1")
    assert isinstance(view, BlockWalkView)
    assert view.current.node == "stage1.block1.pwconv1"
    assert view.names() == ["input", "dwconv", "norm", "pwconv1", "act", "pwconv2", "gamma", "sum"]
    view = make("block-walk", operation="grn")  # There is none in V1.
    assert isinstance(view, BlockWalkView)
    assert view.current.node == "stage1.block1.act"


def test_the_words_are_those_of_the_networks_own_operations(make: Maker, open_state: AppState) -> None:
    view = make("block-walk")
    assert isinstance(view, BlockWalkView)
    assert (view.words("dwconv")[:12], view.words("norm")[:14]) == ("Each channel", "Every position")
    open_state.set_model(make_model(config=ConvNeXtConfig(depthwise=False, norm="batch")))
    assert "over all channels" in view.words("dwconv")
    assert view.words("norm").startswith("Every channel")


@pytest.mark.usefixtures("open_state")
def test_a_click_shows_an_operation_large(make: Maker, qtbot: QtBot) -> None:
    view = make("block-walk")
    assert isinstance(view, BlockWalkView)
    view.canvas.grab()
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=view._places[2].center().toPoint())
    assert view.current.node == "stage1.block1.norm"


def test_the_channel_is_asked_for_where_it_is_shown(
    make: Maker, open_state: AppState, engine: FakeEngine
) -> None:
    view = make("block-walk")
    assert isinstance(view, BlockWalkView)
    assert not view.channel.isEnabled()
    view.maps.setCurrentIndex(view.maps.findData("channel"))
    view.channel.setValue(3)
    request = asked_last(engine)
    assert isinstance(request, WalkBlock)
    assert request.channel == 3
    answer_all(engine, open_state)
    assert "channel 3" in view.caption()


@pytest.mark.parametrize(("blocks", "titles"), [("bottlenecks", 3), ("separable", 2)])
def test_designs_have_the_channels_of_the_slider(make: Maker, blocks: str, titles: int) -> None:
    view = make("block-designs", blocks=blocks, channels="64")
    assert isinstance(view, BlockDesignsView)
    assert len(view.designs()) == titles
    assert all(design.convs[0].before == design.convs[-1].after == 64 for design in view.designs())


@pytest.mark.usefixtures("open_state")
def test_drop_path_keeps_the_mean(make: Maker) -> None:
    view = make("drop-path", rate="40")
    assert isinstance(view, DropPathView)
    rates = view.rates()
    assert len(rates) == 5
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.4)
    np.testing.assert_allclose(np.diff(rates), rates[1])
    kept = view.draws()
    # Four standard errors of the mean of 1000 draws.
    tolerance = 4 * np.sqrt(rates / (1 - rates) / 1000) + 1e-12
    assert (np.abs(kept.mean(axis=0) / (1 - rates) - 1) <= tolerance).all()
    view.draw_again()
    assert (view.draws() != kept).any()
    view.rate.setValue(0)
    assert view.draws().all()


def test_bars_come_one_by_one_and_say_where_the_prediction_changes(
    make: Maker, open_state: AppState, engine: FakeEngine
) -> None:
    view = make("dropped-blocks", answered=False)
    assert isinstance(view, DroppedBlocksView)
    (request,) = engine.open(DropBlocks)
    assert open_state.model is not None
    whole = answer_to(request, open_state.model)
    part = type(whole)(
        image=whole.image,
        probabilities=whole.probabilities,
        blocks=whole.blocks[-1:],
        dropped=whole.dropped[-1:],
        total=whole.total,
    )
    engine.send(Progress(id=request.id, done=1, total=5, text="", partial=part))
    assert view.shows_body
    assert [name for name, _, _ in view.shares()] == ["stage4.block1"]
    assert not view.canvas.grab().isNull()
    engine.answer(request, whole)
    first = int(whole.probabilities.argmax())
    for (name, share, stays), block, row in zip(view.shares(), whole.blocks, whole.dropped, strict=True):
        assert name == block
        assert math.isclose(share, row[first], rel_tol=1e-6)
        assert stays == (row.argmax() == first)


@pytest.mark.usefixtures("open_state")
def test_the_prediction_follows_the_factor_of_the_channel_that_matters_most(
    make: Maker, engine: FakeEngine, open_state: AppState
) -> None:
    view = make("one-channel")
    assert isinstance(view, OneChannelView)
    assert view.ranked is not None
    strongest = int(np.abs(view.ranked.differences).argmax())
    assert view.channel == strongest
    answer_all(engine, open_state)
    assert view.after is not None
    first = view.after
    view.factor.setValue(-15)
    [asked] = engine.open(ChangedLogits)
    assert (asked.changes[0].factor, asked.changes[0].channels) == (-1.5, (strongest,))
    answer_all(engine, open_state)
    assert view.after is not first
    assert view.is_settled
    view.place.setValue(2)
    [asked] = engine.open(ChangedLogits)
    assert asked.changes[0].channels != (strongest,)
