"""Requests and answers about two networks at once: the similarity of their nodes, and of their weights."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.comparison.tensors import TensorDistance
from convnext_studio.protocol.envelope import Answer, Request

LEAST_PICTURES = 4
"""The unbiased estimate divides by n (n - 3), where n is the number of pictures in a batch."""
USUAL_BATCH = 16


class CompareNodes(Request, frozen=True, kw_only=True):
    """Compute the CKA of nodes of A with nodes of B on pictures; answered by `NodeSimilarity`.

    Linear centred kernel alignment, in minibatches with the unbiased estimate of HSIC (Nguyen, Raghu and
    Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021, equations 3 and 4). The features
    of a picture are all values of a node.

    Attributes
    ----------
    images
        The keys of the pictures, at least `LEAST_PICTURES`.
    nodes_a, nodes_b
        The nodes; by default the stem, all downsampling layers and all blocks (or the stages, of networks
        without nodes inside them).
    batch
        The number of pictures in a batch. The rest is left out if it is smaller than `LEAST_PICTURES`.
    """

    doing: ClassVar[str] = "Comparing the nodes of A and B"
    timed_as: ClassVar[str] = "CKA"
    priority: ClassVar[int] = 5
    images: tuple[str, ...]
    nodes_a: tuple[str, ...] = ()
    nodes_b: tuple[str, ...] = ()
    batch: int = USUAL_BATCH


class NodeSimilarity(Answer, frozen=True, kw_only=True):
    """The CKA of nodes of A and B.

    Attributes
    ----------
    nodes_a, nodes_b
        The nodes of the rows and of the columns.
    matrix
        (rows, columns) float64: 1 for the same up to a rotation and a scale, about 0 for unrelated nodes; NaN
        where a node is constant. As an unbiased estimate it may be slightly below 0 or above 1.
    pictures, batches
        The number of pictures and batches that it was estimated from.
    unreadable
        One sentence for each picture that could not be read.
    """

    nodes_a: tuple[str, ...]
    nodes_b: tuple[str, ...]
    matrix: NDArray[np.float64]
    pictures: int
    batches: int
    unreadable: tuple[str, ...] = ()


class CompareWeights(Request, frozen=True, kw_only=True):
    """Compute how far the weights of A and B are apart, for each tensor; answered by `WeightDistances`."""

    doing: ClassVar[str] = "Comparing the weights of A and B"
    priority: ClassVar[int] = 4


class WeightDistances(Answer, frozen=True, kw_only=True):
    """The distances of the tensors that have the same name and shape in A and B.

    Attributes
    ----------
    tensors
        In the order of A's network.
    only_a, only_b
        The names of the tensors that the other network does not have.
    other_shapes
        The names of the tensors that have different shapes.
    """

    tensors: tuple[TensorDistance, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    other_shapes: tuple[str, ...] = ()

    @property
    def is_same_architecture(self) -> bool:
        """Whether the two networks have the same tensors with the same shapes."""
        return not (self.only_a or self.only_b or self.other_shapes)

    @property
    def text(self) -> str:
        """Say how many tensors are compared, and what is left out."""
        said = [f"{len(self.tensors):,} tensors of the same name and shape"]
        said += [
            f"{len(names):,} {what}"
            for names, what in (
                (self.other_shapes, "of another shape"),
                (self.only_a, "only in A"),
                (self.only_b, "only in B"),
            )
            if names
        ]
        return ", ".join(said)
