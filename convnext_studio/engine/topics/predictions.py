"""Predictions: what one forward and one backward pass give."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.attributions import Attribution
from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.geometry import CropGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict(Request):
    """One forward and one backward pass; answered by `Prediction`.

    Attributes
    ----------
    image
        Key of an opened picture.
    target
        Class that the attribution explains; the first prediction where None.
    """

    priority: ClassVar[int] = 2
    image: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(Answer):
    """What one forward and one backward pass give.

    Attributes
    ----------
    logits
        (classes,) float32.
    probabilities
        (classes,) float64, which tells a sure answer from a certain one.
    stage_means
        By stage name, (h, w) float32: the mean over channels of the stage's output.
    attribution
        For the target asked for, or the first prediction.
    geometry
        Where the network's input lies in the picture.
    """

    image: str
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    stage_means: dict[str, NDArray[np.float32]]
    attribution: Attribution
    geometry: CropGeometry

    def top(self, count: int = 5) -> list[int]:
        """The classes with the highest probabilities, highest first."""
        return [int(index) for index in np.argsort(-self.logits, kind="stable")[:count]]
