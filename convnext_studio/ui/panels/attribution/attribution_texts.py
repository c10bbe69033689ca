"""The attribution panel's request for the current selection, and the texts that describe its answer."""

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import Method, MethodName, Output, method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.comparison import MapPlace, curtain_of
from convnext_studio.export.export_contents import label_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.attributions import (
    AVERAGE,
    INPUT,
    Explain,
    Explanation,
    Faithfulness,
)
from convnext_studio.protocol.counterparts import counterpart
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.value_sums import MapValue
from convnext_studio.render import Shading, format_number, format_percent, missing_text
from convnext_studio.ui.panels.attribution.attribution_map import PlacedMap
from convnext_studio.ui.panels.python_of_two import explained_by_two
from convnext_studio.ui.plots.map_texts import Placement
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.python_text import PythonLines, explanation_lines
from convnext_studio.ui.state.selection.second_network import SecondNetwork

WAITING = "Computing …"


def explain_question(state: AppState, panel: str) -> Explain | str:
    """Return the complete request, or a sentence saying why there is none (yet)."""
    if state.picture is None:
        return state.awaited.why_no_picture
    if state.model is None:
        return state.awaited.why_no_model
    if state.prediction is None:
        return state.prediction_failure or WAITING
    explaining, target = state.attributions.explaining, state.explained_class
    if explaining.output == "difference" and explaining.against == target:
        return "A class cannot be compared with itself: choose another one."
    if not explaining.average:
        for name in explaining.nodes:
            why_not = why_no_cam(state.model.node(name))
            if why_not:
                return why_not
    return replace(explaining, image=state.picture.key, target=target, panel=panel)


def map_name(state: AppState, question: Explain) -> str:
    """Return which of the request's maps is measured: of several, that of the selected node."""
    if method_named(question.method).kind == "input":
        return INPUT
    if question.average:
        return AVERAGE
    return explained_node(state)


def explained_node(state: AppState) -> str:
    """Return the node whose map is explained: of several, the selected one, or else the last of them."""
    nodes = state.attributions.explaining.nodes
    return state.node if state.node in nodes or not nodes else nodes[-1]


def comes_with_prediction(explaining: Explain, model: ModelInfo) -> bool:
    """Whether these are the maps that come with every prediction."""
    return (
        explaining.method == "gradcam"
        and explaining.output == "logit"
        and not explaining.average
        and bool(explaining.nodes)
        and set(explaining.nodes) <= set(model.config.stages)
    )


def has_sign(method: MethodName, output: Output) -> bool:
    """Whether negative values of the map have a meaning; those of a difference always do."""
    return output == "difference" or method_named(method).is_signed


def node_text(name: str, model: ModelInfo) -> str:
    """Return the display name of a map."""
    if name == INPUT:
        return "input pixels"
    return "average" if name == AVERAGE else model.node(name).title


def output_text(explanation: Explanation, model: ModelInfo, prediction: Prediction | None) -> str:
    """Return what was explained, with its value: ``“tabby” (logit 9.21, 86.1 %)``."""
    name, score = label_of(model, explanation.target), format_number(explanation.score)
    if explanation.output == "difference" and explanation.against is not None:
        return f"“{name}” and not “{label_of(model, explanation.against)}” (logits differ by {score})"
    if prediction is None or prediction.image != explanation.image:
        return f"“{name}” ({explanation.output} {score})"
    percent = format_percent(float(prediction.probabilities[explanation.target]), None)
    if explanation.output == "probability":
        return f"the probability of “{name}” ({percent})"
    return f"“{name}” (logit {score}, {percent})"


def placed_maps(explanation: Explanation, model: ModelInfo) -> tuple[PlacedMap, ...]:
    """Return the maps to show side by side; a difference at one place is preceded by its two operands."""
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
    """Return the names of a difference's two classes; equal names get their class numbers added."""
    classes = [explanation.target, explanation.against or 0]
    names = [model.labels[index] if index < len(model.labels) else f"class {index}" for index in classes]
    if names[0] == names[1]:
        names = [f"{name} · {index}" for name, index in zip(names, classes, strict=True)]
    return names[0], names[1]


def scale_groups(shown: tuple[PlacedMap, ...], explanation: Explanation) -> list[list[PlacedMap]]:
    """Group the maps that share a scale: the two operands of a difference; all others have their own."""
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
    """Return the caption: method, target, place, resolution, scale and numbers."""
    method = method_named(explanation.method)
    where = ", ".join(node_text(name, model).lower() for name in explanation.nodes) or "the input's pixels"
    if len(explanation.nodes) > 1 and explanation.nodes == model.config.stages and len(shown) > 1:
        where = "all stages"
    elif AVERAGE in explanation.maps:
        where = f"the average of {where} (each divided by its largest magnitude)"
    target = output_text(explanation, model, prediction) if method.depends_on_target else "all classes"
    said = [f"{method.title} for {target} at {where}"]
    if len(shown) == 1:
        said.append(shading.resolution_text(shown[0].values.shape, is_on_pixels=method.kind == "input"))
    said.append(shading.text)
    if len(shown) == 1:
        said.append(_extremes(shown[0]))
    elif len(explanation.maps) == 1:
        said.append("both maps on one scale")
    else:
        said.append("each on its own scale" if shading.hand is None else "one scale for all")
    said += [missing_text(each.values) for each in shown]
    if explanation.delta is not None:
        said.append(f"convergence delta {format_number(explanation.delta)}")
    said += _settings(explanation, method)
    said += [note.rstrip(".") for note in explanation.notes]
    return " · ".join(part for part in said if part)


def _settings(explanation: Explanation, method: Method) -> list[str]:
    """Return the parameters in words, without window and stride, whose effective values are in the notes."""
    titles = {parameter.name: parameter.title.lower() for parameter in method.parameters}
    return [
        f"{titles.get(name, name)} {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in method.in_force(explanation.parameters).items()
        if name not in ("window", "stride")
    ]


def _extremes(shown: PlacedMap) -> str:
    finite = shown.values[np.isfinite(shown.values)]
    if not finite.size:
        return ""
    return f"min {format_number(float(finite.min()))}, max {format_number(float(finite.max()))}"


def areas_text(measured: Faithfulness | None, model: ModelInfo) -> str:
    """Return the areas of insertion and deletion, and their map; empty if they were not measured."""
    if measured is None:
        return ""
    insertion, deletion = measured.of_map.insertion_area, measured.of_map.deletion_area
    place = node_text(measured.map_name, model).lower()
    return f"insertion area {format_number(insertion)}, deletion area {format_number(deletion)} ({place})"


def value_of_map(
    question: Explain, explanation: Explanation, values: NDArray[np.floating], unit: tuple[int, int]
) -> MapValue | None:
    """Return the place of a value of one of an answer's maps; None for an average of several maps."""
    for part, output, target in (
        ("maps", explanation.output, explanation.target),
        ("target_maps", "logit", explanation.target),
        ("against_maps", "logit", explanation.against),
    ):
        for name, found in getattr(explanation, part).items():
            if found is values and name != AVERAGE:
                asked = replace(question, output=output, target=target, id=0, panel="")
                return MapValue(question=asked, node=name, y=unit[0], x=unit[1])
    return None


def beside_curtain(first: PlacedMap, second: PlacedMap, share: float) -> NDArray[np.floating]:
    """Return a map of A left of the curtain's line, which is at a share of its width, and B's right of it."""
    at_a, at_b = (MapPlace(each.placement.field, each.placement.crop) for each in (first, second))
    return curtain_of(first.values, at_a, second.values, at_b, share)


def python_of_map(
    question: Explain,
    explanation: Explanation,
    values: NDArray[np.floating],
    model: ModelInfo,
    second: SecondNetwork,
    share: float,
) -> PythonLines | None:
    """Return the lines of Python for one of the maps that are shown, or one that a difference subtracts.

    Parameters
    ----------
    question
        What A was asked.
    explanation, values
        What is shown: the answer of A or of B, or their difference, and one of its maps.
    share
        Where the curtain's line is in the map, as a share of its width.
    """
    found = _part_and_node(explanation, values)
    pair = second.pair
    if found is None:
        return None
    part, node = found
    if pair is None or second.shown == "first":
        return explanation_lines(question, model, node, part)
    try:
        in_b = counterpart(question, pair).request
    except StudioError:
        return None
    if second.shown == "second":
        return replace(explanation_lines(in_b, model, node, part), network="B")
    return explained_by_two(question, pair, second.shown, share, node, part)


def _part_and_node(explanation: Explanation, values: NDArray[np.floating]) -> tuple[str, str] | None:
    """Return which of an answer's maps one is: its part, which is empty for the usual one, and its node."""
    for part in ("maps", "target_maps", "against_maps"):
        for name, found in getattr(explanation, part).items():
            if found is values:
                return "" if part == "maps" else part, "" if name in (INPUT, AVERAGE) else name
    return None
