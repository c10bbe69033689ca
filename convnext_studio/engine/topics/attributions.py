"""Attribution: what speaks for a class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.geometry import CropGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Request):
    """Grad-CAM of a class at all stages; answered by `Attribution`."""

    priority: ClassVar[int] = 3
    image: str
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution(Answer):
    """Grad-CAM of one class at the stages.

    Attributes
    ----------
    target
        The class explained.
    cams
        By stage name, (h, w) float32: the signed weighted sum of the channels, before ReLU, in logit units.
    method
        For the figure's caption.
    """

    image: str
    target: int
    cams: dict[str, NDArray[np.float32]]
    geometry: CropGeometry
    method: str = "Grad-CAM"
