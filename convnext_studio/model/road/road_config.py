"""The architecture of a network on the road, as plain data that the window can use without torch."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

EXPANSION = 4
"""Ratio of the wide to the narrow channels of a block, the same in every network on the road."""


class RoadConfig(Struct, frozen=True, kw_only=True, tag=True):
    """A network on the road. The defaults describe ResNet-50 (He et al. 2016, arXiv:1512.03385).

    As in torchvision, the 3x3 convolutions carry the strides. Details that the paper leaves open follow the
    code that the authors submitted with it (github.com/anonymous20222022/convnext): the patch stem has no norm
    of its own, convolutions have biases if the norm is layer norm, and shortcut convolutions have none.

    Attributes
    ----------
    in_chans
        Number of channels of the input picture.
    num_classes
        Number of outputs of the head.
    depths
        Number of blocks in each stage.
    widths
        Number of narrow channels in the blocks of each stage.
    stem
        ``resnet`` is a 7x7 convolution with stride 2, a norm, an activation and a max pooling; ``patch`` is a
        4x4 convolution with stride 4.
    depthwise
        Whether the spatial convolution is depthwise; otherwise it is dense.
    inverted
        Whether blocks are wide inside and narrow outside; otherwise it is the other way round.
    spatial_first
        Whether the spatial convolution comes before both 1x1 convolutions; otherwise it is between them.
    kernel_size
        Kernel size of the spatial convolution.
    act
        The activation function.
    acts_per_block
        3: after each of the first two convolutions and after the sum; 1: between the two 1x1 convolutions.
    norms_per_block
        3: after each convolution; 1: after the first one.
    norm
        Batch norm, or layer norm over the channels of each position.
    separate_downsampling
        Whether 2x2 convolutions with stride 2 between the stages halve the maps, with norms before them, after
        the stem and after the last pooling; otherwise the first block of a stage halves the map.
    layer_scale_init_value
        Initial value of the layer scale (gamma); 0 for no layer scale.
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
        """The number of output channels of each stage."""
        return self.widths if self.inverted else tuple(EXPANSION * width for width in self.widths)

    @property
    def stages(self) -> tuple[str, ...]:
        """The node names of the stages: ``stage1``, ``stage2`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    @property
    def smallest_input_px(self) -> int:
        """The side of the smallest square input that leaves every stage one unit: the stride of the network."""
        return 4 << (len(self.depths) - 1)

    @property
    def head_parameters(self) -> int:
        """The parameters after the last stage: those of the classifier and of the norm before it, if any."""
        norm = 2 * self.dims[-1] if self.separate_downsampling else 0
        return norm + self.head_macs + self.num_classes

    @property
    def head_macs(self) -> int:
        """The MACs after the last stage: those of the classifier's matrix."""
        return self.dims[-1] * self.num_classes

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)
