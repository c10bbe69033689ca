"""What the engine could answer about a block, made of noise."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.interventions import Change
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.interventions import ChangedLogits, ChangedLogitsResult, RankedParts, RankParts
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
    WalkStep,
)
from convnext_studio.protocol.models import ModelInfo

KERNEL = 7


def distribution(shape: tuple[int, int, int], seed: int = 0, shift: float = 0.0) -> Distribution:
    values = np.random.default_rng(seed).normal(shift, 1.0, shape)
    counts, edges = np.histogram(values, 20)
    return Distribution(
        counts=counts.astype(np.int64),
        low=float(edges[0]),
        high=float(edges[-1]),
        mean=float(values.mean()),
        std=float(values.std()),
        below_zero=float((values < 0).mean()),
        position_mean=values.mean(axis=0).astype(np.float32),
        position_std=values.std(axis=0).astype(np.float32),
        channel_mean=values.mean(axis=(1, 2)).astype(np.float32),
        channel_std=values.std(axis=(1, 2)).astype(np.float32),
    )


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def shares(rows: int, classes: int, seed: int = 0) -> NDArray[np.float32]:
    exponentials = np.exp(noise(rows, classes, seed=seed))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def answer_to(request: Request, model: ModelInfo) -> Payload:
    """An answer of the right shapes."""
    classes = len(model.labels)
    match request:
        case Distributions():
            shape = model.node(request.node).shape
            normalised = distribution(shape, 2) if request.node.endswith(".norm") else None
            return DistributionsResult(
                image=request.image,
                node=request.node,
                before=distribution(shape, 0, -0.5),
                after=distribution(shape, 1),
                normalised=normalised,
            )
        case SwapPart():
            _, height, width = model.node(request.stage).shape
            both = shares(2, classes)
            return SwappedPart(
                image=request.image,
                stage=request.stage,
                act=request.act,
                norm=request.norm,
                probabilities=both[0],
                swapped_probabilities=both[1],
                mean_map=noise(height, width),
                swapped_mean_map=noise(height, width, seed=1),
                relative_change=0.25,
            )
        case LayerWeights():
            after = model.node(request.node).shape[0]
            before = model.node(model.node(request.node).before).shape[0]
            shape = (after, KERNEL, KERNEL) if request.node.endswith("dwconv") else (after, before)
            return LayerWeightsResult(node=request.node, weight=noise(*shape), bias=noise(after))
        case SlideKernel():
            return slid_kernel(request, *model.node(f"{request.block}.dwconv").shape[1:])
        case WalkBlock():
            return walk(request, model)
        case DropBlocks():
            blocks = tuple(node.name for node in model.nodes if node.kind == "block")
            all_shares = shares(len(blocks) + 1, classes)
            return DroppedBlocks(
                image=request.image,
                probabilities=all_shares[0],
                blocks=blocks,
                dropped=all_shares[1:],
                total=len(blocks),
            )
        case RankParts():
            channels = model.node(request.node).shape[0]
            return RankedParts(
                image=request.image,
                changes=tuple(Change(node=request.node, channels=(channel,)) for channel in range(channels)),
                differences=noise(channels, seed=4),
                target=0,
                score=3.0,
            )
        case ChangedLogits():
            logits = noise(classes, seed=round(100 * request.changes[0].factor) % 997)
            exponentials = np.exp(logits.astype(np.float64))
            return ChangedLogitsResult(
                image=request.image,
                before=noise(classes),
                after=logits,
                probabilities_before=shares(1, classes)[0].astype(np.float64),
                probabilities=exponentials / exponentials.sum(),
            )
    raise AssertionError(request)


def slid_kernel(request: SlideKernel, height: int, width: int) -> SlidKernel:
    """The output is summed here value by value, for the views to be held against."""
    before, kernel, bias = noise(height, width), noise(KERNEL, KERNEL, seed=1), 0.25
    after = np.full((height, width), bias)
    half = KERNEL // 2
    for y in range(height):
        for x in range(width):
            for i in range(KERNEL):
                for j in range(KERNEL):
                    row, column = y + i - half, x + j - half
                    if 0 <= row < height and 0 <= column < width:
                        after[y, x] += float(kernel[i, j]) * float(before[row, column])
    return SlidKernel(
        image=request.image,
        block=request.block,
        channel=request.channel,
        before=before,
        after=after.astype(np.float32),
        kernel=kernel,
        bias=bias,
        stride=1,
    )


def walk(request: WalkBlock, model: ModelInfo) -> BlockWalk:
    block = model.node(request.block)
    inside = [node for node in model.nodes if node.parent == block.name]
    steps = []
    for seed, node in enumerate([model.node(block.before), *inside, block]):
        _, height, width = node.shape
        steps.append(
            WalkStep(
                node=node.name,
                shape=node.shape,
                rms_map=np.abs(noise(height, width, seed=seed)),
                channel_map=noise(height, width, seed=seed),
                mean=0.0,
                std=1.0,
            )
        )
    return BlockWalk(image=request.image, block=block.name, channel=request.channel, steps=tuple(steps))
