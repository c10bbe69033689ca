"""The views of the chapter on large kernels show what arithmetic and the analysis functions give."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from pytestqt.qtbot import QtBot

from convnext_studio import analysis
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel, build
from convnext_studio.model.presets import preset
from convnext_studio.protocol.receptive_fields import FieldGrowth, ReceptiveField
from convnext_studio.ui.lecture.views.large_kernels import (
    attention_cost,
    effective_fields,
    field_growth,
    kernel_cost,
    kernel_field,
)
from convnext_studio.ui.lecture.views.large_kernels.effective_fields import EffectiveFieldsView
from convnext_studio.ui.lecture.views.large_kernels.field_growth import FieldGrowthView
from convnext_studio.ui.lecture.views.large_kernels.kernel_field import KernelFieldView
from convnext_studio.ui.lecture.views.network_picture import seen_pixels
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.networks import SMALL
from tests.ui.conftest import FakeEngine, make_image, make_model
from tests.ui.lecture.live import LiveEngine, shown

TINY = preset("convnext_tiny")


def noises(count: int, seed: int = 0, side: int = 64) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [
        torch.from_numpy(rng.standard_normal((3, side, side), dtype=np.float32))[None] for _ in range(count)
    ]


# ------------------------------------------------------------------------------------------- theory and cost


def test_the_squares_are_the_theoretical_fields_of_the_middle_units(
    qtbot: QtBot, state: AppState, bridge: EngineBridge
) -> None:
    state.set_model(make_model(config=replace(TINY, num_classes=12)))
    state.opened.add(make_image())
    view = kernel_field.SPEC.make(state, bridge, {"kernel": "3", "extent": "picture"})
    assert isinstance(view, KernelFieldView)
    qtbot.addWidget(view)
    assert [size for size, _ in view.rows()] == ["28 px", "80 px", "376 px", "584 px"]
    assert [words for _, words in view.rows()][:2] == [
        "44 % of the picture's 64 px",
        "1.2 × the picture's side",
    ]
    # Stage 1 has 16 units of 4 pixels: the middle one's patch is pixels 32 to 36.
    assert view.boxes()[0] == (34 - 14, 34 - 14, 28, 28)
    view.kernel.set_value(7)
    assert [size for size, _ in view.rows()] == ["76 px", "224 px", "1096 px", "1688 px"]
    assert "7 × 7 kernels" in view.caption()


def test_a_network_that_pools_sees_everything_and_has_no_square(
    qtbot: QtBot, state: AppState, bridge: EngineBridge
) -> None:
    state.set_model(make_model(config=replace(preset("convnextv2_atto"), num_classes=12)))
    view = kernel_field.SPEC.make(state, bridge, {"kernel": "7", "extent": "fields"})
    assert isinstance(view, KernelFieldView)
    qtbot.addWidget(view)
    assert view.boxes() == [None] * 4
    assert all("everything" in size for size, _ in view.rows())


def test_what_is_seen_is_what_the_preprocessing_crops() -> None:
    rng = np.random.default_rng(0)
    preview = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    picture = replace(make_image(), preview=preview)
    geometry = CropGeometry((90, 60), (90, 60), (15, 0), (60, 60))
    expected = np.asarray(Image.fromarray(preview).crop((15, 0, 75, 60)))
    np.testing.assert_array_equal(seen_pixels(picture, geometry), expected)
    beyond = CropGeometry((90, 60), (90, 60), (-10, -5), (110, 70))
    padded = seen_pixels(picture, beyond)
    assert padded.shape == (70, 110, 3)
    np.testing.assert_array_equal(padded[5:65, 10:100], preview)
    assert (padded[:5] == 128).all()
    assert (padded[:, 100:] == 128).all()


def test_the_kernels_share_is_that_of_a_network_that_is_built(
    qtbot: QtBot, state: AppState, bridge: EngineBridge
) -> None:
    model = make_model()
    assert isinstance(model.config, ConvNeXtConfig)
    state.set_model(model)
    view = kernel_cost.SPEC.make(state, bridge, {"kernel": "9"})
    assert isinstance(view, kernel_cost.KernelCostView)
    qtbot.addWidget(view)
    module = ConvNeXt.from_config(replace(model.config, kernel_size=9))
    whole = sum(each.numel() for each in module.parameters())
    kernels = sum(each.numel() for name, each in module.named_parameters() if "dwconv" in name)
    said = view.readout()[0]
    assert f"{whole / 1e3:.2f} k" in said
    assert f"({100 * kernels / whole:.1f} %)" in said
    assert len(view.figures()) == 15


def test_attention_is_counted_by_hand(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> None:
    state.set_model(make_model(config=replace(TINY, num_classes=12)))
    view = attention_cost.SPEC.make(state, bridge, {"stage": "1", "input": "224", "kernel": "7"})
    assert isinstance(view, attention_cost.AttentionCostView)
    qtbot.addWidget(view)
    n, c = 56 * 56, 96
    attention, depthwise = 4 * n * c * c + 2 * n * n * c, n * c * 49
    assert list(view.macs(224).values()) == [attention, 4 * n * c * c + 2 * n * 49 * c, depthwise]
    assert f"{attention / depthwise:,.0f} × as much as depthwise" in view.sentence()
    assert view.field().size_px == 4 + 6 * 4  # A patch, and six strides of it.
    assert view.field().is_box
    view.side.set_value(1024)
    assert view.sentence().startswith("256 × 256 positions")


# -------------------------------------------------------------------------------------------------- measured


def test_three_fields_are_those_of_the_analysis(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    settings = {"compare": "kernels", "inputs": "noise", "count": "2"}
    view = shown(qtbot, effective_fields.SPEC.make(live.state, bridge, settings))
    assert isinstance(view, EffectiveFieldsView)
    live.settle(view)
    networks: list[LoadedModel] = [
        *(build(replace(SMALL, kernel_size=side), "", 0) for side in (3, 7)),
        live.model,
    ]
    for place, network in enumerate(networks):
        expected = analysis.effective_receptive_field(network, noises(2), "stage4")
        field = view.results[place].field_map
        np.testing.assert_allclose(field, expected, rtol=1e-4, atol=1e-6 * expected.max())
        ratio = analysis.area_ratios(field, scale="linear", centre=view.results[place].centre_px)[0.5]
        assert ratio is not None
        assert ("50 %", f"{100 * ratio:#.3g} %") in view.rows(place)
    assert [each.title for each in view.compared()] == ["3 × 3 kernels", "7 × 7 kernels", "The open model"]
    assert [view.results[place].random_weights for place in range(3)] == [True, True, False]
    assert "2 standard normal noise inputs of 64 × 64 px" in view.caption()


@pytest.mark.parametrize(
    ("source", "third"), [("preset:small", ["The open model"]), ("bundled", []), ("bundled-3x3", [])]
)
def test_trained_twins_stand_beside_the_open_model_unless_it_is_one_of_them(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, source: str, third: list[str]
) -> None:
    state.set_model(replace(make_model(), source=source))
    settings = {"compare": "trained-kernels", "inputs": "noise", "count": "2"}
    view = effective_fields.SPEC.make(state, bridge, settings)
    assert isinstance(view, EffectiveFieldsView)
    qtbot.addWidget(view)
    assert [each.title for each in view.compared()] == ["3 × 3 kernels", "7 × 7 kernels", *third]
    assert [each.subject.source for each in view.compared()][:2] == ["bundled-3x3", "bundled"]


def test_fields_sharpen_and_another_measurement_takes_other_noise(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convnext_studio.analysis.receptive_field.batching.CPU_PIXELS", 64 * 64)
    settings = {"compare": "training", "inputs": "noise", "count": "3"}
    counts: list[int] = []
    partial = EffectiveFieldsView.show_partial

    def note(self: EffectiveFieldsView, index: int, payload: object) -> None:
        partial(self, index, payload)
        counts.append(self.results[index].noises)

    monkeypatch.setattr(EffectiveFieldsView, "show_partial", note)
    view = shown(qtbot, effective_fields.SPEC.make(live.state, bridge, settings))
    assert isinstance(view, EffectiveFieldsView)
    live.settle(view)
    assert counts[:3] == [1, 2, 3]
    first = view.results[0].field_map
    view._again()
    assert view.results == {}
    live.settle(view)
    assert {request.seed for request in engine.asked if isinstance(request, ReceptiveField)} == {0, 1}
    assert not np.allclose(first, view.results[0].field_map)


@pytest.mark.parametrize(
    ("changes", "titles"),
    [
        ({}, ["Layer scale 1e-06", "Layer scale 1", "The open model"]),
        ({"grn": True, "layer_scale_init_value": 0.0}, ["Untrained", "The open model"]),
    ],
)
def test_untrained_weights_are_shown_at_both_layer_scales(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, changes: dict[str, object], titles: list[str]
) -> None:
    state.set_model(
        make_model(config=ConvNeXtConfig.from_dict(SMALL.to_dict() | {"num_classes": 12} | changes))
    )
    settings = {"compare": "training", "inputs": "noise", "count": "2"}
    view = effective_fields.SPEC.make(state, bridge, settings)
    assert isinstance(view, EffectiveFieldsView)
    qtbot.addWidget(view)
    assert [each.title for each in view.compared()] == titles


def test_growth_is_that_of_the_engine_and_of_the_node_table(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = shown(qtbot, field_growth.SPEC.make(live.state, bridge, {"count": "2"}))
    assert isinstance(view, FieldGrowthView)
    live.settle(view)
    asked = [request for request in live.engine.asked if isinstance(request, FieldGrowth)]
    assert len(asked) == 1
    points = view.points()
    assert [point.node for point in points] == [
        node.name for node in live.model.nodes if node.kind in ("stem", "block")
    ]
    theory, most, half, picture = view.curves()
    assert theory.y.tolist() == [live.model.node(point.node).field.size_px for point in points]
    field = analysis.effective_receptive_field(live.model, noises(2), "stage2.block2")
    node = live.model.node("stage2.block2")
    centre = node.field.centre_px(node.shape[1] // 2)
    ratio = analysis.area_ratios(field, (0.5,), scale="linear", centre=(centre, centre))[0.5]
    index = [point.node for point in points].index("stage2.block2")
    assert ratio is not None
    assert half.y[index] ** 2 / 64**2 == pytest.approx(ratio)
    assert most.y[index] >= half.y[index]
    assert set(picture.y.tolist()) == {64.0}
    assert [curve.label for curve in view.plot.plot.curves] == [curve.label for curve in view.curves()]
    view.decades.setChecked(True)
    assert view.plot.plot.view.shown_limits[1].high < 4  # Decades.
    assert view.sentence() == ""
