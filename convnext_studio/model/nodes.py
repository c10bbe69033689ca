"""The node table: every place of a ConvNeXt that can be looked at, by arithmetic on its config alone.

No torch: the window draws the network from this table, and the engine resolves the names to modules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from convnext_studio.errors import StudioError
from convnext_studio.geometry import FieldGeometry
from convnext_studio.model.architecture import Architecture, TimmConfig
from convnext_studio.model.config import ConvNeXtConfig

NodeKind = Literal["stem", "downsample", "block", "stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """One place in the network.

    Attributes
    ----------
    name
        ``stem``, ``stage3``, ``stage3.downsample``, ``stage3.block5``; stages and blocks count from 1.
    kind
        What it is. A stage's output is its last block's.
    shape
        Channels, height and width of its output at the model's input size; the layout is (N, C, H, W).
    parameters
        Number of parameters in it. A stage counts its downsampling, so that stem, stages and head add up.
    macs
        Multiply-accumulate operations in it at the model's input size (convolutions and matrix products).
    field
        Theoretical receptive field of its units.
    """

    name: str
    kind: NodeKind
    shape: tuple[int, int, int]
    parameters: int
    macs: int
    field: FieldGeometry

    @property
    def title(self) -> str:
        """The name as people read it: "Stage 3, block 5"."""
        return ", ".join(_spaced(part) for part in self.name.split(".")).capitalize()


def _spaced(part: str) -> str:
    return part.rstrip("0123456789") + (
        f" {part.lstrip('abcdefghijklmnopqrstuvwxyz')}" if part[-1].isdigit() else ""
    )


@dataclass(frozen=True, slots=True)
class _Cost:
    """Parameters and multiply-accumulate operations, which add up."""

    parameters: int
    macs: int = 0

    def __add__(self, other: "_Cost") -> "_Cost":
        return _Cost(self.parameters + other.parameters, self.macs + other.macs)


_NOTHING = _Cost(0)


def _conv(before: int, after: int, kernel_size: int, side: int, groups: int = 1) -> _Cost:
    """A convolution with bias whose output has that side; or, with kernel and side 1, a linear layer."""
    weights = before // groups * after * kernel_size**2
    return _Cost(weights + after, weights * side * side)


def _norm(config: ConvNeXtConfig, channels: int) -> _Cost:
    return _Cost(2 * channels if config.norm in ("layer", "batch") else channels)


def convolved_px(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Side of a convolution's output."""
    return (size + 2 * padding - kernel_size) // stride + 1


def node_table(config: ConvNeXtConfig, input_px: int) -> tuple[NodeInfo, ...]:
    """All nodes in the order of the forward pass, for a square input of that side.

    A stage comes after its downsampling and its blocks. There is no downsampling before the first stage, and
    none where the stages' first blocks downsample.
    """
    nodes = [_stem(config, input_px)]
    for stage in range(len(config.depths)):
        inside = _inside(config, stage, nodes[-1])
        last = inside[-1]
        whole = replace(
            last,
            name=f"stage{stage + 1}",
            kind="stage",
            parameters=sum(node.parameters for node in inside),
            macs=sum(node.macs for node in inside),
        )
        nodes += [*inside, whole]
    return tuple(nodes)


def _stem(config: ConvNeXtConfig, input_px: int) -> NodeInfo:
    side, field, cost = input_px, FieldGeometry(), _NOTHING
    for conv in config.stem_convs:
        side = convolved_px(side, conv.kernel_size, conv.stride, conv.padding)
        field = field.after(conv.kernel_size, conv.stride, conv.padding)
        cost += _conv(conv.in_chans, conv.out_chans, conv.kernel_size, side)
    if config.stem_norm:
        cost += _norm(config, config.dims[0])
    return NodeInfo(
        name="stem",
        kind="stem",
        shape=(config.dims[0], side, side),
        parameters=cost.parameters,
        macs=cost.macs,
        field=field,
    )


def _inside(config: ConvNeXtConfig, stage: int, before: NodeInfo) -> list[NodeInfo]:
    """The downsampling and the blocks of a stage, counted from 0, behind a node."""
    nodes: list[NodeInfo] = []
    if stage > 0 and config.downsample == "separate":
        nodes.append(_downsampling(config, stage, before))
    for block in range(config.depths[stage]):
        name = f"stage{stage + 1}.block{block + 1}"
        nodes.append(_block(config, name, stage, nodes[-1] if nodes else before))
    return nodes


def _downsampling(config: ConvNeXtConfig, stage: int, before: NodeInfo) -> NodeInfo:
    dim_before, dim = config.dims[stage - 1 : stage + 1]
    side = convolved_px(before.shape[1], 2, 2, 0)
    cost = _norm(config, dim_before) + _conv(dim_before, dim, 2, side)
    return NodeInfo(
        name=f"stage{stage + 1}.downsample",
        kind="downsample",
        shape=(dim, side, side),
        parameters=cost.parameters,
        macs=cost.macs,
        field=before.field.after(2, 2),
    )


def _block(config: ConvNeXtConfig, name: str, stage: int, before: NodeInfo) -> NodeInfo:
    """A block behind a node; it downsamples where the node is not of its stage yet."""
    dim, kernel = config.dims[stage], config.kernel_sizes[stage]
    dim_before, hidden = before.shape[0], config.hidden_dim(dim)
    halves = config.downsample == "block" and stage > 0 and before.kind == "stage"
    stride = 2 if halves else 1
    side = convolved_px(before.shape[1], kernel, stride, kernel // 2)
    cost = _conv(dim_before, dim_before, kernel, side, groups=dim_before if config.depthwise else 1)
    cost += _norm(config, dim_before)
    cost += _conv(dim_before, hidden, 1, side) + _conv(hidden, dim, 1, side)
    if config.grn:
        cost += _Cost(2 * hidden)
    if config.layer_scale_init_value > 0:
        cost += _Cost(dim)
    if halves:
        cost += _conv(dim_before, dim, 1, side)
    field = before.field.after(kernel, stride, kernel // 2)
    return NodeInfo(
        name=name,
        kind="block",
        shape=(dim, side, side),
        parameters=cost.parameters,
        macs=cost.macs,
        field=replace(field, is_global=field.is_global or config.grn),
    )


def _head(config: Architecture) -> _Cost:
    if isinstance(config, TimmConfig):
        return _Cost(config.head_parameters, config.head_macs)
    cost, width = _norm(config, config.dims[-1]), config.dims[-1]
    if config.head_hidden_size:
        cost += _conv(width, config.head_hidden_size, 1, 1)
        width = config.head_hidden_size
    return cost + _conv(width, config.num_classes, 1, 1)


def head_parameters(config: Architecture) -> int:
    """Parameters behind the last stage: the final norm, the hidden layer if there is one, the linear head."""
    return _head(config).parameters


def total_parameters(nodes: Sequence[NodeInfo], config: Architecture) -> int:
    """Parameters of the whole network."""
    return sum(node.parameters for node in nodes if node.kind in ("stem", "stage")) + head_parameters(config)


def total_macs(nodes: Sequence[NodeInfo], config: Architecture) -> int:
    """Multiply-accumulate operations of one forward pass; the papers print this as "FLOPs"."""
    return sum(node.macs for node in nodes if node.kind in ("stem", "stage")) + _head(config).macs


def smallest_input_px(config: Architecture) -> int:
    """Side of the smallest square input that leaves at least one unit everywhere."""
    if isinstance(config, TimmConfig):
        return config.smallest_input_px
    side = 1
    for _ in config.depths[1:]:
        # The separate layers drop an odd last row; the blocks pad it.
        side = 2 * side if config.downsample == "separate" else 2 * side - 1
    for conv in reversed(config.stem_convs):
        side = max((side - 1) * conv.stride + conv.kernel_size - 2 * conv.padding, 1)
    return side


def fitting_input_px(config: Architecture, wanted_px: int) -> int:
    """Side of a square input that the network takes: as wanted, or the next below; at least its smallest."""
    if isinstance(config, TimmConfig):
        if config.only_input_px is not None:
            return config.only_input_px
        wanted_px -= wanted_px % config.input_step_px
    return max(wanted_px, smallest_input_px(config))


def check_input_px(config: Architecture, input_px: int) -> None:
    """Raise a StudioError where the network takes no square input of that side; the hint says what it takes."""
    fitting, smallest = fitting_input_px(config, input_px), smallest_input_px(config)
    if input_px < smallest:
        raise StudioError(
            f"An input of {input_px} pixels is too small for this network.", f"The smallest is {smallest}."
        )
    if input_px != fitting:
        raise StudioError(f"This network takes no input of {input_px} pixels.", f"It takes {fitting}.")
