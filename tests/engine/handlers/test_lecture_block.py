"""What a lecture shows of a block, against plain torch on the network's own modules."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.protocol.lecture import (
    BlockWalk,
    Distribution,
    Distributions,
    DistributionsResult,
    DropBlocks,
    DroppedBlocks,
    LayerWeights,
    LayerWeightsResult,
    SlideKernel,
    SlidKernel,
    SwapPart,
    SwappedPart,
    WalkBlock,
)
from tests.engine.opening import Opener, all_steps, input_of

BLOCK = "stage2.block2"


def hooked(model: LoadedModel, module: nn.Module) -> tuple[Tensor, Tensor]:
    """Input and output of a module on the sample picture."""
    seen: dict[str, Tensor] = {}
    handle = module.register_forward_hook(lambda _module, inputs, output: seen.update(a=inputs[0], b=output))
    with torch.no_grad():
        model.module(input_of(model))
    handle.remove()
    return seen["a"], seen["b"]


def check(found: Distribution, values: Tensor) -> None:
    """`values` are (1, h, w, C), as they lie in a block."""
    flat = values[0].double().numpy()
    assert found.mean == pytest.approx(flat.mean(), abs=1e-6)
    assert found.std == pytest.approx(flat.std(), rel=1e-5)
    assert found.below_zero == pytest.approx((flat < 0).mean())
    np.testing.assert_allclose(found.position_mean, flat.mean(axis=-1), atol=2e-6)
    np.testing.assert_allclose(found.position_std, flat.std(axis=-1), rtol=1e-4)
    np.testing.assert_allclose(found.channel_mean, flat.mean(axis=(0, 1)), atol=2e-6)
    np.testing.assert_allclose(found.channel_std, flat.std(axis=(0, 1)), rtol=1e-4)
    edges = np.linspace(found.low, found.high, len(found.counts) + 1)
    inside = (flat >= found.low) & (flat <= found.high)
    assert found.counts.sum() == inside.sum()
    assert inside.mean() > 0.99
    by_hand = [((flat >= low) & (flat < high)).sum() for low, high in zip(edges, edges[1:], strict=False)]
    np.testing.assert_allclose(found.counts, by_hand, atol=2)  # A value on an edge may fall to either side.


def distributions_of(engine: Any, image: str, node: str) -> DistributionsResult:
    result = engine.run(Distributions(image=image, node=node))
    assert isinstance(result, DistributionsResult)
    return result


@pytest.mark.parametrize("norm", ["layer", "batch", "rms"])
def test_the_values_around_a_norm_are_those_that_hooks_see(engine_of: Opener, norm: str) -> None:
    engine, model, image = engine_of(norm=norm)
    result = distributions_of(engine, image, f"{BLOCK}.norm")
    module = model.module_at(f"{BLOCK}.norm")
    before, after = hooked(model, module)
    check(result.before, before)
    check(result.after, after)
    # Scale and shift taken away by hand.
    shift = module.bias if norm != "rms" else 0
    assert result.normalised is not None
    check(result.normalised, (after - shift) / module.weight)


def test_a_layer_norm_leaves_mean_0_and_deviation_1_at_each_position(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    result = distributions_of(engine, image, f"{BLOCK}.norm")
    assert result.normalised is not None
    assert np.abs(result.before.position_mean).max() > 0.1
    np.testing.assert_allclose(result.normalised.position_mean, 0, atol=1e-5)
    np.testing.assert_allclose(result.normalised.position_std, 1, atol=1e-3)


def test_the_values_around_an_activation_are_those_that_hooks_see(engine_of: Opener) -> None:
    engine, model, image = engine_of(grn=True)
    result = distributions_of(engine, image, f"{BLOCK}.act")
    before, after = hooked(model, model.module_at(f"{BLOCK}.act"))
    check(result.before, before)
    check(result.after, after)
    assert result.normalised is None
    np.testing.assert_allclose(functional.gelu(before), after)


def test_values_that_are_not_finite_are_counted(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    with torch.no_grad():
        model.module_at(f"{BLOCK}.pwconv1").bias[3] = float("nan")
    result = distributions_of(engine, image, f"{BLOCK}.act")
    assert result.before.non_finite == result.before.position_mean.size
    assert np.isnan(result.before.mean)
    assert np.isfinite(result.before.channel_mean).sum() == len(result.before.channel_mean) - 1


def test_a_swapped_activation_is_a_network_built_with_the_other(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    own = copy.deepcopy(model.module.state_dict())
    by_hand = ConvNeXt.from_config(ConvNeXtConfig.from_dict(model.config.to_dict() | {"act": "relu"})).eval()
    by_hand.load_state_dict(own)
    result = engine.run(SwapPart(image=image, act="relu", stage="stage2"))
    assert isinstance(result, SwappedPart)
    with torch.no_grad():
        stage, logits = hooked_stage(model.module, input_of(model))
        stage_then, logits_then = hooked_stage(by_hand, input_of(model))
    np.testing.assert_allclose(result.probabilities, logits.softmax(0), rtol=1e-5)
    np.testing.assert_allclose(result.swapped_probabilities, logits_then.softmax(0), rtol=1e-5)
    np.testing.assert_allclose(result.mean_map, stage.mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(result.swapped_mean_map, stage_then.mean(dim=0), atol=1e-5)
    assert result.relative_change == pytest.approx(float((stage_then - stage).norm() / stage.norm()), rel=1e-5)
    assert result.relative_change > 0.01
    # The open network is what it was, in weights and in answers.
    assert all(torch.equal(tensor, own[name]) for name, tensor in model.module.state_dict().items())
    assert model.config.act == "gelu"


def hooked_stage(module: nn.Module, tensor: Tensor) -> tuple[Tensor, Tensor]:
    seen: list[Tensor] = []
    handle = module.stages[1].register_forward_hook(lambda _module, _inputs, output: seen.append(output[0]))
    logits = module(tensor)[0]
    handle.remove()
    return seen[0], logits


class _BatchNormByHand(nn.Module):
    """Each channel over all positions of the picture."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        axes = (0, 1, 2) if self.norm.data_format == "channels_last" else (0, 2, 3)
        shape = (-1,) if self.norm.data_format == "channels_last" else (-1, 1, 1)
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
        normalised = (x - mean) / (variance + self.norm.eps).sqrt()
        return normalised * self.norm.weight.view(shape) + self.norm.bias.view(shape)


def test_a_swapped_norm_takes_the_statistics_of_the_picture(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    by_hand = copy.deepcopy(model.module)
    for parent in list(by_hand.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__ == "LayerNorm" and parent is not by_hand:
                setattr(parent, name, _BatchNormByHand(child))
    result = engine.run(SwapPart(image=image, norm="batch", stage="stage2"))
    assert isinstance(result, SwappedPart)
    with torch.no_grad():
        stage, logits = hooked_stage(by_hand, input_of(model))
    np.testing.assert_allclose(result.swapped_probabilities, logits.softmax(0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(result.swapped_mean_map, stage.mean(dim=0), rtol=1e-3, atol=1e-4)
    again = engine.run(SwapPart(image=image, norm="batch", stage="stage2"))
    assert again is result  # Kept; and the statistics of one pass do not leak into the next:
    np.testing.assert_array_equal(
        engine.run(SwapPart(image=image, norm="batch", stage="stage1")).swapped_probabilities,
        result.swapped_probabilities,
    )


@pytest.mark.parametrize("norm", ["batch", "rms", "simple"])
def test_every_norm_can_become_a_layer_norm(engine_of: Opener, norm: str) -> None:
    engine, model, image = engine_of(norm=norm)
    by_hand = ConvNeXt.from_config(ConvNeXtConfig.from_dict(model.config.to_dict() | {"norm": "layer"})).eval()
    by_hand.load_state_dict(model.module.state_dict(), strict=False)  # A shift that is missing stays 0.
    by_hand.norm = model.module.norm
    result = engine.run(SwapPart(image=image, norm="layer", stage="stage2"))
    with torch.no_grad():
        np.testing.assert_allclose(
            result.swapped_probabilities, by_hand(input_of(model))[0].softmax(0), rtol=1e-4, atol=1e-7
        )


def test_the_sliding_sum_is_torchs_convolution(engine_of: Opener) -> None:
    engine, model, image = engine_of(kernel_size=5)
    slid = engine.run(SlideKernel(image=image, block=BLOCK, channel=3))
    assert isinstance(slid, SlidKernel)
    layer = model.module_at(f"{BLOCK}.dwconv")
    before, after = hooked(model, layer)
    np.testing.assert_allclose(slid.before, before[0, 3], atol=1e-6)
    np.testing.assert_allclose(slid.after, after[0, 3], atol=1e-5)
    one = functional.conv2d(before[:, 3:4], layer.weight[3:4], layer.bias[3:4], padding=2)
    np.testing.assert_allclose(slid.after, one[0, 0], atol=1e-5)
    # The sum by hand, as the class says it.
    padded = np.pad(slid.before, 2)
    for y, x in [(0, 0), (3, 4), (slid.before.shape[0] - 1, 2)]:
        assert slid.after[y, x] == pytest.approx(
            (padded[y : y + 5, x : x + 5] * slid.kernel).sum() + slid.bias, abs=1e-5
        )


def test_a_dense_convolution_has_no_kernel_to_slide(engine_of: Opener) -> None:
    engine, _, image = engine_of(depthwise=False)
    with pytest.raises(StudioError, match="dense"):
        engine.run(SlideKernel(image=image, block=BLOCK, channel=0))
    weights = engine.run(LayerWeights(node=f"{BLOCK}.dwconv"))
    assert isinstance(weights, LayerWeightsResult)
    assert weights.weight.shape == (12, 12, 3, 3)


@pytest.mark.parametrize(
    ("part", "shape"), [("dwconv", (12, 3, 3)), ("pwconv1", (48, 12)), ("pwconv2", (12, 48))]
)
def test_weights_are_those_of_the_layer(engine_of: Opener, part: str, shape: tuple[int, ...]) -> None:
    engine, model, _ = engine_of()
    result = engine.run(LayerWeights(node=f"{BLOCK}.{part}"))
    layer = model.module_at(f"{BLOCK}.{part}")
    assert result.weight.shape == shape
    np.testing.assert_array_equal(result.weight, layer.weight.numpy().reshape(shape))
    np.testing.assert_array_equal(result.bias, layer.bias)
    with pytest.raises(StudioError, match="no weights"):
        engine.run(LayerWeights(node=f"{BLOCK}.act"))


@pytest.mark.parametrize("changes", [{}, {"grn": True}, {"downsample": "block"}, {"layer_scale_init_value": 0}])
def test_the_walk_passes_every_operation_of_a_block(engine_of: Opener, changes: dict[str, Any]) -> None:
    engine, model, image = engine_of(**changes)
    block = "stage2.block1"
    walk = engine.run(WalkBlock(image=image, block=block, channel=10))
    assert isinstance(walk, BlockWalk)
    names = [step.node for step in walk.steps]
    assert names[0] == model.node(block).before
    assert names[1:-1] == [node.name for node in model.nodes if node.parent == block]
    assert names[-1] == block
    steps = {step.node: step for step in walk.steps}
    for name in names[1:]:
        _, output = hooked(model, model.module_at(name))
        if model.node(name).layout == "NHWC":
            output = output.permute(0, 3, 1, 2)
        assert steps[name].shape == model.node(name).shape == output.shape[1:]
        last = min(10, output.shape[1] - 1)
        np.testing.assert_allclose(steps[name].channel_map, output[0, last], atol=1e-5)
        np.testing.assert_allclose(steps[name].rms_map, output[0].square().mean(0).sqrt(), rtol=1e-4)
        assert steps[name].mean == pytest.approx(float(output.mean()), abs=1e-5)
        assert steps[name].std == pytest.approx(float(output.std(correction=0)), rel=1e-4)
    branch = "gamma" if model.config.layer_scale_init_value else "pwconv2"
    shortcut = f"{block}.shortcut" if f"{block}.shortcut" in steps else names[0]
    if steps[shortcut].shape == steps[block].shape:
        channel = min(10, steps[block].shape[0] - 1)
        assert channel == 10
        np.testing.assert_allclose(
            steps[shortcut].channel_map + steps[f"{block}.{branch}"].channel_map,
            steps[block].channel_map,
            atol=1e-5,
        )


@pytest.mark.parametrize("changes", [{}, {"downsample": "block"}, {"layer_scale_init_value": 0}])
def test_without_a_block_its_branch_adds_nothing(engine_of: Opener, changes: dict[str, Any]) -> None:
    engine, model, image = engine_of(**changes)
    steps, result = all_steps(engine.answer(DropBlocks(image=image)))
    assert isinstance(result, DroppedBlocks)
    blocks = [node.name for node in model.nodes if node.kind == "block"]
    assert list(result.blocks) == blocks
    assert len(steps) == result.total == len(blocks) == 5
    assert steps[1].partial.blocks == tuple(blocks[-2:])
    tensor = input_of(model)
    with torch.no_grad():
        np.testing.assert_allclose(result.probabilities, model.module(tensor)[0].softmax(0), rtol=1e-5)
        for block, found in zip(blocks, result.dropped, strict=True):
            silent = copy.deepcopy(model.module)
            branch = silent.get_submodule(f"stages.{int(block[5]) - 1}.{int(block[-1]) - 1}")
            branch.pwconv2.weight.zero_()
            branch.pwconv2.bias.zero_()
            np.testing.assert_allclose(found, silent(tensor)[0].softmax(0), rtol=1e-4, atol=1e-7)
            assert np.abs(found - result.probabilities).max() > 1e-5


def test_other_families_have_no_blocks_to_be_looked_into(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    resnet = load("timm-random:resnet18")
    engine._workspace.open_model(resnet, "float32")
    for request in (
        DropBlocks(image=image),
        SwapPart(image=image, act="relu", stage="stage2"),
        WalkBlock(image=image, block="stage1.block1"),
        Distributions(image=image, node="stage1.block1.norm"),
        SlideKernel(image=image, block="stage1.block1", channel=0),
        LayerWeights(node="stage1.block1.pwconv1"),
    ):
        with pytest.raises(StudioError):
            engine.run(request)
