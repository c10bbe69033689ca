"""Effective receptive fields against a plain autograd loop, and zero outside the theoretical field."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convnext_studio import analysis
from convnext_studio.analysis.receptive_field import FieldSoFar, Signal, running_average, running_growth
from convnext_studio.common.errors import InputTooLarge, StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel, build
from convnext_studio.model.presets import preset
from tests.networks import random_input, small_model

Rule = Callable[[torch.Tensor], torch.Tensor]
RULES: dict[str, tuple[Rule, Rule]] = {
    "replknet": (torch.relu, torch.relu),
    "centred": (torch.relu, torch.relu),
    "absolute": (torch.relu, torch.abs),
    "luo": (lambda unit: unit, torch.abs),
}


def plain_field(
    network: torch.nn.Module,
    tensors: list[torch.Tensor],
    stages: int,
    protocol: str = "replknet",
    unit: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    of_unit, of_gradient = RULES[protocol]
    fields = []
    for tensor in tensors:
        x = tensor.clone().requires_grad_()
        features = x
        for index in range(stages):
            features = network.stages[index](network.downsample_layers[index](features))
        row, column = unit or (features.shape[2] // 2, features.shape[3] // 2)
        of_unit(features[:, :, row, column]).sum().backward()
        fields.append(of_gradient(x.grad).sum(dim=(0, 1)).numpy().astype(np.float64))
    return np.mean(fields, axis=0)


def averaged(model: LoadedModel, tensors: list[torch.Tensor], signal: Signal, **options: int) -> FieldSoFar:
    return list(running_average(model, tensors, signal, **options))[-1]


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
@pytest.mark.parametrize("changes", [{}, {"stem_stride": 1, "stem_padding": 1}])
def test_field_equals_a_plain_autograd_loop(stages: int, changes: dict[str, int]) -> None:
    model = small_model(**changes)
    tensors = [random_input(model, seed) for seed in range(3)]
    ours = analysis.effective_receptive_field(model, tensors, node=f"stage{stages}")
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, plain_field(model.module, tensors, stages), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("protocol", RULES)
def test_each_protocol_equals_its_definition(protocol: str) -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(2)]
    expected = plain_field(model.module, tensors, 3, protocol, (1, 2))
    ours = analysis.effective_receptive_field(model, tensors, "stage3", protocol, unit=(1, 2))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-12)
    signal = Signal(node="stage3", unit=(1, 2), protocol=protocol)
    batched = averaged(model, tensors, signal)
    assert batched.unit == (1, 2)
    np.testing.assert_allclose(batched.field, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_a_class_score_equals_a_plain_gradient() -> None:
    model = small_model()
    x = random_input(model).requires_grad_()
    model.module(x)[0, 4].backward()
    ours = analysis.effective_receptive_field(model, [x], target=4, protocol="absolute")
    np.testing.assert_allclose(ours, x.grad.abs().sum(dim=(0, 1)), rtol=1e-6, atol=1e-12)
    with pytest.raises(StudioError, match="no class 7"):
        analysis.effective_receptive_field(model, [x], target=7)


CROPPED: list[dict[str, object]] = [
    {},
    {"stem_stride": 1, "stem_padding": 1},
    {"stem_stride": 2, "stem_padding": 3},
    {"stem_type": "overlap_tiered"},
    {"downsample": "block"},
    {"norm": "batch", "depthwise": False},
    {"kernel_size": (7, 5, 3, 1)},
]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CROPPED), st.integers(40, 90), st.integers(40, 90), st.data())
def test_computing_only_what_a_unit_sees_changes_nothing(
    changes: dict[str, object], height: int, width: int, data: st.DataObject
) -> None:
    model = small_model(**changes)
    model.module.double()  # In float64 a wrong pixel cannot pass for rounding.
    x = torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    node = data.draw(st.sampled_from([node.name for node in model.nodes if node.is_explainable]))
    with torch.no_grad():
        outputs: list[torch.Tensor] = []
        handle = model.module_at(node).register_forward_hook(lambda *args: outputs.append(args[2]))
        model.module(x)
        handle.remove()
    rows, columns = outputs[0].shape[2:]
    unit = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    signal = Signal(node=node, unit=unit, protocol="absolute")
    tensors = list(x.split(1))
    whole = averaged(model, tensors, signal, whole_maps=True, largest_batch=1)
    cropped = averaged(model, tensors, signal)
    assert cropped.unit == unit
    assert whole.total.max() > 0
    np.testing.assert_allclose(cropped.total, whole.total, rtol=1e-9, atol=1e-12 * whole.total.max())


def test_the_field_is_zero_exactly_outside_the_theoretical_field() -> None:
    model = small_model(input_px=160)
    tensors = [random_input(model)]
    for field in (
        analysis.effective_receptive_field(model, tensors, "stage2", "absolute"),
        averaged(model, tensors, Signal(node="stage2", protocol="absolute")).field,
    ):
        geometry = model.node("stage2").field
        left, top, width, height = (int(value) for value in geometry.unit_box(10, 10))
        assert left > 0
        assert left + width < 160
        inside = field[top : top + height, left : left + width]
        assert (inside > 0).all()
        assert np.count_nonzero(field) == inside.size


@pytest.mark.parametrize("operation", ["dwconv", "pwconv1", "gamma"])
def test_the_field_of_an_operation_is_its_central_units_whatever_its_layout(operation: str) -> None:
    model = small_model()
    x = random_input(model).requires_grad_()
    block = model.module.stages[0][0]
    conv = block.dwconv(model.module.downsample_layers[0](x))
    inside = block.pwconv1(block.norm(conv.permute(0, 2, 3, 1)))
    expected = {
        "dwconv": conv[:, :, 8, 8],
        "pwconv1": inside[:, 8, 8],
        "gamma": block.gamma * block.pwconv2(torch.nn.functional.gelu(inside))[:, 8, 8],
    }[operation]
    (gradient,) = torch.autograd.grad(torch.relu(expected).sum(), x)
    ours = analysis.effective_receptive_field(model, [x.detach()], node=f"stage1.block1.{operation}")
    np.testing.assert_allclose(ours, torch.relu(gradient).sum(dim=(0, 1)), rtol=1e-5, atol=1e-12)


def test_the_head_has_no_field() -> None:
    model = small_model()
    with pytest.raises(StudioError, match="pooled"):
        analysis.effective_receptive_field(model, [random_input(model)], node="head.norm")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("convnext_tiny", (76, 224, 1096, 1688)), ("convnextv2_atto", (52, 152, 736, 1136))],
)
def test_theoretical_sizes_are_those_worked_out_by_hand(name: str, sizes: tuple[int, ...]) -> None:
    config = preset(name).to_dict() | {"dims": (4, 4, 4, 4), "grn": False, "num_classes": 2}
    config["layer_scale_init_value"] = 1.0
    model = build(ConvNeXtConfig.from_dict(config), name, input_px=320)
    assert tuple(model.node(f"stage{stage}").field.size_px for stage in (1, 2, 3, 4)) == sizes
    # And by the gradient: the first two stages' fields fit this input.
    for stage in (1, 2):
        field = averaged(
            model, [random_input(model)], Signal(node=f"stage{stage}", protocol="absolute"), whole_maps=True
        ).field
        rows = np.flatnonzero(field.any(axis=1))
        assert rows[-1] - rows[0] + 1 == sizes[stage - 1]


def test_the_average_grows_batch_by_batch_without_non_finite_fields() -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(3)]
    tensors.insert(1, torch.full_like(tensors[0], torch.nan))
    signal = Signal(node="stage3")
    averages = list(running_average(model, tensors, signal, largest_batch=1))
    assert [average.used for average in averages] == [1, 1, 2, 3]
    assert averages[-1].skipped == (1,)
    assert averages[-1].done == 4
    batch = averaged(model, tensors, signal)
    assert (batch.used, batch.skipped) == (3, (1,))
    del tensors[1]
    expected = plain_field(model.module, tensors, 3)
    np.testing.assert_allclose(averages[-1].field, expected, rtol=1e-4, atol=1e-6 * expected.max())
    np.testing.assert_allclose(batch.field, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_an_average_continues_from_its_start() -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(4)]
    signal = Signal(node="stage2")
    first = averaged(model, tensors[:2], signal, largest_batch=1)
    resumed = list(running_average(model, tensors[2:], signal, start=first, largest_batch=1))
    assert [average.used for average in resumed] == [3, 4]
    np.testing.assert_array_equal(resumed[-1].total, averaged(model, tensors, signal, largest_batch=1).total)


def test_memory_that_runs_out_halves_the_batch_down_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(5)]
    sizes: list[int] = []
    forward, largest = type(model.module).forward_features, 2

    def scarce(network: object, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(network, x)

    monkeypatch.setattr(type(model.module), "forward_features", scarce)
    result = averaged(model, tensors, Signal(node="stage2"))
    assert result.used == 5
    assert sizes == [5, 2, 2, 1]
    expected = plain_field(model.module, tensors, 2)
    np.testing.assert_allclose(result.field, expected, rtol=1e-4, atol=1e-6 * expected.max())
    largest = 0
    with pytest.raises(InputTooLarge, match="64 px") as caught:
        averaged(model, tensors, Signal(node="stage2"))
    assert caught.value.hint == "Choose a smaller input size, such as 32 px, or the CPU."
    assert caught.value.smaller_px == 32


def test_nothing_to_measure_is_an_error() -> None:
    model = small_model()
    with pytest.raises(StudioError, match="No receptive field"):
        analysis.effective_receptive_field(model, [])
    with pytest.raises(StudioError, match="No receptive field") as caught:
        analysis.effective_receptive_field(model, [torch.full((1, 3, 64, 64), 3e38)])
    assert "finite" in caught.value.hint
    with pytest.raises(StudioError, match="not finite"):
        analysis.effective_receptive_field(model, [torch.full((1, 3, 64, 64), torch.inf)])
    with pytest.raises(StudioError, match="protocol"):
        analysis.effective_receptive_field(model, [random_input(model)], protocol="mine")
    with pytest.raises(StudioError, match="no unit in row 2, column 0") as caught:
        analysis.effective_receptive_field(model, [random_input(model)], unit=(2, 0))
    assert "2 rows" in caught.value.hint


def test_averaging_can_be_stopped() -> None:
    model = small_model()
    with pytest.raises(Stopped):
        list(running_average(model, [random_input(model)], Signal(node="stage4"), should_stop=lambda: True))


def test_growth_equals_every_nodes_own_field() -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(3)]
    nodes = [node.name for node in model.nodes if node.kind in ("stem", "block", "stage")]
    *_, growth = running_growth(model, tensors, nodes, "absolute")
    assert growth.used == 3
    for node in nodes:
        expected = analysis.effective_receptive_field(model, tensors, node, "absolute")
        np.testing.assert_allclose(growth.field(node), expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_growth_leaves_out_pictures_whose_fields_are_not_finite() -> None:
    model = small_model()
    tensors = [random_input(model, 0), torch.full((1, 3, 64, 64), torch.nan), random_input(model, 1)]
    *_, growth = running_growth(model, tensors, ["stage1", "stage4"], "centred")
    assert (growth.used, growth.skipped, growth.done) == (2, 1, 3)
    del tensors[1]
    expected = plain_field(model.module, tensors, 4)
    np.testing.assert_allclose(growth.field("stage4"), expected, rtol=1e-4, atol=1e-6 * expected.max())
