"""The lengths of the vectors of a map's positions, and those that lie far from all others."""

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

FAR = 5.0
"""Outliers lie more than this many median deviations from the median."""
_ROUNDING = 1e-5
"""Relative differences below this are rounding of float32, not outliers."""


class NormOutlier(Struct, frozen=True, kw_only=True):
    """A position whose vector is far longer or shorter than those of most others.

    Attributes
    ----------
    y, x, norm
        Row, column and length.
    channels, values, shares
        The channels that make it one, the most important first: their indices, their values there, and the
        share of each in the difference between the squared length and the usual one. The usual square of a
        channel is its median over all positions. Over all channels, the shares add up to 1.
    """

    y: int
    x: int
    norm: float
    channels: tuple[int, ...]
    values: tuple[float, ...]
    shares: tuple[float, ...]


class Norms(Struct, frozen=True, kw_only=True):
    """The lengths of all vectors of a map.

    Attributes
    ----------
    norms
        (h, w) float32; NaN where a channel is not finite.
    median, deviation
        The median length, and the median of the absolute differences from it; NaN if no length is finite.
    outliers
        All positions farther than `FAR` deviations from the median, the farthest first.
    """

    norms: NDArray[np.float32]
    median: float
    deviation: float
    outliers: tuple[NormOutlier, ...]


def norms_of(maps: Tensor, most_channels: int = 3) -> Norms:
    """Measure the vectors of maps (C, h, w), and name this many channels for each outlier."""
    vectors = maps.detach().reshape(len(maps), -1).float()
    lengths = torch.linalg.vector_norm(vectors, dim=0).cpu().numpy()
    lengths[~np.isfinite(lengths)] = np.nan
    norms = lengths.reshape(maps.shape[1:])
    finite = lengths[np.isfinite(lengths)].astype(np.float64)
    if not finite.size:
        return Norms(norms=norms, median=float("nan"), deviation=float("nan"), outliers=())
    median = float(np.median(finite))
    deviation = float(np.median(np.abs(finite - median)))
    apart = np.abs(lengths - median)
    is_far = (apart > FAR * deviation) & (apart > _ROUNDING * median)
    far = np.flatnonzero(is_far)
    far = far[np.argsort(-apart[far], kind="stable")]
    outliers = _outliers(vectors, far, lengths, maps.shape[2], most_channels) if far.size else ()
    return Norms(norms=norms, median=median, deviation=deviation, outliers=outliers)


def _outliers(
    vectors: Tensor, far: NDArray[np.intp], lengths: NDArray[np.float32], width: int, most_channels: int
) -> tuple[NormOutlier, ...]:
    squares = vectors.square()
    finite = squares[:, squares.isfinite().all(dim=0)]
    usual = finite.cpu().double().numpy()
    medians = np.median(usual, axis=1)
    found = []
    for index in far.tolist():
        values = vectors[:, index].cpu().double().numpy()
        excess = values**2 - medians
        total = excess.sum()
        shares = excess / total if total else np.zeros_like(excess)
        largest = np.argsort(-shares, kind="stable")[:most_channels]
        y, x = divmod(index, width)
        found.append(
            NormOutlier(
                y=y,
                x=x,
                norm=float(lengths[index]),
                channels=tuple(largest.tolist()),
                values=tuple(values[largest].tolist()),
                shares=tuple(shares[largest].tolist()),
            )
        )
    return tuple(found)
