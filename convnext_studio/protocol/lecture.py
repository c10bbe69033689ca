"""The lecture's requests and answers about a block, about several nodes at once, and about the stem."""

from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.config import Act, Norm
from convnext_studio.protocol.envelope import Answer, Request


class Distribution(Struct, frozen=True, kw_only=True, eq=False):
    """The distribution of the values of a tensor (channels, height, width).

    Standard deviations are population ones. Non-finite values are counted in `non_finite`, and make every
    statistic that they enter NaN; the histogram leaves them out.

    Attributes
    ----------
    counts
        (bins,) int64: the number of values in bins of equal width from `low` to `high`.
    mean, std
        The statistics over all values.
    below_zero
        The share of the values that are negative.
    position_mean, position_std
        (height, width) float32: the statistics over the channels of each position.
    channel_mean, channel_std
        (channels,) float32: the statistics over the positions of each channel.
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
    """Summarise the values before and after an operation of a block; answered by `DistributionsResult`.

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
    """The distributions of an operation's input and output.

    Attributes
    ----------
    before, after
        The distributions of its input and of its output.
    normalised
        The distribution of a norm's output without its scale and shift; None for other operations.
    """

    image: str
    node: str
    before: Distribution
    after: Distribution
    normalised: Distribution | None


class SwapPart(Request, frozen=True, kw_only=True):
    """Run the network with another activation or norm and unchanged weights; answered by `SwappedPart`.

    A batch norm that replaces another norm takes its mean and variance from this one picture: for each channel
    over all positions, as it would in training with a batch of one. The head's norm is not replaced, because
    after the pooling there is only one value per channel, whose variance is 0. If the open network's norm has
    no shift, the new one's is 0.

    Attributes
    ----------
    act, norm
        The replacement in the blocks (for a norm, in the stem and downsampling too); None changes nothing.
    stage
        The stage whose map to return.
    """

    doing: ClassVar[str] = "Swapping a part of the network"
    priority: ClassVar[int] = 3
    image: str
    stage: str
    act: Act | None = None
    norm: Norm | None = None


class SwappedPart(Answer, frozen=True, kw_only=True):
    """Predictions and a stage's map, of the unchanged network and of the one with the part swapped.

    Attributes
    ----------
    probabilities, swapped_probabilities
        (classes,) float64.
    mean_map, swapped_mean_map
        (height, width) float32: the stage's output, averaged over the channels.
    relative_change
        The Euclidean norm of the difference of the stage's outputs, divided by that of the original output.
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
    """Read the weights of a convolution or a linear layer in a block; answered by `LayerWeightsResult`.

    It needs no picture.

    Attributes
    ----------
    node
        An operation such as ``stage1.block1.dwconv`` or ``stage1.block1.pwconv1``.
    """

    doing: ClassVar[str] = "Reading weights"
    priority: ClassVar[int] = 3
    node: str


class LayerWeightsResult(Answer, frozen=True, kw_only=True):
    """The weights of a layer.

    Attributes
    ----------
    weight
        float32: (channels, k, k) for a depthwise convolution, (out, in) for a linear layer, and
        (out, in, k, k) for a dense convolution.
    bias
        (out,) float32.
    """

    node: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


class SlideKernel(Request, frozen=True, kw_only=True):
    """Compute a channel before and after a block's depthwise convolution; answered by `SlidKernel`."""

    doing: ClassVar[str] = "Sliding a kernel"
    priority: ClassVar[int] = 3
    image: str
    block: str
    channel: int


class SlidKernel(Answer, frozen=True, kw_only=True):
    """Everything needed to do a depthwise convolution by hand.

    Attributes
    ----------
    before, after
        (height, width) float32: the channel before and after the convolution. With stride 1 and a kernel of
        side k, after[y, x] is the bias plus the sum over i, j of kernel[i, j] times
        before[y + i - k // 2, x + j - k // 2], which is 0 beyond the border.
    kernel
        (k, k) float32.
    stride
        The stride of the convolution; 2 in a block that downsamples.
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
    """Compute the output of every operation of a block on a picture; answered by `BlockWalk`.

    Attributes
    ----------
    channel
        The channel to show; a node with fewer channels shows its last.
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
        The operation's name; in the first step that of the block's input, in the last the block's own.
    shape
        The channels, height and width.
    rms_map
        (height, width) float32: the root mean square over the channels.
    channel_map
        (height, width) float32: the exact values of the channel.
    mean, std
        The statistics over all values.
    """

    node: str
    shape: tuple[int, int, int]
    rms_map: NDArray[np.float32]
    channel_map: NDArray[np.float32]
    mean: float
    std: float


class BlockWalk(Answer, frozen=True, kw_only=True):
    """The steps through a block: its input, its operations in the order of the pass, and the sum."""

    image: str
    block: str
    channel: int
    steps: tuple[WalkStep, ...]


class DropBlocks(Request, frozen=True, kw_only=True):
    """Predict with the branch of each block left out in turn; answered by `DroppedBlocks`."""

    doing: ClassVar[str] = "Leaving out blocks"
    priority: ClassVar[int] = 6
    image: str


class DroppedBlocks(Answer, frozen=True, kw_only=True):
    """The predictions without each of the network's blocks, as far as computed.

    Attributes
    ----------
    probabilities
        (classes,) float64: the probabilities with all blocks.
    blocks
        Names of the blocks left out so far, one at a time.
    dropped
        (len(blocks), classes) float64: the probabilities without each of them.
    total
        The number of blocks in the network.
    """

    image: str
    probabilities: NDArray[np.float64]
    blocks: tuple[str, ...]
    dropped: NDArray[np.float64]
    total: int


class MeanMaps(Request, frozen=True, kw_only=True):
    """Compute the mean over the channels of nodes' outputs on a picture; answered by `MeanMapsResult`.

    Attributes
    ----------
    nodes
        Any nodes of the node table; they are computed together.
    """

    doing: ClassVar[str] = "Computing mean maps"
    priority: ClassVar[int] = 3
    image: str
    nodes: tuple[str, ...]


class MeanMapsResult(Answer, frozen=True, kw_only=True):
    """The mean maps of nodes.

    Attributes
    ----------
    maps
        (h, w) float32, by node name.
    geometry
        The position of the network's input in the picture.
    """

    image: str
    maps: dict[str, NDArray[np.float32]]
    geometry: CropGeometry


class StemMaps(Request, frozen=True, kw_only=True):
    """Apply the open model's stem with other strides; answered by `StemMapsResult`.

    Attributes
    ----------
    channel
        The channel to return; None for the mean over all channels.
    moves
        The stride and padding of each map to compute.
    """

    doing: ClassVar[str] = "Computing the stem's maps"
    priority: ClassVar[int] = 3
    image: str
    channel: int | None = None
    moves: tuple[tuple[int, int], ...]


class StemMapsResult(Answer, frozen=True, kw_only=True):
    """The maps after the stem.

    Attributes
    ----------
    maps
        (h, w) float32 for each stride and padding, after the stem's norm if it has one.
    """

    image: str
    channel: int | None
    maps: dict[tuple[int, int], NDArray[np.float32]]
