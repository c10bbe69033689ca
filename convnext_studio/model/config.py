"""The architecture of a ConvNeXt, as plain data that the window can use without torch."""

import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, get_args

from msgspec import Struct, ValidationError, convert
from msgspec.structs import asdict

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.limits import (
    LARGEST_EXPANSION,
    LARGEST_KERNEL,
    LARGEST_STEM_KERNEL,
    MOST_BLOCKS,
    MOST_CHANNELS,
    MOST_CLASSES,
    MOST_HIDDEN_LAYERS,
    MOST_INPUT_CHANNELS,
    MOST_PARAMETERS,
)

StemType = Literal["patch", "overlap", "overlap_tiered", "overlap_act"]
Norm = Literal["layer", "batch", "rms", "simple"]
Act = Literal["gelu", "gelu_tanh", "relu", "silu"]
Downsample = Literal["separate", "block"]
GlobalPool = Literal["avg", "max", "avgmax", "catavgmax"]

_Rule = tuple[Callable[[Any], bool], str]


def _at_least(least: int) -> _Rule:
    return lambda value: value >= least, f"be at least {least}"


def _one_of(literal: object) -> _Rule:
    choices = get_args(literal)
    return lambda value: value in choices, f"be one of {', '.join(choices)}"


def _from_to(least: int, most: int) -> _Rule:
    return lambda value: least <= value <= most, f"be from {least} to {most:,}"


def _one_or_four(most: int) -> _Rule:
    return (
        lambda values: len(values) in (1, 4) and min(values) >= 1 and max(values) <= most,
        f"be four numbers from 1 to {most:,}, or one",
    )


def _are_kernels(sizes: int | tuple[int, ...]) -> bool:
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    return all(size % 2 == 1 and 1 <= size <= LARGEST_KERNEL for size in sizes)


def _are_widths(sizes: int | tuple[int, ...]) -> bool:
    if isinstance(sizes, tuple):
        return 2 <= len(sizes) <= MOST_HIDDEN_LAYERS and min(sizes) >= 1 and max(sizes) <= MOST_CHANNELS
    return 0 <= sizes <= MOST_CHANNELS


_POSITIVE: _Rule = lambda value: 0 < value < math.inf, "be above 0"

# The rule for each field on its own; `_contradictions` checks fields against each other.
_RULES: dict[str, _Rule] = {
    # A file may ask for a billion blocks or classes, which no machine builds.
    "in_chans": _from_to(1, MOST_INPUT_CHANNELS),
    "num_classes": _from_to(1, MOST_CLASSES),
    "depths": _one_or_four(MOST_BLOCKS),
    "dims": _one_or_four(MOST_CHANNELS),
    "kernel_size": (_are_kernels, f"be odd and at most {LARGEST_KERNEL}"),
    "stem_type": _one_of(StemType),
    "stem_kernel_size": _from_to(1, LARGEST_STEM_KERNEL),
    "stem_stride": _from_to(1, LARGEST_STEM_KERNEL),
    "stem_padding": _at_least(0),
    "norm": _one_of(Norm),
    "norm_eps": _POSITIVE,
    "act": _one_of(Act),
    "expansion": (
        lambda value: 0 < value <= LARGEST_EXPANSION,
        f"be above 0 and at most {LARGEST_EXPANSION}",
    ),
    "downsample": _one_of(Downsample),
    "global_pool": _one_of(GlobalPool),
    "output_stride": _at_least(0),
    "head_hidden_size": (_are_widths, f"be 0, a number of channels, or 2 to {MOST_HIDDEN_LAYERS} of these"),
    "head_norm_eps": _at_least(0),
    "drop_path_rate": (lambda value: 0 <= value < 1, "be at least 0 and below 1"),
    "layer_scale_init_value": _at_least(0),
}


class StemConv(Struct, frozen=True):
    """One convolution of the stem."""

    in_chans: int
    out_chans: int
    kernel_size: int
    stride: int
    padding: int


class ConvNeXtConfig(Struct, frozen=True, kw_only=True, tag=True):
    """Everything that determines shapes and arithmetic of a ConvNeXt (Liu et al. 2022, arXiv:2201.03545).

    The field names are the keyword arguments of `convnext_studio.model.ConvNeXt`. The defaults describe
    ConvNeXt-T.

    Attributes
    ----------
    in_chans
        Number of channels of the input picture.
    num_classes
        Number of outputs of the head.
    depths, dims
        Number of blocks and of channels in each stage; four stages, or one (isotropic).
    kernel_size
        Kernel size of the blocks, one for all stages or one per stage; odd, so that the map keeps its size.
    stem_type
        ``patch`` is a single convolution, described by the next three fields. The others are timm's stems of
        two 3x3 convolutions with stride 2: ``overlap_tiered`` has half the channels between them, and
        ``overlap_act`` an activation.
    stem_kernel_size, stem_stride, stem_padding
        The convolution of the patch stem; with a stride equal to the kernel size it is "patchify".
    stem_norm
        Whether there is a norm after the stem; the isotropic networks have none.
    norm, norm_eps
        Normalisation over the channels of each position (``layer``; ``rms``, which subtracts no mean;
        ``simple``, timm's, which uses the unbiased variance and subtracts no mean) or over the batch
        (``batch``), and the epsilon added to the variance.
    act
        Activation function of the blocks.
    expansion
        Ratio of the channels inside a block to those outside.
    depthwise
        Whether the spatial convolution of the blocks is depthwise; otherwise it is dense.
    grn
        Whether a global response normalisation follows the activation (ConvNeXt V2, Woo et al. 2023,
        arXiv:2301.00808).
    downsample
        ``separate``: by layers between the stages; ``block``: in the first block of a stage, as in ResNet.
    output_stride
        The stride of the map from which on stages keep its size: their kernels are spread out (dilated), and
        the map is not halved, as in timm. 0 where every stage but the first halves it.
    head_norm_first
        Whether the head normalises before the pooling instead of after it.
    global_pool
        How the head pools a channel over the map: its mean, its maximum, the mean of both, or both one after
        the other (``catavgmax``), which gives twice the channels.
    head_hidden_size
        Width of the hidden layer in the head, or of each of several in their order; 0 for none.
    head_norm_eps
        The epsilon of the head's norm where it differs from that of the others; 0 for the same.
    drop_path_rate
        Stochastic depth rate at the last block; the rates grow linearly from 0. Used in training only.
    layer_scale_init_value
        Initial value of the layer scale (gamma); 0 for no layer scale.
    head_init_scale
        Factor applied to the initial weights of the head.

    Raises
    ------
    StudioError
        If a value is not possible; the message names the field.
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
    output_stride: int = 0
    head_norm_first: bool = False
    global_pool: GlobalPool = "avg"
    head_hidden_size: int | tuple[int, ...] = 0
    head_norm_eps: float = 0.0
    drop_path_rate: float = 0.0
    layer_scale_init_value: float = 1e-6
    head_init_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, problem in self.problems().items():
            raise StudioError(f"{name} is {getattr(self, name)}, but must {problem}.")

    def problems(self) -> dict[str, str]:
        """Return what is wrong with each field, as the end of the sentence "it must ..."."""
        wrong = {name: words for name, (fits, words) in _RULES.items() if not fits(getattr(self, name))}
        wrong |= {name: words for name, words in self._contradictions().items() if name not in wrong}
        if not wrong and self._parameters() > MOST_PARAMETERS:
            wrong["dims"] = f"give at most {MOST_PARAMETERS:,} parameters together with the other numbers"
        return wrong

    def _contradictions(self) -> dict[str, str]:
        """Return what is wrong because two fields contradict each other."""
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
        if self.global_pool == "catavgmax" and not self.head_norm_first:
            found["global_pool"] = "not be catavgmax unless the head normalises first"
        if self.output_stride and self.downsample == "block":
            found["output_stride"] = "be 0 where the blocks downsample"
        return found

    def _parameters(self) -> float:
        """Return about how many parameters the network has: those of its matrices and kernels."""
        stem = self.in_chans * self.dims[0] * self.stem_kernel_size**2
        blocks = sum(
            depth * (dim * kernel**2 * (1 if self.depthwise else dim) + 2 * self.expansion * dim**2)
            for depth, dim, kernel in zip(self.depths, self.dims, self.kernel_sizes, strict=False)
        )
        # Of the shortcut of the block that downsamples, or of the layer between two stages.
        kernel_area = 1 if self.downsample == "block" else 4
        between = sum(kernel_area * first * second for first, second in pairwise(self.dims))
        widths = (2 * self.dims[-1], *self.head_hidden_sizes, self.num_classes)
        head = sum(first * second for first, second in pairwise(widths))
        return stem + blocks + between + head

    @property
    def dilations(self) -> tuple[int, ...]:
        """How far apart a kernel's weights are in each stage; above 1, the stage keeps the size of the map."""
        stride, dilation = math.prod(conv.stride for conv in self.stem_convs), 1
        found = [1]
        for _ in self.depths[1:]:
            if self.output_stride and stride >= self.output_stride:
                dilation *= 2
            else:
                stride *= 2
            found.append(dilation)
        return tuple(found)

    def dilation_between(self, stage: int) -> int:
        """Return the dilation of the convolution before a stage (from 0) that keeps the size of the map."""
        return min(self.dilations[stage], 4) // 2

    @property
    def head_hidden_sizes(self) -> tuple[int, ...]:
        """The widths of all hidden layers in the head."""
        sizes = self.head_hidden_size
        return sizes if isinstance(sizes, tuple) else (sizes,) if sizes else ()

    @property
    def pooled_dim(self) -> int:
        """The number of channels after the pooling, which the head starts from."""
        return 2 * self.dims[-1] if self.global_pool == "catavgmax" else self.dims[-1]

    @property
    def kernel_sizes(self) -> tuple[int, ...]:
        """The kernel size of the blocks in each stage."""
        return (
            self.kernel_size if isinstance(self.kernel_size, tuple) else (self.kernel_size,) * len(self.depths)
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """The node names of the stages: ``stage1``, ``stage2`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    @property
    def stem_convs(self) -> tuple[StemConv, ...]:
        """The convolutions of the stem, in order."""
        after = self.dims[0]
        if self.stem_type == "patch":
            return (StemConv(self.in_chans, after, self.stem_kernel_size, self.stem_stride, self.stem_padding),)
        between = _tiered(after) if self.stem_type == "overlap_tiered" else after
        return StemConv(self.in_chans, between, 3, 2, 1), StemConv(between, after, 3, 2, 1)

    def hidden_dim(self, dim: int) -> int:
        """Return the number of channels inside a block that has `dim` channels outside."""
        return int(self.expansion * dim)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, which `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ConvNeXtConfig":
        """Read what `to_dict` wrote. An unknown field is an error, because it would change the network."""
        unknown = sorted(set(values) - set(cls.__struct_fields__))
        if unknown:
            raise StudioError(
                f"The model's description has fields that are not known here: {', '.join(unknown)}.",
                "It was probably written by a newer version of ConvNeXt Studio.",
            )
        # JSON has no tuples.
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        try:
            return convert(arguments, cls)
        except ValidationError as error:
            raise StudioError(f"The model's description is damaged: {_misfit(error)}.") from error


def _misfit(error: ValidationError) -> str:
    """Return which field of a description does not fit, as the end of a sentence."""
    named = re.search(r"\$\.(\w+)", str(error))
    return f"its field “{named[1]}” cannot have that value" if named else "its fields do not fit each other"


def same_padding(kernel_size: int, dilation: int) -> tuple[int, int]:
    """Return what is added before and after a map, so that a convolution with stride 1 keeps its size."""
    added = dilation * (kernel_size - 1)
    return added // 2, added - added // 2


def _tiered(dim: int) -> int:
    """Return half the channels as timm rounds them: to a multiple of 8, never more than a tenth below."""
    half = dim // 2
    rounded = max(8, (half + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * half else rounded
