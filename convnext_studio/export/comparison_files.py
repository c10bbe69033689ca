"""Write the files of a second network for a picture, and the differences of the two."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnext_studio.comparison import MapPlace, NodeMatch, difference_of, match_classes, shares_of
from convnext_studio.erf.field_files import npy_bytes
from convnext_studio.export.export_contents import (
    ExportContents,
    finite_or_none,
    json_bytes,
    written_explanation,
)
from convnext_studio.export.picture_files import write_picture
from convnext_studio.export.safe_files import write_files
from convnext_studio.protocol.comparison import WeightDistances

B, DIFFERENCE = "b", "difference"
"""The folders beside the files of A."""


def write_compared(
    folder: Path,
    a: ExportContents,
    b: ExportContents,
    nodes: Mapping[str, NodeMatch],
    weights: WeightDistances,
    should_stop: Callable[[], bool],
) -> list[Path]:
    """Write all files that `convnext_studio.export.export_compared` documents.

    Parameters
    ----------
    a, b
        What the networks give for the picture; the nodes of B are those that are compared with A's.
    nodes
        By the name of a node of A, the node of B that it is compared with.
    """
    written = write_picture(folder / B, b, should_stop)
    arrays = _differences(a, b, nodes)
    files = {f"{name}.npy": npy_bytes(array) for name, array in arrays.items()}
    files["comparison.json"] = json_bytes(_comparison_json(a, b, nodes, weights, arrays))
    return [*written, *write_files(folder / DIFFERENCE, files)]


def _differences(
    a: ExportContents, b: ExportContents, nodes: Mapping[str, NodeMatch]
) -> dict[str, NDArray[np.floating]]:
    """Return A minus B by the name of A's file."""
    arrays: dict[str, NDArray[np.floating]] = {}
    for name, match in nodes.items():
        if name in a.maps and match.b in b.maps:
            of_a, of_b = a.maps[name], b.maps[match.b]
            places = MapPlace(of_a.field, of_a.geometry), MapPlace(of_b.field, of_b.geometry)
            arrays[name] = difference_of(of_a.maps, places[0], of_b.maps, places[1])
    one, other = written_explanation(a), written_explanation(b)
    for (name, values), (its, its_values) in zip(one.maps.items(), other.maps.items(), strict=False):
        places = MapPlace(one.fields[name], one.geometry), MapPlace(other.fields[its], other.geometry)
        stem = one.method if len(one.maps) == 1 else f"{one.method}-{name}"
        arrays[stem] = difference_of(values, places[0], its_values, places[1])
    fields = a.receptive_field.field_map, b.receptive_field.field_map
    if fields[0].shape == fields[1].shape:
        arrays["erf"] = shares_of(fields[0]) - shares_of(fields[1])
    return arrays


def _comparison_json(
    a: ExportContents,
    b: ExportContents,
    nodes: Mapping[str, NodeMatch],
    weights: WeightDistances,
    arrays: Mapping[str, NDArray[np.floating]],
) -> dict[str, Any]:
    classes = match_classes(a.model.labels, b.model.labels)
    probabilities = a.prediction.probabilities, b.prediction.probabilities
    return {
        "a": {"source": a.model.source, "title": a.model.title, "random_weights": a.model.random_weights},
        "b": {"source": b.model.source, "title": b.model.title, "random_weights": b.model.random_weights},
        "nodes": [{"a": match.a, "b": match.b, "is_same": match.is_same} for match in nodes.values()],
        "classes_matched": classes.text or "the same classes in both",
        "classes": [
            {
                "label": a.model.labels[index],
                "a": index,
                "b": other,
                "probability_a": finite_or_none(probabilities[0][index]),
                "probability_b": finite_or_none(probabilities[1][other]),
                "difference": finite_or_none(probabilities[0][index] - probabilities[1][other]),
            }
            for index, other in classes.pairs
        ],
        "only_in_a": [a.model.labels[index] for index in classes.only_a],
        "only_in_b": [b.model.labels[index] for index in classes.only_b],
        "differences": {
            f"{name}.npy": (
                "A minus B, each field as shares of its sum" if name == "erf" else "A minus B at the units of A"
            )
            for name in arrays
        },
        "weights": {
            "compared": weights.text,
            "tensors": [
                {
                    "name": tensor.name,
                    "shape": list(tensor.shape),
                    "distance": finite_or_none(tensor.distance),
                    "relative": finite_or_none(tensor.relative),
                    "cosine": finite_or_none(tensor.cosine),
                    "largest": finite_or_none(tensor.largest),
                }
                for tensor in weights.tensors
            ],
            "only_in_a": list(weights.only_a),
            "only_in_b": list(weights.only_b),
            "of_other_shapes": list(weights.other_shapes),
        },
    }
