"""One channel, its kernel, and what all channels are sorted by."""

from dataclasses import asdict
from typing import cast

from torch import nn

from convnext_studio.analysis.channels import channel_numbers, contributions
from convnext_studio.analysis.features import to_array, trunk_node
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.answering.outputs import outputs_of
from convnext_studio.engine.messages import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
    Kernel,
    KernelResult,
)
from convnext_studio.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.labels import check_class


def check_channel(bench: Bench, node: str, channel: int) -> None:
    """Raise a StudioError where the node has no such channel."""
    channels = bench.model.node(node).shape[0]
    if not 0 <= channel < channels:
        raise StudioError(
            f"There is no channel {channel} at {node}.", f"Channels are numbered from 0 to {channels - 1}."
        )


def channel_map(bench: Bench, request: ChannelMap, should_stop: ShouldStop) -> ChannelMapResult:
    """One channel as the network computed it."""
    check_channel(bench, request.node, request.channel)
    output = outputs_of(bench, request.image, [request.node], should_stop)[request.node]
    return ChannelMapResult(
        image=request.image,
        node=request.node,
        channel=request.channel,
        map=to_array(output[request.channel]),
        field=bench.model.node(request.node).field,
        geometry=bench.geometry(request.image),
    )


def statistics_of(bench: Bench, request: ChannelStatistics, should_stop: ShouldStop) -> ChannelStatisticsResult:
    """What the channels of a node are sorted by; contributions where a class is given."""
    key = bench.key("statistics", request.image, request.node, request.target)
    kept = bench.results.get(key)
    if kept is not None:
        return cast("ChannelStatisticsResult", kept)
    spoken = None
    if request.target is not None:
        check_class(request.target, bench.model.config.num_classes)
        tensor, _ = bench.input(request.image)
        spoken = contributions(bench.model, tensor, request.node, request.target, should_stop)
    output = outputs_of(bench, request.image, [request.node], should_stop)[request.node]
    result = ChannelStatisticsResult(
        image=request.image,
        node=request.node,
        contributions=spoken,
        target=request.target,
        **asdict(channel_numbers(output)),
    )
    bench.results.put(key, result)
    return result


def kernel_of(bench: Bench, request: Kernel) -> KernelResult:
    """The depthwise kernel behind a channel, or why there is none."""
    node = bench.model.node(request.node)
    check_channel(bench, node.name, request.channel)
    source = {
        "stage": f"{trunk_node(bench.model, node.name)}.dwconv",
        "block": f"{node.name}.dwconv",
        "operation": node.name if node.operation == "dwconv" else "",
    }.get(node.kind, "")
    config = bench.model.config
    if not isinstance(config, ConvNeXtConfig):
        why_not = "Depthwise kernels are shown of a ConvNeXt only."
    elif not source:
        why_not = (
            "Stages, blocks and their depthwise convolutions have a kernel for each channel; this has not."
        )
    elif not config.depthwise:
        why_not = "The convolutions of this network are dense: no channel has a kernel of its own."
    elif bench.model.node(source).shape[0] != node.shape[0]:
        why_not = "This block downsamples: its depthwise convolution has other channels than its output."
    else:
        convolution = bench.model.module_at(source)
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
