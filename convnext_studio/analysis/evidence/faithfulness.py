"""Measure the faithfulness of an attribution map by insertion and deletion.

Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
arXiv:1806.07421. Pixels are removed in the order of the map, highest first (deletion), or put back onto an
empty picture in the same order (insertion), while the probability of the target is recorded. The areas under
the curves are computed by the trapezoidal rule over fractions from 0 to 1.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from msgspec import Struct
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
PixelOrder = NDArray[np.int64]
Probability = Callable[[Tensor], Tensor]
"""A function from pictures (N, C, H, W) to the probability of the target, (N,)."""
_ENDS = 4
"""Both curves begin and end with a picture that is the same for every order."""


class InsertionDeletion(Struct, frozen=True, kw_only=True):
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


def pixel_order(values: Map, field: FieldGeometry, height: int, width: int) -> PixelOrder:
    """Order the input's pixels (H * W,) by the interpolated map, highest first and ties in reading order.

    Values that are not finite come last.
    """
    fine = interpolate_map(values, field, (height, width), PIXELS).ravel()
    return np.argsort(-np.where(np.isfinite(fine), fine, -np.inf), kind="stable")


def random_order(
    shape: tuple[int, ...], field: FieldGeometry, height: int, width: int, seed: int
) -> PixelOrder:
    """Return the pixel order of a random map of that shape, a baseline that a map has to beat."""
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return pixel_order(noise, field, height, width)


def centre_out_order(height: int, width: int) -> PixelOrder:
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


def on_picture(order: PixelOrder, geometry: CropGeometry) -> PixelOrder:
    """Return the pixels of an order that show the picture, without those of the padding."""
    return order[~is_padding(geometry).ravel()[order]]


def check_steps(steps: int) -> None:
    """Raise a StudioError if a curve cannot have that many steps."""
    if not 2 <= steps <= 1024:
        raise StudioError(f"A curve cannot have {steps} steps.", "Give 2 to 1024.")


def is_padding(geometry: CropGeometry) -> NDArray[np.bool_]:
    """Return which pixels of the input (H, W) show nothing of the picture."""
    width, height = geometry.input_size
    left, top, right, bottom = geometry.padding
    padding = np.ones((height, width), np.bool_)
    padding[top : height - bottom, left : width - right] = False
    return padding


def end_pictures(tensor: Tensor, fill: Tensor, geometry: CropGeometry | None = None) -> Tensor:
    """Return the picture with all its pixels removed, and the whole picture: the ends of every curve."""
    if geometry is None or not geometry.is_padded:
        return torch.cat((fill, tensor))
    padding = torch.from_numpy(is_padding(geometry)).to(tensor.device)
    return torch.cat((torch.where(padding, tensor, fill), tensor))


def masked_outputs(
    outputs: Callable[[Tensor], Tensor],
    tensor: Tensor,
    fill: Tensor,
    order: PixelOrder,
    steps: int,
    known: Tensor | None = None,
) -> Iterator[Tensor]:
    """Give a network the pictures of insertion and deletion between their ends, batch by batch.

    Parameters
    ----------
    outputs
        Returns the outputs of the network for pictures, (N, ...).
    tensor, fill
        The picture and the picture of fill pixels, (1, C, H, W).
    order
        The pixels, most important first: all H * W, or only those that show the picture. The others stay.
    steps
        Number of parts into which they are divided; at fraction s, the first ``round(s * pixels)`` count.
    known
        The outputs that are known from before, for the first of the pictures.

    Yields
    ------
    The outputs so far, those that are known first: for each fraction that of insertion and that of deletion,
    and at the end those for the top `TOP_SHARE`.
    """
    pixels = len(order)
    # The rank of each pixel says at which fraction it is removed.
    rank = torch.full((tensor.shape[-2] * tensor.shape[-1],), -1, dtype=torch.int64)
    rank[torch.from_numpy(order)] = torch.arange(pixels)
    rank = rank.view(tensor.shape[-2:]).to(tensor.device)
    stays = rank < 0
    shares = np.append(np.linspace(0, 1, steps + 1)[1:-1], TOP_SHARE)
    counts = np.rint(shares * pixels).astype(int)
    shown = [(int(count), inserted) for count in counts for inserted in (True, False)]
    done = [] if known is None else [known]
    first = 0 if known is None else len(known)
    if known is not None:
        yield known

    def evaluate(batch: range) -> Tensor:
        pictures = []
        for count, inserted in shown[first + batch.start : first + batch.stop]:
            of_picture = ((rank < count) == inserted) | stays
            pictures.append(torch.where(of_picture, tensor, fill))
        return outputs(torch.cat(pictures))

    for _, values in in_batches(len(shown) - first, batch_size(tensor.device), evaluate):
        done.append(values)
        yield torch.cat(done)


def curves_of(ends: Tensor, inner: Tensor, steps: int) -> InsertionDeletion:
    """Return the curves from the probabilities of `end_pictures` and those of `masked_outputs` so far."""
    nothing, whole = ends.tolist()
    measured = np.full((steps + 2, 2), np.nan)
    measured[0], measured[steps] = (nothing, whole), (whole, nothing)
    between = np.full((steps, 2), np.nan)
    between.ravel()[: len(inner)] = inner.double().numpy()
    measured[1:steps], measured[steps + 1] = between[:-1], between[-1]
    return InsertionDeletion(
        insertion=measured[:-1, 0].copy(),
        deletion=measured[:-1, 1].copy(),
        kept=float(measured[-1, 0]),
        removed=float(measured[-1, 1]),
        done=len(inner) + _ENDS,
        total=2 * (steps + 2),
    )


def insertion_deletion(
    probability: Probability, tensor: Tensor, fill: Tensor, order: PixelOrder, steps: int
) -> Iterator[InsertionDeletion]:
    """Measure insertion and deletion step by step; the last result is complete.

    Parameters
    ----------
    tensor, fill, order, steps
        As in `masked_outputs`.
    """
    check_steps(steps)
    ends = probability(end_pictures(tensor, fill)).cpu()
    yield curves_of(ends, ends[:0], steps)
    for inner in masked_outputs(lambda pictures: probability(pictures).cpu(), tensor, fill, order, steps):
        yield curves_of(ends, inner, steps)
