"""Feature maps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.geometry import CropGeometry, FieldGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMaps(Request):
    """All channels of a node on a picture; answered by `FeatureMapsResult`."""

    priority: ClassVar[int] = 3
    image: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMapsResult(Answer):
    """All channels of a node.

    Attributes
    ----------
    maps
        (channels, height, width) float32, exactly as the network computed them.
    field
        The units' receptive-field geometry, which places the map on the input.
    """

    image: str
    node: str
    maps: NDArray[np.float32]
    field: FieldGeometry
    geometry: CropGeometry
