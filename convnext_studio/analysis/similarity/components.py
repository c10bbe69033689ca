"""Principal components of the vectors of positions, over any number of maps, one after another."""

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.similarity.eigenvectors import leading_eigenvectors

_MOST_CHANNELS = 8192
"""With more channels, the scatter matrix would take over half a gigabyte, and the vectors are kept instead."""
_AT_ONCE = 1024
_LEAST_SHARE = 1e-12
"""Components with a smaller share of the variance are rounding."""


class PrincipalComponents(Struct, frozen=True, kw_only=True):
    """Principal components of vectors of C channels.

    Attributes
    ----------
    mean
        (C,) float64, the mean vector.
    vectors
        (count, C) float64: directions of length 1, the one with the largest variance first. The sign of each is
        such that its largest loading is positive. Directions that have no variance are all zeros.
    variances
        (count,) float64: the variance along each, divided by the number of positions minus 1.
    total
        The variance over all directions.
    positions
        The number of vectors.
    """

    mean: NDArray[np.float64]
    vectors: NDArray[np.float64]
    variances: NDArray[np.float64]
    total: float
    positions: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of the variance that each component explains, (count,); 0 if there is no variance."""
        return self.variances / self.total if self.total > 0 else np.zeros_like(self.variances)


class Spread:
    """The mean of vectors and how they spread about it, collected map by map.

    While there are fewer vectors than channels, the vectors themselves are kept, because their products with
    each other are then the smaller matrix. Scatter matrices of several maps are merged by the formula of
    Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """

    def __init__(self) -> None:
        self._few: list[Tensor] = []
        self._count = 0
        self._mean: NDArray[np.float64] | None = None
        self._scatter: NDArray[np.float64] | None = None

    @property
    def positions(self) -> int:
        """The number of vectors so far."""
        return self._count + sum(len(vectors) for vectors in self._few)

    def add(self, vectors: Tensor) -> None:
        """Add the vectors (n, C) of one map."""
        if not len(vectors):
            return
        self._few.append(vectors)
        channels = vectors.shape[1]
        if channels <= _MOST_CHANNELS and (self._scatter is not None or self.positions > channels):
            waiting, self._few = self._few, []
            for each in waiting:
                self._merge(each)

    def _merge(self, vectors: Tensor) -> None:
        mean = vectors.mean(dim=0)
        scatter = _products(vectors, mean)
        mean_64 = mean.cpu().double().numpy()
        if self._mean is None or self._scatter is None:
            self._mean, self._scatter, self._count = mean_64, scatter, len(vectors)
            return
        apart, both = mean_64 - self._mean, self._count + len(vectors)
        self._scatter += scatter + np.outer(apart, apart) * (self._count * len(vectors) / both)
        self._mean = self._mean + apart * (len(vectors) / both)
        self._count = both

    def components(self, count: int) -> PrincipalComponents:
        """Return the leading components of the vectors so far, of which there has to be one at least."""
        if self._mean is None or self._scatter is None:
            return self._of_few(count)
        values, vectors = leading_eigenvectors(self._scatter, min(count, len(self._mean)))
        total = float(np.trace(self._scatter))
        return _components(self._mean, values, vectors, total, self._count, count)

    def _of_few(self, count: int) -> PrincipalComponents:
        """Return the components by way of the products of the vectors with each other."""
        all_vectors = torch.cat(self._few).cpu().double().numpy()
        mean = all_vectors.mean(axis=0)
        centred = all_vectors - mean
        products = centred @ centred.T
        values, weights = leading_eigenvectors(products, min(count, len(products), len(mean)))
        lengths = np.sqrt(values)
        vectors = (weights @ centred) / np.where(lengths > 0, lengths, 1)[:, None]
        return _components(mean, values, vectors, float(np.trace(products)), len(centred), count)


def _products(vectors: Tensor, mean: Tensor) -> NDArray[np.float64]:
    """Return the products of all channels of vectors (n, C) minus their mean, (C, C)."""
    if vectors.device.type != "cpu":
        centred = vectors - mean
        return np.asarray((centred.T @ centred).cpu().double().numpy())
    # Imported here, because it takes a quarter of a second, and the engine is to start at once.
    from scipy.linalg.blas import ssyrk

    columns, means = vectors.T.numpy(), mean.numpy()[:, None]
    half = np.zeros((len(columns), len(columns)), np.float32, order="F")
    # One half of a symmetric matrix takes half the time. Parts that fit into the processor's cache need no
    # memory that would have to be cleared first, which takes as long as the products.
    for first in range(0, columns.shape[1], _AT_ONCE):
        centred_part = columns[:, first : first + _AT_ONCE] - means
        half = ssyrk(1.0, centred_part.T, beta=1.0, c=half, trans=1, overwrite_c=1)
    upper = np.triu(half).astype(np.float64)
    return np.asarray(upper + np.triu(upper, 1).T)


def _components(
    mean: NDArray[np.float64],
    values: NDArray[np.float64],
    vectors: NDArray[np.float64],
    total: float,
    positions: int,
    count: int,
) -> PrincipalComponents:
    """Fix the signs, and fill up with empty components what there is too little variance for."""
    whole_values, whole = np.zeros(count), np.zeros((count, len(mean)))
    for index, (value, vector) in enumerate(zip(values, vectors, strict=True)):
        if value > _LEAST_SHARE * total:
            largest = vector[np.abs(vector).argmax()]
            whole_values[index], whole[index] = value, vector if largest > 0 else -vector
    divisor = max(positions - 1, 1)
    return PrincipalComponents(
        mean=mean,
        vectors=whole,
        variances=whole_values / divisor,
        total=total / divisor,
        positions=positions,
    )


def scores_of(maps: Tensor, mean: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coordinates of all positions of maps (C, h, w) along some directions (k, C), (k, h, w)."""
    channels, height, width = maps.shape
    # Subtracted first, because a few channels of a ConvNeXt have means that are far larger than their spread.
    centred = maps.reshape(channels, -1).float() - torch.tensor(mean).to(maps.device)[:, None]
    scores = torch.tensor(vectors).to(maps.device) @ centred
    found: NDArray[np.float32] = scores.reshape(-1, height, width).cpu().numpy()
    found[~np.isfinite(found)] = np.nan
    return found
