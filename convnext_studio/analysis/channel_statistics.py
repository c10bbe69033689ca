"""Statistics of channels, by which they are sorted, and their contributions to a class."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, captured, never, stoppable
from convnext_studio.analysis.features import as_maps, seen_part, to_array
from convnext_studio.analysis.inputs import checked_input
from convnext_studio.analysis.tiling.tiled_passes import Plan, tiled_pass
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.render.channel_order import ChannelNumbers

_CHUNK_VALUES = 1 << 22  # Some hundred MiB as float64, with intermediate results.


def channel_numbers(maps: Tensor) -> ChannelNumbers:
    """Compute the statistics of each channel of maps (C, h, w) on any device, in float64."""
    if maps.device.type == "mps":  # MPS has no float64.
        maps = maps.cpu()
    step = max(1, _CHUNK_VALUES // (maps.shape[1] * maps.shape[2]))
    chunks = (maps[first : first + step] for first in range(0, len(maps), step))
    columns = zip(*map(_numbers, chunks), strict=True)
    # In one copy; float64 holds the counts exactly, too.
    numbers = torch.stack([torch.cat(column).double() for column in columns]).cpu().numpy()
    mean, minimum, maximum, variance, sparsity, non_finite, is_dead = numbers
    return ChannelNumbers(
        mean=mean,
        minimum=minimum,
        maximum=maximum,
        variance=variance,
        sparsity=sparsity,
        non_finite=non_finite.astype(np.int64),
        is_dead=is_dead.astype(np.bool_),
    )


def _numbers(maps: Tensor) -> tuple[Tensor, ...]:
    values = maps.flatten(1).float()
    positions = values.shape[1]
    is_finite = values.isfinite()
    count = is_finite.sum(1)
    is_empty = count == 0
    minimum = values.where(is_finite, torch.inf).amin(1).where(~is_empty, torch.nan).double()
    maximum = values.where(is_finite, -torch.inf).amax(1).where(~is_empty, torch.nan).double()
    exact = values.where(is_finite, 0.0).double()
    mean = exact.sum(1) / count
    l1, l2 = (torch.linalg.vector_norm(exact, order, dim=1) for order in (1, 2))
    # float64 is precise enough for the difference of squares of float32; for equal values it must be exactly 0.
    variance = (l2.square() / count - mean.square()).clamp(min=0).where(minimum != maximum, 0.0)
    root = count.double().sqrt()
    sparsity = ((root - l1 / l2) / (root - 1)).clamp(0, 1)
    is_dead = (minimum == maximum) & (count == positions) & (positions > 1)
    return mean, minimum, maximum, variance.where(~is_empty, torch.nan), sparsity, positions - count, is_dead


def contributions(
    model: LoadedModel,
    tensor: Tensor,
    node: str,
    target: int,
    should_stop: ShouldStop = never,
    geometry: CropGeometry | None = None,
) -> NDArray[np.float32]:
    """Compute the contribution of each channel to a class: gradient times value, summed over the positions.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device; always run in float32.
    node
        Any node. At ``head.norm`` the contributions add up to the logit minus the bias, if the head is linear.
    target
        Index of the class.
    geometry
        Where the input lies in the picture; the positions of its padding are left out.

    Returns
    -------
    (C,) float32, signed, in units of the logit.

    Raises
    ------
    StudioError
        If the model has no such node or class, or takes no such input.
    Stopped
        If `should_stop` returned true.
    """
    info, module, tensor = model.node(node), model.module_at(node), checked_input(model, tensor)
    check_class(target, model.config.num_classes)
    with stoppable(model.blocks, should_stop):
        with torch.enable_grad(), captured({node: module}, with_gradients=True) as outputs:
            logit = model.module(tensor)[0, target]
        (gradient,) = torch.autograd.grad(logit, outputs[node])
    product = as_maps(gradient * outputs[node].detach(), info.layout)
    seen = seen_part(product, info.field, geometry) if info.has_positions else product
    return to_array(seen.sum(dim=(1, 2)))


def tiled_contributions(
    model: LoadedModel, tensor: Tensor, plan: Plan, node: str, target: int, geometry: CropGeometry | None = None
) -> Generator[None, None, NDArray[np.float32]]:
    """Compute what `contributions` does in tiles, for the only node of a plan; yields after each of them."""
    field = model.node(node).field

    def explain(_node: str, output: Tensor, gradient: Tensor) -> Tensor:
        seen, slopes = (seen_part(maps, field, geometry) for maps in (output, gradient))
        return torch.einsum("chw,chw->c", seen, slopes)

    work = tiled_pass(model, [tensor], plan, explain, lambda logits: logits[0, target], keeps_outputs=False)
    passed = yield from work
    return to_array(passed.explained[node])
