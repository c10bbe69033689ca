"""One forward and one backward pass: the fields of a batch of inputs, each by itself."""

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
    """What a pass gives.

    Attributes
    ----------
    fields
        (N, H, W) float64: each sample's, as if it were alone.
    unit
        Row and column of the unit; (0, 0) for a class score.
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
        Compute the maps as wholes, as the published scripts do, instead of what the unit sees: the same but for
        the rounding of sums in another order.

    Raises
    ------
    StudioError
        Where there is no such node, unit or class.
    Stopped
        When `should_stop` said so; asked between blocks.
    """
    with torch.enable_grad(), stoppable(model.blocks, should_stop):
        if signal.target is not None:
            return _of_score(model, batch, signal)
        if not model.node(signal.node).has_positions:
            raise StudioError("The head is pooled over the whole picture.", "Measure a stage, or a block.")
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
    # The blocks go on in this memory order anyway; the passes take some per cent less time from the start.
    x = needed.contiguous(memory_format=torch.channels_last).requires_grad_()
    with cut(crop.cuts):
        output = output_of(model.module, model.module_at(signal.node), x)
    (gradient,) = torch.autograd.grad(signal.of_columns(output[:, :, 0, 0]), x)
    whole = torch.zeros_like(batch)
    whole[:, :, crop.rows, crop.columns] = gradient
    return Passed(signal.fields(whole), crop.unit)
