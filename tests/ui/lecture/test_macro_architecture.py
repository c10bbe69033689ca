"""The views of the chapter on the macro-architecture show what the network computes and costs."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio import analysis
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.model.architecture import TimmConfig
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.presets import preset
from convnext_studio.protocol.lecture import StemMaps
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.lecture.views.controls import ValueSlider
from convnext_studio.ui.lecture.views.live_view import AskingView
from convnext_studio.ui.lecture.views.macro_architecture import downsampling, head, stage_costs, stages, stems
from convnext_studio.ui.lecture.views.macro_architecture.downsampling import DownsamplingView
from convnext_studio.ui.lecture.views.macro_architecture.head import HeadView, folded
from convnext_studio.ui.lecture.views.macro_architecture.stage_costs import StageCostsView
from convnext_studio.ui.lecture.views.macro_architecture.stage_similarity import SimilarityView
from convnext_studio.ui.lecture.views.macro_architecture.stages import StagesView, slabs_of
from convnext_studio.ui.lecture.views.macro_architecture.stems import StemsView
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.engine.opening import input_of
from tests.networks import small_model
from tests.ui.conftest import FakeEngine, make_image, make_model
from tests.ui.lecture.live import LiveEngine, shown

OURS = (
    "kernel-field",
    "kernel-cost",
    "field-growth",
    "effective-fields",
    "attention-cost",
    "stages",
    "stage-costs",
    "stems",
    "downsampling",
    "head",
)


def defaults(name: str, **given: str) -> dict[str, str]:
    return {key: setting.default for key, setting in VIEWS[name].settings.items()} | given


def test_the_slabs_are_the_maps_to_scale(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = shown(qtbot, stages.SPEC.make(live.state, bridge, defaults("stages")))
    assert isinstance(view, StagesView)
    live.settle(view)
    nodes = view.nodes()
    assert [node.name for node in nodes] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert [view.blocks_in(node) for node in nodes] == [0, 1, 2, 1, 1]
    for node in nodes:
        assert view.maps[node.name].shape == node.shape[1:]
    slabs = slabs_of(nodes, [90.0] * len(nodes), 700.0, 300.0, least_px=20.0)
    sides, depths = [slab.side for slab in slabs], [slab.depth for slab in slabs]
    assert [side / sides[0] for side in sides] == pytest.approx([1, 1, 1 / 2, 1 / 4, 1 / 8])
    assert [depth / depths[0] for depth in depths] == pytest.approx([1, 1, 12 / 8, 2, 20 / 8])
    assert max(slab.height for slab in slabs) <= 300
    assert sum(max(slab.side + slab.depth, 90) for slab in slabs) <= 700


def test_costs_add_up_to_the_whole_network(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = shown(qtbot, stage_costs.SPEC.make(live.state, bridge, {}))
    assert isinstance(view, StageCostsView)
    live.settle(view)
    parameters, macs, memory = view.costs()
    module = live.model.module
    assert isinstance(module, ConvNeXt)
    of_stage = [
        sum(each.numel() for part in parts for each in part.parameters())
        for parts in zip(module.downsample_layers, module.stages, strict=True)
    ]
    stem = sum(each.numel() for each in module.downsample_layers[0].parameters())
    assert parameters.of["stem"] == stem
    assert [parameters.of[stage] for stage in live.model.config.stages] == [of_stage[0] - stem, *of_stage[1:]]
    assert parameters.total == sum(each.numel() for each in module.parameters())
    for costs in (parameters, macs, memory):
        assert sum(costs.of.values()) == costs.total


def test_both_stems_are_shown_with_their_price(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = shown(qtbot, stems.SPEC.make(live.state, bridge, defaults("stems", channel="5")))
    assert isinstance(view, StemsView)
    live.settle(view)
    assert {move: each.shape for move, each in view.maps.items()} == {(4, 0): (16, 16), (1, 1): (63, 63)}
    assert isinstance(live.model.module, ConvNeXt)
    with torch.no_grad():
        patches = live.model.module.downsample_layers[0](input_of(live.model))[0, 5].numpy()
    scale = {each.limits for each in view.maps.values()}
    assert len(scale) == 1  # One colour scale for both.
    (limits,) = scale
    assert limits.low <= patches.min() + 1e-5
    assert limits.high >= patches.max() - 1e-5
    ours, tutorial = view.figures()
    assert view.rows(ours)[0] == view.rows(tutorial)[0]
    assert view.rows(ours)[-1] == "the open model's own stem"
    assert view.rows(tutorial)[-1] == "the same weights, another stride"
    assert f"{tutorial.macs / ours.macs:.1f} × the MACs" in view.times()
    view.channel.set_value(-1)
    asked = live.engine.open(StemMaps)[-1]
    assert asked.channel is None
    live.settle(view)
    assert "mean" in view.caption()


def test_downsampling_is_a_norm_and_a_convolution(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = shown(qtbot, downsampling.SPEC.make(live.state, bridge, defaults("downsampling", channel="3")))
    assert isinstance(view, DownsamplingView)
    live.settle(view)
    module = live.model.module
    assert isinstance(module, ConvNeXt)
    with torch.no_grad():
        before = module.stages[0](module.downsample_layers[0](input_of(live.model)))
        normed = module.downsample_layers[1][0](before)
        after = module.downsample_layers[1](before)
    limits = [each.limits for each in view.maps.values()]
    for found, map_of in zip(limits, (before, normed, after), strict=True):
        low, high = np.percentile(map_of[0, 3].numpy(), (0.5, 99.5))
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-3, abs=1e-5)
    counted = [
        sum(each.numel() for each in ConvNeXt.from_config(replace(module.config, downsample=kind)).parameters())
        for kind in ("separate", "block")
    ]
    for (_, said), parameters in zip(view.prices(), counted, strict=True):
        assert said.startswith(f"{parameters / 1e3:.3g} k parameters")
    assert view.titles()[1] == "Layer norm"
    live.state.set_model(make_model(config=ConvNeXtConfig(norm="rms")))
    assert view.titles()[1] == "RMS norm"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (preset("convnext_isotropic_small"), "one stage"),
        (ConvNeXtConfig(downsample="block"), "downsamples in its blocks"),
    ],
)
def test_networks_without_such_layers_say_so(
    state: AppState, bridge: EngineBridge, qtbot: QtBot, config: ConvNeXtConfig, words: str
) -> None:
    state.set_model(make_model(config=replace(config, num_classes=12)))
    state.opened.add(make_image())
    view = downsampling.SPEC.make(state, bridge, defaults("downsampling"))
    assert isinstance(view, DownsamplingView)
    qtbot.addWidget(view)
    view.prepare()
    assert words in view.notice
    assert view.is_settled


def test_the_head_pools_normalises_and_weighs(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = shown(qtbot, head.SPEC.make(live.state, bridge, defaults("head")))
    assert isinstance(view, HeadView)
    live.settle(view)
    module = live.model.module
    assert isinstance(module, ConvNeXt)
    with torch.no_grad():
        features = module.forward_features(input_of(live.model))[0]
        logits = module(input_of(live.model))[0].numpy()
        pooled = view.vectors["pooled"]
        np.testing.assert_allclose(pooled, features.mean(dim=(1, 2)), rtol=1e-4, atol=1e-5)
        centred = (pooled - pooled.mean()) / np.sqrt(pooled.var() + module.config.norm_eps)
        normalised = centred * module.norm.weight.numpy() + module.norm.bias.numpy()
        np.testing.assert_allclose(view.vectors["normalised"], normalised, rtol=1e-3, atol=1e-4)
        scores = module.head.weight.numpy() @ normalised + module.head.bias.numpy()
    np.testing.assert_allclose(scores, logits, rtol=1e-3, atol=1e-3)
    exponentials = np.exp(scores - scores.max())
    top = int(scores.argmax())
    assert view.rows()[0] == (
        live.model.labels[top],
        pytest.approx(float(exponentials[top] / exponentials.sum()), rel=1e-3),
    )
    assert [type(request) for request in live.engine.asked][-1] is Predict


@pytest.mark.parametrize("pool", ["avg", "max", "avgmax"])
def test_the_pooled_vector_is_the_networks_own(
    pool: str,
    qtbot: QtBot,
    engine: FakeEngine,
    state: AppState,
    bridge: EngineBridge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small_model(global_pool=pool, head_hidden_size=(9, 5))
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    live = LiveEngine(engine, state, model)
    view = shown(qtbot, head.SPEC.make(state, bridge, defaults("head")))
    assert isinstance(view, HeadView)
    live.settle(view)
    assert isinstance(model.module, ConvNeXt)
    given: list[torch.Tensor] = []
    model.module.norm.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.no_grad():
        model.module(input_of(model))
    np.testing.assert_allclose(view.vectors["pooled"], given[0].flatten(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "shape"), [(768, (24, 32)), (320, (16, 20)), (37, (6, 7)), (1, (1, 1))])
def test_vectors_are_folded_row_by_row(size: int, shape: tuple[int, int]) -> None:
    vector = np.arange(size, dtype=np.float32)
    rectangle = folded(vector)
    assert rectangle.shape == shape
    np.testing.assert_array_equal(rectangle.ravel()[:size], vector)
    assert np.isnan(rectangle.ravel()[size:]).all()


# ------------------------------------------------------------------------------------------- all of ours


@pytest.mark.parametrize("name", OURS)
def test_every_view_is_painted_small_and_large_and_follows_its_controls(
    name: str, qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    given = {"count": "1"} if "count" in VIEWS[name].settings else {}
    view = shown(qtbot, VIEWS[name].make(live.state, bridge, defaults(name, **given)))
    assert isinstance(view, AskingView)
    live.settle(view)
    assert view.shows_body
    assert view.caption()
    for px, size in ((12, (200, 150)), (40, (1400, 900))):
        view.set_text_px(px)
        view.resize(*size)
        assert not view.grab().isNull()
    for slider in view.findChildren(ValueSlider):
        assert slider.slider.accessibleName()
        assert slider.slider.toolTip()
        slider.set_value(10**6)
        live.settle(view)
        view.grab()
    view.retire()


@pytest.mark.parametrize("name", OURS)
def test_every_view_says_in_a_sentence_what_other_networks_lack(
    name: str, qtbot: QtBot, state: AppState, bridge: EngineBridge
) -> None:
    config = TimmConfig(
        name="resnet18",
        family="ResNet",
        in_chans=3,
        num_classes=12,
        depths=(2, 2, 2, 2),
        dims=(64, 128, 256, 512),
        smallest_input_px=32,
        head_parameters=513 * 12,
        head_macs=512 * 12,
    )
    state.set_model(replace(make_model("A ResNet"), config=config))
    state.opened.add(make_image())
    view = VIEWS[name].make(state, bridge, defaults(name))
    assert isinstance(view, AskingView)
    qtbot.addWidget(view)
    view.prepare()
    view.grab()
    if name in ("stages", "stage-costs", "field-growth"):
        assert "not a ConvNeXt" not in view.notice
    else:
        assert view.notice.startswith("A ResNet is not a ConvNeXt: it has no ")
        assert view.notice.endswith("Open a ConvNeXt to see it.")
        assert view.is_settled
    view.retire()


@pytest.mark.parametrize("name", OURS)
def test_another_model_leaves_nothing_of_the_one_before(
    name: str, qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    given = {"count": "1"} if "count" in VIEWS[name].settings else {}
    view = shown(qtbot, VIEWS[name].make(live.state, bridge, defaults(name, **given)))
    assert isinstance(view, AskingView)
    live.settle(view)
    live.state.set_model(make_model("Another"))
    view.grab()
    kept = [getattr(view, each) for each in ("results", "result", "maps", "vectors") if hasattr(view, each)]
    assert not any(kept)
    view.retire()


def test_positions_that_are_the_same_to_the_network(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = shown(qtbot, VIEWS["similarity"].make(live.state, bridge, defaults("similarity")))
    assert isinstance(view, SimilarityView)
    live.settle(view)
    view.grab()
    assert view.stage == "stage4"
    assert "of the variance" in view.caption()
    values = view.values()
    assert view.unit is not None
    assert values[view.unit] == pytest.approx(1, abs=1e-5)
    # The pointer over the upper left corner of either picture chooses the first position.
    for box in view._boxes():
        view.unit = (1, 1)
        view.canvas.pointed.emit(box.left() + 2, box.top() + 2)
        assert view.unit == (0, 0)
    expected = analysis.feature_maps(live.model, input_of(live.model), "stage4")
    centred = torch.from_numpy(expected - expected.mean(axis=(1, 2), keepdims=True))
    likeness = torch.cosine_similarity(centred, centred[:, :1, :1], dim=0)
    np.testing.assert_allclose(view.values(), likeness, atol=1e-3)
    view.measure.setCurrentIndex(0)
    plain = torch.from_numpy(expected)
    np.testing.assert_allclose(
        view.values(), torch.cosine_similarity(plain, plain[:, :1, :1], dim=0), atol=1e-3
    )
    view.stages.setCurrentIndex(3)
    live.settle(view)
    assert view.stage == "stage1"
    before = view.unit
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert view.unit == (before[0], before[1] + 1)
    view.retire()
