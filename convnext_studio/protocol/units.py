"""One unit: what it could see, and what it looks at."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry
from convnext_studio.protocol.envelope import Answer, Request


class UnitField(Request, frozen=True, kw_only=True):
    """Where in a picture one unit looks; answered by `UnitFieldResult`.

    Quick: the network runs only as far as the node, and back once. A moving cursor asks again with the same
    panel, which replaces what is under way. Not for ``head.norm``, which has no positions.

    Attributes
    ----------
    y, x
        Row and column of the unit in the node's own map.
    """

    doing: ClassVar[str] = "Computing a unit's field"
    timed_as: ClassVar[str] = "unit's field"
    priority: ClassVar[int] = 2
    image: str
    node: str
    channel: int
    y: int
    x: int


class UnitFieldResult(Answer, frozen=True, kw_only=True):
    """A unit's theoretical field, and its effective field on a picture. Boxes are in the input's coordinates.

    Attributes
    ----------
    value
        Of the unit.
    effective
        (H, W) float32, not negative: the magnitude of the derivative of the unit by the network's input, summed
        over the colours, on the input's pixels; `geometry` leads from there to the picture. Always of a
        float32 pass.
    centre_px
        x and y of the true centre of the theoretical field.
    box
        The theoretical field by the convolutions' arithmetic; may reach beyond the input.
    clipped_box
        What of it lies in the input; all of the input where `is_global`.
    is_clipped
        The box reaches beyond the input.
    is_global
        The node pools over its whole map somewhere before (GRN): the unit can see everything, and `box` is only
        what it would see by convolutions.
    non_finite
        Pixels whose gradient is NaN or infinite.
    """

    image: str
    node: str
    channel: int
    y: int
    x: int
    value: float
    effective: NDArray[np.float32]
    centre_px: tuple[float, float]
    box: Box
    clipped_box: Box
    is_clipped: bool
    is_global: bool
    non_finite: int
    geometry: CropGeometry
