"""What stands under an attribution: what was explained, where, how it is shown, and its numbers."""

import numpy as np

from convnext_studio.engine.messages import (
    AVERAGE,
    Explanation,
    Faithfulness,
    Method,
    ModelInfo,
    Prediction,
    method_named,
)
from convnext_studio.render import format_number
from convnext_studio.ui.panels.attribution_cell import PlacedMap
from convnext_studio.ui.panels.attribution_question import node_text, output_text
from convnext_studio.ui.panels.attribution_shading import Shading, missing_text
from convnext_studio.ui.panels.maps import Placement


def placed_maps(explanation: Explanation, model: ModelInfo) -> tuple[PlacedMap, ...]:
    """The maps to show beside each other: of a difference at one place also the two that were subtracted."""
    maps = {node_text(name, model): (name, values) for name, values in explanation.maps.items()}
    if len(explanation.maps) == 1 and explanation.target_maps:
        [name] = explanation.maps
        this, that = _names(explanation, model)
        maps = {
            this: (name, explanation.target_maps[name]),
            that: (name, explanation.against_maps[name]),
            "Difference": (name, explanation.maps[name]),
        }
    return tuple(
        PlacedMap(
            title=title,
            values=values,
            placement=Placement(explanation.fields[name], explanation.geometry),
        )
        for title, (name, values) in maps.items()
    )


def _names(explanation: Explanation, model: ModelInfo) -> tuple[str, str]:
    """The two classes of a difference; equal names are told apart by their numbers."""
    classes = [explanation.target, explanation.against or 0]
    names = [model.labels[index] if index < len(model.labels) else f"class {index}" for index in classes]
    if names[0] == names[1]:
        names = [f"{name} · {index}" for name, index in zip(names, classes, strict=True)]
    return names[0], names[1]


def scale_groups(shown: tuple[PlacedMap, ...], explanation: Explanation) -> list[list[PlacedMap]]:
    """Maps that share a scale: the two of a difference; every other has its own."""
    if explanation.target_maps and len(explanation.maps) == 1:
        return [list(shown[:2]), list(shown[2:])]
    return [[each] for each in shown]


def caption(
    explanation: Explanation,
    shown: tuple[PlacedMap, ...],
    shading: Shading,
    model: ModelInfo,
    prediction: Prediction | None,
) -> str:
    """Method, target, place, resolution, scale and numbers."""
    method = method_named(explanation.method)
    where = ", ".join(node_text(name, model).lower() for name in explanation.nodes) or "the input's pixels"
    if len(explanation.nodes) > 1 and explanation.nodes == model.config.stages and len(shown) > 1:
        where = "all stages"
    elif AVERAGE in explanation.maps:
        where = f"the average of {where} (each over its largest size)"
    target = output_text(explanation, model, prediction) if method.depends_on_target else "all classes alike"
    said = [f"{method.title} for {target} at {where}"]
    if len(shown) == 1:
        said.append(_resolution(shown[0], method))
    said.append(shading.text)
    if len(shown) == 1:
        said.append(_extremes(shown[0]))
    elif len(explanation.maps) == 1:
        said.append("the two maps share a scale")
    else:
        said.append("each on its own scale")
    said += [missing_text(each.values) for each in shown]
    if explanation.delta is not None:
        said.append(f"convergence delta {format_number(explanation.delta)}")
    said += _settings(explanation, method)
    said += [note.rstrip(".") for note in explanation.notes]
    return " · ".join(part for part in said if part)


def _settings(explanation: Explanation, method: Method) -> list[str]:
    """Those of the windows are left to the note, which tells what a 0 came to."""
    titles = {parameter.name: parameter.title.lower() for parameter in method.parameters}
    return [
        f"{titles.get(name, name)} {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in method.in_force(explanation.parameters).items()
        if name not in ("window", "stride")
    ]


def _resolution(shown: PlacedMap, method: Method) -> str:
    height, width = shown.values.shape
    return f"{height} × {width} {'units' if method.kind == 'cam' else 'px'}"


def _extremes(shown: PlacedMap) -> str:
    finite = shown.values[np.isfinite(shown.values)]
    if not finite.size:
        return ""
    return f"min {format_number(float(finite.min()))}, max {format_number(float(finite.max()))}"


def areas_text(measured: Faithfulness | None, model: ModelInfo) -> str:
    """The areas of insertion and deletion, and of which map, where they were measured."""
    if measured is None:
        return ""
    insertion, deletion = measured.of_map.insertion_area, measured.of_map.deletion_area
    place = node_text(measured.map_name, model).lower()
    return f"insertion area {format_number(insertion)}, deletion area {format_number(deletion)} ({place})"
