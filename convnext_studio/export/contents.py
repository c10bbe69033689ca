"""What is exported, and its numbers as JSON."""

import json
import math
from dataclasses import dataclass
from typing import Any

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.protocol.attributions import Explanation, Faithfulness
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult

TOP_COUNT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MapContents:
    """What is written about an attribution.

    Attributes
    ----------
    model, image
        What was run on what.
    prediction
        Of that picture by that model.
    explanation
        The attribution; None for the Grad-CAM that came with the prediction.
    faithfulness
        Of one of its maps, where that was measured.
    """

    model: ModelInfo
    image: ImageInfo
    prediction: Prediction
    explanation: Explanation | None = None
    faithfulness: Faithfulness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportContents(MapContents):
    """Everything that is written for one picture.

    Attributes
    ----------
    maps
        Feature maps by node name: the stages, and any other node that was chosen.
    receptive_field
        Of the chosen node.
    cam_stage
        Stage whose Grad-CAM is written, where there is no `explanation`.
    """

    maps: dict[str, FeatureMapsResult]
    receptive_field: ReceptiveFieldResult
    cam_stage: str


def label_of(model: ModelInfo, index: int) -> str:
    """A class in plain words, or its number where the model has no labels."""
    return model.labels[index] if index < len(model.labels) else f"class {index}"


def predictions_json(contents: ExportContents) -> dict[str, Any]:
    """The contents of ``predictions.json``."""
    model, prediction = contents.model, contents.prediction
    target = prediction.target if contents.explanation is None else contents.explanation.target
    classes = [
        {
            "class": index,
            "label": label_of(model, index),
            "logit": finite_or_none(prediction.logits[index]),
            "probability": finite_or_none(prediction.probabilities[index]),
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
        "picture": picture_json(contents.image, prediction.geometry),
        "target": {"class": target, "label": label_of(model, target)},
        "top": [classes[index] for index in prediction.top(TOP_COUNT)],
        "classes": classes,
    }


def picture_json(image: ImageInfo, geometry: CropGeometry) -> dict[str, Any]:
    """A picture, and where the network's input lies in it."""
    return {
        "name": image.name,
        "path": image.path,
        "width_px": image.size[0],
        "height_px": image.size[1],
        "notes": list(image.notes),
        "resized_px": list(geometry.resized_size),
        "crop_box_px": dict(zip(("x", "y", "width", "height"), geometry.crop_box, strict=True)),
    }


def json_bytes(values: dict[str, Any]) -> bytes:
    """Valid, indented JSON; a character that cannot be encoded (an odd file name) is replaced."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
