"""Fields and costs of other designs: another kernel size, another stem, self-attention.

Everything is computed from the node table or a formula; no network is built. Costs are the multiply-accumulates
of convolutions and matrix products; softmax, scaling and biases are not counted.

Self-attention is that of Vaswani et al. 2017 (arXiv:1706.03762) and Dosovitskiy et al. 2021 (arXiv:2010.11929);
windows are those of Swin (Liu et al. 2021, arXiv:2103.14030). The number of heads does not change the cost,
because the heads share the channels.
"""

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, node_table, total_macs, total_parameters

TUTORIAL_STEM = (1, 1)
"""Stride and padding of the tutorial's 4x4 stem, which keeps nearly the full resolution."""


class KernelFigures(Struct, frozen=True, kw_only=True):
    """Fields and costs of a ConvNeXt in which all blocks have the same kernel size.

    Attributes
    ----------
    kernel_size
        The kernel size.
    fields
        The theoretical field of the units of each stage, by stage name.
    parameters, macs
        The costs of the whole network.
    spatial_parameters, spatial_macs
        The part of them in the spatial convolutions of the blocks (``dwconv``).
    """

    kernel_size: int
    fields: dict[str, FieldGeometry]
    parameters: int
    macs: int
    spatial_parameters: int
    spatial_macs: int


def kernel_figures(config: ConvNeXtConfig, kernel_size: int, input_px: int) -> KernelFigures:
    """Return fields and costs of a ConvNeXt with another kernel size and everything else unchanged."""
    changed = replace(config, kernel_size=kernel_size)
    nodes = node_table(changed, input_px)
    spatial = [node for node in nodes if node.operation == "dwconv"]
    return KernelFigures(
        kernel_size=kernel_size,
        fields={node.name: node.field for node in nodes if node.kind == "stage"},
        parameters=total_parameters(nodes, changed),
        macs=total_macs(nodes, changed),
        spatial_parameters=sum(node.parameters for node in spatial),
        spatial_macs=sum(node.macs for node in spatial),
    )


class StemFigures(Struct, frozen=True, kw_only=True):
    """Map sizes and costs of a ConvNeXt with another stride and padding of its stem.

    Attributes
    ----------
    stride, padding
        Stride and padding of the convolution in the stem.
    sides
        The sides of the maps after the stem and after each stage, by node name.
    parameters, macs, activation_bytes
        The costs of the whole network; the bytes are those of all outputs as float32, for one picture.
    stem_macs, stem_bytes
        The part of them in the stem.
    """

    stride: int
    padding: int
    sides: dict[str, int]
    parameters: int
    macs: int
    activation_bytes: int
    stem_macs: int
    stem_bytes: int


def stem_figures(config: ConvNeXtConfig, stride: int, padding: int, input_px: int) -> StemFigures:
    """Return sizes and costs with another stride and padding of a patch stem; the weights do not change."""
    changed = replace(config, stem_stride=stride, stem_padding=padding)
    nodes = node_table(changed, input_px)
    shown = [node for node in nodes if node.kind in ("stem", "stage")]
    return StemFigures(
        stride=stride,
        padding=padding,
        sides={node.name: node.shape[1] for node in shown},
        parameters=total_parameters(nodes, changed),
        macs=total_macs(nodes, changed),
        activation_bytes=sum(node.activation_bytes for node in nodes if _is_part(node)),
        stem_macs=nodes[0].macs,
        stem_bytes=nodes[0].activation_bytes,
    )


def _is_part(node: NodeInfo) -> bool:
    """Return whether a node is one of those whose costs add up to the whole network."""
    return node.kind in ("stem", "stage", "head")


class AttentionMacs(Struct, frozen=True):
    """Multiply-accumulate operations of one layer of self-attention.

    Attributes
    ----------
    projections
        The projections to queries, keys, values and output: linear in the number of positions.
    pairs
        The products of all pairs of positions and the weighted sums of the values: quadratic.
    """

    projections: int
    pairs: int

    @property
    def total(self) -> int:
        """The operations of the whole layer."""
        return self.projections + self.pairs


def depthwise_macs(channels: int, side: int, kernel_size: int) -> int:
    """Return the MACs of a depthwise convolution with stride 1 on a map of `side` by `side` positions."""
    return channels * side**2 * kernel_size**2


def attention_macs(channels: int, side: int, window: int | None = None) -> AttentionMacs:
    """Return the MACs of self-attention on a map of `side` by `side` positions.

    Parameters
    ----------
    window
        Positions attend only to those in their window of that side; to all positions if None, or if the window
        is as large as the map. As in Swin, the side is padded to the next multiple of the window.
    """
    if window is None or window >= side:
        return AttentionMacs(4 * side**2 * channels**2, 2 * side**4 * channels)
    padded = -(-side // window) * window
    return AttentionMacs(4 * padded**2 * channels**2, 2 * padded**2 * window**2 * channels)
