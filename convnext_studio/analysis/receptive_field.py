"""How far a unit sees: effective receptive fields, and the squares that hold a share of them.

Protocols
---------
``replknet``
    As published by Ding et al., "Scaling Up Your Kernels to 31x31", CVPR 2022, arXiv:2203.06717, and
    computed by the authors' scripts: ReLU of the map's centre column (:, :, h // 2, w // 2), summed over
    channels; its gradient by the input, ReLU, summed over the colours, averaged over pictures squashed to
    1024 x 1024. Ratios are taken on log10(x + 1) around the pixel (h // 2, w // 2) with odd squares. That is
    not invariant to the gradient's scale, and the square sits off the unit's true centre.
``centred``
    The same field, but squares grow around the true centre of the unit's theoretical field, and ratios are
    taken on the field itself, so that they do not depend on the gradient's scale.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, never, output_of, stoppable
from convnext_studio.errors import StudioError
from convnext_studio.model.loaded import LoadedModel

PROTOCOLS = ("replknet", "centred")
Field = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSoFar:
    """A running average.

    Attributes
    ----------
    field
        (H, W) float64: mean over the `used` pictures.
    used
        How many pictures were averaged.
    skipped
        Positions of the pictures that were left out because their gradient was not finite.
    unit
        Row and column of the unit in the node's map.
    """

    field: Field
    used: int
    skipped: tuple[int, ...]
    unit: tuple[int, int]


def running_average(
    model: LoadedModel, tensors: Iterable[Tensor], node: str, should_stop: ShouldStop = never
) -> Iterator[FieldSoFar]:
    """Average the field over pictures, giving the average after each.

    Parameters
    ----------
    tensors
        Each (1, C, H, W) float32, normalised, on the model's device, all of one size.
    should_stop
        Asked between blocks.

    Raises
    ------
    StudioError
        Where the model has no such node.
    Stopped
        When `should_stop` said so.
    """
    module = model.module_at(node)
    total: Field | None = None
    used = 0
    skipped: tuple[int, ...] = ()
    for position, tensor in enumerate(tensors):
        with torch.enable_grad(), stoppable(model.blocks, should_stop):
            x = tensor.detach().requires_grad_()
            output = output_of(model.module, module, x)
            unit = output.shape[2] // 2, output.shape[3] // 2
            seen = torch.relu(output[:, :, unit[0], unit[1]]).sum()
            (gradient,) = torch.autograd.grad(seen, x)
        field = torch.relu(gradient).sum(dim=(0, 1)).cpu().numpy().astype(np.float64)
        if total is None:
            total = np.zeros_like(field)
        if np.isfinite(field).all():
            total += field
            used += 1
        else:
            skipped += (position,)
        yield FieldSoFar(field=total / max(used, 1), used=used, skipped=skipped, unit=unit)


def effective_receptive_field(
    model: LoadedModel, tensors: Iterable[Tensor], node: str | None = None, protocol: str = "replknet"
) -> Field:
    """Measure the effective receptive field of a node's central unit.

    Parameters
    ----------
    tensors
        Pictures as the protocol wants them, each (1, C, H, W) float32, normalised, all of one size:
        ``replknet`` squashes them to 1024 x 1024 (`Preprocessing.squashed`).
    node
        A stage or a block; the last stage where None.
    protocol
        ``replknet`` or ``centred``; the field is the same, the ratios differ (see `area_ratios`).

    Returns
    -------
    (H, W) float64, not normalised.

    Raises
    ------
    StudioError
        Where there is no such node or protocol, no picture, or no picture with a finite gradient.
    """
    check_protocol(protocol)
    averages = list(deque(running_average(model, tensors, node or model.config.stages[-1]), maxlen=1))
    if not averages or averages[0].used == 0:
        raise StudioError(
            "No receptive field could be measured.",
            "No picture gave a finite gradient." if averages else "No picture was given.",
        )
    return averages[0].field


def check_protocol(protocol: str) -> None:
    """Raise a StudioError where there is no protocol of that name."""
    if protocol not in PROTOCOLS:
        raise StudioError(f"There is no protocol “{protocol}”.", f"There are: {', '.join(PROTOCOLS)}.")
