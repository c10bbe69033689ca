"""The contents of an export, and their JSON form."""

import json
import math
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import framing_of
from convnext_studio.protocol.attributions import AVERAGE, Curves, Explanation, Faithfulness
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction, explanation_of
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult

TOP_COUNT = 5


class MapContents(Struct, frozen=True, kw_only=True):
    """Everything that the export of an attribution needs.

    Attributes
    ----------
    model, image
        The model and the picture that it was run on.
    prediction
        The model's prediction for the picture.
    explanation
        The attribution; None for the Grad-CAM that came with the prediction.
    faithfulness
        The faithfulness of one of its maps, if it was measured.
    """

    model: ModelInfo
    image: ImageInfo
    prediction: Prediction
    explanation: Explanation | None = None
    faithfulness: Faithfulness | None = None


class ExportContents(MapContents, frozen=True, kw_only=True):
    """Everything that the export of one picture needs.

    Attributes
    ----------
    maps
        Feature maps by node name: the stages, and any other node that was chosen.
    receptive_field
        The receptive field of the chosen node.
    cam_stage
        The stage whose Grad-CAM is written if there is no `explanation`.
    """

    maps: dict[str, FeatureMapsResult]
    receptive_field: ReceptiveFieldResult
    cam_stage: str


def label_of(model: ModelInfo, index: int) -> str:
    """Return the label of a class, or its number if the model has no label for it."""
    return model.labels[index] if index < len(model.labels) else f"class {index}"


def written_explanation(contents: ExportContents) -> Explanation:
    """Return the explanation to write: the given one, or the prediction's Grad-CAM at `cam_stage`."""
    if contents.explanation is not None:
        return contents.explanation
    prediction = contents.prediction
    return explanation_of(prediction, contents.model, (contents.cam_stage,))


def map_stems(explanation: Explanation) -> dict[str, str]:
    """Return the file stem of each map: the method's name, followed by the map's if there are several."""
    if len(explanation.maps) == 1:
        return dict.fromkeys(explanation.maps, explanation.method)
    return {name: f"{explanation.method}-{name}" for name in explanation.maps}


def map_arrays(explanation: Explanation) -> dict[str, NDArray[np.float32]]:
    """Return the arrays by file stem: each map and, for a difference, the two maps that were subtracted."""
    arrays = {}
    for name, stem in map_stems(explanation).items():
        arrays[stem] = explanation.maps[name]
        if explanation.output == "difference":
            arrays[f"{stem}-target"] = explanation.target_maps[name]
            arrays[f"{stem}-against"] = explanation.against_maps[name]
    return arrays


def place_text(explanation: Explanation, name: str) -> str:
    """Describe where a map was computed: at one node, or as the average of several."""
    if name != AVERAGE:
        return name
    return f"the average of {', '.join(explanation.nodes)} (each divided by its largest magnitude)"


def explained_text(model: ModelInfo, explanation: Explanation) -> str:
    """Describe what is explained: a class, its probability, or one class and not another."""
    label = label_of(model, explanation.target)
    if explanation.against is not None:
        return f"{label}, and not {label_of(model, explanation.against)}"
    return f"probability of {label}" if explanation.output == "probability" else label


# -------------------------------------------------------------------------------------------------- as JSON


def predictions_json(contents: ExportContents) -> dict[str, Any]:
    """Return the contents of ``predictions.json``."""
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


def explanation_json(contents: MapContents, explanation: Explanation, name: str) -> dict[str, Any]:
    """Return the contents of a map's ``.json``; a value that is unknown or not finite is null."""
    method, model = method_named(explanation.method), contents.model
    values = explanation.maps[name]
    finite = values[np.isfinite(values)]
    field = explanation.fields[name]
    box = explanation.geometry.box_to_picture(field.map_box(*values.shape))
    return {
        "method": method.name,
        "title": method.title,
        "source": method.source,
        "parameters": explanation.parameters,
        "map": name,
        "nodes": list(explanation.nodes),
        "output": explanation.output,
        "target": _class_json(contents, explanation.target),
        "against": None if explanation.against is None else _class_json(contents, explanation.against),
        "score": finite_or_none(explanation.score),
        "delta": None if explanation.delta is None else finite_or_none(explanation.delta),
        "shape": list(values.shape),
        "smallest": float(finite.min()) if finite.size else None,
        "largest": float(finite.max()) if finite.size else None,
        "not_finite": int(values.size - finite.size),
        "notes": list(explanation.notes),
        "geometry": {
            "size_px": field.size_px,
            "stride_px": field.stride_px,
            "first_centre_px": field.first_centre_px,
            "box_in_picture_px": dict(zip(("x", "y", "width", "height"), box, strict=True)),
        },
        "faithfulness": _faithfulness_json(contents.faithfulness, name),
        "seconds": explanation.seconds,
        "model": {"source": model.source, "title": model.title},
        "random_weights": explanation.random_weights,
        "picture": picture_json(contents.image, explanation.geometry),
    }


def _class_json(contents: MapContents, index: int) -> dict[str, Any]:
    return {"class": index, "label": label_of(contents.model, index)}


def _faithfulness_json(result: Faithfulness | None, name: str) -> dict[str, Any] | None:
    if result is None or result.map_name != name:
        return None
    return {
        "fill": result.fill,
        "steps": result.steps,
        "seed": result.seed,
        "probability": finite_or_none(result.probability),
        "top_share": result.top_share,
        "of_map": _curves_json(result.of_map),
        "of_centre_out": _curves_json(result.of_centre),
        "of_random_map": _curves_json(result.of_random[0]) if result.of_random else None,
        "of_random_maps": [_curves_json(curves) for curves in result.of_random],
        "verdict": [result.verdict_text("insertion"), result.verdict_text("deletion")],
    }


def _curves_json(curves: Curves) -> dict[str, Any]:
    return {
        "insertion_area": finite_or_none(curves.insertion_area),
        "deletion_area": finite_or_none(curves.deletion_area),
        "probability_of_top_kept": finite_or_none(curves.kept),
        "probability_of_top_removed": finite_or_none(curves.removed),
        "insertion": [finite_or_none(value) for value in curves.insertion],
        "deletion": [finite_or_none(value) for value in curves.deletion],
    }


def picture_json(image: ImageInfo, geometry: CropGeometry) -> dict[str, Any]:
    """Describe a picture and the part of it that is the network's input."""
    return {
        "name": image.name,
        "path": image.path,
        "width_px": image.size[0],
        "height_px": image.size[1],
        "notes": list(image.notes),
        "resized_px": list(geometry.resized_size),
        "crop_box_px": dict(zip(("x", "y", "width", "height"), geometry.seen_box, strict=True)),
        "framing": framing_of(image.key).kind,
        "input_px": list(geometry.input_size),
        "padding_px": dict(zip(("left", "top", "right", "bottom"), geometry.padding, strict=True)),
    }


def json_bytes(values: dict[str, Any]) -> bytes:
    """Encode values as indented JSON, replacing characters that UTF-8 cannot encode (from odd file names)."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"


def finite_or_none(value: float) -> float | None:
    """Return a float, or None if it is not finite, because JSON has no NaN and no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
