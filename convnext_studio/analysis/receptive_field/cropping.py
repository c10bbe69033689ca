"""Compute only what a unit sees, which is exact because nothing else affects the unit.

A unit of a late map depends on few units of the preceding maps, and the gradient is zero at all others. So the
outputs of the layers are cropped to the units that matter, in the forward pass and, through autograd, in the
backward pass. Padding needs no special care: at true borders nothing was cropped, and at the edges of a crop it
only affects units that the next layer crops off. This does not work for networks that pool over whole maps (GRN,
attention).
"""

from dataclasses import dataclass

from torch import nn

from convnext_studio.analysis.capture import Cuts
from convnext_studio.analysis.receptive_field.signals import Signal
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import convolved_px

Span = tuple[int, int]
"""The first unit along an axis, and the one after the last."""
Conv = tuple[int, int, int]
"""Kernel size, stride, padding."""


@dataclass(frozen=True, slots=True)
class Crop:
    """How to compute a single unit.

    Attributes
    ----------
    unit
        Row and column of the unit in the map of the node.
    rows, columns
        The part of the input that is needed.
    cuts
        The part of each module's output to keep; of the map of the node, only the unit (1 x 1) remains.
    """

    unit: tuple[int, int]
    rows: slice
    columns: slice
    cuts: Cuts


@dataclass(frozen=True, slots=True)
class _Step:
    """Successive convolutions, and the modules whose outputs have the size of the last one."""

    convs: tuple[Conv, ...]
    modules: tuple[nn.Module, ...]

    @property
    def stride(self) -> int:
        product = 1
        for _, stride, _ in self.convs:
            product *= stride
        return product

    def size_after(self, size: int) -> int:
        for kernel_size, stride, padding in self.convs:
            size = convolved_px(size, kernel_size, stride, padding)
        return size

    def needed(self, wanted: Span, size: int) -> Span:
        """Return the input units, of `size`, that the wanted outputs see, from a multiple of the stride on."""
        first, end = wanted
        for kernel_size, stride, padding in reversed(self.convs):
            first, end = first * stride - padding, (end - 1) * stride - padding + kernel_size
        return max(first, 0) // self.stride * self.stride, min(max(end, 1), size)


def crop_of(model: LoadedModel, signal: Signal, input_size: tuple[int, int]) -> Crop | None:
    """Return what to compute for the unit of a signal, for an input of that height and width.

    The result is None if the unit sees the whole input, or the layers of the network are not known here.

    Raises
    ------
    StudioError
        If the map of the node has no such unit.
    """
    steps = _steps(model, signal.node)
    if steps is None or model.node(signal.node).field.is_global:
        return None
    height, width = input_size
    for step in steps:
        height, width = step.size_after(height), step.size_after(width)
    unit = signal.unit_in(height, width)
    rows, row_cuts = _spans(steps, unit[0], input_size[0])
    columns, column_cuts = _spans(steps, unit[1], input_size[1])
    cuts: dict[nn.Module, tuple[slice, slice]] = {}
    for step, row_cut, column_cut in zip(steps, row_cuts, column_cuts, strict=True):
        cuts |= dict.fromkeys(step.modules, (row_cut, column_cut))
    return Crop(unit, slice(*rows), slice(*columns), cuts)


def _spans(steps: list[_Step], unit: int, size: int) -> tuple[Span, list[slice]]:
    """Return, along one axis, the span of the input that a unit needs and the crop after each step."""
    sizes = [size]
    for step in steps:
        sizes.append(step.size_after(sizes[-1]))
    wanted: Span = (unit, unit + 1)
    cuts: list[slice] = []
    for step, before in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        needed = step.needed(wanted, before)
        origin = needed[0] // step.stride
        cuts.insert(0, slice(wanted[0] - origin, wanted[1] - origin))
        wanted = needed
    return wanted, cuts


def _steps(model: LoadedModel, node: str) -> list[_Step] | None:
    """Return the layers up to a node; None for operations inside blocks and for other families."""
    network: nn.Module = model.module
    if not isinstance(network, ConvNeXt):
        return None
    config, last = network.config, model.module_at(node)
    stem = network.downsample_layers[0]
    steps = [_Step(tuple((conv.kernel_size, conv.stride, conv.padding) for conv in config.stem_convs), (stem,))]
    if last is stem:
        return steps
    for stage, (downsample, blocks) in enumerate(zip(network.downsample_layers, network.stages, strict=True)):
        if stage > 0 and config.downsample == "separate":
            steps.append(_Step(((2, 2, 0),), (downsample,)))
            if last is downsample:
                return steps
        assert isinstance(blocks, nn.Sequential)
        for block in blocks:
            assert isinstance(block, Block)
            kernel_size, stride = config.kernel_sizes[stage], block.dwconv.stride[0]
            # Branch and shortcut are cropped in the same way, before the expensive layers of the branch.
            steps.append(_Step(((kernel_size, stride, kernel_size // 2),), (block.dwconv, block.shortcut)))
            if last is block:
                return steps
        if last is blocks:
            return steps
    return None
