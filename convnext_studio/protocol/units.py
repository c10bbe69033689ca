"""The request for a unit's theoretical and effective field on a picture, and its answer."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry
from convnext_studio.protocol.envelope import Answer, Request


class UnitField(Request, frozen=True, kw_only=True):
    """Compute where in a picture one unit looks; answered by `UnitFieldResult`.

    This is quick: the network runs forward only as far as the node, and back once. A moving cursor asks again
    with the same panel, which replaces the pending request. ``head.norm`` is not allowed; it has no positions.

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
        The unit's activation.
    effective
        (H, W) float32, not negative: the magnitude of the derivative of the unit with respect to the network's
        input, summed over the colour channels, over the input's pixels; `geometry` maps them to the picture.
        Always from a float32 pass.
    centre_px
        x and y of the true centre of the theoretical field.
    box
        The theoretical field by the convolutions' arithmetic; it may extend beyond the input.
    clipped_box
        The part of it within the input; the whole input if `is_global`.
    is_clipped
        Whether the box extends beyond the input.
    is_global
        Whether the network pools over a whole map at or before the node (GRN): the unit can then see
        everything, and `box` is only what it would see through convolutions.
    non_finite
        The number of pixels whose gradient is NaN or infinite.
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
