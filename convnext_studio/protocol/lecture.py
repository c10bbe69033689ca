"""What a lecture asks about a block, about several nodes at once, and about the stem."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.config import Act, Norm
from convnext_studio.protocol.envelope import Answer, Request


class Distribution(Struct, frozen=True, kw_only=True, eq=False):
    """How the values of a tensor (channels, height, width) are spread.

    Standard deviations are those of the population. Values that are not finite are counted in `non_finite`,
    and make the numbers that they are part of NaN; the histogram leaves them out.

    Attributes
    ----------
    counts
        (bins,) int64: values in bins of equal width from `low` to `high`.
    mean, std
        Over all values.
    below_zero
        Share of the values that are negative.
    position_mean, position_std
        (height, width) float32: over the channels of each position.
    channel_mean, channel_std
        (channels,) float32: over the positions of each channel.
    """

    counts: NDArray[np.int64]
    low: float
    high: float
    mean: float
    std: float
    below_zero: float
    position_mean: NDArray[np.float32]
    position_std: NDArray[np.float32]
    channel_mean: NDArray[np.float32]
    channel_std: NDArray[np.float32]
    non_finite: int = 0


class Distributions(Request, frozen=True, kw_only=True):
    """The values around an operation of a block on a picture; answered by `DistributionsResult`.

    Attributes
    ----------
    node
        An operation such as ``stage1.block1.norm`` or ``stage1.block1.act``.
    """

    doing: ClassVar[str] = "Reading a block's values"
    priority: ClassVar[int] = 3
    image: str
    node: str


class DistributionsResult(Answer, frozen=True, kw_only=True):
    """The values that go into an operation, and those that come out.

    Attributes
    ----------
    before, after
        Of its input and of its output.
    normalised
        Of the output of a norm whose scale and shift are left out; None for other operations.
    """

    image: str
    node: str
    before: Distribution
    after: Distribution
    normalised: Distribution | None


class SwapPart(Request, frozen=True, kw_only=True):
    """The network with another activation or norm, and the weights as they are; answered by `SwappedPart`.

    A batch norm in the place of another norm takes its mean and variance from this one picture: of each
    channel over all positions, as it would in training with a batch of one. The head's norm stays as it is,
    since behind the pooling there is one value a channel, whose variance is 0. Where the opened network's norm
    has no shift, the new one's is 0.

    Attributes
    ----------
    act, norm
        What the blocks get (and stem and downsampling, of a norm); None leaves it as it is.
    stage
        Whose map is wanted.
    """

    doing: ClassVar[str] = "Swapping a part of the network"
    priority: ClassVar[int] = 3
    image: str
    stage: str
    act: Act | None = None
    norm: Norm | None = None


class SwappedPart(Answer, frozen=True, kw_only=True):
    """Predictions and a stage's map, of the network as it is and with the part swapped.

    Attributes
    ----------
    probabilities, swapped_probabilities
        (classes,) float64.
    mean_map, swapped_mean_map
        (height, width) float32: the stage's output, averaged over the channels.
    relative_change
        Euclidean norm of the difference of the stage's outputs over that of the original one.
    """

    image: str
    stage: str
    act: Act | None
    norm: Norm | None
    probabilities: NDArray[np.float64]
    swapped_probabilities: NDArray[np.float64]
    mean_map: NDArray[np.float32]
    swapped_mean_map: NDArray[np.float32]
    relative_change: float


class LayerWeights(Request, frozen=True, kw_only=True):
    """The weights of a convolution or a linear layer in a block; answered by `LayerWeightsResult`.

    Needs no picture.

    Attributes
    ----------
    node
        Such as ``stage1.block1.dwconv`` or ``stage1.block1.pwconv1``.
    """

    doing: ClassVar[str] = "Reading weights"
    priority: ClassVar[int] = 3
    node: str


class LayerWeightsResult(Answer, frozen=True, kw_only=True):
    """What was learnt in a layer.

    Attributes
    ----------
    weight
        float32: (channels, k, k) of a depthwise convolution, (after, before) of a linear layer, and
        (after, before, k, k) of a dense convolution.
    bias
        (after,) float32.
    """

    node: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


class SlideKernel(Request, frozen=True, kw_only=True):
    """A channel before and behind a block's depthwise convolution; answered by `SlidKernel`."""

    doing: ClassVar[str] = "Sliding a kernel"
    priority: ClassVar[int] = 3
    image: str
    block: str
    channel: int


class SlidKernel(Answer, frozen=True, kw_only=True):
    """What it takes to do a depthwise convolution by hand.

    Attributes
    ----------
    before, after
        (height, width) float32: the channel as it goes in, and as it comes out. With stride 1 and a kernel of
        side k, after[y, x] is the bias and the sum over i, j of kernel[i, j] times
        before[y + i - k // 2, x + j - k // 2], which is 0 beyond the border.
    kernel
        (k, k) float32.
    stride
        2 in a block that downsamples.
    """

    image: str
    block: str
    channel: int
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    kernel: NDArray[np.float32]
    bias: float
    stride: int


class WalkBlock(Request, frozen=True, kw_only=True):
    """What each operation of a block makes of a picture; answered by `BlockWalk`.

    Attributes
    ----------
    channel
        Of which the maps are; a node with fewer channels gives its last.
    """

    doing: ClassVar[str] = "Walking through a block"
    priority: ClassVar[int] = 3
    image: str
    block: str
    channel: int = 0


class WalkStep(Struct, frozen=True, kw_only=True, eq=False):
    """The output of one operation.

    Attributes
    ----------
    node
        Its name; of the first step, that of the block's input, and of the last the block's own.
    shape
        Channels, height, width.
    rms_map
        (height, width) float32: root of the mean square over the channels.
    channel_map
        (height, width) float32: the channel, exactly.
    mean, std
        Over all values.
    """

    node: str
    shape: tuple[int, int, int]
    rms_map: NDArray[np.float32]
    channel_map: NDArray[np.float32]
    mean: float
    std: float


class BlockWalk(Answer, frozen=True, kw_only=True):
    """The way through a block: its input, its operations in the order of the pass, the sum."""

    image: str
    block: str
    channel: int
    steps: tuple[WalkStep, ...]


class DropBlocks(Request, frozen=True, kw_only=True):
    """Predictions with the branch of one block left out, block by block; answered by `DroppedBlocks`."""

    doing: ClassVar[str] = "Leaving out blocks"
    priority: ClassVar[int] = 6
    image: str


class DroppedBlocks(Answer, frozen=True, kw_only=True):
    """What the network says without each of its blocks, as far as computed.

    Attributes
    ----------
    probabilities
        (classes,) float64: with all blocks.
    blocks
        Names of the blocks that were left out so far, each alone.
    dropped
        (len(blocks), classes) float64: what the network says then.
    total
        Number of blocks in the network.
    """

    image: str
    probabilities: NDArray[np.float64]
    blocks: tuple[str, ...]
    dropped: NDArray[np.float64]
    total: int


class MeanMaps(Request, frozen=True, kw_only=True):
    """The mean over the channels of nodes' outputs on a picture; answered by `MeanMapsResult`.

    Attributes
    ----------
    nodes
        Any nodes of the table: they are computed together.
    """

    doing: ClassVar[str] = "Computing mean maps"
    priority: ClassVar[int] = 3
    image: str
    nodes: tuple[str, ...]


class MeanMapsResult(Answer, frozen=True, kw_only=True):
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


class StemMaps(Request, frozen=True, kw_only=True):
    """A channel behind the stem, the open model's weights moved by other strides; answered by `StemMapsResult`.

    Attributes
    ----------
    channel
        None for the mean over all channels.
    moves
        Stride and padding of each map that is wanted.
    """

    doing: ClassVar[str] = "Computing the stem's maps"
    priority: ClassVar[int] = 3
    image: str
    channel: int | None = None
    moves: tuple[tuple[int, int], ...]


class StemMapsResult(Answer, frozen=True, kw_only=True):
    """Maps behind the stem.

    Attributes
    ----------
    maps
        (h, w) float32 for each stride and padding, behind the stem's norm where it has one.
    """

    image: str
    channel: int | None
    maps: dict[tuple[int, int], NDArray[np.float32]]
