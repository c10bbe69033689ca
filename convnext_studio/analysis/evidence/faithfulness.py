"""Measure the faithfulness of an attribution map by insertion and deletion.

Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
arXiv:1806.07421. Pixels are removed in the order of the map, highest first (deletion), or put back onto an
empty picture in the same order (insertion), while the probability of the target is recorded. The areas under
the curves are computed by the trapezoidal rule over fractions from 0 to 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.grids import PIXELS, interpolate_map
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry

TOP_SHARE = 0.2
"""The fraction of pixels that counts as the top of a map."""

Map = NDArray[np.float32]
Curve = NDArray[np.float64]
Probability = Callable[[Tensor], Tensor]
"""A function from pictures (N, C, H, W) to the probability of the target, (N,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertionDeletion:
    """Insertion and deletion for the pixel order of one map.

    Attributes
    ----------
    insertion, deletion
        (steps + 1,) float64, the probability of the target at fractions 0 to 1; NaN if not measured yet.
    kept, removed
        The probability if only the top `TOP_SHARE` is kept, and if it is removed; NaN at first.
    done, total
        The number of pictures that the network has been given, and will be given.
    """

    insertion: Curve
    deletion: Curve
    kept: float
    removed: float
    done: int
    total: int

    @classmethod
    def unmeasured(cls, steps: int) -> "InsertionDeletion":
        """Return the result before anything has been measured."""
        missing = np.full(steps + 1, np.nan)
        return cls(
            insertion=missing, deletion=missing, kept=np.nan, removed=np.nan, done=0, total=2 * (steps + 2)
        )


def pixel_order(values: Map, field: FieldGeometry, height: int, width: int) -> NDArray[np.int64]:
    """Order the input's pixels (H * W,) by the interpolated map, highest first and ties in reading order.

    Values that are not finite come last.
    """
    fine = interpolate_map(values, field, (height, width), PIXELS).ravel()
    return np.argsort(-np.where(np.isfinite(fine), fine, -np.inf), kind="stable")


def random_order(
    shape: tuple[int, ...], field: FieldGeometry, height: int, width: int, seed: int
) -> NDArray[np.int64]:
    """Return the pixel order of a random map of that shape, a baseline that a map has to beat."""
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return pixel_order(noise, field, height, width)


def centre_out_order(height: int, width: int) -> NDArray[np.int64]:
    """Order the input's pixels (H * W,) by their distance from the centre, nearest first.

    Photographers put things in the middle, so that this order, which knows nothing of the picture or the
    network, often does better than a random one.
    """
    y, x = np.mgrid[:height, :width]
    squared = (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2
    return np.argsort(squared.ravel(), kind="stable")


def area(curve: Curve) -> float:
    """Return the area under a curve over fractions from 0 to 1 (trapezoidal rule); NaN if it is incomplete."""
    return float((curve.sum() - (curve[0] + curve[-1]) / 2) / (len(curve) - 1))


def on_picture(order: NDArray[np.int64], geometry: CropGeometry) -> NDArray[np.int64]:
    """Return the pixels of an order that show the picture, without those of the padding."""
    width, height = geometry.input_size
    left, top, right, bottom = geometry.padding
    seen = np.zeros((height, width), np.bool_)
    seen[top : height - bottom, left : width - right] = True
    return order[seen.ravel()[order]]


def check_steps(steps: int) -> None:
    """Raise a StudioError if a curve cannot have that many steps."""
    if not 2 <= steps <= 1024:
        raise StudioError(f"A curve cannot have {steps} steps.", "Give 2 to 1024.")


def insertion_deletion(
    probability: Probability, tensor: Tensor, fill: Tensor, order: NDArray[np.int64], steps: int
) -> Iterator[InsertionDeletion]:
    """Measure insertion and deletion step by step; the last result is complete.

    Parameters
    ----------
    tensor, fill
        The picture and the picture of fill pixels, (1, C, H, W).
    order
        The pixels, most important first: all H * W, or only those that show the picture. The others stay.
    steps
        Number of parts into which they are divided; at fraction s, the first ``round(s * pixels)`` count.
    """
    check_steps(steps)
    pixels = len(order)
    # The rank of each pixel says at which fraction it is removed.
    rank = torch.full((tensor.shape[-2] * tensor.shape[-1],), -1, dtype=torch.int64)
    rank[torch.from_numpy(order)] = torch.arange(pixels)
    rank = rank.view(tensor.shape[-2:]).to(tensor.device)
    is_padding = rank < 0
    counts = np.rint(np.append(np.linspace(0, 1, steps + 1), TOP_SHARE) * pixels).astype(int)
    shown = [(int(count), inserted) for count in counts for inserted in (True, False)]
    measured = np.full((len(counts), 2), np.nan)

    def evaluate(batch: range) -> Tensor:
        pictures = []
        for count, inserted in shown[batch.start : batch.stop]:
            of_picture = ((rank < count) == inserted) | is_padding
            pictures.append(torch.where(of_picture, tensor, fill))
        return probability(torch.cat(pictures))

    for batch, values in in_batches(len(shown), batch_size(tensor.device), evaluate):
        measured.ravel()[batch.start : batch.stop] = values.cpu().double().numpy()
        yield InsertionDeletion(
            insertion=measured[:-1, 0].copy(),
            deletion=measured[:-1, 1].copy(),
            kept=float(measured[-1, 0]),
            removed=float(measured[-1, 1]),
            done=batch.stop,
            total=len(shown),
        )
