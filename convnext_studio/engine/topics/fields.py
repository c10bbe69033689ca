"""Receptive fields."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.geometry import FieldGeometry

Protocol = Literal["replknet", "centred"]
Scale = Literal["linear", "log"]

THRESHOLDS = (0.2, 0.3, 0.5, 0.99)
"""Shares of the effective receptive field whose squares are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptiveField(Request):
    """Average a node's effective receptive field; answered by `ReceptiveFieldResult`, with partial ones before.

    Attributes
    ----------
    node
        Any node but ``head.norm``, which has no positions.
    images
        Keys of the opened pictures to average over; where there are fewer than `count`, noise fills up, and
        the result says how many of each.
    count
        Pictures to average.
    protocol
        ``replknet`` as published (Ding et al. 2022), or ``centred`` around the unit's true centre.
    input_px
        Side to which the pictures are squashed; 0 for the model's own.
    seed
        Of the noise.
    """

    priority: ClassVar[int] = 6
    node: str
    images: tuple[str, ...] = ()
    count: int = 8
    protocol: Protocol = "centred"
    input_px: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """The smallest centred square that holds more than a share of the field.

    Attributes
    ----------
    threshold
        The share.
    side_px
        Side of the square in input pixels.
    area_ratio
        Its area over the input's.
    """

    threshold: float
    side_px: int
    area_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptiveFieldResult(Answer):
    """An effective receptive field, whole or so far.

    Attributes
    ----------
    field_map
        (H, W) float64 on the input's pixels, not normalised.
    squares
        By scale, for the thresholds that a square within the input reaches.
    centre_px
        x and y, around which the squares grow.
    theoretical
        Theoretical field of the node; the box around `unit` may reach beyond the input.
    unit
        Row and column of the unit measured.
    pictures, noises
        How many of each have been averaged.
    skipped
        Pictures left out because their gradient was not finite.
    count
        How many were asked for.
    """

    node: str
    protocol: Protocol
    field_map: NDArray[np.float64]
    squares: dict[Scale, tuple[Square, ...]]
    centre_px: tuple[float, float]
    theoretical: FieldGeometry
    unit: tuple[int, int]
    pictures: int
    noises: int
    skipped: int
    count: int
    random_weights: bool
