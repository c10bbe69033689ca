"""Computing only what a unit sees: exact, because everything else has no influence on it.

A unit of a late map needs few units of the maps just before it, and the gradient is zero at all others. So the
outputs of the layers, forward and (by autograd, for the same slices) backward, are cut down to the units that
matter. Padding is right by itself: it is added at true borders, where nothing was cut, and at cuts it only
touches units that are cut off next. Not for networks that pool over their maps (GRN, attention).
"""

from dataclasses import dataclass

from torch import nn

from convnext_studio.analysis.capture import Cuts
from convnext_studio.analysis.receptive_field.signals import Signal
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import convolved_px

Span = tuple[int, int]
"""First unit along an axis, and the one behind the last."""
Conv = tuple[int, int, int]
"""Kernel size, stride, padding."""


@dataclass(frozen=True, slots=True)
class Crop:
    """How to compute one unit alone.

    Attributes
    ----------
    unit
        Row and column in the node's map.
    rows, columns
        The part of the input that is needed.
    cuts
        What to keep of which module's output; what remains of the node's map is the unit, 1 x 1.
    """

    unit: tuple[int, int]
    rows: slice
    columns: slice
    cuts: Cuts


@dataclass(frozen=True, slots=True)
class _Step:
    """Convolutions in a row, and the modules whose outputs have the last one's size."""

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
        """Units of an input of that size which the wanted outputs see; begins at a multiple of the stride."""
        first, end = wanted
        for kernel_size, stride, padding in reversed(self.convs):
            first, end = first * stride - padding, (end - 1) * stride - padding + kernel_size
        return max(first, 0) // self.stride * self.stride, min(max(end, 1), size)


def crop_of(model: LoadedModel, signal: Signal, input_size: tuple[int, int]) -> Crop | None:
    """What to compute for the signal's unit, for an input of that height and width.

    None where the unit sees everything, or the network is not one whose layers are known here.

    Raises
    ------
    StudioError
        Where the node's map has no such unit.
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
    """Along one axis: the span of the input that one unit needs, and the cut behind each step."""
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
    """The layers up to a node; None for operations within blocks, and for networks of other families."""
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
            # The branch and what it is added to are cut alike; the costly layers of the branch come behind.
            steps.append(_Step(((kernel_size, stride, kernel_size // 2),), (block.dwconv, block.shortcut)))
            if last is block:
                return steps
        if last is blocks:
            return steps
    return None
