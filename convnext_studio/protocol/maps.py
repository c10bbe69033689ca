"""Feature maps, and the numbers before and after each operation."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.protocol.envelope import Answer, Request


class FeatureMaps(Request, frozen=True, kw_only=True):
    """All channels of a node on a picture; answered by `FeatureMapsResult`.

    Any node of the table may be asked for, operations and ``head.norm`` too. A node that was computed before is
    not computed again, whoever asked.

    Attributes
    ----------
    budget_bytes
        Most that the maps may take. Where the node has more, the answer is an overview (`reduction` above 1),
        and single channels are asked for exactly by `ChannelMap`. 0 for no bound: the values as they are.
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
        (channels, height, width) float32, whatever the layout of the tensor was: exactly as the network
        computed them where `is_exact`, box averages otherwise.
    field
        The units' receptive-field geometry, which places the map on the input. It is always that of the node's
        own units: value (y, x) of an overview stands for the units from (reduction * y, reduction * x) on. The
        node's own height and width are in the node table.
    reduction
        Each value is the mean of that many by that many units (fewer at the right and lower border); 1 where
        nothing was averaged. A box with a non-finite value in it is not finite.
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
    """The numbers before and after nodes on a picture; answered by `NodeValuesResult`.

    Attributes
    ----------
    nodes
        Any nodes of the table, such as a block and its operations: they are computed together.
    """

    doing: ClassVar[str] = "Reading the nodes' values"
    priority: ClassVar[int] = 4
    image: str
    nodes: tuple[str, ...]


class ValueStatistics(Struct, frozen=True):
    """Statistics over all values of a tensor; `non_finite` of them are counted and otherwise left out.

    `std` is that of the population (divided by the number of values). NaN everywhere where no value is finite.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    non_finite: int


class NodeValuesResult(Answer, frozen=True, kw_only=True):
    """What went into nodes and what came out.

    Attributes
    ----------
    before
        By node: of its input, which is the output of the node `NodeInfo.before` (a block's is the block's
        input, not its branch); of the normalised picture where that is empty.
    after
        By node: of its output.
    """

    image: str
    before: dict[str, ValueStatistics]
    after: dict[str, ValueStatistics]
