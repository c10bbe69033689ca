"""The ``config.json`` that transformers and timm write next to their weights.

Both write one into every folder that they save a model to; transformers also writes a
``preprocessor_config.json``. These files may belong to another file in the folder and may hold anything, so
whatever does not fit the weights is ignored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import Act, ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.timm.timm_names import check_architecture, complete_from_timm, is_convnext
from convnext_studio.model.weights.checkpoint import read_preprocessing
from convnext_studio.model.weights.formats import TIMM, TRANSFORMERS, Format
from convnext_studio.model.weights.headers import MAX_HEADER_BYTES

# transformers' names for activation functions.
_ACTS: dict[str, Act] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers for them.
_CROPPED_BELOW_PX = 384  # From this size on, transformers' ConvNeXt squashes pictures instead of cropping.
_UNUSABLE = (StudioError, KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionFiles:
    """What the files next to the weights say.

    Attributes
    ----------
    config
        The architecture, completed by what cannot be read off the tensors.
    labels
        Class names in plain English; empty if there are none.
    preprocessing
        How pictures are turned into the network's input; None if the files do not say.
    provenance
        Where the weights come from, as pairs of name and text.
    is_act_known
        Whether the activation was read from a file instead of being assumed.
    notes
        Sentences to be shown to the user.
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    is_act_known: bool = False
    notes: tuple[str, ...] = ()


def read_companion_files(path: Path, format_: Format, config: ConvNeXtConfig) -> CompanionFiles:
    """Read the files next to a weights file of that format, whose tensors belong to that config."""
    values = read_json(path.with_name("config.json"))
    if format_ is TRANSFORMERS:
        found = _of_transformers(values, read_json(path.with_name("preprocessor_config.json")), config)
    elif format_ is TIMM:
        found = _of_timm(values, config)
    else:
        return CompanionFiles(config=config)
    used = {
        "class names": found.labels,
        "preprocessing": found.preprocessing,
        "activation": found.is_act_known,
        "licence": found.provenance,
    }
    told = [what for what, value in used.items() if value]
    if not told:
        return found
    return replace(found, notes=(f"Read from the files next to it: {', '.join(told)}.", *found.notes))


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the JSON object in a file; an empty one if there is none that can be read."""
    try:
        if not path.is_file():  # Reading from a pipe could block for ever.
            return {}
        with path.open("rb") as stream:
            values = json.loads(stream.read(MAX_HEADER_BYTES))  # With or without a byte-order mark.
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _of_transformers(
    values: Mapping[str, Any], processor: Mapping[str, Any], config: ConvNeXtConfig
) -> CompanionFiles:
    described = values.get("depths"), values.get("hidden_sizes")
    if any(numbers is not None for numbers in described) and described != (
        list(config.depths),
        list(config.dims),
    ):
        return CompanionFiles(config=config)  # The file belongs to another network.
    notes: tuple[str, ...] = ()
    act = _ACTS.get(str(values.get("hidden_act")))
    if act is None and "hidden_act" in values:
        notes = (f"Its activation “{values['hidden_act']}” is unknown; GELU is used instead.",)
    return CompanionFiles(
        config=config if act is None else msgspec.structs.replace(config, act=act),
        labels=_numbered(values.get("id2label"), config.num_classes),
        preprocessing=_processed(processor),
        is_act_known=act is not None,
        notes=notes,
    )


def _numbered(names: object, classes: int) -> tuple[str, ...]:
    """Return the names of all classes in order; none if one is missing."""
    if not isinstance(names, dict) or any(str(index) not in names for index in range(classes)):
        return ()
    return tuple(str(names[str(index)]) for index in range(classes))


def _processed(processor: Mapping[str, Any]) -> Preprocessing | None:
    """Return the preprocessing of transformers' image processor for ConvNeXt."""
    try:
        size = processor["size"]
        side = int(size["shortest_edge"] if isinstance(size, dict) else size)
        return read_preprocessing(
            {
                "input_px": side,
                "crop_fraction": float(processor.get("crop_pct") or 224 / 256),
                "interpolation": _RESAMPLING[processor.get("resample", 3)],
                "mean": processor["image_mean"],
                "std": processor["image_std"],
                "squash": side >= _CROPPED_BELOW_PX,
            }
        )
    except _UNUSABLE:
        return None


def _of_timm(values: Mapping[str, Any], config: ConvNeXtConfig) -> CompanionFiles:
    """Read a config that timm saved for the hub; before 2023 everything was in one object."""
    architecture, published = str(values.get("architecture")), values.get("pretrained_cfg", values)
    if not isinstance(published, dict) or values.get("num_classes", config.num_classes) != config.num_classes:
        return CompanionFiles(config=config)
    licence = published.get("license")
    defined = _as_defined(architecture, config)
    return CompanionFiles(
        config=defined or config,
        labels=_described(published, config.num_classes),
        preprocessing=_prepared(published),
        provenance={"licence of the weights": str(licence)} if licence else {},
        is_act_known=defined is not None,
    )


def _as_defined(architecture: str, config: ConvNeXtConfig) -> ConvNeXtConfig | None:
    """Return the config completed by timm's definition of that network, if it is a ConvNeXt with such norms."""
    if not is_convnext(architecture):
        return None
    try:
        defined = complete_from_timm(check_architecture(architecture), config)
    except _UNUSABLE:
        return None
    return defined if (defined.norm == "layer") == (config.norm == "layer") else None


def _described(published: Mapping[str, Any], classes: int) -> tuple[str, ...]:
    names, words = published.get("label_names"), published.get("label_descriptions") or {}
    if not isinstance(names, list) or len(names) != classes or not isinstance(words, dict):
        return ()
    return tuple(str(words.get(name, name)) for name in map(str, names))


def _prepared(published: Mapping[str, Any]) -> Preprocessing | None:
    try:
        return read_preprocessing(
            {
                "input_px": int(published["input_size"][1]),
                "crop_fraction": float(published["crop_pct"]),
                "interpolation": str(published["interpolation"]),
                "mean": published["mean"],
                "std": published["std"],
                "squash": published.get("crop_mode") == "squash",
            }
        )
    except _UNUSABLE:
        return None
