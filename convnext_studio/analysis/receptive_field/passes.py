"""Measure the field of every input in a batch, with one forward and one backward pass."""

from dataclasses import dataclass

import torch
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, cut, output_of, stoppable
from convnext_studio.analysis.receptive_field.cropping import crop_of
from convnext_studio.analysis.receptive_field.signals import Field, Signal
from convnext_studio.common.errors import StudioError
from convnext_studio.model.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class Passed:
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
    model: LoadedModel, batch: Tensor, signal: Signal, should_stop: ShouldStop, *, whole_maps: bool = False
) -> Passed:
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


def _of_score(model: LoadedModel, batch: Tensor, signal: Signal) -> Passed:
    x = batch.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(signal.of_logits(model.module(x)), x)
    return Passed(signal.fields(gradient), (0, 0))


def _of_whole_map(model: LoadedModel, batch: Tensor, signal: Signal) -> Passed:
    x = batch.detach().requires_grad_()
    output = output_of(model.module, model.module_at(signal.node), x)
    if model.node(signal.node).layout == "NHWC":
        output = output.permute(0, 3, 1, 2)
    row, column = signal.unit_in(output.shape[2], output.shape[3])
    (gradient,) = torch.autograd.grad(signal.of_columns(output[:, :, row, column]), x)
    return Passed(signal.fields(gradient), (row, column))


def _of_unit(model: LoadedModel, batch: Tensor, signal: Signal) -> Passed:
    crop = crop_of(model, signal, (batch.shape[2], batch.shape[3]))
    if crop is None:
        return _of_whole_map(model, batch, signal)
    needed = batch[:, :, crop.rows, crop.columns].detach()
    # The blocks use this memory format anyway; starting with it saves some per cent of the time.
    x = needed.contiguous(memory_format=torch.channels_last).requires_grad_()
    with cut(crop.cuts):
        output = output_of(model.module, model.module_at(signal.node), x)
    (gradient,) = torch.autograd.grad(signal.of_columns(output[:, :, 0, 0]), x)
    whole = torch.zeros_like(batch)
    whole[:, :, crop.rows, crop.columns] = gradient
    return Passed(signal.fields(whole), crop.unit)
