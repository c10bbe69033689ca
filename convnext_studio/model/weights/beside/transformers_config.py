"""The ``config.json`` and ``preprocessor_config.json`` that Hugging Face transformers writes beside weights."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from convnext_studio.model.config import Act, ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.beside.companion_files import (
    OF_ANOTHER,
    UNUSABLE,
    CompanionFiles,
    not_followed,
    not_understood,
)
from convnext_studio.model.weights.checkpoint import read_preprocessing

# transformers' names for activation functions.
_ACTS: dict[str, Act] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
# Pillow's numbers for them.
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_CROPPED_BELOW_PX = 384  # From this size on, transformers' ConvNeXt squashes pictures instead of cropping.
_CONVNEXTS = ("convnext", "convnextv2")
_CONVNEXT, _DINOV3 = "ConvNext", "DINOv3"
_USUAL_MEAN, _USUAL_STD = [0.5] * 3, [0.5] * 3
_MULTI_LABEL = "multi_label_classification"
_SHORTER_SIDE = ("ConvNext", "Bit", "CLIP", "ChineseCLIP", "Levit", "PoolFormer", "MobileNet")
"""The processors for which a size of one number is that of the shorter side, and not of both."""
_BILINEAR = ("DINOv3", "ViT", "Levit", "MobileNet")
"""The processors that resize so where their file does not say."""
_FOLLOWED = frozenset({"do_resize", "do_rescale", "do_normalize", "do_center_crop", "do_convert_rgb"})


def read_transformers_config(
    values: Mapping[str, Any], processor: Mapping[str, Any], config: ConvNeXtConfig
) -> CompanionFiles:
    """Read both files; whatever does not fit the network is ignored."""
    described = values.get("depths"), values.get("hidden_sizes")
    if any(numbers is not None for numbers in described) and described != (
        list(config.depths),
        list(config.dims),
    ):
        return CompanionFiles(config=config, notes=(OF_ANOTHER,))
    notes: list[str] = []
    act = _ACTS.get(str(values.get("hidden_act")))
    if act is not None:
        config = replace(config, act=act)
    elif "hidden_act" in values:
        notes.append(f"Its activation “{str(values['hidden_act'])[:40]}” is unknown; GELU is used instead.")
    config = _with_epsilon(values, config, notes)
    preprocessing, more = _processed(processor)
    problem = values.get("problem_type")
    if problem not in (None, "single_label_classification", _MULTI_LABEL):
        notes.append(
            not_followed(f"the problem type “{problem}”", "its outputs are shown as percentages of classes")
        )
    return CompanionFiles(
        config=config,
        labels=_numbered(values.get("id2label"), config.num_classes),
        preprocessing=preprocessing,
        is_act_known=act is not None,
        is_multi_label=problem == _MULTI_LABEL,
        notes=(*notes, *more),
    )


def _with_epsilon(values: Mapping[str, Any], config: ConvNeXtConfig, notes: list[str]) -> ConvNeXtConfig:
    """Return the config with the epsilon of the file: of all norms in DINOv3, of the last otherwise."""
    kind = str(values.get("model_type"))
    try:
        # transformers' own ConvNeXts have another one than everybody else where the file does not say it.
        epsilon = float(values.get("layer_norm_eps", 1e-12) if kind in _CONVNEXTS else values["layer_norm_eps"])
        if kind.startswith("dinov3"):
            return replace(config, norm_eps=epsilon)
        return replace(config, head_norm_eps=epsilon)
    except UNUSABLE:
        if "layer_norm_eps" in values:
            notes.append(not_followed("an impossible layer_norm_eps", f"{config.norm_eps:g} is used"))
        return config


def _numbered(names: object, classes: int) -> tuple[str, ...]:
    """Return the names of all classes in order; none if one is missing."""
    if not isinstance(names, dict) or any(str(index) not in names for index in range(classes)):
        return ()
    return tuple(str(names[str(index)]) for index in range(classes))


def _processed(processor: Mapping[str, Any]) -> tuple[Preprocessing | None, list[str]]:
    """Return the preprocessing of an image processor, and what of it is not followed."""
    if "size" not in processor and "image_mean" not in processor:
        return None, []
    notes: list[str] = []
    try:
        kind = str(
            processor.get("image_processor_type") or processor.get("feature_extractor_type") or _CONVNEXT
        )
        resampling = processor.get("resample", 2 if kind.startswith(_BILINEAR) else 3)
        mean, std = _normalised(processor)
        preprocessing = read_preprocessing(
            {
                **(_as_convnext if kind.startswith(_CONVNEXT) else _shape)(processor, kind, notes),
                "interpolation": _RESAMPLING[resampling],
                "mean": mean,
                "std": std,
                "floors_corner": True,
                "resizes_floats": kind.startswith(_DINOV3),
            }
        )
    except UNUSABLE:
        return None, [not_understood("preprocessor_config.json")]
    if processor.get("do_resize") is False:
        notes.append(
            not_followed("pictures that are not resized", f"they become {preprocessing.input_px} px high")
        )
    asked = {name for name, value in processor.items() if value is True and name.startswith("do_")}
    asked |= {name for name in ("offset", "rescale_offset") if processor.get(name) is True}
    notes += [not_followed(name[:40], "it is not known here") for name in sorted(asked - _FOLLOWED)]
    return preprocessing, notes


def _as_convnext(processor: Mapping[str, Any], _kind: str, notes: list[str]) -> dict[str, Any]:
    """Return the size of the input, the resizing and the crop of transformers' own processor for ConvNeXts."""
    size = processor["size"]
    if isinstance(size, dict) and "height" in size:
        return {**_input_size(size), "crop_fraction": 1.0, "squash": True}
    shorter = _shorter_side(size, notes)
    if processor.get("do_center_crop") is True and _sides(processor.get("crop_size", shorter)) != (
        shorter,
        shorter,
    ):
        notes.append(not_followed("a second crop", f"the input has {shorter} px a side"))
    fraction = float(processor.get("crop_pct") or 224 / 256)
    return {"input_px": shorter, "crop_fraction": fraction, "squash": shorter >= _CROPPED_BELOW_PX}


def _shape(processor: Mapping[str, Any], kind: str, notes: list[str]) -> dict[str, Any]:
    """Return the size of the input, the resizing and the crop of all other processors."""
    size = processor["size"]
    is_squashed = "height" in size if isinstance(size, dict) else not kind.startswith(_SHORTER_SIDE)
    is_cropped = "crop_size" in processor and processor.get("do_center_crop", True)
    if is_squashed:
        height, width = _sides(size)
        cropped = _input_size(processor["crop_size"] if is_cropped else size)
        return {**cropped, "crop_fraction": 1.0, "squash": True, "resized_px": (width, height)}
    shorter = _shorter_side(size, notes)
    if is_cropped:
        return {**_input_size(processor["crop_size"]), "crop_fraction": 1.0, "resized_px": (shorter,)}
    notes.append(not_followed("pictures that are not square", "their centre is cropped"))
    return {"input_px": shorter, "crop_fraction": 1.0}


def _shorter_side(size: Any, notes: list[str]) -> int:
    if not isinstance(size, dict):
        return int(size)
    if "longest_edge" in size:
        notes.append(not_followed("a limit for the longer side", "only the shorter side has a fixed length"))
    return int(size.get("shortest_edge") or size["longest_edge"])


def _sides(size: Any) -> tuple[int, int]:
    """Return height and width."""
    if isinstance(size, dict):
        return int(size["height"]), int(size["width"])
    return (int(size[0]), int(size[1])) if isinstance(size, list) else (int(size), int(size))


def _input_size(size: Any) -> dict[str, int]:
    height, width = _sides(size)
    return {"input_px": height, "input_width_px": width if width != height else 0}


def _normalised(processor: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation for values from 0 to 1.

    Values that are scaled by another factor, or not at all, or are not normalised, come to the same with
    another mean and standard deviation.
    """
    factor = 1 / 255
    if processor.get("do_rescale") is False:
        factor = 1.0
    elif "rescale_factor" in processor:
        factor = float(processor["rescale_factor"])
    if processor.get("do_normalize") is False:
        mean, std = [0.0] * 3, [1.0] * 3
    else:
        mean, std = (
            _for_channels(processor.get(name, usual))
            for name, usual in (("image_mean", _USUAL_MEAN), ("image_std", _USUAL_STD))
        )
    scale = 255 * factor
    return [value / scale for value in mean], [value / scale for value in std]


def _for_channels(values: Any) -> list[float]:
    return [float(values)] * 3 if isinstance(values, int | float) else [float(value) for value in values]
