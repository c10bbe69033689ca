"""What the libraries write beside their weights: ``config.json``, of transformers and of timm's repositories.

Both write one into every folder that they save a model to; transformers a ``preprocessor_config.json`` too.
They may belong to another file of the folder, and may hold anything: what does not fit is not used.
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
from convnext_studio.model.timm.registry import as_timm_defines, check_architecture, is_convnext
from convnext_studio.model.weights.checkpoint import read_preprocessing
from convnext_studio.model.weights.formats import TIMM, TRANSFORMERS, Format
from convnext_studio.model.weights.headers import MAX_HEADER_BYTES

# transformers' names of activations.
_ACTS: dict[str, Act] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers.
_CROPPED_BELOW_PX = 384  # transformers' ConvNeXt squashes pictures to larger inputs, and crops nothing.
_UNUSABLE = (StudioError, KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What was found.

    Attributes
    ----------
    config
        The architecture, with what tensors do not tell.
    labels
        Class names in plain words; empty where there are none.
    preprocessing
        How the network wants its pictures; None where that is not said.
    provenance
        Where the weights come from.
    knows_act
        The activation was read, and not assumed.
    notes
        Sentences that people should see.
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    knows_act: bool = False
    notes: tuple[str, ...] = ()


def read_beside(path: Path, format_: Format, config: ConvNeXtConfig) -> Beside:
    """Read what lies beside a weights file of that format, whose tensors are a network of that config."""
    values = _json(path.with_name("config.json"))
    if format_ is TRANSFORMERS:
        found = _of_transformers(values, _json(path.with_name("preprocessor_config.json")), config)
    elif format_ is TIMM:
        found = _of_timm(values, config)
    else:
        return Beside(config=config)
    used = {
        "class names": found.labels,
        "preprocessing": found.preprocessing,
        "activation": found.knows_act,
        "licence": found.provenance,
    }
    told = [what for what, value in used.items() if value]
    if not told:
        return found
    return replace(found, notes=(f"Read from the files beside it: {', '.join(told)}.", *found.notes))


def _json(path: Path) -> Mapping[str, Any]:
    """A file's JSON object; an empty one where there is none that can be read."""
    try:
        if not path.is_file():  # Reading from a pipe might never end.
            return {}
        with path.open(encoding="utf-8") as stream:
            values = json.loads(stream.read(MAX_HEADER_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _of_transformers(values: Mapping[str, Any], processor: Mapping[str, Any], config: ConvNeXtConfig) -> Beside:
    described = values.get("depths"), values.get("hidden_sizes")
    if any(numbers is not None for numbers in described) and described != (
        list(config.depths),
        list(config.dims),
    ):
        return Beside(config=config)  # Another network's.
    notes: tuple[str, ...] = ()
    act = _ACTS.get(str(values.get("hidden_act")))
    if act is None and "hidden_act" in values:
        notes = (f"Its activation “{values['hidden_act']}” is not known here; GELU stands in its place.",)
    return Beside(
        config=config if act is None else msgspec.structs.replace(config, act=act),
        labels=_numbered(values.get("id2label"), config.num_classes),
        preprocessing=_processed(processor),
        knows_act=act is not None,
        notes=notes,
    )


def _numbered(names: object, classes: int) -> tuple[str, ...]:
    """The names of all classes by their numbers; none where one is missing."""
    if not isinstance(names, dict) or any(str(index) not in names for index in range(classes)):
        return ()
    return tuple(str(names[str(index)]) for index in range(classes))


def _processed(processor: Mapping[str, Any]) -> Preprocessing | None:
    """As transformers' image processor of ConvNeXt prepares pictures."""
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


def _of_timm(values: Mapping[str, Any], config: ConvNeXtConfig) -> Beside:
    """As timm saves a model for the hub; before 2023 all of it stood in one object."""
    architecture, published = str(values.get("architecture")), values.get("pretrained_cfg", values)
    if not isinstance(published, dict) or values.get("num_classes", config.num_classes) != config.num_classes:
        return Beside(config=config)
    licence = published.get("license")
    defined = _as_defined(architecture, config)
    return Beside(
        config=defined or config,
        labels=_described(published, config.num_classes),
        preprocessing=_prepared(published),
        provenance={"licence of the weights": str(licence)} if licence else {},
        knows_act=defined is not None,
    )


def _as_defined(architecture: str, config: ConvNeXtConfig) -> ConvNeXtConfig | None:
    """The config with timm's definition of that network, where it is a ConvNeXt with such norms."""
    if not is_convnext(architecture):
        return None
    try:
        defined = as_timm_defines(check_architecture(architecture), config)
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
