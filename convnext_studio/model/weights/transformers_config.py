"""The ``config.json`` and ``preprocessor_config.json`` that Hugging Face transformers writes beside weights."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from convnext_studio.model.config import Act, ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import read_preprocessing
from convnext_studio.model.weights.companion_files import (
    UNUSABLE,
    CompanionFiles,
    crop_fraction,
    not_followed,
)

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
_CONVNEXT, _DINOV3 = "ConvNext", "DINOv3"
_USUAL_MEAN, _USUAL_STD = [0.5] * 3, [0.5] * 3


def read_transformers_config(
    values: Mapping[str, Any], processor: Mapping[str, Any], config: ConvNeXtConfig
) -> CompanionFiles:
    """Read both files; whatever does not fit the network is ignored."""
    described = values.get("depths"), values.get("hidden_sizes")
    if any(numbers is not None for numbers in described) and described != (
        list(config.depths),
        list(config.dims),
    ):
        return CompanionFiles(config=config)  # The file belongs to another network.
    notes: list[str] = []
    act = _ACTS.get(str(values.get("hidden_act")))
    if act is not None:
        config = replace(config, act=act)
    elif "hidden_act" in values:
        notes.append(f"Its activation “{str(values['hidden_act'])[:40]}” is unknown; GELU is used instead.")
    config = _with_epsilon(values, config)
    preprocessing, more = _processed(processor)
    problem = values.get("problem_type")
    if problem not in (None, "single_label_classification"):
        notes.append(
            not_followed(f"the problem type “{problem}”", "percentages are of a softmax over all classes")
        )
    return CompanionFiles(
        config=config,
        labels=_numbered(values.get("id2label"), config.num_classes),
        preprocessing=preprocessing,
        is_act_known=act is not None,
        notes=(*notes, *more),
    )


def _with_epsilon(values: Mapping[str, Any], config: ConvNeXtConfig) -> ConvNeXtConfig:
    """Return the config with the epsilon of the file: of all norms in DINOv3, of the last otherwise."""
    try:
        epsilon = float(values["layer_norm_eps"])
        if str(values.get("model_type")).startswith("dinov3"):
            return replace(config, norm_eps=epsilon)
        return replace(config, head_norm_eps=epsilon)
    except UNUSABLE:
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
        kind = str(processor.get("image_processor_type", processor.get("feature_extractor_type", "")))
        shape = _shape(processor, _CONVNEXT if not kind or kind.startswith(_CONVNEXT) else kind, notes)
        resampling = processor.get("resample", 2 if kind.startswith(_DINOV3) else 3)
        mean, std = _normalised(processor)
        preprocessing = read_preprocessing(
            {
                **shape,
                "interpolation": _RESAMPLING[resampling],
                "mean": mean,
                "std": std,
                "floors_corner": True,
                "resizes_floats": kind.startswith(_DINOV3),
            }
        )
    except UNUSABLE:
        return None, []
    if processor.get("do_resize") is False:
        notes.append(
            not_followed("pictures that are not resized", f"they become {preprocessing.input_px} px a side")
        )
    unknown = [name for name in ("do_pad", "do_flip_channel_order") if processor.get(name) is True]
    notes += [not_followed(name, "it is not known here") for name in unknown]
    return preprocessing, notes


def _shape(processor: Mapping[str, Any], kind: str, notes: list[str]) -> dict[str, Any]:
    """Return the fields of `Preprocessing` for the size of the input, the resizing and the crop."""
    size = processor["size"]
    if isinstance(size, dict) and "height" in size:
        height, width = int(size["height"]), int(size["width"])
        shorter, is_square = min(height, width), True
        if height != width:
            notes.append(not_followed(f"an input of {height} × {width} px", f"it has {shorter} px a side"))
    else:
        shorter = (
            int(size.get("shortest_edge") or size["longest_edge"]) if isinstance(size, dict) else int(size)
        )
        is_square = not isinstance(size, dict) and kind != _CONVNEXT
        if isinstance(size, dict) and "shortest_edge" not in size:
            notes.append(not_followed("a longer side of fixed length", "the shorter side is resized to it"))
    if kind == _CONVNEXT:
        squash = is_square or shorter >= _CROPPED_BELOW_PX
        fraction = float(processor.get("crop_pct") or 224 / 256)
        return {"input_px": shorter, "crop_fraction": fraction, "squash": squash}
    if "crop_size" in processor and processor.get("do_center_crop", True):
        cropped = _side(processor["crop_size"], notes)
        if cropped > shorter:
            notes.append(not_followed(f"a crop of {cropped} px", f"pictures have {shorter} px before it"))
            cropped = shorter
        if is_square and cropped != shorter:
            notes.append(not_followed("a crop of a squashed picture", "the picture keeps its aspect ratio"))
        is_whole = is_square and cropped == shorter
        return {
            "input_px": cropped,
            "crop_fraction": crop_fraction(cropped, shorter),
            "squash": is_whole,
        }
    if not is_square:
        notes.append(not_followed("pictures that are not square", "their centre is cropped"))
    return {"input_px": shorter, "crop_fraction": 1.0, "squash": is_square}


def _side(size: Any, notes: list[str]) -> int:
    if not isinstance(size, dict):
        return int(size)
    height, width = int(size["height"]), int(size["width"])
    if height != width:
        notes.append(not_followed(f"a crop of {height} × {width} px", f"it has {min(height, width)} px a side"))
    return min(height, width)


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
            [float(value) for value in processor.get(name, usual)]
            for name, usual in (("image_mean", _USUAL_MEAN), ("image_std", _USUAL_STD))
        )
    scale = 255 * factor
    return [value / scale for value in mean], [value / scale for value in std]
