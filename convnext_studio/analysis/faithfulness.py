"""Does a map find what the network uses? Insertion and deletion.

Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
arXiv:1806.07421. Pixels are taken away in the order of the map, highest first (deletion), or put back onto a
picture in which nothing is left (insertion), and the probability of the target is watched. The areas under the
curves are taken by the trapezoidal rule over shares from 0 to 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.grids import PIXELS, interpolated
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry

TOP_SHARE = 0.2
"""What counts as the top of a map."""

Map = NDArray[np.float32]
Curve = NDArray[np.float64]
Probability = Callable[[Tensor], Tensor]
"""(N, C, H, W) to the probability of the target, (N,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertionDeletion:
    """What the order of one map gives.

    Attributes
    ----------
    insertion, deletion
        (steps + 1,) float64, probability of the target at shares 0 to 1; NaN where not measured yet.
    kept, removed
        Probability when the top `TOP_SHARE` is all that is left, and when it is taken away; NaN at first.
    done, total
        Pictures that the network was shown.
    """

    insertion: Curve
    deletion: Curve
    kept: float
    removed: float
    done: int
    total: int

    @classmethod
    def unmeasured(cls, steps: int) -> "InsertionDeletion":
        """What is known before anything was shown."""
        missing = np.full(steps + 1, np.nan)
        return cls(
            insertion=missing, deletion=missing, kept=np.nan, removed=np.nan, done=0, total=2 * (steps + 2)
        )


def pixel_order(values: Map, field: FieldGeometry, height: int, width: int) -> NDArray[np.int64]:
    """(H * W,): the input's pixels by the interpolated map, highest first, equal ones as they lie.

    A value that is not finite comes last.
    """
    fine = interpolated(values, field, (height, width), PIXELS).ravel()
    return np.argsort(-np.where(np.isfinite(fine), fine, -np.inf), kind="stable")


def random_order(
    shape: tuple[int, int], field: FieldGeometry, height: int, width: int, seed: int
) -> NDArray[np.int64]:
    """The order of a map of that shape whose units are random: what a map has to be better than."""
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return pixel_order(noise, field, height, width)


def area(curve: Curve) -> float:
    """Under a curve over shares from 0 to 1, by the trapezoidal rule; NaN where a value is missing."""
    return float((curve.sum() - (curve[0] + curve[-1]) / 2) / (len(curve) - 1))


def check_steps(steps: int) -> None:
    """Raise a StudioError where so many steps make no curve."""
    if not 2 <= steps <= 1024:
        raise StudioError(f"A curve cannot have {steps} steps.", "Give 2 to 1024.")


def insertion_deletion(
    probability: Probability, tensor: Tensor, fill: Tensor, order: NDArray[np.int64], steps: int
) -> Iterator[InsertionDeletion]:
    """Measure step by step; the last one that is given is whole.

    Parameters
    ----------
    tensor, fill
        (1, C, H, W): the picture, and what stands where nothing of it is left.
    order
        (H * W,): pixels, the most important first.
    steps
        Parts into which the pixels are divided; at share s the first ``round(s * H * W)`` count.
    """
    check_steps(steps)
    pixels = len(order)
    # The rank of each pixel says at which share it goes.
    rank = torch.empty(pixels, dtype=torch.int64)
    rank[torch.from_numpy(order)] = torch.arange(pixels)
    rank = rank.view(tensor.shape[-2:]).to(tensor.device)
    counts = np.rint(np.append(np.linspace(0, 1, steps + 1), TOP_SHARE) * pixels).astype(int)
    shown = [(int(count), inserted) for count in counts for inserted in (True, False)]
    measured = np.full((len(counts), 2), np.nan)

    def evaluate(batch: range) -> Tensor:
        pictures = []
        for count, inserted in shown[batch.start : batch.stop]:
            of_picture = (rank < count) == inserted
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
