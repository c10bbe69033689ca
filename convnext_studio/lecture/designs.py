"""The blocks of four networks as plain data, with the cost of their convolutions.

He et al. 2016 (ResNet, arXiv:1512.03385); Howard et al. 2017 (MobileNet, arXiv:1704.04861); Sandler et al. 2018
(MobileNetV2, arXiv:1801.04381); Liu et al. 2022 (ConvNeXt, arXiv:2201.03545).

The counts are the weights of the convolutions, without biases and norms, and their multiply-accumulate
operations: one for each weight at each position of the map.
"""

from typing import Literal

from msgspec import Struct

ConvKind = Literal["dense", "depthwise", "pointwise"]


class Convolution(Struct, frozen=True):
    """A convolution with stride 1 that keeps the size of the map.

    Attributes
    ----------
    before, after
        The number of input and output channels; equal for a depthwise convolution.
    """

    before: int
    after: int
    kernel_size: int = 1
    depthwise: bool = False

    @property
    def kind(self) -> ConvKind:
        """The kind of convolution: it mixes positions, channels, or both."""
        if self.depthwise:
            return "depthwise"
        return "pointwise" if self.kernel_size == 1 else "dense"

    @property
    def weights(self) -> int:
        """The number of weights."""
        return self.kernel_size**2 * self.after * (1 if self.depthwise else self.before)

    def macs(self, side: int) -> int:
        """Return the multiply-accumulate operations on a map of `side` by `side` positions."""
        return self.weights * side**2


class BlockDesign(Struct, frozen=True, kw_only=True):
    """The block of a network.

    Attributes
    ----------
    convs
        The convolutions in order.
    layers_after
        The layers after each convolution.
    has_shortcut
        Whether the block's input is added to its output.
    layers_after_sum
        The layers after that sum; empty if there are none.
    year, source
        The year and the authors of the paper.
    """

    title: str
    convs: tuple[Convolution, ...]
    layers_after: tuple[str, ...]
    has_shortcut: bool
    layers_after_sum: str = ""
    year: int
    source: str

    @property
    def weights(self) -> int:
        """The number of weights of all convolutions."""
        return sum(conv.weights for conv in self.convs)

    def macs(self, side: int) -> int:
        """Return the multiply-accumulate operations of all convolutions."""
        return sum(conv.macs(side) for conv in self.convs)

    @property
    def widest(self) -> int:
        """The largest number of channels inside the block."""
        return max(max(conv.before, conv.after) for conv in self.convs)


def resnet_bottleneck(channels: int) -> BlockDesign:
    """Return ResNet's block, which is narrow inside: its 3x3 convolution has a quarter of the channels."""
    inside = max(channels // 4, 1)
    return BlockDesign(
        title="ResNet bottleneck",
        convs=(Convolution(channels, inside), Convolution(inside, inside, 3), Convolution(inside, channels)),
        layers_after=("BN, ReLU", "BN, ReLU", "BN"),
        has_shortcut=True,
        layers_after_sum="ReLU",
        year=2016,
        source="He et al.",
    )


def mobilenet_v1(channels: int) -> BlockDesign:
    """Return MobileNet's block: a separable convolution, depthwise and then pointwise."""
    return BlockDesign(
        title="MobileNet",
        convs=(Convolution(channels, channels, 3, depthwise=True), Convolution(channels, channels)),
        layers_after=("BN, ReLU", "BN, ReLU"),
        has_shortcut=False,
        year=2017,
        source="Howard et al.",
    )


def mobilenet_v2(channels: int) -> BlockDesign:
    """Return MobileNetV2's block, which is wide at the depthwise convolution and ends without an activation."""
    inside = 6 * channels
    return BlockDesign(
        title="MobileNetV2",
        convs=(
            Convolution(channels, inside),
            Convolution(inside, inside, 3, depthwise=True),
            Convolution(inside, channels),
        ),
        layers_after=("BN, ReLU6", "BN, ReLU6", "BN"),
        has_shortcut=True,
        year=2018,
        source="Sandler et al.",
    )


def convnext(channels: int) -> BlockDesign:
    """Return ConvNeXt's block, which begins with the large depthwise kernel, where it is narrow."""
    inside = 4 * channels
    return BlockDesign(
        title="ConvNeXt",
        convs=(
            Convolution(channels, channels, 7, depthwise=True),
            Convolution(channels, inside),
            Convolution(inside, channels),
        ),
        layers_after=("LN", "GELU", "layer scale"),
        has_shortcut=True,
        year=2022,
        source="Liu et al.",
    )
