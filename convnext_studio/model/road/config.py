"""What a network on the road from ResNet-50 to ConvNeXt-T is, as plain data: the window reads it too."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

EXPANSION = 4
"""Channels where a block is wide over those where it is narrow, in every network on the road."""


class RoadConfig(Struct, frozen=True, kw_only=True, tag=True):
    """A network on the road; the defaults are ResNet-50 (He et al. 2016, arXiv:1512.03385).

    Its 3x3 convolutions have the strides, as in torchvision. Where the paper leaves something open, it is as in
    the code that the authors submitted with it (github.com/anonymous20222022/convnext): the patch stem has no
    norm of its own; convolutions have biases where the norm is layer norm; shortcut convolutions never have.

    Attributes
    ----------
    in_chans
        Channels of the input picture.
    num_classes
        Outputs of the head.
    depths
        Blocks of the stages.
    widths
        Channels of the stages where their blocks are narrow.
    stem
        ``resnet`` is a 7x7 convolution of stride 2, norm, activation and max pooling; ``patch`` a 4x4
        convolution of stride 4.
    depthwise
        Whether the spatial convolution is depthwise, or dense.
    inverted
        Whether blocks are wide inside and narrow outside, or the other way round.
    spatial_first
        Whether the spatial convolution comes before both 1x1 convolutions, or between them.
    kernel_size
        Side of the spatial convolution's kernels.
    act
        The activation.
    acts_per_block
        3: behind each of the first two convolutions and behind the sum; 1: between the two 1x1 convolutions.
    norms_per_block
        3: behind each convolution; 1: behind the first.
    norm
        Over the batch, or over the channels of each position.
    separate_downsampling
        2x2 convolutions of stride 2 between the stages halve the maps, with norms before them, behind the stem
        and behind the last pooling; otherwise the first block of a stage does.
    layer_scale_init_value
        Initial value of the layer scale (gamma); 0 leaves it out.
    """

    in_chans: int = 3
    num_classes: int = 1000
    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Literal["resnet", "patch"] = "resnet"
    depthwise: bool = False
    inverted: bool = False
    spatial_first: bool = False
    kernel_size: int = 3
    act: Literal["relu", "gelu"] = "relu"
    acts_per_block: Literal[3, 1] = 3
    norms_per_block: Literal[3, 1] = 3
    norm: Literal["batch", "layer"] = "batch"
    separate_downsampling: bool = False
    layer_scale_init_value: float = 0.0

    @property
    def dims(self) -> tuple[int, ...]:
        """Channels of the stages' outputs."""
        return self.widths if self.inverted else tuple(EXPANSION * width for width in self.widths)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages' nodes: ``stage1`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    @property
    def smallest_input_px(self) -> int:
        """Side of the smallest square input that leaves every stage a unit: the network's whole stride."""
        return 4 << (len(self.depths) - 1)

    @property
    def head_parameters(self) -> int:
        """Behind the last stage: the classifier's, and those of the norm before it where there is one."""
        norm = 2 * self.dims[-1] if self.separate_downsampling else 0
        return norm + self.head_macs + self.num_classes

    @property
    def head_macs(self) -> int:
        """Behind the last stage: the classifier's matrix."""
        return self.dims[-1] * self.num_classes

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)
