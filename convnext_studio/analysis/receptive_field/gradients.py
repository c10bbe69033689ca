"""Measure the gradient of a unit with respect to the input, computing only what the unit sees.

This is exact, because nothing else affects the unit. A unit of a late map depends on few units of the preceding
maps, and the gradient is zero at all others. So the outputs of the layers are cropped to the units that matter,
in the forward pass and, through autograd, in the backward pass. Padding needs no special care: at true borders
nothing was cropped, and at the edges of a crop it only affects units that the next layer crops off. Networks
that pool over whole maps (GRN, attention) are run on the whole input.
"""

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor, nn

from convnext_studio.analysis.capture import OutputCrops, ShouldStop, crop_outputs, output_of, stoppable
from convnext_studio.common.errors import StudioError
from convnext_studio.erf import Protocol, definition
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import convolved_px

Field = NDArray[np.float64]


class Signal(Struct, frozen=True, kw_only=True):
    """A unit of a node or a class score, with the protocol that turns its gradient into a field.

    Attributes
    ----------
    node
        The node whose map is measured.
    unit
        Row and column of the unit; the middle (h // 2, w // 2) if None.
    target
        Index of a class whose logit is differentiated instead.
    protocol
        See `convnext_studio.erf.protocols`.
    """

    node: str
    unit: tuple[int, int] | None = None
    target: int | None = None
    protocol: Protocol = "replknet"

    def unit_in(self, height: int, width: int) -> tuple[int, int]:
        """Return the row and column of the unit in a map of that size.

        Raises
        ------
        StudioError
            If the map has no such unit.
        """
        row, column = (height // 2, width // 2) if self.unit is None else self.unit
        if not (0 <= row < height and 0 <= column < width):
            raise StudioError(
                f"The map of {self.node} has no unit in row {row}, column {column}.",
                f"It has {height} rows and {width} columns, counted from 0.",
            )
        return row, column

    def of_columns(self, columns: Tensor) -> Tensor:
        """Return the sum to differentiate for a unit's channels (N, C); its gradient keeps samples apart."""
        if definition(self.protocol).rectifies_unit:
            columns = torch.relu(columns)
        return columns.sum()

    def of_logits(self, logits: Tensor) -> Tensor:
        """Return the sum to differentiate, from the logits (N, classes).

        Raises
        ------
        StudioError
            If there is no such class.
        """
        assert self.target is not None
        check_class(self.target, logits.shape[1])
        return logits[:, self.target].sum()

    def fields(self, gradient: Tensor) -> Field:
        """Turn the gradient of the input (N, C, H, W) into fields (N, H, W), float64 on the CPU."""
        return self.fields_on_device(gradient).cpu().numpy().astype(np.float64)

    def fields_on_device(self, gradient: Tensor) -> Tensor:
        """Turn the gradient of the input (N, C, H, W) into fields (N, H, W), float32 on the device."""
        takes_absolute = definition(self.protocol).takes_absolute
        return (gradient.abs() if takes_absolute else torch.relu(gradient)).sum(dim=1)


class BatchFields(Struct, frozen=True):
    """The fields of a batch of inputs.

    Attributes
    ----------
    fields
        The field of each sample, as if it were alone, (N, H, W) float64.
    unit
        Row and column of the unit in the map of the node; (0, 0) for a class score.
    """

    fields: Field
    unit: tuple[int, int]


def fields_of(
    model: LoadedModel, batch: Tensor, signal: Signal, should_stop: ShouldStop, *, whole_maps: bool
) -> BatchFields:
    """Measure every sample of a batch (N, C, H, W).

    Parameters
    ----------
    whole_maps
        Whether to compute whole maps, as the published scripts do, instead of only what the unit sees. The
        results differ only by rounding.

    Raises
    ------
    StudioError
        If there is no such node, unit or class.
    Stopped
        If `should_stop`, which is called between blocks, returned true.
    """
    with torch.enable_grad(), stoppable(model.blocks, should_stop):
        if signal.target is not None:
            return _of_score(model, batch, signal)
        if not model.node(signal.node).has_positions:
            raise StudioError("The head is pooled over the whole picture.", "Measure a stage or a block.")
        return _of_whole_map(model, batch, signal) if whole_maps else _of_unit(model, batch, signal)


def _of_score(model: LoadedModel, batch: Tensor, signal: Signal) -> BatchFields:
    x = batch.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(signal.of_logits(model.module(x)), x)
    return BatchFields(signal.fields(gradient), (0, 0))


def _of_whole_map(model: LoadedModel, batch: Tensor, signal: Signal) -> BatchFields:
    x = batch.detach().requires_grad_()
    output = output_of(model.module, model.module_at(signal.node), x)
    if model.node(signal.node).layout == "NHWC":
        output = output.permute(0, 3, 1, 2)
    row, column = signal.unit_in(output.shape[2], output.shape[3])
    (gradient,) = torch.autograd.grad(signal.of_columns(output[:, :, row, column]), x)
    return BatchFields(signal.fields(gradient), (row, column))


def _of_unit(model: LoadedModel, batch: Tensor, signal: Signal) -> BatchFields:
    crop = find_crop(model, signal, (batch.shape[2], batch.shape[3]))
    if crop is None:
        return _of_whole_map(model, batch, signal)
    needed = batch[:, :, crop.rows, crop.columns].detach()
    # The blocks use this memory format anyway; starting with it saves some per cent of the time.
    x = needed.contiguous(memory_format=torch.channels_last).requires_grad_()
    with crop_outputs(crop.outputs):
        output = output_of(model.module, model.module_at(signal.node), x)
    (gradient,) = torch.autograd.grad(signal.of_columns(output[:, :, 0, 0]), x)
    whole = torch.zeros_like(batch)
    whole[:, :, crop.rows, crop.columns] = gradient
    return BatchFields(signal.fields(whole), crop.unit)


Span = tuple[int, int]
"""The first unit along an axis, and the one after the last."""
Conv = tuple[int, int, int]
"""Kernel size, stride, padding."""


class Crop(Struct, frozen=True):
    """How to compute a single unit.

    Attributes
    ----------
    unit
        Row and column of the unit in the map of the node.
    rows, columns
        The part of the input that is needed.
    outputs
        The part of each module's output to keep; of the map of the node, only the unit (1 x 1) remains.
    """

    unit: tuple[int, int]
    rows: slice
    columns: slice
    outputs: OutputCrops


class _Step(Struct, frozen=True):
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


def find_crop(model: LoadedModel, signal: Signal, input_size: tuple[int, int]) -> Crop | None:
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
    rows, row_crops = _spans(steps, unit[0], input_size[0])
    columns, column_crops = _spans(steps, unit[1], input_size[1])
    crops: dict[nn.Module, tuple[slice, slice]] = {}
    for step, row_crop, column_crop in zip(steps, row_crops, column_crops, strict=True):
        crops |= dict.fromkeys(step.modules, (row_crop, column_crop))
    return Crop(unit, slice(*rows), slice(*columns), crops)


def _spans(steps: list[_Step], unit: int, size: int) -> tuple[Span, list[slice]]:
    """Return, along one axis, the span of the input that a unit needs and the crop after each step."""
    sizes = [size]
    for step in steps:
        sizes.append(step.size_after(sizes[-1]))
    wanted: Span = (unit, unit + 1)
    crops: list[slice] = []
    for step, before in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        needed = step.needed(wanted, before)
        origin = needed[0] // step.stride
        crops.insert(0, slice(wanted[0] - origin, wanted[1] - origin))
        wanted = needed
    return wanted, crops


def _steps(model: LoadedModel, node: str) -> list[_Step] | None:
    """Return the layers up to a node; None for operations inside blocks, dilated stages and other families."""
    network: nn.Module = model.module
    if not isinstance(network, ConvNeXt):
        return None
    config, last = network.config, model.module_at(node)
    if max(config.dilations) > 1:
        return None
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
