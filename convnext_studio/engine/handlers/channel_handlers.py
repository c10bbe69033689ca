"""Handlers for channels: one channel's map, its kernel, statistics to sort by, and the strongest patches."""

import math
from collections.abc import Generator
from typing import cast

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray
from torch import nn

from convnext_studio.analysis.channel_statistics import channel_numbers, contributions, tiled_contributions
from convnext_studio.analysis.features import seen_part, to_array, trunk_node
from convnext_studio.analysis.tiling.tiled_memory import steps_of
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import Box, FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.similarity.position_patches import highest_apart, patch_of
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.large_inputs import tiled_plan
from convnext_studio.engine.server.node_outputs import in_tiles, output_alone, outputs_in_steps
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.labels import check_class
from convnext_studio.protocol.channels import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
    Kernel,
    KernelResult,
    Patch,
    StrongestPatches,
    StrongestPatchesResult,
)
from convnext_studio.protocol.envelope import Progress


def check_channel(workspace: Workspace, node: str, channel: int) -> None:
    """Raise StudioError if the node has no such channel."""
    channels = workspace.model.node(node).shape[0]
    if not 0 <= channel < channels:
        raise StudioError(
            f"There is no channel {channel} at {node}.", f"Channels are numbered from 0 to {channels - 1}."
        )


@handles(ChannelMap)
def channel_map(
    workspace: Workspace, request: ChannelMap, should_stop: ShouldStop
) -> Generator[Progress, None, ChannelMapResult]:
    """Return one channel as the network computed it."""
    check_channel(workspace, request.node, request.channel)
    outputs = yield from outputs_in_steps(workspace, request.id, request.image, [request.node], should_stop)
    output = outputs[request.node]
    return ChannelMapResult(
        image=request.image,
        node=request.node,
        channel=request.channel,
        map=to_array(output[request.channel]),
        field=workspace.model.node(request.node).field,
        geometry=workspace.geometry(request.image),
    )


def _contributions(
    workspace: Workspace, request: ChannelStatistics, target: int, should_stop: ShouldStop
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Return the contribution of each channel to a class; that of a large input in tiles."""
    model, geometry = workspace.model, workspace.geometry(request.image)
    is_trunk = model.node(request.node).kind in ("stem", "downsample", "block", "stage")
    if not (is_trunk and workspace.is_large(request.image)):
        tensor, _ = workspace.input(request.image)
        return contributions(model, tensor, request.node, target, should_stop, geometry)
    plan = tiled_plan(model, geometry, (request.node,), keeps_outputs=False)
    tensor, _ = workspace.any_input(request.image)
    total = steps_of(model, workspace.input_size(request.image), plan=plan)
    work = tiled_contributions(model, tensor, plan, request.node, target, geometry)
    return (yield from in_tiles(work, request.id, total, should_stop))


@handles(ChannelStatistics)
def statistics_of(
    workspace: Workspace, request: ChannelStatistics, should_stop: ShouldStop
) -> Generator[Progress, None, ChannelStatisticsResult]:
    """Compute the statistics that a node's channels are sorted by, with contributions if a class is given."""
    key = workspace.key("statistics", request.image, request.node, request.target)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("ChannelStatisticsResult", kept)
    spoken, geometry = None, workspace.geometry(request.image)
    if request.target is not None:
        check_class(request.target, workspace.model.config.num_classes)
        spoken = yield from _contributions(workspace, request, request.target, should_stop)
    outputs = yield from outputs_in_steps(workspace, request.id, request.image, [request.node], should_stop)
    output = outputs[request.node]
    field = workspace.model.node(request.node).field
    result = ChannelStatisticsResult(
        image=request.image,
        node=request.node,
        contributions=spoken,
        target=request.target,
        **asdict(channel_numbers(seen_part(output, field, geometry))),
    )
    workspace.results.put(key, result)
    return result


@handles(Kernel)
def kernel_of(workspace: Workspace, request: Kernel, _should_stop: ShouldStop) -> KernelResult:
    """Return the depthwise kernel of a channel, or the reason why there is none."""
    node = workspace.model.node(request.node)
    check_channel(workspace, node.name, request.channel)
    source = {
        "stage": f"{trunk_node(workspace.model, node.name)}.dwconv",
        "block": f"{node.name}.dwconv",
        "operation": node.name if node.operation == "dwconv" else "",
    }.get(node.kind, "")
    config = workspace.model.config
    if not isinstance(config, ConvNeXtConfig):
        why_not = "Depthwise kernels can be shown for a ConvNeXt only."
    elif not source:
        why_not = "Only stages, blocks and depthwise convolutions have a kernel for each channel."
    elif not config.depthwise:
        why_not = "The convolutions of this network are dense: no channel has its own kernel."
    elif workspace.model.node(source).shape[0] != node.shape[0]:
        why_not = (
            "This block downsamples, so its depthwise convolution does not have the channels of its output."
        )
    else:
        convolution = workspace.model.module_at(source)
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        return KernelResult(
            node=node.name,
            channel=request.channel,
            kernel=to_array(convolution.weight[request.channel, 0]),
            bias=float(convolution.bias[request.channel]),
            source=source,
        )
    return KernelResult(node=node.name, channel=request.channel, why_not=why_not)


PATCH_PX = 192


@handles(StrongestPatches)
def strongest_patches(
    workspace: Workspace, request: StrongestPatches, should_stop: ShouldStop
) -> Generator[Progress, None, StrongestPatchesResult]:
    """Search one picture after another, keeping the strongest units so far."""
    check_channel(workspace, request.node, request.channel)
    if request.count < 1:
        raise StudioError(f"{request.count} patches cannot be found.", "Ask for at least one.")
    is_pointless, total = workspace.until_another_model(should_stop), len(request.images)
    patches: list[Patch] = []
    skipped: list[str] = []
    result = _result(request, patches, 0, skipped)
    for seen, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        try:
            patches = _merged(workspace, request, image, patches, should_stop)
        except StudioError:
            skipped.append(image)
        result = _result(request, patches, seen, skipped)
        if seen < total:
            text = f"Strongest patches: {seen} of {total} pictures"
            yield Progress(id=request.id, done=seen, total=total, text=text, partial=result)
    return result


def _result(
    request: StrongestPatches, patches: list[Patch], seen: int, skipped: list[str]
) -> StrongestPatchesResult:
    return StrongestPatchesResult(
        node=request.node,
        channel=request.channel,
        patches=tuple(patches),
        seen=seen,
        total=len(request.images),
        skipped=tuple(skipped),
    )


def _merged(
    workspace: Workspace, request: StrongestPatches, image: str, patches: list[Patch], should_stop: ShouldStop
) -> list[Patch]:
    """Return the strongest patches so far, including those of one more picture."""
    field = workspace.model.node(request.node).field
    output = output_alone(workspace, image, request.node, should_stop)
    values, geometry = to_array(output[request.channel]), workspace.geometry(image)
    if geometry.is_padded:
        seen = geometry.seen_units(field, *values.shape)
        is_padding = np.ones(values.shape, np.bool_)
        is_padding[seen] = False
        values = np.where(is_padding, np.float32(np.nan), values)
    units = strongest_units(values, field, request.count)
    weakest = patches[-1].value if len(patches) == request.count else -math.inf
    found = [_cut(workspace, image, field, *unit) for unit in units if unit[2] > weakest]
    return sorted([*patches, *found], key=lambda patch: -patch.value)[: request.count]


def strongest_units(
    values: NDArray[np.float32], field: FieldGeometry, count: int
) -> list[tuple[int, int, float]]:
    """Return the rows, columns and values of the highest values of a map, no two in one neighbourhood.

    The centres of two units' fields are at least half a field apart along at least one axis; if the field is
    global or the map is a single value, there is one unit. Non-finite values are left out.
    """
    near = math.ceil(field.size_px / 2 / field.stride_px)
    return highest_apart(values, 1 if field.is_global else count, near)


def _cut(workspace: Workspace, image: str, field: FieldGeometry, y: int, x: int, value: float) -> Patch:
    """Crop the part of the photograph that a unit can see."""
    picture, geometry = workspace.picture(image), workspace.geometry(image)
    width, height = geometry.input_size
    box, is_clipped = field.box_in_input(y, x, height, width)
    box = _within(geometry.box_to_picture(box), picture.size)
    return patch_of(workspace, image, (y, x, value), box, PATCH_PX, is_clipped, field.is_global)


def _within(box: Box, size: tuple[int, int]) -> Box:
    """Clip a box to a picture of that width and height: whole pixels, at least one along each axis."""
    edges = []
    for start, extent, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        first = min(max(math.floor(start), 0), limit - 1)
        edges.append((first, max(min(math.ceil(start + extent), limit), first + 1)))
    (left, right), (top, bottom) = edges
    return float(left), float(top), float(right - left), float(bottom - top)
