"""The timm families other than ConvNeXt that can be opened, and where their stages and blocks are.

ResNet: He et al. 2016, arXiv:1512.03385. MobileNetV2: Sandler et al. 2018, arXiv:1801.04381. ViT: Dosovitskiy
et al. 2021, arXiv:2010.11929. Swin: Liu et al. 2021, arXiv:2103.14030. CoAtNet: Dai et al. 2021,
arXiv:2106.04803.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace
from torch import nn

from convnext_studio.common.geometry import FieldGeometry

Layout = Literal["NCHW", "NHWC", "tokens"]
Sizes = Literal["any", "patches", "own"]

VIT_STAGES = 4
"""A ViT has no stages: its blocks are divided into this many groups, so that it can be compared."""


class TimmPart(Struct, frozen=True, kw_only=True):
    """A node of a network, described by timm's module names.

    Attributes
    ----------
    node
        The name of the node.
    at, layout
        The module whose output is the map of the node, and its layout; ``tokens`` is (N, positions, C).
    owns
        The modules and parameters that belong to the node, including everything inside them.
    blocks
        The modules of its blocks.
    """

    node: str
    at: str
    owns: tuple[str, ...]
    layout: Layout = "NCHW"
    blocks: tuple[str, ...] = ()


class Family(Struct, frozen=True, kw_only=True):
    """A family of networks whose stages are found in the same way.

    Attributes
    ----------
    title
        The display name.
    names
        Regular expression for timm's architecture names.
    network
        Name of timm's class; a network of another class is not of this family, even if its name matches.
    parts
        Returns the stem and the stages of a timm network.
    sizes
        Accepted input sizes: any, multiples of the patch size, or only the one the network was built for.
    shortcut_name
        Name of the shortcut layers, which run parallel to the longest path and add nothing to the field.
    arguments
        Keyword arguments for `timm.create_model`.
    """

    title: str
    names: str
    network: str
    parts: Callable[[Any], Iterator[TimmPart]]
    sizes: Sizes = "any"
    shortcut_name: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)


def find_family(architecture: str) -> Family | None:
    """Return the family of the timm network with that name; None if it cannot be opened."""
    return next((family for family in FAMILIES if re.fullmatch(family.names, architecture)), None)


# ------------------------------------------------------------------------- where the stages of a family are


def _resnet(network: Any) -> Iterator[TimmPart]:
    yield TimmPart(node="stem", at="maxpool", owns=("conv1", "bn1", "maxpool"))
    for number in range(1, 5):
        layer = f"layer{number}"
        yield TimmPart(
            node=f"stage{number}", at=layer, owns=(layer,), blocks=_children(layer, getattr(network, layer))
        )


def _mobilenet(network: Any) -> Iterator[TimmPart]:
    """Yield the parts of a MobileNetV2; a stage ends where the next block halves the map."""
    ends = [int(info["module"].removeprefix("blocks.")) for info in network.feature_info]
    first = tuple(f"blocks.{index}" for index in range(ends[0] + 1))
    yield TimmPart(node="stem", at=first[-1], owns=("conv_stem", "bn1", *first))
    for number, (before, end) in enumerate(pairwise(ends), start=1):
        groups = tuple(f"blocks.{index}" for index in range(before + 1, end + 1))
        blocks = tuple(name for group in groups for name in _children(group, network.get_submodule(group)))
        yield TimmPart(node=f"stage{number}", at=groups[-1], owns=groups, blocks=blocks)


def _vit(network: Any) -> Iterator[TimmPart]:
    before_blocks = ("patch_embed", "cls_token", "reg_token", "pos_embed", "norm_pre")
    yield TimmPart(node="stem", at="patch_embed.proj", owns=before_blocks)
    depth = len(network.blocks)
    ends = [depth * number // VIT_STAGES for number in range(VIT_STAGES + 1)]
    for number, (start, end) in enumerate(pairwise(ends), start=1):
        blocks = tuple(f"blocks.{index}" for index in range(start, end))
        yield TimmPart(node=f"stage{number}", at=blocks[-1], owns=blocks, layout="tokens", blocks=blocks)


def _swin(network: Any) -> Iterator[TimmPart]:
    yield TimmPart(node="stem", at="patch_embed.norm", owns=("patch_embed",), layout="NHWC")
    yield from _numbered_stages("layers", network.layers, "NHWC")


def _coatnet(network: Any) -> Iterator[TimmPart]:
    yield TimmPart(node="stem", at="stem", owns=("stem",))
    yield from _numbered_stages("stages", network.stages, "NCHW")


def _numbered_stages(name: str, stages: Any, layout: Layout) -> Iterator[TimmPart]:
    for index, stage in enumerate(stages):
        at = f"{name}.{index}"
        blocks = _children(f"{at}.blocks", stage.blocks)
        yield TimmPart(node=f"stage{index + 1}", at=at, owns=(at,), layout=layout, blocks=blocks)


def _children(name: str, module: nn.Module) -> tuple[str, ...]:
    return tuple(f"{name}.{child}" for child, _ in module.named_children())


FAMILIES = (
    Family(
        title="ResNet",
        names=r"resnet\d+[cdst]?|wide_resnet\d+_2|resnext\d+_\d+x\d+d|test_resnet",
        network="ResNet",
        parts=_resnet,
        shortcut_name="downsample",
        # The last norm of a block scales by 1, as in the paper; timm's 0 would make every block an identity.
        arguments={"zero_init_last": False},
    ),
    Family(title="MobileNetV2", names=r"mobilenetv2_\w+", network="EfficientNet", parts=_mobilenet),
    Family(
        title="ViT",
        # Hybrids, whose patches come from a convolutional network, are excluded.
        names=r"(vit|deit3?|test_vit\d?)(?!_s?relpos)(?!\w*_(r\d*|resnet\d+d?)_)(_\w+)?",
        network="VisionTransformer",
        parts=_vit,
        sizes="patches",
        arguments={"dynamic_img_size": True},
    ),
    Family(
        title="Swin",
        names=r"swin_\w+",
        network="SwinTransformer",
        parts=_swin,
        sizes="patches",
        arguments={"strict_img_size": False},
    ),
    Family(
        title="CoAtNet",
        names=r"coatnet_\w+|test_coatnet",
        network="MaxxVit",
        parts=_coatnet,
        sizes="own",
        shortcut_name="shortcut",
    ),
)

# ------------------------------------------------------------------------------- theoretical receptive fields

_POOLS_OVER_ALL = {"Attention2d", "SEModule", "SqueezeExcite"}
_IN_WINDOWS = {"WindowAttention"}


def own_field(field: FieldGeometry, module: nn.Module) -> FieldGeometry:
    """Return the theoretical field after a module itself, ignoring its children."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        (kernel, _), (stride, _), (dilation, _) = module.kernel_size, module.stride, module.dilation
        padding = module.padding[0]
        assert isinstance(padding, int)
        return field.after(dilation * (kernel - 1) + 1, stride, padding)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride, padding = (_side(size) for size in (module.kernel_size, module.stride, module.padding))
        found = field.after(kernel, stride, padding)
        # Those that pad as TensorFlow does, or round the size of the map up, read to the end.
        reads_all = module.ceil_mode or type(module) not in (nn.MaxPool2d, nn.AvgPool2d)
        return replace(found, layers=None) if reads_all else found
    if kind == "PatchMerging":  # In Swin, 2 x 2 positions become one.
        return field.after(2, 2)
    if kind in _POOLS_OVER_ALL:
        return field.made_global()
    return field.without_box() if kind in _IN_WINDOWS else field


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]
