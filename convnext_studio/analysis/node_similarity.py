"""The similarity of nodes of two networks: linear CKA in minibatches, with the unbiased estimate of HSIC.

S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of Neural Network Representations Revisited", ICML
2019, defines it; T. Nguyen, M. Raghu and S. Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR
2021, equations 3 and 4, estimates it from batches; L. Song and others, "Feature Selection via Dependence
Maximization", JMLR 2012, equation 5, is the unbiased estimate.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]


class GramBuilder:
    """Collects the features of one node, picture by picture, and returns their Gram matrix."""

    def __init__(self) -> None:
        self._features: list[Tensor] = []

    def add(self, output: Tensor) -> None:
        """Add the output of the node on a picture, of any shape."""
        self._features.append(output.detach().float().flatten())

    def gram(self) -> Matrix:
        """Return the inner products of the features of all pictures, (n, n), and forget the features."""
        features, self._features = torch.stack(self._features), []
        # The sum over hundreds of thousands of values needs more digits than float32 has, and not every
        # device has float64.
        features = features.cpu().double()
        return np.asarray((features @ features.T).numpy())


def hsic(first: Matrix, second: Matrix) -> float:
    """Return the unbiased estimate of HSIC from two Gram matrices (n, n) of the same n > 3 pictures."""
    count = len(first)
    if count < 4:
        raise ValueError(f"the unbiased estimate needs at least 4 pictures, not {count}")
    one, two = (matrix - np.diag(np.diag(matrix)) for matrix in (first, second))
    trace = float((one * two).sum())
    sums = float(one.sum() * two.sum()) / ((count - 1) * (count - 2))
    products = 2.0 * float(one.sum(axis=0) @ two.sum(axis=0)) / (count - 2)
    return (trace + sums - products) / (count * (count - 3))


class SimilaritySum:
    """The sums of HSIC over batches, from which CKA follows.

    Parameters
    ----------
    rows, columns
        The numbers of nodes of A and B.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._cross = np.zeros((rows, columns))
        self._own_a = np.zeros(rows)
        self._own_b = np.zeros(columns)

    def add(self, grams_a: Sequence[Matrix], grams_b: Sequence[Matrix]) -> None:
        """Add a batch, by the Gram matrices of the nodes of A and of B on the same pictures."""
        for row, gram in enumerate(grams_a):
            self._own_a[row] += hsic(gram, gram)
        for column, gram in enumerate(grams_b):
            self._own_b[column] += hsic(gram, gram)
        for row, column in np.ndindex(self._cross.shape):
            self._cross[row, column] += hsic(grams_a[row], grams_b[column])

    @property
    def cka(self) -> Matrix:
        """The CKA of all pairs so far; NaN where a node does not vary."""
        product = np.outer(self._own_a, self._own_b)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(product > 0, self._cross / np.sqrt(product), np.nan)


def grams_of(builders: Mapping[str, GramBuilder]) -> list[Matrix]:
    """Return the Gram matrices of all nodes, in their order."""
    return [builder.gram() for builder in builders.values()]
