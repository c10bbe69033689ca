"""The stem with another stride, as the lecture compares the tutorial's with the paper's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class StemMaps(Request):
    """A channel behind the stem, the open model's weights moved by other strides; answered by `StemMapsResult`.

    Attributes
    ----------
    channel
        None for the mean over all channels.
    moves
        Stride and padding of each map that is wanted.
    """

    priority: ClassVar[int] = 3
    image: str
    channel: int | None = None
    moves: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StemMapsResult(Answer):
    """Maps behind the stem.

    Attributes
    ----------
    maps
        (h, w) float32 for each stride and padding, behind the stem's norm where it has one.
    """

    image: str
    channel: int | None
    maps: dict[tuple[int, int], NDArray[np.float32]]
