"""Tiles against the network in one piece."""

from collections.abc import Generator
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import stage_pass, trunk_nodes, trunk_outputs
from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.analysis.tiling.tiled_memory import plan_within, planned_bytes, steps_of, whole_bytes
from convnext_studio.analysis.tiling.tiled_passes import (
    INPUT,
    plan_of,
    tiled_outputs,
    tiled_pass,
    tiled_unit_gradient,
)
from convnext_studio.engine.server.large_inputs import TILED_BYTES
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.model.nodes import smallest_input_px
from convnext_studio.model.preprocessing import Preprocessing
from tests.model.configs import configs
from tests.networks import lively

Result = TypeVar("Result")


def loaded(config: ConvNeXtConfig) -> LoadedModel:
    return LoadedModel(
        source="test",
        title="Small",
        module=lively(config),
        labels=tuple(map(str, range(config.num_classes))),
        preprocessing=Preprocessing(),
    )


def first_logit(logits: torch.Tensor) -> torch.Tensor:
    return logits[0, 0]


def finished(work: Generator[None, None, Result]) -> tuple[Result, int]:
    """The result, and after how many steps."""
    steps = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, steps
        steps += 1


@settings(max_examples=60, deadline=None)
@given(
    config=configs(),
    extra=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    strip_bytes=st.sampled_from([1, 4000, 30_000]),
    kept_bytes=st.sampled_from([0, 1 << 28]),
    apart=st.integers(1, 4),
    sparing=st.integers(0, 4),
    freed_bytes=st.sampled_from([1, 3000, 1 << 25]),
)
def test_tiles_equal_the_whole(
    config: ConvNeXtConfig,
    extra: tuple[int, int],
    strip_bytes: int,
    kept_bytes: int,
    apart: int,
    sparing: int,
    freed_bytes: int,
) -> None:
    # In float64, because norms over two channels enlarge the rounding of float32.
    model = loaded(config)
    model.module.double()
    smallest = smallest_input_px(config)
    height, width = smallest + extra[0], smallest + extra[1]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, config.in_chans, height, width, generator=generator, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiled_layers, "STRIP_BYTES", strip_bytes)
        patched.setattr(tiled_layers, "KEPT_BYTES", kept_bytes)
        patched.setattr(tiled_layers, "_FREED_BYTES", freed_bytes)
        gradients: dict[str, torch.Tensor] = {}

        def keep(stage: str, output: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
            gradients[stage] = gradient.clone()
            return output.mean() + gradient.mean()

        plan = plan_of(model, config.stages, apart, sparing=sparing)
        before = x.clone()
        result, _ = finished(tiled_pass(model, [x], plan, keep, first_logit))
        outputs, _ = finished(tiled_outputs(model, x, trunk_nodes(model)))
    assert torch.equal(x, before)
    whole = stage_pass(model, x, 0)
    close(result.logits, torch.from_numpy(whole.logits))
    for stage in config.stages:
        close(result.outputs[stage], whole.activations[stage])
        close(gradients[stage], whole.gradients[stage])
        close(result.explained[stage], whole.activations[stage].mean() + whole.gradients[stage].mean())
    for node, output in trunk_outputs(model, x).items():
        close(outputs[node], output)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    scale = float(expected.abs().max()) or 1.0
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-5 * max(scale, 1.0)


@settings(max_examples=40, deadline=None)
@given(
    config=configs(),
    extra=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    strip_bytes=st.sampled_from([1, 4000]),
    apart=st.integers(1, 4),
    sparing=st.integers(0, 4),
    share=st.floats(0, 1),
)
def test_gradients_at_every_node_and_at_the_input_equal_the_whole(
    config: ConvNeXtConfig, extra: tuple[int, int], strip_bytes: int, apart: int, sparing: int, share: float
) -> None:
    model = loaded(config)
    model.module.double()
    smallest = smallest_input_px(config)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(
        1, config.in_chans, smallest + extra[0], smallest + extra[1], generator=generator, dtype=torch.float64
    )
    nodes = [INPUT, *trunk_nodes(model)]
    end = nodes[1 + round(share * (len(nodes) - 2))]
    leaf = x.clone().requires_grad_()
    with captured({node: model.module_at(node) for node in nodes[1:]}, with_gradients=True) as outputs:
        logit = model.module(leaf)[0, 0]
    expected = torch.autograd.grad(logit, [leaf, *(outputs[node] for node in nodes[1:])], retain_graph=True)
    channels, height, width = outputs[end][0].shape
    unit = (channels - 1, height // 2, width // 3)
    (by_input,) = torch.autograd.grad(outputs[end][0][unit], leaf)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiled_layers, "STRIP_BYTES", strip_bytes)
        result, _ = finished(
            tiled_pass(
                model,
                [x],
                plan_of(model, nodes, apart, sparing=sparing),
                lambda _node, _output, gradient: gradient.clone(),
                first_logit,
                keeps_outputs=False,
            )
        )
        plan = plan_of(model, (INPUT,), apart, end, sparing)
        (gradient, value), _ = finished(tiled_unit_gradient(x, plan, unit))
    assert result.outputs == {}
    for node, whole in zip(nodes, expected, strict=True):
        close(result.explained[node], whole[0])
    close(gradient, by_input[0])
    assert value == pytest.approx(float(outputs[end][0][unit].detach()), abs=1e-9)


@pytest.mark.parametrize("changes", [{}, {"grn": True, "layer_scale_init_value": 0.0}])
def test_the_class_is_the_highest_and_strips_are_many(changes: dict[str, Any], monkeypatch: Any) -> None:
    config = replace(ConvNeXtConfig(num_classes=7, depths=(1, 1, 1, 1), dims=(4, 6, 8, 10)), **changes)
    model = loaded(config)
    x = torch.randn(1, 3, 96, 160)
    monkeypatch.setattr(tiled_layers, "STRIP_BYTES", 20_000)
    plan = plan_of(model, config.stages)
    result, steps = finished(
        tiled_pass(model, [x], plan, lambda _stage, _output, gradient: gradient.sum(), first_logit)
    )
    assert int(result.logits.argmax()) == int(model.module(x)[0].argmax())
    assert steps > 20


def planned(source: str, size: tuple[int, int], apart: int = 1) -> int:
    model = load(source)
    return planned_bytes(model, size, plan_of(model, model.config.stages, apart))


def test_memory_grows_with_the_picture_and_shrinks_with_what_is_made_again() -> None:
    source = "preset:convnext_tiny"
    small, large = (planned(source, size) for size in ((512, 512), (1024, 2048)))
    fixed = 8 * tiled_layers.STRIP_BYTES
    assert large - fixed == pytest.approx(8 * (small - fixed), rel=1e-3)
    model = load(source)
    assert planned(source, (4096, 4096)) < whole_bytes(model, (4096, 4096)) / 4
    every, second = (planned(source, (2048, 2048), apart) for apart in (1, 2))
    assert second < every
    for limit, apart in ((every, 1), (second, 2)):
        plan = plan_within(model, (2048, 2048), model.config.stages, limit)
        assert plan is not None
        assert plan.segments == plan_of(model, model.config.stages, apart).segments
    assert plan_within(model, (2048, 2048), model.config.stages, fixed) is None


@pytest.mark.parametrize("source", ["bundled", "preset:convnext_tiny", "preset:convnextv2_tiny"])
def test_twelve_megapixels_fit_into_what_is_allowed(source: str) -> None:
    model = load(source)
    for nodes, keeps in ((model.config.stages, True), ((INPUT,), False), (("stage1",), False)):
        assert plan_within(model, (3008, 4000), nodes, TILED_BYTES, keeps_outputs=keeps) is not None
    assert plan_within(model, (3008, 4000), (INPUT,), TILED_BYTES, end="stage4", keeps_outputs=False)


def test_what_is_made_again_one_by_one_is_not_kept() -> None:
    model = load("preset:convnext_tiny")
    size = (2048, 2048)
    plans = [plan_of(model, (INPUT,), 5, sparing=sparing) for sparing in range(5)]
    taken = [planned_bytes(model, size, plan, keeps_outputs=False) for plan in plans]
    assert taken[0] > taken[1]
    assert taken == sorted(taken, reverse=True)
    steps = [steps_of(model, size, plan=plan) for plan in plans]
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]
