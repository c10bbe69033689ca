"""The node table: every node of a ConvNeXt with its shape, cost and field, computed from its config alone.

It needs no torch: the window draws the network from this table, and the engine resolves the names to modules.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.architecture import Architecture, TimmConfig
from convnext_studio.model.config import ConvNeXtConfig, same_padding
from convnext_studio.model.framing import Grid

NodeKind = Literal["stem", "downsample", "block", "stage", "operation", "head"]
Layout = Literal["NCHW", "NHWC", "NC"]

Size = tuple[int, int]
"""Height and width."""

BYTES_PER_VALUE = 4  # float32
HEAD_NORM = "head.norm"


class NodeInfo(Struct, frozen=True, kw_only=True):
    """One node of the network: a stem, stage, block, operation or head.

    Attributes
    ----------
    name
        ``stem``, ``stage3``, ``stage3.downsample``, ``stage3.block5``, ``stage3.block5.dwconv``, ``head.norm``;
        stages and blocks count from 1.
    kind
        The kind of node. The output of a stage is that of its last block. An ``operation`` is part of a block
        (``dwconv``, ``norm``, ``pwconv1``, ``act``, ``grn`` in V2, ``pwconv2``, ``gamma`` if there is a layer
        scale, ``shortcut`` if it is a convolution) or of a downsampling layer (``norm``, ``conv``). The output
        of a block is the sum of branch and shortcut. The ``head`` node is the input of the classifier.
    shape
        Channels, height and width of the output at the model's input size, in this order for every layout.
    layout
        Order of the axes of the output inside the network. Everything sent to the window is (C, h, w).
    parameters
        Number of parameters. A stage includes its downsampling, so that stem, stages and head add up.
    macs
        Multiply-accumulate operations at the model's input size (convolutions and matrix products).
    activation_bytes
        Bytes of the outputs of all operations in the node, as float32 for one picture; 0 if not counted. They
        add up like parameters and MACs: a block counts its operations and the sum of branch and shortcut.
    field
        Theoretical receptive field of the node's units.
    before
        Name of the node whose output is this node's input; empty for the stem, whose input is the picture.
    """

    name: str
    kind: NodeKind
    shape: tuple[int, int, int]
    layout: Layout = "NCHW"
    parameters: int
    macs: int
    activation_bytes: int = 0
    field: FieldGeometry
    before: str = ""

    @property
    def title(self) -> str:
        """The display name, such as "Stage 3, block 5, dwconv"."""
        *places, last = self.name.split(".")
        words = [_spaced(place) for place in places]
        return ", ".join([*words, last if self.kind == "operation" else _spaced(last)]).capitalize()

    @property
    def operation(self) -> str:
        """The name of an operation within its block (``dwconv``); empty for any other node."""
        return self.name.rpartition(".")[2] if self.kind == "operation" else ""

    @property
    def parent(self) -> str:
        """The block of an operation, or the stage of a block; empty for other nodes."""
        return self.name.rpartition(".")[0] if self.kind in ("operation", "block", "downsample") else ""

    @property
    def is_explainable(self) -> bool:
        """Whether a class activation map is meaningful here; the output of an operation lacks the shortcut."""
        return self.kind in ("stem", "downsample", "block", "stage")

    @property
    def has_positions(self) -> bool:
        """Whether the units have positions in the picture, and so fields; those of the head are pooled."""
        return self.kind != "head"


def _spaced(part: str) -> str:
    return part.rstrip("0123456789") + (
        f" {part.lstrip('abcdefghijklmnopqrstuvwxyz')}" if part[-1].isdigit() else ""
    )


class _Cost(Struct, frozen=True):
    """Parameters and multiply-accumulate operations; costs can be added."""

    parameters: int
    macs: int = 0

    def __add__(self, other: "_Cost") -> "_Cost":
        return _Cost(self.parameters + other.parameters, self.macs + other.macs)


_NOTHING = _Cost(0)


def _conv(before: int, after: int, kernel_size: int, size: Size = (1, 1), groups: int = 1) -> _Cost:
    """Return the cost of a convolution with bias for that output size; size and kernel 1 is a linear layer."""
    weights = before // groups * after * kernel_size**2
    return _Cost(weights + after, weights * math.prod(size))


def _norm(config: ConvNeXtConfig, channels: int) -> _Cost:
    return _Cost(2 * channels if config.norm in ("layer", "batch") else channels)


def convolved_px(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Return the side of a convolution's output."""
    return (size + 2 * padding - kernel_size) // stride + 1


def _convolved(size: Size, kernel_size: int, stride: int, padding: int) -> Size:
    height, width = (convolved_px(side, kernel_size, stride, padding) for side in size)
    return height, width


@lru_cache(maxsize=32)  # The engine looks up nodes by name for every request.
def node_table(config: ConvNeXtConfig, input_px: int | Size) -> tuple[NodeInfo, ...]:
    """Return all nodes in the order of the forward pass, for a square input of that side, or a rectangle.

    A block comes after its operations, a stage after its downsampling and its blocks, and the head last. There
    is no downsampling node before the first stage, and none if the first block of a stage downsamples.
    """
    size = (input_px, input_px) if isinstance(input_px, int) else input_px
    nodes = [_stem(config, size)]
    for stage in range(len(config.depths)):
        inside = _stage_parts(config, stage, nodes[-1])
        last, parts = inside[-1], [node for node in inside if node.kind != "operation"]
        whole = replace(
            last,
            name=f"stage{stage + 1}",
            kind="stage",
            parameters=sum(node.parameters for node in parts),
            macs=sum(node.macs for node in parts),
            activation_bytes=sum(node.activation_bytes for node in parts),
            before=nodes[-1].name,
        )
        nodes += [*inside, whole]
    return (*nodes, _head_norm(config, max(size), nodes[-1]))


def _stem(config: ConvNeXtConfig, size: Size) -> NodeInfo:
    field, cost, values = FieldGeometry(), _NOTHING, 0
    for conv in config.stem_convs:
        if values and config.stem_type == "overlap_act":
            values += conv.in_chans * math.prod(size)
        size = _convolved(size, conv.kernel_size, conv.stride, conv.padding)
        field = field.after(conv.kernel_size, conv.stride, conv.padding)
        cost += _conv(conv.in_chans, conv.out_chans, conv.kernel_size, size)
        values += conv.out_chans * math.prod(size)
    if config.stem_norm:
        cost += _norm(config, config.dims[0])
        values += config.dims[0] * math.prod(size)
    return NodeInfo(
        name="stem",
        kind="stem",
        shape=(config.dims[0], *size),
        parameters=cost.parameters,
        macs=cost.macs,
        activation_bytes=BYTES_PER_VALUE * values,
        field=field,
    )


def _operation(
    name: str, before: str, shape: tuple[int, int, int], cost: _Cost, field: FieldGeometry, layout: Layout
) -> NodeInfo:
    return NodeInfo(
        name=name,
        kind="operation",
        shape=shape,
        layout=layout,
        parameters=cost.parameters,
        macs=cost.macs,
        activation_bytes=BYTES_PER_VALUE * math.prod(shape),
        field=field,
        before=before,
    )


def _container(name: str, kind: NodeKind, before: NodeInfo, operations: list[NodeInfo], own: int) -> NodeInfo:
    """Return the node that contains these operations and adds `own` bytes of outputs to theirs."""
    last = operations[-1]
    return NodeInfo(
        name=name,
        kind=kind,
        shape=last.shape,
        parameters=sum(operation.parameters for operation in operations),
        macs=sum(operation.macs for operation in operations),
        activation_bytes=own + sum(operation.activation_bytes for operation in operations),
        field=last.field,
        before=before.name,
    )


def _stage_parts(config: ConvNeXtConfig, stage: int, before: NodeInfo) -> list[NodeInfo]:
    """Return the nodes of the downsampling and the blocks of a stage (counted from 0) that follows `before`."""
    nodes: list[NodeInfo] = []
    if stage > 0 and config.downsample == "separate":
        nodes += _downsampling(config, stage, before)
    for block in range(config.depths[stage]):
        name = f"stage{stage + 1}.block{block + 1}"
        nodes += _block(config, name, stage, nodes[-1] if nodes else before)
    return nodes


def _downsampling(config: ConvNeXtConfig, stage: int, before: NodeInfo) -> list[NodeInfo]:
    dim_before, dim = config.dims[stage - 1 : stage + 1]
    if config.dilations[stage] == 1:
        size, field = _convolved(before.shape[1:], 2, 2, 0), before.field.after(2, 2)
    else:
        size, dilation = before.shape[1:], config.dilation_between(stage)
        start, end = same_padding(2, dilation)
        field = before.field.after(dilation + 1, 1, start, end)
    name = f"stage{stage + 1}.downsample"
    norm = _operation(
        f"{name}.norm", before.name, before.shape, _norm(config, dim_before), before.field, "NCHW"
    )
    cost = _conv(dim_before, dim, 2, size)
    conv = _operation(f"{name}.conv", norm.name, (dim, *size), cost, field, "NCHW")
    return [norm, conv, _container(name, "downsample", before, [norm, conv], own=0)]


def _block(config: ConvNeXtConfig, name: str, stage: int, before: NodeInfo) -> list[NodeInfo]:
    """Return the nodes of a block: its operations, then itself. It downsamples if a new stage begins here."""
    dim, kernel = config.dims[stage], config.kernel_sizes[stage]
    dim_before, hidden = before.shape[0], config.hidden_dim(dim)
    halves = config.downsample == "block" and stage > 0 and before.kind == "stage"
    stride = 2 if halves else 1
    size = _convolved(before.shape[1:], kernel, stride, kernel // 2)
    dilation = config.dilations[stage]
    field = before.field.after(dilation * (kernel - 1) + 1, stride, dilation * (kernel // 2))
    groups = dim_before if config.depthwise else 1
    branch: list[tuple[str, int, _Cost, Layout]] = [
        ("dwconv", dim_before, _conv(dim_before, dim_before, kernel, size, groups), "NCHW"),
        ("norm", dim_before, _norm(config, dim_before), "NHWC"),
        ("pwconv1", hidden, _conv(dim_before, hidden, 1, size), "NHWC"),
        ("act", hidden, _NOTHING, "NHWC"),
    ]
    if config.grn:
        branch.append(("grn", hidden, _Cost(2 * hidden), "NHWC"))
    branch.append(("pwconv2", dim, _conv(hidden, dim, 1, size), "NHWC"))
    if config.layer_scale_init_value > 0:
        branch.append(("gamma", dim, _Cost(dim), "NCHW"))
    nodes: list[NodeInfo] = []
    if halves:
        # A convolution with kernel 1 and stride 2 sees every other unit.
        cost, seen = _conv(dim_before, dim, 1, size), before.field.after(1, 2)
        nodes.append(_operation(f"{name}.shortcut", before.name, (dim, *size), cost, seen, "NCHW"))
    source = before.name
    for operation, channels, cost, layout in branch:
        if operation == "grn":
            field = replace(field, is_global=True)
        nodes.append(_operation(f"{name}.{operation}", source, (channels, *size), cost, field, layout))
        source = nodes[-1].name
    return [*nodes, _container(name, "block", before, nodes, own=nodes[-1].activation_bytes)]


def _head_norm(config: ConvNeXtConfig, input_px: int, before: NodeInfo) -> NodeInfo:
    """Return the node of the classifier's input: the last map, pooled and normalised in either order."""
    cost, channels = _norm(config, config.dims[-1]), config.pooled_dim
    return NodeInfo(
        name=HEAD_NORM,
        kind="head",
        shape=(channels, 1, 1),
        layout="NC",
        parameters=cost.parameters,
        macs=0,
        activation_bytes=BYTES_PER_VALUE * channels,
        field=FieldGeometry(input_px, input_px, input_px / 2, is_global=True),
        before=before.name,
    )


def _head(config: Architecture) -> _Cost:
    if not isinstance(config, ConvNeXtConfig):
        return _Cost(config.head_parameters, config.head_macs)
    cost, width = _norm(config, config.dims[-1]), config.pooled_dim
    for after in config.head_hidden_sizes:
        cost += _conv(width, after, 1)
        width = after
    return cost + _conv(width, config.num_classes, 1)


def head_parameters(config: Architecture) -> int:
    """Return the parameters after the last stage: the final norm, any hidden layer, and the linear head."""
    return _head(config).parameters


def total_parameters(nodes: Sequence[NodeInfo], config: Architecture) -> int:
    """Return the number of parameters of the whole network."""
    return sum(node.parameters for node in nodes if node.kind in ("stem", "stage")) + head_parameters(config)


def total_macs(nodes: Sequence[NodeInfo], config: Architecture) -> int:
    """Return the multiply-accumulate operations of one forward pass, which the papers print as "FLOPs"."""
    return sum(node.macs for node in nodes if node.kind in ("stem", "stage")) + _head(config).macs


def smallest_input_px(config: Architecture) -> int:
    """Return the side of the smallest square input that leaves at least one unit in every map."""
    if not isinstance(config, ConvNeXtConfig):
        return config.smallest_input_px
    side = 1
    for dilation in config.dilations[1:]:
        if dilation > 1:
            continue
        # The separate layers drop an odd last row, whereas the blocks pad it.
        side = 2 * side if config.downsample == "separate" else 2 * side - 1
    for conv in reversed(config.stem_convs):
        side = max((side - 1) * conv.stride + conv.kernel_size - 2 * conv.padding, 1)
    return side


def fitting_input_px(config: Architecture, wanted_px: int) -> int:
    """Return the side of an accepted square input: `wanted_px` or the next smaller one, if there is one."""
    if isinstance(config, TimmConfig):
        if config.only_input_px is not None:
            return config.only_input_px
        wanted_px -= wanted_px % config.input_step_px
    return max(wanted_px, smallest_input_px(config))


def input_grid(config: Architecture, nodes: Sequence[NodeInfo]) -> Grid:
    """Return what inputs a network takes besides that of its training: multiples of its total stride."""
    step = max(node.field.stride_px for node in nodes if node.has_positions)
    if isinstance(config, TimmConfig):
        step = math.lcm(step, config.input_step_px)
        return Grid(step_px=step, smallest_px=smallest_input_px(config), only_px=config.only_input_px)
    return Grid(step_px=step, smallest_px=smallest_input_px(config))


def check_input_px(config: Architecture, input_px: int) -> None:
    """Raise a StudioError if the network accepts no square input of that side; the hint says which it does."""
    fitting, smallest = fitting_input_px(config, input_px), smallest_input_px(config)
    if input_px < smallest:
        raise StudioError(
            f"An input of {input_px} pixels is too small for this network.", f"The smallest is {smallest}."
        )
    if input_px != fitting:
        raise StudioError(
            f"This network does not accept an input of {input_px} pixels.", f"It accepts {fitting}."
        )


def why_no_cam(node: NodeInfo) -> str:
    """Say why a class activation map at a node would mean nothing; empty if it is meaningful."""
    if node.shape[1:] == (1, 1):
        return (
            f"{node.title} has a single unit that covers the whole picture: a map of it would show nothing. "
            "Select a stage or a block."
        )
    if not node.is_explainable:
        return (
            f"{node.title} is inside a block, so a map of it would leave out the shortcut. "
            "Select the block, or a stage."
        )
    return ""
