"""Maps of several nodes at once, as the lecture draws the whole network."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.geometry import CropGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanMaps(Request):
    """The mean over the channels of nodes' outputs on a picture; answered by `MeanMapsResult`.

    Attributes
    ----------
    nodes
        Any nodes of the table: they are computed together.
    """

    priority: ClassVar[int] = 3
    image: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanMapsResult(Answer):
    """Mean maps of nodes.

    Attributes
    ----------
    maps
        By node, (h, w) float32.
    geometry
        Where the network's input lies in the picture.
    """

    image: str
    maps: dict[str, NDArray[np.float32]]
    geometry: CropGeometry
