"""Requests and answers for feature maps, and for statistics before and after nodes."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.protocol.envelope import Answer, Request


class FeatureMaps(Request, frozen=True, kw_only=True):
    """Compute all channels of a node on a picture; answered by `FeatureMapsResult`.

    Any node of the node table is allowed, including operations and ``head.norm``. A node that was computed
    before is not computed again, whichever panel asked for it.

    Attributes
    ----------
    budget_bytes
        The most memory that the maps may take. If the node needs more, the answer is an overview (`reduction`
        above 1), and `ChannelMap` gives single channels exactly. 0 means no limit and exact values.
    """

    doing: ClassVar[str] = "Computing feature maps"
    timed_as: ClassVar[str] = "feature maps"
    priority: ClassVar[int] = 3
    image: str
    node: str
    budget_bytes: int = 0


class FeatureMapsResult(Answer, frozen=True, kw_only=True):
    """All channels of a node.

    Attributes
    ----------
    maps
        (channels, height, width) float32, regardless of the tensor's layout: exactly as the network computed
        them if `is_exact`, box averages otherwise.
    field
        The units' receptive-field geometry, which places the map on the input. It is always that of the node's
        own units: value (y, x) of an overview covers the units from (reduction * y, reduction * x) on. The
        node's own height and width are in the node table.
    reduction
        The side of the averaged boxes, in units: each value is the mean of one box (smaller at the right and
        bottom border); 1 if nothing was averaged. A box that contains a non-finite value is not finite.
    """

    image: str
    node: str
    maps: NDArray[np.float32]
    field: FieldGeometry
    geometry: CropGeometry
    reduction: int = 1

    @property
    def is_exact(self) -> bool:
        """Whether `maps` are the network's own values."""
        return self.reduction == 1


class NodeValues(Request, frozen=True, kw_only=True):
    """Compute statistics of the inputs and outputs of nodes on a picture; answered by `NodeValuesResult`.

    Attributes
    ----------
    nodes
        Any nodes of the node table, such as a block and its operations; they are computed together.
    """

    doing: ClassVar[str] = "Reading the nodes' values"
    priority: ClassVar[int] = 4
    image: str
    nodes: tuple[str, ...]


class ValueStatistics(Struct, frozen=True):
    """Statistics over all values of a tensor; non-finite values are only counted, in `non_finite`.

    `std` is the population standard deviation (divided by the number of values). All statistics are NaN if no
    value is finite.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    non_finite: int


class NodeValuesResult(Answer, frozen=True, kw_only=True):
    """Statistics of the inputs and outputs of nodes.

    Attributes
    ----------
    before
        By node name, the statistics of its input, which is the output of the node `NodeInfo.before` (for a
        block the block's input, not its branch's), or the normalised picture if that is empty.
    after
        By node name, the statistics of its output.
    """

    image: str
    before: dict[str, ValueStatistics]
    after: dict[str, ValueStatistics]
