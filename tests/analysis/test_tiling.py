"""Tiles against the network in one piece."""

from collections.abc import Generator
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from convnext_studio.analysis import tiling
from convnext_studio.analysis.features import stage_pass, trunk_nodes, trunk_outputs
from convnext_studio.analysis.tiling import tiled_outputs, tiled_pass
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
    # Inputs of networks with dilated stages are never computed in tiles.
    config=configs().filter(lambda config: max(config.dilations) == 1),
    extra=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    strip_bytes=st.sampled_from([1, 4000, 30_000]),
    kept_bytes=st.sampled_from([0, 1 << 28]),
    apart=st.integers(1, 4),
)
def test_tiles_equal_the_whole(
    config: ConvNeXtConfig, extra: tuple[int, int], strip_bytes: int, kept_bytes: int, apart: int
) -> None:
    # In float64, because norms over two channels enlarge the rounding of float32.
    model = loaded(config)
    model.module.double()
    smallest = smallest_input_px(config)
    height, width = smallest + extra[0], smallest + extra[1]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, config.in_chans, height, width, generator=generator, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiling, "STRIP_BYTES", strip_bytes)
        patched.setattr(tiling, "KEPT_BYTES", kept_bytes)
        gradients: dict[str, torch.Tensor] = {}

        def keep(stage: str, output: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
            gradients[stage] = gradient.clone()
            return output.mean() + gradient.mean()

        result, _ = finished(tiled_pass(model, [x], keep, 0, apart))
        outputs, _ = finished(tiled_outputs(model, x, trunk_nodes(model)))
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


@pytest.mark.parametrize("changes", [{}, {"grn": True, "layer_scale_init_value": 0.0}])
def test_the_class_is_the_highest_and_strips_are_many(changes: dict[str, Any], monkeypatch: Any) -> None:
    config = replace(ConvNeXtConfig(num_classes=7, depths=(1, 1, 1, 1), dims=(4, 6, 8, 10)), **changes)
    model = loaded(config)
    x = torch.randn(1, 3, 96, 160)
    monkeypatch.setattr(tiling, "STRIP_BYTES", 20_000)
    result, steps = finished(tiled_pass(model, [x], lambda _stage, _output, gradient: gradient.sum()))
    assert result.target == int(model.module(x)[0].argmax())
    assert steps > 20


def test_memory_grows_with_the_picture_and_shrinks_with_what_is_made_again() -> None:
    model = load("preset:convnext_tiny")
    small, large = (tiling.tiled_bytes(model, size) for size in ((512, 512), (1024, 2048)))
    fixed = 8 * tiling.STRIP_BYTES
    assert large - fixed == pytest.approx(8 * (small - fixed), rel=1e-3)
    assert tiling.tiled_bytes(model, (4096, 4096)) < tiling.whole_bytes(model, (4096, 4096)) / 4
    every, second = (tiling.tiled_bytes(model, (2048, 2048), apart) for apart in (1, 2))
    assert second < every
    assert tiling.layers_apart(model, (2048, 2048), every) == 1
    assert tiling.layers_apart(model, (2048, 2048), second) == 2
    assert tiling.layers_apart(model, (2048, 2048), fixed) is None


@pytest.mark.parametrize("source", ["bundled", "preset:convnext_tiny", "preset:convnextv2_tiny"])
def test_twelve_megapixels_fit_into_two_gigabytes(source: str) -> None:
    assert tiling.layers_apart(load(source), (3008, 4000), 2 << 30) is not None
