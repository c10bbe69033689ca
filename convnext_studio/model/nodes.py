"""The node table: every place of a ConvNeXt that can be looked at, by arithmetic on its config alone.

No torch: the window draws the network from this table, and the engine resolves the names to modules.
"""

from dataclasses import dataclass
from typing import Literal

from convnext_studio.geometry import FieldGeometry
from convnext_studio.model.config import ConvNeXtConfig

NodeKind = Literal["stem", "downsample", "block", "stage"]
STAGES = ("stage1", "stage2", "stage3", "stage4")


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


def convolved_px(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Side of a convolution's output."""
    return (size + 2 * padding - kernel_size) // stride + 1


def node_table(config: ConvNeXtConfig, input_px: int) -> tuple[NodeInfo, ...]:
    """All nodes in the order of the forward pass, for a square input of that side.

    A stage comes after its downsampling and its blocks.
    """
    dims, kernel = config.dims, config.kernel_size
    side = convolved_px(input_px, config.stem_kernel_size, config.stem_stride, config.stem_padding)
    field = FieldGeometry().after(config.stem_kernel_size, config.stem_stride, config.stem_padding)
    weights = config.in_chans * dims[0] * config.stem_kernel_size**2
    nodes = [
        NodeInfo(
            name="stem",
            kind="stem",
            shape=(dims[0], side, side),
            parameters=weights + dims[0] + 2 * dims[0],
            macs=weights * side * side,
            field=field,
        )
    ]
    for stage, (depth, dim) in enumerate(zip(config.depths, dims, strict=True), start=1):
        inside: list[NodeInfo] = []
        if stage > 1:
            previous = dims[stage - 2]
            side, field = convolved_px(side, 2, 2, 0), field.after(2, 2)
            inside.append(
                NodeInfo(
                    name=f"stage{stage}.downsample",
                    kind="downsample",
                    shape=(dim, side, side),
                    parameters=2 * previous + 4 * previous * dim + dim,
                    macs=4 * previous * dim * side * side,
                    field=field,
                )
            )
        for block in range(1, depth + 1):
            field = field.after(kernel, 1, kernel // 2)
            inside.append(
                NodeInfo(
                    name=f"stage{stage}.block{block}",
                    kind="block",
                    shape=(dim, side, side),
                    parameters=_block_parameters(config, dim),
                    macs=(kernel**2 * dim + 8 * dim * dim) * side * side,
                    field=field,
                )
            )
        nodes += inside
        nodes.append(
            NodeInfo(
                name=f"stage{stage}",
                kind="stage",
                shape=(dim, side, side),
                parameters=sum(node.parameters for node in inside),
                macs=sum(node.macs for node in inside),
                field=field,
            )
        )
    return tuple(nodes)


def _block_parameters(config: ConvNeXtConfig, dim: int) -> int:
    depthwise = config.kernel_size**2 * dim + dim
    norm = 2 * dim
    pointwise = (dim * 4 * dim + 4 * dim) + (4 * dim * dim + dim)
    return depthwise + norm + pointwise + (dim if config.layer_scale_init_value > 0 else 0)


def head_parameters(config: ConvNeXtConfig) -> int:
    """Parameters behind the last stage: the final norm and the linear head."""
    return 2 * config.dims[3] + config.dims[3] * config.num_classes + config.num_classes


def total_parameters(nodes: tuple[NodeInfo, ...], config: ConvNeXtConfig) -> int:
    """Parameters of the whole network."""
    return sum(node.parameters for node in nodes if node.kind in ("stem", "stage")) + head_parameters(config)


def total_macs(nodes: tuple[NodeInfo, ...], config: ConvNeXtConfig) -> int:
    """Multiply-accumulate operations of one forward pass; the papers print this as "FLOPs"."""
    return (
        sum(node.macs for node in nodes if node.kind in ("stem", "stage")) + config.dims[3] * config.num_classes
    )
