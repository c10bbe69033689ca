"""What a ConvNeXt is, as plain data: no torch, so that the window reads it too."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import asdict

from convnext_studio.common.errors import StudioError

StemType = Literal["patch", "overlap", "overlap_tiered", "overlap_act"]
Norm = Literal["layer", "batch", "rms", "simple"]
Act = Literal["gelu", "gelu_tanh", "relu", "silu"]
Downsample = Literal["separate", "block"]

LARGEST_KERNEL = 31

_Rule = tuple[Callable[[Any], bool], str]


def _at_least(least: int) -> _Rule:
    return lambda value: value >= least, f"be at least {least}"


def _one_of(literal: object) -> _Rule:
    choices = get_args(literal)
    return lambda value: value in choices, f"be one of {', '.join(choices)}"


def _are_counts(values: tuple[int, ...]) -> bool:
    return len(values) in (1, 4) and min(values) >= 1


def _are_kernels(sizes: int | tuple[int, ...]) -> bool:
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    return all(size % 2 == 1 and 1 <= size <= LARGEST_KERNEL for size in sizes)


_COUNTS: _Rule = _are_counts, "be four numbers of at least 1, or one"
_POSITIVE: _Rule = lambda value: 0 < value < math.inf, "be above 0"

# What each field must be, by itself.
_RULES: dict[str, _Rule] = {
    "in_chans": _at_least(1),
    "num_classes": _at_least(1),
    "depths": _COUNTS,
    "dims": _COUNTS,
    "kernel_size": (_are_kernels, f"be odd and at most {LARGEST_KERNEL}"),
    "stem_type": _one_of(StemType),
    "stem_kernel_size": _at_least(1),
    "stem_stride": _at_least(1),
    "stem_padding": _at_least(0),
    "norm": _one_of(Norm),
    "norm_eps": _POSITIVE,
    "act": _one_of(Act),
    "expansion": _POSITIVE,
    "downsample": _one_of(Downsample),
    "head_hidden_size": _at_least(0),
    "drop_path_rate": (lambda value: 0 <= value < 1, "be at least 0 and below 1"),
    "layer_scale_init_value": _at_least(0),
}


@dataclass(frozen=True, slots=True)
class StemConv:
    """A convolution of the stem."""

    in_chans: int
    out_chans: int
    kernel_size: int
    stride: int
    padding: int


class ConvNeXtConfig(Struct, frozen=True, kw_only=True, tag=True):
    """Everything that decides the shapes and the arithmetic of a ConvNeXt (Liu et al. 2022, arXiv:2201.03545).

    The names are those of the keyword arguments of `convnext_studio.model.ConvNeXt`. The defaults are
    ConvNeXt-T.

    Attributes
    ----------
    in_chans
        Channels of the input picture.
    num_classes
        Outputs of the head.
    depths, dims
        Blocks and channels of the stages: four, or one (isotropic).
    kernel_size
        Side of the blocks' kernels, one for all stages or one a stage; odd, so that the map keeps its size.
    stem_type
        ``patch`` is one convolution, which the next three describe; the others are timm's stems of two
        3x3 convolutions of stride 2 (``overlap_tiered`` with half the channels between them, ``overlap_act``
        with an activation).
    stem_kernel_size, stem_stride, stem_padding
        The patch stem's convolution; stride equal to kernel size makes it "patchify".
    stem_norm
        Normalise behind the stem; the isotropic networks do not.
    norm, norm_eps
        Normalisation over the channels of each position (``layer``; ``rms``, without the mean; ``simple``,
        timm's, by the unbiased variance but without the mean) or over the batch (``batch``), and what is
        added to the variance.
    act
        Activation of the blocks.
    expansion
        Channels inside a block over those outside.
    depthwise
        Whether the blocks' spatial convolution is depthwise, or dense.
    grn
        Global response normalisation behind the activation (ConvNeXt V2, Woo et al. 2023, arXiv:2301.00808).
    downsample
        ``separate`` layers between the stages, or in the first ``block`` of a stage, as in ResNet.
    head_norm_first
        Normalise before pooling instead of behind it.
    head_hidden_size
        Width of a hidden layer in the head; 0 for none.
    drop_path_rate
        Stochastic depth at the last block, growing linearly from 0; acts in training only.
    layer_scale_init_value
        Initial value of the layer scale (gamma); 0 leaves it out.
    head_init_scale
        Factor on the head's initial weights.

    Raises
    ------
    StudioError
        Where a value cannot make a network; the message names the field.
    """

    in_chans: int = 3
    num_classes: int = 1000
    depths: tuple[int, ...] = (3, 3, 9, 3)
    dims: tuple[int, ...] = (96, 192, 384, 768)
    kernel_size: int | tuple[int, ...] = 7
    stem_type: StemType = "patch"
    stem_kernel_size: int = 4
    stem_stride: int = 4
    stem_padding: int = 0
    stem_norm: bool = True
    norm: Norm = "layer"
    norm_eps: float = 1e-6
    act: Act = "gelu"
    expansion: float = 4.0
    depthwise: bool = True
    grn: bool = False
    downsample: Downsample = "separate"
    head_norm_first: bool = False
    head_hidden_size: int = 0
    drop_path_rate: float = 0.0
    layer_scale_init_value: float = 1e-6
    head_init_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, problem in self.problems().items():
            raise StudioError(f"{name} is {getattr(self, name)}, but must {problem}.")

    def problems(self) -> dict[str, str]:
        """What is wrong, by field: how the sentence "it must ..." ends."""
        wrong = {name: words for name, (fits, words) in _RULES.items() if not fits(getattr(self, name))}
        return wrong | {name: words for name, words in self._contradictions().items() if name not in wrong}

    def _contradictions(self) -> dict[str, str]:
        """What is wrong only beside another field."""
        found: dict[str, str] = {}
        if len(self.depths) != len(self.dims):
            found["dims"] = "have as many numbers as depths"
        if isinstance(self.kernel_size, tuple) and len(self.kernel_size) != len(self.depths):
            found["kernel_size"] = "be one number, or one for each stage"
        if self.stem_padding >= max(self.stem_kernel_size, 1):
            found["stem_padding"] = f"be at most {self.stem_kernel_size - 1}, below the kernel size"
        if 0 < self.expansion * min(self.dims, default=1) < 1:
            found["expansion"] = "leave at least one channel inside a block"
        if self.head_norm_first and self.head_hidden_size:
            found["head_hidden_size"] = "be 0 where the head normalises first"
        return found

    @property
    def kernel_sizes(self) -> tuple[int, ...]:
        """Side of the blocks' kernels in each stage."""
        return (
            self.kernel_size if isinstance(self.kernel_size, tuple) else (self.kernel_size,) * len(self.depths)
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages' nodes: ``stage1`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    @property
    def stem_convs(self) -> tuple[StemConv, ...]:
        """The stem's convolutions, in order."""
        after = self.dims[0]
        if self.stem_type == "patch":
            return (StemConv(self.in_chans, after, self.stem_kernel_size, self.stem_stride, self.stem_padding),)
        between = _tiered(after) if self.stem_type == "overlap_tiered" else after
        return StemConv(self.in_chans, between, 3, 2, 1), StemConv(between, after, 3, 2, 1)

    def hidden_dim(self, dim: int) -> int:
        """Channels inside a block that has `dim` outside."""
        return int(self.expansion * dim)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ConvNeXtConfig":
        """Read what `to_dict` wrote; an unknown field is an error, because it would change the network."""
        unknown = sorted(set(values) - set(cls.__struct_fields__))
        if unknown:
            raise StudioError(
                f"The model's description has fields that are not known here: {', '.join(unknown)}.",
                "It was probably written by a newer version of ConvNeXt Studio.",
            )
        # JSON has lists only.
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**arguments)


def _tiered(dim: int) -> int:
    """Half the channels, to the nearest multiple of 8 that is not a tenth below; so timm rounds them."""
    half = dim // 2
    rounded = max(8, (half + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * half else rounded
