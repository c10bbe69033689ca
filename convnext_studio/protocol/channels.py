"""Requests and answers about single channels and about all channels of a node."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.protocol.envelope import Answer, Request


class ChannelMap(Request, frozen=True, kw_only=True):
    """Compute one channel of a node on a picture, exactly; answered by `ChannelMapResult`."""

    doing: ClassVar[str] = "Computing a channel"
    priority: ClassVar[int] = 2
    image: str
    node: str
    channel: int


class ChannelMapResult(Answer, frozen=True, kw_only=True):
    """One channel of a node.

    Attributes
    ----------
    map
        (height, width) float32, exactly as the network computed it.
    field
        The units' receptive-field geometry, which places the map on the input.
    """

    image: str
    node: str
    channel: int
    map: NDArray[np.float32]
    field: FieldGeometry
    geometry: CropGeometry


class ChannelStatistics(Request, frozen=True, kw_only=True):
    """Compute the numbers that channels are sorted by; answered by `ChannelStatisticsResult`.

    Attributes
    ----------
    target
        The class to whose logit the contributions refer; None leaves them out, which saves a pass.
    """

    doing: ClassVar[str] = "Computing the statistics of the channels"
    priority: ClassVar[int] = 4
    image: str
    node: str
    target: int | None = None


class ChannelStatisticsResult(Answer, frozen=True, kw_only=True):
    """Statistics of all channels of a node on a picture, each (channels,), of the exact values.

    Non-finite values are counted and left out of the other statistics, which are NaN if nothing remains.

    Attributes
    ----------
    mean, minimum, maximum, variance
        float64, over the positions; the variance is the population variance.
    sparsity
        float64, Hoyer's measure (JMLR 2004) over the positions: 0 if all have the same magnitude, 1 if only one
        is not zero. NaN if there is only one position, or all values are zero.
    non_finite
        int64, the number of values that are NaN or infinite.
    is_dead
        bool, whether the channel is constant over the map (with one position, no channel counts as dead).
    contributions
        float32: the gradient of the target's logit with respect to the node, times the node's value, summed
        over the positions; a positive value supports the class. None if no target was given. At ``head.norm``
        they sum to the logit minus the head's bias if the head is linear.
    target
        The requested class.
    """

    image: str
    node: str
    mean: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    variance: NDArray[np.float64]
    sparsity: NDArray[np.float64]
    non_finite: NDArray[np.int64]
    is_dead: NDArray[np.bool_]
    contributions: NDArray[np.float32] | None = None
    target: int | None = None


class Kernel(Request, frozen=True, kw_only=True):
    """Read the depthwise kernel of a node's channel; answered by `KernelResult`. It needs no picture.

    The kernel of a stage is that of its last block; among operations, only ``dwconv`` has one.
    """

    doing: ClassVar[str] = "Reading a kernel"
    priority: ClassVar[int] = 2
    node: str
    channel: int


class KernelResult(Answer, frozen=True, kw_only=True):
    """A depthwise kernel, or the reason why there is none.

    Attributes
    ----------
    kernel
        (k, k) float32, signed, as the convolution applies it (a cross-correlation: not flipped); None if the
        node's channels have no kernels of their own.
    bias
        The bias of that channel; 0 if there is no kernel.
    source
        The node that the kernel belongs to, such as ``stage3.block9.dwconv``; empty if there is none.
    why_not
        One sentence that says why there is no kernel; empty if there is one.
    """

    node: str
    channel: int
    kernel: NDArray[np.float32] | None = None
    bias: float = 0.0
    source: str = ""
    why_not: str = ""


class StrongestPatches(Request, frozen=True, kw_only=True):
    """Find the patches that activate a channel most; answered by `StrongestPatchesResult`, after partial ones.

    Attributes
    ----------
    images
        Keys of opened pictures.
    count
        The number of patches to return in total.
    """

    doing: ClassVar[str] = "Searching for the strongest patches"
    priority: ClassVar[int] = 7
    node: str
    channel: int
    images: tuple[str, ...]
    count: int = 9


class Patch(Struct, frozen=True, kw_only=True):
    """One of the strongest units, and the part of the picture that it sees.

    Attributes
    ----------
    image, y, x
        The picture's key, and the unit's row and column.
    value
        The unit's activation.
    pixels
        (h, w, 3) uint8: the unit's theoretical field, cropped from the photograph and clipped to the part that
        the network sees; all of that part if the field is global. Reduced to at most 192 pixels a side.
    box
        The position of the patch in the picture's pixels.
    is_clipped, is_global
        Whether the theoretical field extends beyond the input, and whether it is the whole input by
        construction.
    """

    image: str
    y: int
    x: int
    value: float
    pixels: NDArray[np.uint8]
    box: Box
    is_clipped: bool
    is_global: bool


class StrongestPatchesResult(Answer, frozen=True, kw_only=True):
    """The strongest units of a channel over several pictures, complete or so far.

    Attributes
    ----------
    patches
        The patches, highest value first; never two units of a picture whose fields' centres are closer than
        half a field along both axes, and only one per picture if the field is global.
    seen, total
        The number of pictures searched so far, and the number requested.
    skipped
        Keys of pictures that could not be read or are no longer open.
    """

    node: str
    channel: int
    patches: tuple[Patch, ...]
    seen: int
    total: int
    skipped: tuple[str, ...] = ()
