"""The ``config.json`` that timm writes beside weights."""

import math
from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from convnext_studio.model.config import Act, ConvNeXtConfig, GlobalPool, Norm
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from convnext_studio.model.timm.timm_names import check_architecture, complete_from_timm, is_convnext
from convnext_studio.model.weights.beside.companion_files import (
    OF_ANOTHER,
    UNUSABLE,
    CompanionFiles,
    not_followed,
    not_understood,
)
from convnext_studio.model.weights.checkpoint import INTERPOLATIONS, read_preprocessing

ACTS: dict[str, Act] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_NORMS: dict[str, Norm] = {"layernorm": "layer", "rmsnorm": "rms", "simplenorm": "simple"}
_POOLS = ("avg", "max", "avgmax")
_OUTPUT_STRIDES = (8, 16, 32)
_INPUT_SIZE, _CROP_FRACTION, _INTERPOLATION = [3, 224, 224], 0.875, "bicubic"
"""What timm takes where its file does not say."""
_SHOWN_BY_TENSORS = frozenset(
    {
        *("depths", "dims", "in_chans", "num_classes", "kernel_sizes", "patch_size", "stem_type", "conv_mlp"),
        *("use_grn", "head_hidden_size", "head_norm_first", "conv_bias", "ls_init_value", "mlp_ratio"),
    }
)
_OF_TRAINING = frozenset({"head_init_scale", "drop_rate", "drop_path_rate", "pretrained", "features_only"})


def read_timm_config(values: Mapping[str, Any], config: ConvNeXtConfig) -> CompanionFiles:
    """Read a config that timm saved for the hub; before 2023 everything was in one object."""
    architecture, published = str(values.get("architecture")), values.get("pretrained_cfg", values)
    if not isinstance(published, dict):
        return CompanionFiles(config=config)
    is_other = isinstance(values.get("architecture"), str) and not is_convnext(architecture)
    if is_other or values.get("num_classes", config.num_classes) != config.num_classes:
        return CompanionFiles(config=config, notes=(OF_ANOTHER,))
    licence = published.get("license")
    defined = _as_defined(architecture, config)
    config, is_act_told, notes = _with_arguments(values, defined or config)
    preprocessing, more = _prepared(published)
    return CompanionFiles(
        config=config,
        labels=_described(values, published, config.num_classes),
        preprocessing=preprocessing,
        provenance={"licence of the weights": str(licence)} if licence else {},
        is_act_known=defined is not None or is_act_told,
        notes=(*notes, *more),
    )


def _as_defined(architecture: str, config: ConvNeXtConfig) -> ConvNeXtConfig | None:
    """Return the config completed by timm's definition of that network, if it is a ConvNeXt with such norms."""
    if not is_convnext(architecture):
        return None
    try:
        defined = complete_from_timm(check_architecture(architecture), config)
    except UNUSABLE:
        return None
    return defined if (defined.norm == "layer") == (config.norm == "layer") else None


def _with_arguments(
    values: Mapping[str, Any], config: ConvNeXtConfig
) -> tuple[ConvNeXtConfig, bool, list[str]]:
    """Return the config with what was changed from timm's definition, and what is not followed."""
    found = values.get("model_args")
    arguments = dict(found) if isinstance(found, dict) else {}
    notes: list[str] = []
    pool = str(arguments.pop("global_pool", values.get("global_pool", config.global_pool)))
    config = _with_pool(config, pool, notes)
    config = _with_norm(config, str(arguments.pop("norm_layer", None) or "").removesuffix("2d"), notes)
    act = str(arguments.pop("act_layer", ""))
    if act in ACTS:
        config = replace(config, act=ACTS[act])
    elif act:
        notes.append(not_followed(f"the activation “{act}”", "GELU is used"))
    try:
        config = replace(config, norm_eps=float(arguments.pop("norm_eps", config.norm_eps)))
    except UNUSABLE:
        notes.append(not_followed("an impossible norm_eps", f"{config.norm_eps:g} is used"))
    stride = arguments.pop("output_stride", config.output_stride)
    if stride in _OUTPUT_STRIDES:
        config = replace(config, output_stride=stride)
    elif stride != config.output_stride:
        notes.append(not_followed(f"an output stride of {stride}", "timm knows 8, 16 and 32 only"))
    others = sorted(str(name) for name in arguments if name not in _SHOWN_BY_TENSORS | _OF_TRAINING)
    if others:
        notes.append(not_followed(f"{', '.join(others[:5])}", "these arguments of timm are not known here"))
    return config, act in ACTS, notes


def _with_pool(config: ConvNeXtConfig, pool: str, notes: list[str]) -> ConvNeXtConfig:
    pool = pool.removeprefix("fast") or "avg" if pool.startswith("fast") else pool
    if pool in _POOLS and config.global_pool != "catavgmax":
        return replace(config, global_pool=cast(GlobalPool, pool))
    if pool in ("", "None"):
        notes.append(not_followed("outputs at each position, without pooling", "the mean is used"))
    elif pool != config.global_pool:
        notes.append(not_followed(f"pooling by “{pool}”", "the mean is used"))
    return config


def _with_norm(config: ConvNeXtConfig, norm: str, notes: list[str]) -> ConvNeXtConfig:
    """Return the config with norms that the tensors do not tell apart: both lack a bias."""
    if norm in _NORMS and (_NORMS[norm] == "layer") == (config.norm == "layer"):
        return replace(config, norm=_NORMS[norm])
    if norm:
        notes.append(not_followed(f"the norm “{norm}”", "the one that the tensors show is used"))
    return config


def _described(values: Mapping[str, Any], published: Mapping[str, Any], classes: int) -> tuple[str, ...]:
    """Return the class names in plain English where they are told; those beside the architecture come first."""
    names = values.get("label_names") or published.get("label_names") or published.get("labels")
    words = values.get("label_descriptions") or published.get("label_descriptions") or {}
    if isinstance(words, list) and len(words) == classes:
        return tuple(map(str, words))
    if not isinstance(names, list) or len(names) != classes or not isinstance(words, dict):
        return ()
    return tuple(str(words.get(name, name)) for name in map(str, names))


def _prepared(published: Mapping[str, Any]) -> tuple[Preprocessing | None, list[str]]:
    if not {"input_size", "crop_pct", "interpolation", "mean", "std"} & set(published):
        return None, []
    notes: list[str] = []
    try:
        channels, height, width = (int(size) for size in published.get("input_size") or _INPUT_SIZE)
        interpolation = str(published.get("interpolation") or _INTERPOLATION)
        if interpolation not in INTERPOLATIONS:
            notes.append(not_followed(f"the interpolation “{interpolation}”", "bicubic is used"))
            interpolation = "bicubic"
        crop = float(published.get("crop_pct") or _CROP_FRACTION)
        mode = str(published.get("crop_mode") or "center")
        means = _for_channels(published.get("mean") or IMAGENET_MEAN, channels)
        squashed = (math.floor(width / crop), math.floor(height / crop))
        preprocessing = read_preprocessing(
            {
                "input_px": height,
                "input_width_px": width if width != height else 0,
                "crop_fraction": crop,
                "interpolation": interpolation,
                "mean": means,
                "std": _for_channels(published.get("std") or IMAGENET_STD, channels),
                "squash": mode == "squash",
                "resized_px": squashed if mode == "squash" and squashed != (width, height) else (),
                "border": mode == "border",
                "fill": [round(255 * value) for value in means] if mode == "border" else (),
            }
        )
    except UNUSABLE:
        return None, [not_understood("config.json")]
    if mode not in ("center", "squash", "border"):
        notes.append(not_followed(f"the crop mode “{mode}”", "the centre is cropped"))
    return preprocessing, [*notes, *_tested(published)]


def _for_channels(values: Any, channels: int) -> list[float]:
    numbers = [float(value) for value in values]
    return numbers * channels if len(numbers) == 1 and channels > 1 else numbers


def _tested(published: Mapping[str, Any]) -> list[str]:
    """Say at which size the makers tested the network, where it is another one."""
    size, crop = published.get("test_input_size"), published.get("test_crop_pct")
    told = []
    if isinstance(size, list) and len(size) == 3 and size != published.get("input_size"):
        told.append(f"{str(size[1])[:6]} × {str(size[2])[:6]} px")
    if isinstance(crop, int | float) and crop and crop != published.get("crop_pct"):
        told.append(f"a crop of {str(crop)[:6]}")
    return (
        [f"Its makers tested it with {' and '.join(told)}; the size of its training is used."] if told else []
    )
