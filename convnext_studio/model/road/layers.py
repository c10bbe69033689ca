"""The layers of a network on the road. The network is built, counted and drawn from this one list."""

import math
from collections.abc import Iterator

from msgspec import Struct

from convnext_studio.model.road.road_config import EXPANSION, RoadConfig


class Conv(Struct, frozen=True, kw_only=True):
    """A convolution with a square kernel.

    Attributes
    ----------
    before, after
        Number of input and output channels.
    kernel_size, stride, padding, groups
        As in `torch.nn.Conv2d`; with as many groups as channels the convolution is depthwise.
    has_bias
        Whether there is a bias for each output channel.
    """

    before: int
    after: int
    kernel_size: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    has_bias: bool = False

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel has its own kernel and sees no other channel."""
        return self.groups == self.before > 1

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return self._weights + (self.after if self.has_bias else 0)

    @property
    def _weights(self) -> int:
        return self.before // self.groups * self.after * self.kernel_size**2

    def output_side(self, side: int) -> int:
        """Return the side of the output for an input of that side."""
        return (side + 2 * self.padding - self.kernel_size) // self.stride + 1

    def macs(self, output_size: tuple[int, int]) -> int:
        """Return the multiply-accumulate operations for an output of that height and width."""
        return self._weights * math.prod(output_size)


class Norm(Struct, frozen=True):
    """A normalisation with a scale and a shift for each channel."""

    channels: int

    @property
    def parameters(self) -> int:
        """The number of scales and shifts."""
        return 2 * self.channels


class Act(Struct, frozen=True):
    """The activation function that the config names."""


class MaxPool(Struct, frozen=True):
    """A max pooling over 3x3 units with stride 2."""

    kernel_size: int = 3
    stride: int = 2
    padding: int = 1

    def output_side(self, side: int) -> int:
        """Return the side of the output for an input of that side."""
        return (side + 2 * self.padding - self.kernel_size) // self.stride + 1


Layer = Conv | Norm | Act | MaxPool


class BlockLayers(Struct, frozen=True, kw_only=True):
    """A residual block: the sum of branch and shortcut, followed by an activation in the early steps.

    Attributes
    ----------
    branch, shortcut
        The layers of each in order; a shortcut without layers is an identity.
    scaled
        Number of channels of the layer scale at the end of the branch; 0 if there is none.
    acts_on_sum
        Whether an activation follows the sum.
    """

    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]
    scaled: int
    acts_on_sum: bool


def stem_layers(config: RoadConfig) -> tuple[Layer, ...]:
    """Return the layers from the picture to the first stage, which reduce its sides to a quarter."""
    width = config.widths[0]
    if config.stem == "resnet":
        conv = Conv(before=config.in_chans, after=width, kernel_size=7, stride=2, padding=3)
        return conv, Norm(width), Act(), MaxPool()
    patches = Conv(before=config.in_chans, after=width, kernel_size=4, stride=4, has_bias=True)
    return (patches, Norm(width)) if config.separate_downsampling else (patches,)


def downsampling_layers(config: RoadConfig, stage: int) -> tuple[Layer, ...]:
    """Return the layers that halve the map before a stage (counted from 0); none if its first block does so."""
    if stage == 0 or not config.separate_downsampling:
        return ()
    before, after = config.dims[stage - 1 : stage + 1]
    return Norm(before), Conv(before=before, after=after, kernel_size=2, stride=2, has_bias=True)


def block_layers(config: RoadConfig, stage: int, block: int) -> BlockLayers:
    """Return the layers of a block in a stage, both counted from 0."""
    after, before, stride = config.dims[stage], config.dims[stage], 1
    if block == 0 and not config.separate_downsampling:
        before = config.dims[stage - 1] if stage else config.widths[0]
        stride = 2 if stage else 1
    shortcut: tuple[Layer, ...] = ()
    if stride > 1 or before != after:
        shortcut = Conv(before=before, after=after, stride=stride), Norm(after)
    return BlockLayers(
        branch=tuple(_branch(config, before, config.widths[stage], after, stride)),
        shortcut=shortcut,
        scaled=after if config.layer_scale_init_value else 0,
        acts_on_sum=config.acts_per_block == 3,
    )


def _branch(config: RoadConfig, before: int, width: int, after: int, stride: int) -> Iterator[Layer]:
    inside = EXPANSION * width if config.inverted else width
    first, second, third = (
        (_spatial(config, before, stride), _pointwise(config, before, inside))
        if config.spatial_first
        else (_pointwise(config, before, inside), _spatial(config, inside, stride))
    ) + (_pointwise(config, inside, after),)
    yield first
    yield Norm(first.after)
    if config.acts_per_block == 3:
        yield Act()
    yield second
    if config.norms_per_block == 3:
        yield Norm(second.after)
    yield Act()
    yield third
    if config.norms_per_block == 3:
        yield Norm(third.after)


def _pointwise(config: RoadConfig, before: int, after: int) -> Conv:
    return Conv(before=before, after=after, has_bias=config.norm == "layer")


def _spatial(config: RoadConfig, channels: int, stride: int) -> Conv:
    return Conv(
        before=channels,
        after=channels,
        kernel_size=config.kernel_size,
        stride=stride,
        padding=config.kernel_size // 2,
        groups=channels if config.depthwise else 1,
        has_bias=config.norm == "layer",
    )
