"""What a ConvNeXt would see and cost with one thing changed: arithmetic on its node table, nothing is built."""

from dataclasses import dataclass

from msgspec.structs import replace

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, node_table, total_macs, total_parameters

TUTORIAL_STEM = (1, 1)
"""Stride and padding with which the tutorial's 4x4 stem keeps nearly the full resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFigures:
    """A ConvNeXt whose blocks all have kernels of one size.

    Attributes
    ----------
    kernel_size
        Side of the kernels.
    fields
        Of the units of each stage, by name.
    parameters, macs
        Of the whole network.
    spatial_parameters, spatial_macs
        Of them, what is in the blocks' spatial convolutions (``dwconv``).
    """

    kernel_size: int
    fields: dict[str, FieldGeometry]
    parameters: int
    macs: int
    spatial_parameters: int
    spatial_macs: int


def kernel_figures(config: ConvNeXtConfig, kernel_size: int, input_px: int) -> KernelFigures:
    """Fields and costs with another kernel size, everything else as it is."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StemFigures:
    """A ConvNeXt whose stem has another stride and padding.

    Attributes
    ----------
    stride, padding
        Of the stem's convolution.
    sides
        Of the maps behind the stem and behind each stage, by node name.
    parameters, macs, activation_bytes
        Of the whole network; the bytes of all its operations' results as float32, for one picture.
    stem_macs, stem_bytes
        Of them, the stem's.
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
    """Sizes and costs with another stride and padding of a patch stem; the weights stay as they are."""
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
    """Whether it is one of those that the whole network is the sum of."""
    return node.kind in ("stem", "stage", "head")
