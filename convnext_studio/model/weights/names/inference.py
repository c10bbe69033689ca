"""Infer an architecture from the shapes of its tensors."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig, Norm, StemType

Shapes = Mapping[str, tuple[int, ...]]

# Published networks whose norms use another epsilon than all others: CLIP's XXL.
_EPSILONS: dict[tuple[tuple[int, ...], ...], float] = {((3, 4, 30, 3), (384, 768, 1536, 3072)): 1e-5}
_STEM = "downsample_layers.0"
_HIDDEN_LAYER = re.compile(r"pre_logits\.(\d\.)?weight")


def shapes_of(state_dict: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor."""
    return {name: tuple(tensor.shape) for name, tensor in state_dict.items()}


def infer_config(shapes: Shapes, head_norm_first: bool = False, output_stride: int = 0) -> ConvNeXtConfig:
    """Return the architecture of a network with these tensors.

    What shapes do not show is assumed to be as in the published networks: a patchify stem, GELU, an epsilon of
    1e-6. Norms without a bias are taken for timm's ``simple`` norms, the only published ones without a bias.

    Parameters
    ----------
    shapes
        The shape of every tensor, by our names.
    head_norm_first, output_stride
        See `ConvNeXtConfig`; shapes do not show them.

    Raises
    ------
    StudioError
        If necessary tensors are missing, or describe no network that can be built.
    """
    try:
        return _inferred(shapes, head_norm_first, output_stride)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        missing = (
            f"{error.args[0]} is missing" if isinstance(error, KeyError) else "their shapes are no network's"
        )
        raise StudioError(f"These are not the weights of a whole ConvNeXt: {missing}.") from error


def _inferred(shapes: Shapes, head_norm_first: bool, output_stride: int) -> ConvNeXtConfig:
    depths = _depths(shapes)
    # The projection ends with the channels of the stage, even in a first block that downsamples.
    dims = tuple(shapes[f"stages.{stage}.0.pwconv2.weight"][0] for stage in range(len(depths)))
    kernels = tuple(shapes[f"stages.{stage}.0.dwconv.weight"][-1] for stage in range(len(depths)))
    hidden = shapes["stages.0.0.pwconv1.weight"][0]
    in_head = [shapes[name] for name in sorted(shapes) if _HIDDEN_LAYER.fullmatch(name)]
    widths = tuple(shape[0] for shape in in_head)
    pooled = (in_head[0] if in_head else shapes["head.weight"])[1]
    return ConvNeXtConfig(
        num_classes=shapes["head.weight"][0],
        depths=depths,
        dims=dims,
        kernel_size=kernels[0] if len(set(kernels)) == 1 else kernels,
        expansion=hidden / dims[0],
        depthwise=shapes["stages.0.0.dwconv.weight"][1] == 1,
        grn="stages.0.0.grn.gamma" in shapes,
        norm=_norm(shapes),
        norm_eps=_EPSILONS.get((depths, dims), 1e-6),
        downsample="block" if "stages.1.0.shortcut.weight" in shapes else "separate",
        layer_scale_init_value=1e-6 if "stages.0.0.gamma" in shapes else 0.0,
        output_stride=output_stride,
        head_norm_first=head_norm_first,
        global_pool="catavgmax" if head_norm_first and pooled == 2 * dims[-1] else "avg",
        head_hidden_size=widths if len(widths) > 1 else sum(widths),
        **_stem(shapes),
    )


def _depths(shapes: Shapes) -> tuple[int, ...]:
    blocks = {tuple(name.split(".")[1:3]) for name in shapes if name.startswith("stages.")}
    numbers = [(int(stage), int(block)) for stage, block in blocks]
    stages = 1 + max((stage for stage, _ in numbers), default=0)
    if stages not in (1, 4):
        raise StudioError(f"The network has {stages} stages; a ConvNeXt has four, or one.")
    return tuple(1 + max((block for at, block in numbers if at == stage), default=0) for stage in range(stages))


def _stem(shapes: Shapes) -> dict[str, Any]:
    """Return the fields of the config that describe the stem."""
    parts = {int(name.split(".")[2]): shapes[name] for name in shapes if _is_weight_of_stem(name)}
    convolutions = [at for at, shape in sorted(parts.items()) if len(shape) == 4]
    first = shapes[f"{_STEM}.0.weight"]
    fields: dict[str, Any] = {"in_chans": first[1], "stem_norm": len(parts) > len(convolutions)}
    if len(convolutions) > 1:
        fields["stem_type"] = _overlapping(first[0], parts[convolutions[-1]][0], convolutions[-1])
    else:
        fields["stem_kernel_size"] = fields["stem_stride"] = first[-1]
    return fields


def _is_weight_of_stem(name: str) -> bool:
    return name.startswith(f"{_STEM}.") and name.endswith(".weight")


def _overlapping(between: int, after: int, second_at: int) -> StemType:
    if second_at == 2:  # An activation has no tensors, but counts as a layer.
        return "overlap_act"
    return "overlap" if between == after else "overlap_tiered"


def _norm(shapes: Shapes) -> Norm:
    if "stages.0.0.norm.running_mean" in shapes:
        return "batch"
    return "layer" if "stages.0.0.norm.bias" in shapes else "simple"
