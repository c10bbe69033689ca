"""Read the files of transformers, timm and OpenCLIP beside weights, and OpenMMLab's config in a checkpoint.

They may belong to another file in the folder and may hold anything, so whatever does not fit the weights is
ignored. What fits is followed, or named in a note.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.beside.class_names import places
from convnext_studio.model.weights.beside.companion_files import (
    UNUSABLE,
    CompanionFiles,
    not_followed,
    not_understood,
)
from convnext_studio.model.weights.beside.json_files import read_json
from convnext_studio.model.weights.beside.timm_config import read_timm_config
from convnext_studio.model.weights.beside.transformers_config import read_transformers_config
from convnext_studio.model.weights.checkpoint import read_preprocessing
from convnext_studio.model.weights.names.formats import (
    DINOV3,
    DINOV3_FIRST,
    OPEN_CLIP,
    TIMM,
    TIMM_FEATURES,
    TRANSFORMERS,
    Format,
)
from convnext_studio.render.numbers import pluralize

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_MULTI_LABEL_HEAD = re.compile(r"type['\"]?\s*[=:]\s*['\"]?(?:[\w.]+\.)?(MultiLabel\w*Head|CSRAClsHead)\b")
_MULTI_LABEL_TASKS = frozenset({"multilabel", "multi_label", "multi-label", "multi_label_classification"})
_NUMBERS = r"\s*=\s*[\[(]([-\d., \s]+)[\])]"


def read_companion_files(path: Path, format_: Format, config: ConvNeXtConfig) -> CompanionFiles:
    """Read the files next to a weights file of that format, whose tensors belong to that config."""
    unread: list[str] = []
    values = read_json(path.with_name("config.json"), unread)
    if format_ in (TRANSFORMERS, DINOV3, DINOV3_FIRST):
        processor = read_json(path.with_name("preprocessor_config.json"), unread)
        found = read_transformers_config(values, processor, config)
    elif format_ in (TIMM, TIMM_FEATURES):
        found = read_timm_config(values, config)
    elif format_ is OPEN_CLIP:
        found = _of_open_clip(read_json(path.with_name("open_clip_config.json"), unread), config)
    else:
        return CompanionFiles(config=config)
    prepared = found.preprocessing
    if prepared is not None and not prepared.fits(config.in_chans):
        means, channels = pluralize(len(prepared.mean), "mean"), pluralize(config.in_chans, "channel")
        unread.append(
            f"The preprocessing next to it is left out: it has {means}, but the network takes {channels}."
        )
        found = replace(found, preprocessing=None)
    used = {
        "class names": found.labels,
        "preprocessing": found.preprocessing,
        "activation": found.is_act_known,
        "licence": found.provenance,
    }
    told = [what for what, value in used.items() if value]
    read = [f"Read from the files next to it: {', '.join(told)}."] if told else []
    return replace(found, notes=(*read, *unread, *found.notes))


def _of_open_clip(values: Mapping[str, Any], config: ConvNeXtConfig) -> CompanionFiles:
    model, prepared = values.get("model_cfg"), values.get("preprocess_cfg")
    vision = model.get("vision_cfg") if isinstance(model, dict) else None
    if not isinstance(vision, dict):
        return CompanionFiles(config=config)
    architecture = {"architecture": vision.get("timm_model_name"), "num_classes": config.num_classes}
    if (
        isinstance(vision.get("timm_pool"), str) and vision["timm_pool"]
    ):  # Otherwise the network pools as usual.
        architecture["global_pool"] = vision["timm_pool"]
    found = read_timm_config(architecture, config)
    notes: list[str] = []
    try:
        preprocessing = _prepared_for_clip(vision, prepared if isinstance(prepared, dict) else {}, notes)
    except UNUSABLE:
        return replace(found, notes=(*found.notes, not_understood("open_clip_config.json")))
    return replace(found, preprocessing=preprocessing, notes=(*found.notes, *notes))


def _prepared_for_clip(
    vision: Mapping[str, Any], prepared: Mapping[str, Any], notes: list[str]
) -> Preprocessing:
    size = prepared.get("size", vision.get("image_size", 224))
    sides = [int(side) for side in size] if isinstance(size, list) else [int(size)]
    mode = str(prepared.get("resize_mode") or "shortest")
    if mode not in ("shortest", "longest", "squash"):
        notes.append(not_followed(f"the resize mode “{mode}”", "the shorter side is resized"))
    # OpenCLIP resizes to inputs that are not square with its default, whatever the file says.
    is_bilinear = prepared.get("interpolation") == "bilinear" and (len(set(sides)) == 1 or mode != "shortest")
    return read_preprocessing(
        {
            "input_px": sides[0],
            "input_width_px": sides[-1] if sides[-1] != sides[0] else 0,
            "crop_fraction": 1.0,
            "interpolation": "bilinear" if is_bilinear else "bicubic",
            "mean": _for_bands(prepared.get("mean") or CLIP_MEAN),
            "std": _for_bands(prepared.get("std") or CLIP_STD),
            "squash": mode == "squash",
            "border": mode == "longest",
            "fill": [int(prepared.get("fill_color") or 0)] * 3 if mode == "longest" else (),
        }
    )


def _for_bands(values: Any) -> Any:
    return [values] * 3 if isinstance(values, int | float) else values


def is_multi_label_inside(contents: object) -> bool:
    """Return whether a checkpoint says that several of its classes can be right at once.

    OpenMMLab says so by the kind of the head, which its trainer stores with the config; others by the name of
    the task among the options of the training.
    """
    program = _program_of_openmmlab(contents)
    if _MULTI_LABEL_HEAD.search(program) and "MultiTaskHead" not in program:
        return True
    said = {str(place.get(key)) for _way, place in places(contents) for key in ("task", "problem_type")}
    return bool(said & _MULTI_LABEL_TASKS)


def _program_of_openmmlab(contents: object) -> str:
    """Return the config that OpenMMLab's trainer stores in its checkpoints; empty if there is none."""
    meta = contents.get("meta") if isinstance(contents, Mapping) else None
    told = [meta.get(key) for key in ("cfg", "config")] if isinstance(meta, Mapping) else []
    return next((text for text in told if isinstance(text, str)), "")


def preprocessing_in_openmmlab(contents: object, channels: int) -> Preprocessing | None:
    """Return the preprocessing in the config that OpenMMLab's trainer stores in its checkpoints, or None.

    The config is a Python program, which is not run: mean, standard deviation and sizes are looked for in it.
    """
    program = _program_of_openmmlab(contents)
    mean, std = (re.search(name + _NUMBERS, program) for name in ("mean", "std"))
    if mean is None or std is None:
        return None
    resized = re.findall(r"type\s*=\s*'Resize(?:Edge)?'[^}]*?(?:scale|size)\s*=\s*\(?(\d+)", program)
    cropped = re.findall(r"type\s*=\s*'CenterCrop'[^}]*?crop_size\s*=\s*\(?(\d+)", program)
    try:
        side = int(cropped[-1]) if cropped else 224
        found = read_preprocessing(
            {
                "input_px": side,
                "crop_fraction": 224 / 256,
                "resized_px": (max(side, int(resized[-1])),) if resized else (),
                "interpolation": "bicubic",
                "mean": [float(value) / 255 for value in mean[1].split(",") if value.strip()],
                "std": [float(value) / 255 for value in std[1].split(",") if value.strip()],
            }
        )
    except UNUSABLE:
        return None
    return found if found.fits(channels) else None
