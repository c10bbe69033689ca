"""One channel, and the channels beside one another."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.protocol.envelope import Answer, Request


class ChannelMap(Request, frozen=True, kw_only=True):
    """One channel of a node on a picture, exactly; answered by `ChannelMapResult`."""

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
    """What channels are sorted by; answered by `ChannelStatisticsResult`.

    Attributes
    ----------
    target
        Class whose logit the contributions are to; None leaves them out, which spares a pass.
    """

    doing: ClassVar[str] = "Computing the statistics of the channels"
    priority: ClassVar[int] = 4
    image: str
    node: str
    target: int | None = None


class ChannelStatisticsResult(Answer, frozen=True, kw_only=True):
    """Numbers of all channels of a node on a picture, each (channels,), of the exact values.

    Values that are not finite are counted and left out of the others, which are NaN where nothing is left.

    Attributes
    ----------
    mean, minimum, maximum, variance
        float64, over the positions; the variance is that of the population.
    sparsity
        float64, Hoyer's measure (JMLR 2004) over the positions: 0 where all have the same magnitude, 1 where
        only one is not zero. NaN where there is one position, or all are zero.
    non_finite
        int64, how many values are NaN or infinite.
    is_dead
        bool: constant over the map (with one position, no channel is called dead).
    contributions
        float32: gradient of the target's logit by the node times the node's value, summed over the positions;
        positive speaks for the class. None where no target was given. At ``head.norm`` they sum to the logit
        less the head's bias, where the head is linear.
    target
        As asked.
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
    """The depthwise kernel behind a channel of a node; answered by `KernelResult`. Needs no picture.

    Of a stage it is its last block's; of an operation there is one only for ``dwconv``.
    """

    doing: ClassVar[str] = "Reading a kernel"
    priority: ClassVar[int] = 2
    node: str
    channel: int


class KernelResult(Answer, frozen=True, kw_only=True):
    """A depthwise kernel, or why there is none.

    Attributes
    ----------
    kernel
        (k, k) float32, signed, as the convolution applies it (a cross-correlation: not flipped); None where
        the node's channels have no kernel of their own.
    bias
        Of that channel; 0 where there is no kernel.
    source
        The node that it belongs to, such as ``stage3.block9.dwconv``; empty where there is none.
    why_not
        Why there is none, in a sentence; empty where there is one.
    """

    node: str
    channel: int
    kernel: NDArray[np.float32] | None = None
    bias: float = 0.0
    source: str = ""
    why_not: str = ""


class StrongestPatches(Request, frozen=True, kw_only=True):
    """Where pictures move a channel most; answered by `StrongestPatchesResult`, with partial ones before.

    Attributes
    ----------
    images
        Keys of opened pictures.
    count
        How many patches are wanted in all.
    """

    doing: ClassVar[str] = "Searching for the strongest patches"
    priority: ClassVar[int] = 7
    node: str
    channel: int
    images: tuple[str, ...]
    count: int = 9


class Patch(Struct, frozen=True, kw_only=True):
    """One of the strongest units, with what it sees.

    Attributes
    ----------
    image, y, x
        The picture's key, and the unit's row and column.
    value
        The unit's.
    pixels
        (h, w, 3) uint8: the unit's theoretical field cut out of the photograph, clipped to it and to what the
        network sees of it; the whole of what the network sees where the field is global. Reduced to at most
        192 pixels a side.
    box
        Where that lies, in the picture's pixels.
    is_clipped, is_global
        The theoretical field reaches beyond the input, or is the whole of it by construction.
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
    """The strongest units of a channel over pictures, whole or so far.

    Attributes
    ----------
    patches
        Highest value first; never two units of a picture whose fields' centres are closer than half a field
        along both axes, and one a picture where the field is global.
    seen, total
        Pictures looked at, and all that were asked for.
    skipped
        Keys of pictures that could not be read, or are not open any more.
    """

    node: str
    channel: int
    patches: tuple[Patch, ...]
    seen: int
    total: int
    skipped: tuple[str, ...] = ()
