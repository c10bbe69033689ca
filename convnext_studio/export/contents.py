"""What is exported, and its numbers as JSON."""

import json
import math
from dataclasses import dataclass
from typing import Any

from convnext_studio.engine.messages import (
    FeatureMapsResult,
    ImageInfo,
    ModelInfo,
    Prediction,
    ReceptiveFieldResult,
)

TOP_COUNT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportContents:
    """Everything that is written for one picture.

    Attributes
    ----------
    model, image
        What was run on what.
    prediction
        Of that picture by that model; its attribution is the one that is written.
    maps
        Feature maps by node name: the stages, and any other node that was chosen.
    receptive_field
        Of the chosen node.
    cam_stage
        Stage whose Grad-CAM is written.
    """

    model: ModelInfo
    image: ImageInfo
    prediction: Prediction
    maps: dict[str, FeatureMapsResult]
    receptive_field: ReceptiveFieldResult
    cam_stage: str


def label_of(model: ModelInfo, index: int) -> str:
    """A class in plain words, or its number where the model has no labels."""
    return model.labels[index] if index < len(model.labels) else f"class {index}"


def predictions_json(contents: ExportContents) -> dict[str, Any]:
    """The contents of ``predictions.json``."""
    model, image, prediction = contents.model, contents.image, contents.prediction
    geometry = prediction.geometry
    classes = [
        {
            "class": index,
            "label": label_of(model, index),
            "logit": _number(prediction.logits[index]),
            "probability": _number(prediction.probabilities[index]),
        }
        for index in range(len(prediction.logits))
    ]
    return {
        "model": {
            "source": model.source,
            "title": model.title,
            "random_weights": model.random_weights,
            "notes": list(model.notes),
            "parameters": model.parameters,
            "macs": model.macs,
            "input_px": model.input_px,
            "device": model.device,
            "device_name": model.device_name,
            "precision": model.precision,
            "config": model.config.to_dict(),
        },
        "picture": {
            "name": image.name,
            "path": image.path,
            "width_px": image.size[0],
            "height_px": image.size[1],
            "notes": list(image.notes),
            "resized_px": list(geometry.resized_size),
            "crop_box_px": dict(zip(("x", "y", "width", "height"), geometry.crop_box, strict=True)),
        },
        "target": {
            "class": prediction.attribution.target,
            "label": label_of(model, prediction.attribution.target),
        },
        "top": [classes[index] for index in prediction.top(TOP_COUNT)],
        "classes": classes,
    }


def json_bytes(values: dict[str, Any]) -> bytes:
    """Valid, indented JSON; a character that cannot be encoded (an odd file name) is replaced."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
