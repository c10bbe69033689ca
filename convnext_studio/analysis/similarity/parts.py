"""Parts that pictures have in common: k-means and non-negative matrix factorisation of their positions.

They are written here and not taken from scikit-learn, because they run on the model's device, stop between two
iterations, and continue from an earlier result when more pictures arrive. Tests compare them with
scikit-learn's.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.analysis.similarity.eigenvectors import leading_eigenvectors
from convnext_studio.common.stopping import Stopped

Method = Literal["kmeans", "nmf"]
ShouldStop = Callable[[], bool]

_STARTS = 8
_START_VECTORS = 4096
"""The starts are compared on this many vectors; the best is then improved on all of them."""
_MOST_STEPS = 200
_LEAST_GAIN = 1e-5
_TINY = 1e-12


def _never() -> bool:
    return False


class PartModel(Struct, frozen=True, kw_only=True):
    """What was found for some vectors, and can be applied to others.

    Attributes
    ----------
    method
        ``kmeans``: each vector belongs to the nearest centre. ``nmf``: each vector, with its negative values
        set to 0, is a sum of parts with weights that are not negative, and belongs to the one with the largest
        weight.
    centres
        (k, C) float32: the centres, or the parts as vectors of length 1.
    mean, is_unit
        For k-means: the vector that is subtracted first, (C,), and whether the rest is then brought to
        length 1, so that only the direction counts.
    error
        For k-means, the sum of squared distances to the nearest centre; for the factorisation, the length
        (Frobenius norm) of what it does not explain. Over the vectors that were fitted.
    """

    method: Method
    centres: Tensor
    mean: Tensor | None = None
    is_unit: bool = False
    error: float = 0.0

    def prepared(self, vectors: Tensor) -> Tensor:
        """Return vectors (n, C) as they are compared with the centres."""
        if self.method == "nmf":
            return vectors.clamp(min=0)
        assert self.mean is not None
        return directed(vectors, self.mean, is_unit=self.is_unit)

    def assign(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the part of each vector and how strongly it belongs to it, (n,) each.

        The strength is the cosine with the centre for k-means, and the weight for the factorisation. Vectors
        that belong to no part, because all weights are 0, have part -1.
        """
        prepared = self.prepared(vectors)
        if self.method == "nmf":
            weights = _weights(prepared, self.centres)
            strength, labels = weights.max(dim=1)
            return labels.where(strength > 0, -1), strength
        labels = _distances(prepared, self.centres).argmin(dim=1)
        strength = torch.cosine_similarity(prepared, self.centres[labels], dim=1)
        return labels, strength

    def reordered(self, order: Tensor) -> "PartModel":
        """Return the same model with its parts in another order."""
        return PartModel(
            method=self.method,
            centres=self.centres[order.to(self.centres.device)],
            mean=self.mean,
            is_unit=self.is_unit,
            error=self.error,
        )


def directed(vectors: Tensor, mean: Tensor, *, is_unit: bool) -> Tensor:
    """Subtract a mean from vectors (n, C), and bring the rest to length 1 if wanted."""
    centred = vectors - mean
    return torch.nn.functional.normalize(centred, dim=1) if is_unit else centred


# ----------------------------------------------------------------------------------------------- k-means


def fit_kmeans(
    vectors: Tensor,
    count: int,
    *,
    is_unit: bool = False,
    seed: int = 0,
    before: PartModel | None = None,
    should_stop: ShouldStop = _never,
) -> PartModel:
    """Find `count` centres such that the squared distances of the vectors (n, C) to the nearest are small.

    Several starts by greedy k-means++ (Arthur and Vassilvitskii 2007) are improved by Lloyd's algorithm on a
    sample, and the best one on all vectors.

    Parameters
    ----------
    is_unit
        Whether only directions count: each vector, minus the mean, is brought to length 1.
    before
        A result for some of the vectors, with as many centres: one more start.

    Raises
    ------
    Stopped
        Once `should_stop()` is true.
    """
    mean = vectors.mean(dim=0)
    data = directed(vectors, mean, is_unit=is_unit)
    count = min(count, len(data))
    random = torch.Generator().manual_seed(seed)
    sample = data
    if len(data) > _START_VECTORS:
        sample = data[torch.randperm(len(data), generator=random)[:_START_VECTORS].to(data.device)]
    starts = [_spread_out(sample, count, random) for _ in range(_STARTS)]
    if before is not None and before.mean is not None and len(before.centres) == count:
        starts.append(before.centres if is_unit else before.centres + before.mean - mean)
    tried = [_lloyd(sample, start, should_stop) for start in starts]
    centres, error = min(tried, key=lambda each: each[1])
    if sample is not data:
        centres, error = _lloyd(data, centres, should_stop)
    return PartModel(method="kmeans", centres=centres, mean=mean, is_unit=is_unit, error=error)


def _distances(data: Tensor, centres: Tensor) -> Tensor:
    """Return the squared distances (n, k), without the squared length of the vectors themselves."""
    return torch.addmm(centres.square().sum(dim=1), data, centres.T, alpha=-2)


def _spread_out(data: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Choose vectors far from each other: of some candidates, the one that shortens the distances most."""
    tries = 2 + int(np.log(count))
    lengths = data.square().sum(dim=1)
    chosen = [int(torch.randint(len(data), (1,), generator=random))]
    nearest = (lengths + _distances(data, data[chosen])[:, 0]).clamp(min=0)
    while len(chosen) < count:
        chances = nearest.cpu().double()
        if float(chances.sum()) <= 0:  # There are fewer different vectors than centres.
            chances = torch.ones_like(chances)
        picked = torch.multinomial(chances, tries, replacement=True, generator=random).to(data.device)
        after = torch.minimum(
            nearest[:, None], (lengths[:, None] + _distances(data, data[picked])).clamp(min=0)
        )
        best = int(after.sum(dim=0).argmin())
        chosen.append(int(picked[best]))
        nearest = after[:, best]
    return data[chosen].clone()


def counted(labels: Tensor, count: int) -> Tensor:
    """Return how often each of `count` labels occurs, (count,)."""
    return labels.new_zeros(count).index_add_(0, labels, torch.ones_like(labels))


def _lloyd(data: Tensor, centres: Tensor, should_stop: ShouldStop) -> tuple[Tensor, float]:
    """Improve centres until no vector changes its centre; return them with the sum of squared distances."""
    lengths = data.square().sum(dim=1)
    labels = torch.full(lengths.shape, -1, dtype=torch.long, device=data.device)
    for _ in range(_MOST_STEPS):
        if should_stop():
            raise Stopped
        nearest, found = _distances(data, centres).min(dim=1)
        counts = counted(found, len(centres))
        # In one copy, because each one waits for the device.
        *sizes, moved = torch.cat((counts, (found != labels).sum()[None])).cpu().tolist()
        if not moved:
            break
        labels = found
        sums = torch.zeros_like(centres).index_add_(0, labels, data)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        empty = [index for index, size in enumerate(sizes) if size == 0]
        if empty:  # An empty centre moves to where the distances are largest.
            farthest = (lengths + nearest).topk(len(empty)).indices
            centres[torch.tensor(empty, device=data.device)] = data[farthest]
    error = (lengths + _distances(data, centres).amin(dim=1)).clamp(min=0)
    return centres, float(error.cpu().double().sum())  # Not every device has float64.


# ------------------------------------------------------------------- non-negative matrix factorisation


def fit_nmf(
    vectors: Tensor, count: int, *, before: PartModel | None = None, should_stop: ShouldStop = _never
) -> PartModel:
    """Explain the positive values of vectors (n, C) as sums of `count` parts that are not negative.

    The method is hierarchical alternating least squares (Cichocki and Phan 2009), which starts from the
    singular vectors (NNDSVDa; Boutsidis and Gallopoulos 2008) or from an earlier result.

    Raises
    ------
    Stopped
        Once `should_stop()` is true.
    """
    data = vectors.clamp(min=0)
    count = min(count, *data.shape)
    if before is not None and len(before.centres) == count:
        parts = before.centres
        weights = _weights(data, parts)
    else:
        weights, parts = _from_singular_vectors(data, count)
    whole = float(data.square().sum(dim=1).cpu().double().sum())
    last = np.inf
    for _ in range(_MOST_STEPS):
        if should_stop():
            raise Stopped
        weights = _update(weights, data @ parts.T, parts @ parts.T)
        products, square = weights.T @ data, weights.T @ weights
        parts = _update(parts.T, products.T, square).T
        error = _squared_error(whole, products, square, parts)
        if last - error < _LEAST_GAIN * error:
            break
        last = error
    lengths = torch.linalg.vector_norm(parts, dim=1)
    parts = parts / lengths.clamp(min=_TINY)[:, None]
    rest = _squared_error(whole, (weights * lengths).T @ data, _gram(weights * lengths), parts)
    return PartModel(method="nmf", centres=parts, error=float(np.sqrt(max(rest, 0.0))))


def _gram(weights: Tensor) -> Tensor:
    return weights.T @ weights


def _squared_error(whole: float, products: Tensor, square: Tensor, parts: Tensor) -> float:
    """Return the squared length of data minus weights times parts, from products that are at hand."""
    across = float((products.cpu().double() * parts.cpu().double()).sum())
    return whole - 2 * across + float((square.cpu().double() * _gram(parts.T).cpu().double()).sum())


def _update(factor: Tensor, products: Tensor, square: Tensor) -> Tensor:
    """Improve one column after another of a factor (n, k), the others being given."""
    factor = factor.clone()
    for column in range(factor.shape[1]):
        step = (products[:, column] - factor @ square[:, column]) / square[column, column].clamp(min=_TINY)
        factor[:, column] = (factor[:, column] + step).clamp(min=0)
    return factor


def _weights(data: Tensor, parts: Tensor) -> Tensor:
    """Return the weights (n, k) with which parts explain data best, by updates from a common start."""
    products, square = data @ parts.T, parts @ parts.T
    weights = (products / square.diagonal().clamp(min=_TINY)).clamp(min=0) / len(parts)
    for _ in range(_WEIGHT_STEPS):
        weights = _update(weights, products, square)
    return weights


_WEIGHT_STEPS = 30


def _from_singular_vectors(data: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return weights and parts to start from: the positive or negative half of each singular vector."""
    square = (data.T @ data).cpu().double().numpy()
    values, right = leading_eigenvectors(square, count)
    v = torch.from_numpy(right).to(data)
    sizes = torch.from_numpy(np.sqrt(np.maximum(values, _TINY))).to(data)
    u = (data @ v.T) / sizes
    weights, parts = torch.zeros_like(u), torch.zeros_like(v)
    for index in range(count):
        halves = []
        for sign in (1, -1):
            left, below = (sign * u[:, index]).clamp(min=0), (sign * v[index]).clamp(min=0)
            lengths = torch.linalg.vector_norm(left), torch.linalg.vector_norm(below)
            halves.append((float(lengths[0] * lengths[1]), left / lengths[0].clamp(min=_TINY), below))
        size, left, below = max(halves, key=lambda half: half[0])
        root = torch.sqrt(sizes[index] * size)
        weights[:, index] = root * left
        parts[index] = root * below / torch.linalg.vector_norm(below).clamp(min=_TINY)
    # A value of exactly 0 would stay 0 in some updates.
    mean = data.mean()
    return weights.where(weights > 0, mean), parts.where(parts > 0, mean)
