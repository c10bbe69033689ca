"""Handlers for the lecture: values and weights of a block, networks with a part changed, several maps."""

from collections.abc import Generator
from copy import deepcopy
from typing import cast

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from convnext_studio.analysis.capture import captured, stoppable
from convnext_studio.analysis.features import as_maps, autocast, probabilities_of, to_array, to_arrays
from convnext_studio.analysis.intervening.ablation_parts import block_parts
from convnext_studio.analysis.intervening.altered_passes import stem_output
from convnext_studio.analysis.intervening.changed_outputs import logits_under_each
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.channel_handlers import check_channel
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import outputs_of
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.architecture import TimmConfig
from convnext_studio.model.convnext import ChannelNorm
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.model.variants import swap_parts
from convnext_studio.protocol.envelope import Progress, Request
from convnext_studio.protocol.lecture import (
    BlockWalk,
    Distribution,
    Distributions,
    DistributionsResult,
    DropBlocks,
    DroppedBlocks,
    LayerWeights,
    LayerWeightsResult,
    MeanMaps,
    MeanMapsResult,
    SlideKernel,
    SlidKernel,
    StemMaps,
    StemMapsResult,
    SwapPart,
    SwappedPart,
    WalkBlock,
    WalkStep,
)

BINS = 80
TAIL_PERCENT = 0.1
"""The percentage of values at either end that the histogram leaves out, since outliers would stretch it."""


@handles(Distributions)
def distributions(workspace: Workspace, request: Distributions, should_stop: ShouldStop) -> DistributionsResult:
    """Compute the distributions of the values before and after an operation of a block."""
    node = _operation(workspace, request.node)
    key = _key(workspace, request)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("DistributionsResult", kept)
    names = (node.before, node.name)
    outputs = outputs_of(workspace, request.image, names, should_stop)
    before, after = (outputs[name].float() for name in names)
    norm = workspace.model.module_at(node.name)
    result = DistributionsResult(
        image=request.image,
        node=node.name,
        before=_distribution(before),
        after=_distribution(after),
        normalised=_distribution(_normalised(norm, before)) if isinstance(norm, ChannelNorm) else None,
    )
    workspace.results.put(key, result)
    return result


def _normalised(norm: ChannelNorm, before: Tensor) -> Tensor:
    """Return the input (C, h, w) normalised, with neither scale nor shift."""
    bare = deepcopy(norm)
    with torch.no_grad():
        for name, parameter in bare.named_parameters():
            parameter.fill_(1.0 if name == "weight" else 0.0)
        return bare.normalise(before.permute(1, 2, 0)[None])[0].permute(2, 0, 1)


def _distribution(output: Tensor) -> Distribution:
    values = to_array(output).astype(np.float64)
    is_finite = np.isfinite(values)
    finite = values if is_finite.all() else values[is_finite]
    low, high = (0.0, 0.0)
    if finite.size:
        low, high = np.percentile(finite, (TAIL_PERCENT, 100 - TAIL_PERCENT)).tolist()
    if low == high:
        low, high = low - 0.5, high + 0.5
    with np.errstate(invalid="ignore"):
        return Distribution(
            counts=np.histogram(finite, BINS, (low, high))[0].astype(np.int64),
            low=low,
            high=high,
            mean=float(values.mean()),
            std=float(values.std()),
            below_zero=float((values < 0).mean()),
            position_mean=values.mean(axis=0).astype(np.float32),
            position_std=values.std(axis=0).astype(np.float32),
            channel_mean=values.mean(axis=(1, 2)).astype(np.float32),
            channel_std=values.std(axis=(1, 2)).astype(np.float32),
            non_finite=int(values.size - finite.size),
        )


@handles(SwapPart)
def swap_part(workspace: Workspace, request: SwapPart, should_stop: ShouldStop) -> SwappedPart:
    """Compute predictions and a stage's map, before and after swapping the activation or norm."""
    key = _key(workspace, request)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("SwappedPart", kept)
    rows, columns = workspace.node(request.image, workspace.model.config.stages[-1]).shape[1:]
    if request.norm == "batch" and rows * columns == 1:
        raise StudioError(
            "Batch norm cannot be computed here: the last stage has a single position.",
            "Choose a larger input.",
        )
    swapped = swap_parts(workspace.model, act=request.act, norm=request.norm)
    tensor, _ = workspace.input(request.image)
    says, stage = _pass(workspace.model, tensor, request.stage, workspace.precision, should_stop)
    says_then, stage_then = _pass(swapped, tensor, request.stage, workspace.precision, should_stop)
    result = SwappedPart(
        image=request.image,
        stage=request.stage,
        act=request.act,
        norm=request.norm,
        probabilities=says,
        swapped_probabilities=says_then,
        mean_map=to_array(stage.mean(dim=0)),
        swapped_mean_map=to_array(stage_then.mean(dim=0)),
        relative_change=float((stage_then - stage).norm() / stage.norm()),
    )
    workspace.results.put(key, result)
    return result


def _pass(
    model: LoadedModel, tensor: Tensor, stage: str, precision: str, should_stop: ShouldStop
) -> tuple[NDArray[np.float64], Tensor]:
    """Return the probabilities, and a stage's output (C, h, w) float32."""
    places = {stage: model.module_at(stage)}
    with (
        torch.no_grad(),
        autocast(tensor, precision),
        stoppable(model.blocks, should_stop),
        captured(places) as outputs,
    ):
        logits = model.module(tensor)[0]
    return probabilities_of(model, logits).numpy(), as_maps(outputs[stage], model.node(stage).layout).float()


@handles(LayerWeights)
def layer_weights(workspace: Workspace, request: LayerWeights, _should_stop: ShouldStop) -> LayerWeightsResult:
    """Return the weights of a convolution or a linear layer."""
    node = _operation(workspace, request.node)
    layer = workspace.model.module_at(node.name)
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise StudioError(f"{node.title} has no weights that can be shown as pictures or as a matrix.")
    weight = layer.weight
    if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels:
        weight = weight[:, 0]
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias
    return LayerWeightsResult(node=node.name, weight=to_array(weight), bias=to_array(bias))


@handles(SlideKernel)
def slide_kernel(workspace: Workspace, request: SlideKernel, should_stop: ShouldStop) -> SlidKernel:
    """Return a channel before and after a depthwise convolution, with its kernel."""
    node = _operation(workspace, f"{request.block}.dwconv")
    check_channel(workspace, node.name, request.channel)
    layer = workspace.model.module_at(node.name)
    assert isinstance(layer, nn.Conv2d)
    if layer.groups != layer.in_channels:
        raise StudioError(
            "The convolutions of this network are dense: no channel has its own kernel.",
            "Open a ConvNeXt with depthwise convolutions.",
        )
    names = (node.before, node.name)
    outputs = outputs_of(workspace, request.image, names, should_stop)
    maps = to_arrays({name: outputs[name][request.channel] for name in names})
    return SlidKernel(
        image=request.image,
        block=request.block,
        channel=request.channel,
        before=maps[node.before],
        after=maps[node.name],
        kernel=to_array(layer.weight[request.channel, 0]),
        bias=0.0 if layer.bias is None else float(layer.bias[request.channel]),
        stride=layer.stride[0],
    )


@handles(WalkBlock)
def walk_block(workspace: Workspace, request: WalkBlock, should_stop: ShouldStop) -> BlockWalk:
    """Return the steps through a block, operation by operation."""
    nodes = _block(workspace, request.block)
    key = _key(workspace, request)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("BlockWalk", kept)
    outputs = outputs_of(workspace, request.image, (node.name for node in nodes), should_stop)
    result = BlockWalk(
        image=request.image,
        block=request.block,
        channel=request.channel,
        steps=tuple(_step(node.name, outputs[node.name].float(), request.channel) for node in nodes),
    )
    workspace.results.put(key, result)
    return result


def _step(name: str, output: Tensor, channel: int) -> WalkStep:
    channels, height, width = output.shape
    parts = {
        "rms": output.square().mean(dim=0).sqrt(),
        "channel": output[min(channel, channels - 1)],
        "spread": torch.stack(torch.std_mean(output, correction=0)),
    }
    arrays = to_arrays(parts)
    std, mean = arrays["spread"].tolist()
    return WalkStep(
        node=name,
        shape=(channels, height, width),
        rms_map=arrays["rms"],
        channel_map=arrays["channel"],
        mean=mean,
        std=std,
    )


@handles(DropBlocks)
def drop_blocks(
    workspace: Workspace, request: DropBlocks, should_stop: ShouldStop
) -> Generator[Progress, None, DroppedBlocks]:
    """Predict without each block, from the last, which is quickest, to the first."""
    key = _key(workspace, request)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("DroppedBlocks", kept)
    model, still_wanted = workspace.model, workspace.until_another_model(should_stop)
    blocks = [node for node in model.nodes if node.kind == "block"]
    if not blocks or isinstance(model.config, TimmConfig):
        raise StudioError("This network has no blocks that can be left out.", "Open a ConvNeXt.")
    tensor = workspace.input(request.image)[0]
    with torch.no_grad(), autocast(tensor, workspace.precision):
        whole = probabilities_of(model, model.module(tensor)[0]).numpy()

    def output_of(node: str) -> Tensor:
        return outputs_of(workspace, request.image, (node,), still_wanted)[node] if node else tensor[0]

    parts = list(reversed(block_parts(model)))
    result = DroppedBlocks(
        image=request.image,
        probabilities=whole,
        blocks=(),
        dropped=np.zeros((0, len(whole)), dtype=np.float64),
        total=len(blocks),
    )
    for positions, logits in logits_under_each(model, parts, {}, output_of, workspace.precision, still_wanted):
        (row,) = logits  # Blocks are nodes of their own, so each is a pass of its own.
        result = replace(
            result,
            blocks=(parts[positions.start].node, *result.blocks),
            dropped=np.concatenate([probabilities_of(model, row).numpy()[None], result.dropped]),
        )
        done = len(result.blocks)
        text = f"Without each block: {done} of {len(blocks)}"
        yield Progress(id=request.id, done=done, total=len(blocks), text=text, partial=result)
    workspace.results.put(key, result)
    return result


def _key(workspace: Workspace, request: Request) -> object:
    """Return the cache key of a request, which does not depend on the panel that sent it."""
    return workspace.key(replace(request, id=0, panel=""))


def _operation(workspace: Workspace, name: str) -> NodeInfo:
    """Return the node of an operation of a block; raise StudioError if it is not one."""
    node = workspace.model.node(name)
    if node.kind != "operation":
        raise StudioError(f"“{name}” is not an operation of a block.", "An example is stage1.block1.norm.")
    return node


def _block(workspace: Workspace, name: str) -> list[NodeInfo]:
    """Return the nodes of a block: its input, its operations, and its output."""
    block = workspace.model.node(name)
    inside = [node for node in workspace.model.nodes if node.parent == name]
    if block.kind != "block" or not inside:
        raise StudioError(f"“{name}” is not a block of this network.", "Open a ConvNeXt.")
    return [workspace.model.node(block.before), *inside, block]


@handles(MeanMaps)
def mean_maps(workspace: Workspace, request: MeanMaps, should_stop: ShouldStop) -> MeanMapsResult:
    """Compute the mean over the channels of each node's output."""
    outputs = outputs_of(workspace, request.image, request.nodes, should_stop)
    return MeanMapsResult(
        image=request.image,
        maps=to_arrays({name: output.float().mean(dim=0) for name, output in outputs.items()}),
        geometry=workspace.geometry(request.image),
    )


@handles(StemMaps)
def stem_maps(workspace: Workspace, request: StemMaps, should_stop: ShouldStop) -> StemMapsResult:
    """Compute a channel, or the mean of all, for each stride; the stem's whole outputs are cached."""
    if request.channel is not None:
        check_channel(workspace, "stem", request.channel)
    maps = {}
    for stride, padding in request.moves:
        if should_stop():
            raise Stopped
        output = _output(workspace, request.image, stride, padding)
        shown = output.mean(dim=0) if request.channel is None else output[request.channel]
        maps[stride, padding] = to_array(shown)
    return StemMapsResult(image=request.image, channel=request.channel, maps=maps)


def _output(workspace: Workspace, image: str, stride: int, padding: int) -> Tensor:
    key = workspace.key(image, "stem", stride, padding)
    kept = workspace.outputs.get(key)
    if kept is None:
        tensor, _ = workspace.input(image)
        kept = stem_output(workspace.model, tensor, stride, padding)
        workspace.outputs.put(key, kept)
    return kept
