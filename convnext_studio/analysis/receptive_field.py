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
from convnext_studio.analysis.features import as_maps
from convnext_studio.errors import StudioError
from convnext_studio.model.loaded import LoadedModel

PROTOCOLS = ("replknet", "centred")
THRESHOLDS = (0.2, 0.3, 0.5, 0.99)
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
        Where the model has no such node, or its units have no positions.
    Stopped
        When `should_stop` said so.
    """
    info, module = model.node(node), model.module_at(node)
    if not info.has_positions:
        raise StudioError("The head is pooled over the whole picture.", "Measure a stage, or a block.")
    total: Field | None = None
    used = 0
    skipped: tuple[int, ...] = ()
    for position, tensor in enumerate(tensors):
        with torch.enable_grad(), stoppable(model.blocks, should_stop):
            x = tensor.detach().requires_grad_()
            output = as_maps(output_of(model.module, module, x), info.layout)
            unit = output.shape[1] // 2, output.shape[2] // 2
            seen = torch.relu(output[:, unit[0], unit[1]]).sum()
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
        Any node but the head's; the last stage where None.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CentredSquare:
    """The smallest square around a centre that holds more than a share of a field."""

    threshold: float
    side_px: int
    area_ratio: float


def squares(
    field: Field,
    thresholds: Iterable[float] = THRESHOLDS,
    scale: str = "log",
    centre: str | tuple[float, float] = "replknet",
) -> list[CentredSquare]:
    """Grow a square around a centre until it holds more than each share of the field.

    Parameters
    ----------
    field
        (H, W), not negative.
    scale
        ``log`` measures log10(field + 1), as published; ``linear`` the field itself.
    centre
        ``replknet`` for the pixel (H // 2, W // 2), as published: odd sides from 3, ending one pixel before
        the border; or x and y as continuous input coordinates (multiples of one half): sides grow by 2 from
        the smallest that is centred there on whole pixels, and are cut off at the border, so that area
        counts only what lies in the picture.

    Returns
    -------
    One for each threshold that is reached, in the order given; none for a field that is zero.

    Raises
    ------
    StudioError
        Where the field is not two-dimensional, not finite or negative, or the scale is unknown.
    """
    weights = _weights(field, scale)
    height, width = weights.shape
    published = centre == "replknet"
    if isinstance(centre, str):
        if not published:
            raise StudioError(f"There is no centre “{centre}”.", "Give replknet, or x and y.")
        x, y = width // 2 + 0.5, height // 2 + 0.5
    else:
        x, y = centre
    # A pixel is inside the square of side s when its far edge is at most s / 2 from the centre.
    reach_x = np.abs(np.arange(width) + 0.5 - x) + 0.5
    reach_y = np.abs(np.arange(height) + 0.5 - y) + 0.5
    side_of_pixel = np.rint(2 * np.maximum(reach_y[:, None], reach_x[None, :])).astype(np.int64)
    held = np.cumsum(np.bincount(side_of_pixel.ravel(), weights=weights.ravel()))
    # The published loop runs over half-sides 1 .. H // 2 - 1.
    sides = np.arange(3, 2 * (height // 2), 2) if published else np.unique(side_of_pixel)
    found = []
    for threshold in thresholds:
        reached = sides[held[sides] / held[-1] > threshold] if held[-1] > 0 else sides[:0]
        if len(reached):
            side = int(reached[0])
            area = side * side if published else _area_inside(side, x, y, width, height)
            found.append(CentredSquare(threshold=threshold, side_px=side, area_ratio=area / (width * height)))
    return found


def _weights(field: Field, scale: str) -> Field:
    if field.ndim != 2 or field.size == 0:
        raise StudioError(f"A receptive field has two dimensions, but this array has shape {field.shape}.")
    if not np.isfinite(field).all() or field.min() < 0:
        raise StudioError("The receptive field has values that are negative or not finite.")
    if scale not in ("log", "linear"):
        raise StudioError(f"There is no scale “{scale}”.", "There are: linear, log.")
    return np.log10(field + 1) if scale == "log" else field


def _area_inside(side: int, x: float, y: float, width: int, height: int) -> float:
    across = min(width, x + side / 2) - max(0.0, x - side / 2)
    down = min(height, y + side / 2) - max(0.0, y - side / 2)
    return across * down


def area_ratios(
    field: Field,
    thresholds: Iterable[float] = THRESHOLDS,
    scale: str = "log",
    centre: str | tuple[float, float] = "replknet",
) -> dict[float, float | None]:
    """Area of the smallest centred square that holds more than each share, over the picture's area.

    Parameters are those of `squares`. A threshold that no square within the picture reaches gives None.
    """
    wanted = tuple(thresholds)
    found = {square.threshold: square.area_ratio for square in squares(field, wanted, scale, centre)}
    return {threshold: found.get(threshold) for threshold in wanted}
