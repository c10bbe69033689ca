"""How values were made, against the modules of the network and plain arithmetic in numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor
from torch.nn import functional

from convnext_studio.analysis.value_breakdown import NetworkSteps
from convnext_studio.common.attribution_methods import MethodName, Output
from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import ValuePlace, ValueSum
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainMapValue, ExplainValue, MapValue
from tests.engine.opening import Opener, input_of, open_picture

NETWORKS: dict[str, dict[str, Any]] = {
    "v1": {},
    "v2": {"grn": True, "layer_scale_init_value": 0},
    "isotropic": {"depths": (3,), "dims": (12,), "stem_kernel_size": 8, "stem_stride": 8, "stem_norm": False},
    "tutorial": {"stem_kernel_size": 4, "stem_stride": 1, "stem_padding": 1},
    "overlap": {"stem_type": "overlap_act", "act": "gelu_tanh", "norm": "rms"},
    "tiered": {"stem_type": "overlap_tiered", "norm": "simple", "act": "silu", "head_hidden_size": 9},
    "batch": {"norm": "batch", "act": "relu", "downsample": "block", "depthwise": False},
    "norm first": {"head_norm_first": True, "global_pool": "avgmax", "kernel_size": 7},
    "largest": {"global_pool": "max", "head_norm_eps": 1e-3},
    "dilated": {"output_stride": 8, "kernel_size": 7},
    "three layers": {"head_hidden_size": (9, 8)},
    "mean and largest": {"global_pool": "catavgmax", "head_norm_first": True},
}


def explained(engine: Dispatcher, image: str, step: str, channel: int, y: int = 0, x: int = 0) -> ValueSum:
    answer = engine.run(ExplainValue(image=image, place=ValuePlace(step, channel, y, x)))
    assert isinstance(answer, ExplainedValue)
    return answer.made


def outputs_of_modules(model: LoadedModel) -> dict[str, Tensor]:
    """The output (C, h, w) of every node's own module, from one plain forward pass."""
    seen: dict[str, Tensor] = {}
    handles = []
    for node in model.nodes:
        seen_as, layout = node.name, node.layout

        def keep(
            _module: object, _inputs: object, output: Tensor, name: str = seen_as, how: str = layout
        ) -> None:
            whole = output[0].permute(2, 0, 1) if how == "NHWC" else output[0]
            seen[name] = whole[:, None, None] if how == "NC" else whole

        handles.append(model.module_at(node.name).register_forward_hook(keep))
    with torch.no_grad():
        seen["logits"] = model.module(input_of(model))[0][:, None, None]
    for handle in handles:
        handle.remove()
    seen["probabilities"] = seen["logits"].double().softmax(0)
    seen["input"] = input_of(model)[0]
    return seen


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_every_step_adds_up_to_what_its_module_computed(engine_of: Opener, changes: dict[str, Any]) -> None:
    engine, model, image = engine_of(**changes)
    seen = outputs_of_modules(model)
    steps = NetworkSteps(model).steps
    for name in (*(node.name for node in model.nodes), *steps):
        known = seen.get(name)
        made = explained(engine, image, name, 1)
        channels, height, width = made.shape
        for channel, y, x in (
            (0, 0, 0),
            (channels - 1, height - 1, width - 1),
            (channels // 2, height // 2, 0),
        ):
            made = explained(engine, image, name, channel, y, x)
            # These weights are large, and products of both signs cancel: what counts is the size of the terms.
            size = max(1.0, float(np.abs(made.terms).sum()))
            assert made.total == pytest.approx(made.value, abs=1e-5 * size), (name, channel, y, x)
            if known is not None:
                assert made.value == pytest.approx(float(known[channel, y, x]), rel=1e-5, abs=1e-5)
            check_operands(engine, image, made, seen)


def test_a_probability_of_its_own_is_the_sigmoid_of_its_logit(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, single, _ = engine_of()
    several = replace(single, is_multi_label=True)
    monkeypatch.setattr(models, "load", lambda *_, **__: several)
    engine = Dispatcher()
    engine.run(LoadModel(source="test", device="cpu"))
    made = explained(engine, open_picture(engine, "sample:cat"), "probabilities", 3)
    logit = several.module(input_of(several))[0, 3].double()
    assert made.operation == "sigmoid"
    assert made.value == pytest.approx(float(torch.sigmoid(logit)), abs=1e-12)
    assert made.total == pytest.approx(made.value, abs=1e-12)
    source = made.source(0)
    assert source is not None
    assert (source.step, source.channel) == ("logits", 3)


@pytest.mark.parametrize("source", ["bundled", "preset:tutorial", "preset:convnextv2_atto"])
def test_in_shipped_networks_the_sums_differ_by_less_than_one_in_100_000(source: str) -> None:
    engine = Dispatcher()
    model = engine.run(LoadModel(source=source, device="cpu"))
    assert isinstance(model, ModelInfo)
    image = open_picture(engine, "sample:cat")
    block = [node.name for node in model.nodes if node.name.startswith("stage3.block1.")]
    for step in (
        "input",
        "stem.conv",
        "stem",
        *block,
        "stage3",
        "head.pool",
        "head.norm",
        "logits",
        "probabilities",
    ):
        made = explained(engine, image, step, 1, 0, 0)
        channels, height, width = made.shape
        for channel in range(0, channels, max(channels // 5, 1)):
            made = explained(engine, image, step, channel, height // 2, width // 3)
            assert made.total == pytest.approx(made.value, rel=1e-5, abs=1e-5), made.place


def check_operands(engine: Dispatcher, image: str, made: ValueSum, seen: dict[str, Tensor]) -> None:
    """The operands are the values of the steps before, and each can be explained in its turn."""
    assert len(made.operands) == len(made.sources)
    for index in {0, len(made.operands) // 2, len(made.operands) - 1} if len(made.operands) else ():
        place = made.source(index)
        if place is None:
            assert made.operands[index] == 0
            continue
        assert explained(engine, image, place.step, place.channel, place.y, place.x).value == pytest.approx(
            made.operands[index], rel=1e-6
        )
        if place.step in seen:
            theirs = float(seen[place.step][place.channel, place.y, place.x])
            assert made.operands[index] == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def test_a_depthwise_unit_is_its_patch_times_its_kernel(engine_of: Opener) -> None:
    engine, model, image = engine_of(kernel_size=7)
    made = explained(engine, image, "stage2.block1.dwconv", 3, 0, 5)
    layer = model.module_at("stage2.block1.dwconv")
    before = outputs_of_modules(model)["stage2.downsample"]
    patch = functional.pad(before[3], (3, 3, 3, 3))[0:7, 5:12].double().numpy()
    kernel = layer.weight[3, 0].double().numpy()
    assert made.window == (1, 7, 7)
    np.testing.assert_allclose(made.operands.reshape(7, 7), patch, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(made.factors.reshape(7, 7), kernel)
    np.testing.assert_allclose(made.terms.reshape(7, 7), patch * kernel, rtol=1e-5, atol=1e-6)
    assert made.numbers["bias"] == float(layer.bias[3])
    assert made.before is not None
    np.testing.assert_allclose(made.before, before[3].numpy(), rtol=1e-5, atol=1e-6)


def test_the_numbers_of_a_norm_are_those_of_its_position(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    made = explained(engine, image, "stage1.block1.norm", 2, 4, 7)
    values = outputs_of_modules(model)["stage1.block1.dwconv"][:, 4, 7].double().numpy()
    assert made.numbers["mean"] == pytest.approx(values.mean(), rel=1e-5)
    assert made.numbers["deviation"] == pytest.approx(np.sqrt(values.var() + 1e-6), rel=1e-5)
    assert made.terms.sum() == pytest.approx(values.mean(), rel=1e-5)


def test_the_contributions_to_a_logit_are_channel_by_channel(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    made = explained(engine, image, "logits", 4)
    pooled = outputs_of_modules(model)["head.norm"][:, 0, 0].double()
    expected = pooled * model.module.head.weight[4].double()
    np.testing.assert_allclose(made.terms, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert made.source(2) == ValuePlace("head.norm", 2, 0, 0)


def test_a_pixel_is_taken_back_to_what_the_picture_holds(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    made = explained(engine, image, "input", 1, 3, 9)
    mean, std = model.preprocessing.mean[1], model.preprocessing.std[1]
    assert made.numbers["pixel"] == pytest.approx(float(input_of(model)[0, 1, 3, 9]) * std + mean, abs=1e-6)
    assert 255 * made.numbers["pixel"] == pytest.approx(round(255 * made.numbers["pixel"]), abs=1e-3)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (ValuePlace("stage2", 12), "no channel 12"),
        (ValuePlace("stage2", 0, 8, 0), "no unit in row 8"),
        (ValuePlace("stage7", 0), "no node"),
    ],
)
def test_values_that_are_none_are_told(engine_of: Opener, place: ValuePlace, why: str) -> None:
    engine, _, image = engine_of()
    with pytest.raises(StudioError, match=why):
        engine.run(ExplainValue(image=image, place=place))


def test_another_family_says_what_can_be_explained() -> None:
    engine = Dispatcher()
    engine.run(LoadModel(source="timm-random:resnet18", device="cpu"))
    image = open_picture(engine, "sample:cat")
    made = explained(engine, image, "probabilities", 5)
    assert made.total == pytest.approx(made.value, rel=1e-6)
    for step in ("stage2", "logits"):
        with pytest.raises(StudioError, match="not a ConvNeXt") as refused:
            explained(engine, image, step, 0)
        assert "probabilities" in refused.value.hint


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam"])
@pytest.mark.parametrize("output", ["logit", "probability", "difference"])
def test_a_value_of_a_map_is_the_sum_of_its_channels(
    engine_of: Opener, method: MethodName, output: Output
) -> None:
    engine, _, image = engine_of()
    against = 2 if output == "difference" else None
    question = Explain(image="", method=method, target=1, output=output, against=against)
    for node in ("stage2", "stage4"):
        explanation = engine.run(replace(question, image=image, nodes=(node,)))
        assert isinstance(explanation, Explanation)
        shown = explanation.maps[node]
        y, x = (side // 2 for side in shown.shape)
        answer = engine.run(
            ExplainMapValue(image=image, value=MapValue(question=question, node=node, y=y, x=x))
        )
        assert isinstance(answer, ExplainedValue)
        made = answer.made
        assert made.value == float(shown[y, x])
        size = max(float(np.abs(made.terms).sum()), 1e-6)
        is_zero = method == "hirescam" and not shown.any()  # By construction; what is left is rounding.
        assert made.total == pytest.approx(made.value, abs=1e-4 * size if is_zero else 1e-5 * size)
        place = made.source(3)
        assert place is not None
        assert made.operands[3] == pytest.approx(
            explained(engine, image, place.step, place.channel, place.y, place.x).value, rel=1e-6
        )


def test_a_pixel_of_input_times_gradient_is_the_sum_of_its_colours(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    question = Explain(image="", method="inputxgradient", target=1)
    value = MapValue(question=question, node="input", y=5, x=6)
    answer = engine.run(ExplainMapValue(image=image, value=value))
    assert isinstance(answer, ExplainedValue)
    x = input_of(model).requires_grad_()
    model.module(x)[0, 1].backward()
    assert x.grad is not None
    np.testing.assert_allclose(answer.made.factors, x.grad[0, :, 5, 6].numpy(), rtol=1e-4, atol=1e-7)
    assert answer.made.total == pytest.approx(answer.made.value, rel=1e-5, abs=1e-6)
    for method in ("saliency", "occlusion"):
        asked = MapValue(question=replace(question, method=method), node="input", y=0, x=0)
        with pytest.raises(StudioError, match="cannot be shown"):
            engine.run(ExplainMapValue(image=image, value=asked))


def test_in_bfloat16_the_sum_is_that_of_the_rounded_operands(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    engine._workspace.open_model(model, "bfloat16")  # The program offers it on GPUs only.
    answer = engine.run(ExplainValue(image=image, place=ValuePlace("stage1.block1.pwconv1", 3, 2, 2)))
    assert isinstance(answer, ExplainedValue)
    assert answer.precision == "bfloat16"
    assert answer.made.total == pytest.approx(answer.made.value, abs=0.02 * np.abs(answer.made.terms).sum())
