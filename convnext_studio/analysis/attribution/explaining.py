"""Explain an output by any method: choose nodes and outputs, average maps, and add notes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from torch import Tensor

from convnext_studio.analysis.attribution.ablations import occlusion, superpixels
from convnext_studio.analysis.attribution.channel_cams import ablation_cams, score_cams
from convnext_studio.analysis.attribution.gradient_cams import GRADIENT_CAMS, eigen_cams, gradient_cams
from convnext_studio.analysis.attribution.grids import PIXELS, interpolate_map
from convnext_studio.analysis.attribution.pixel_gradients import (
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask, Map, MethodResult, Outputs
from convnext_studio.analysis.capture import ShouldStop, never
from convnext_studio.analysis.features import without_padding
from convnext_studio.common.attribution_methods import Method, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import why_no_cam

AVERAGE = "average"
"""The name of the map that averages several nodes."""

_OTHERS = {
    "eigencam": eigen_cams,
    "scorecam": score_cams,
    "ablationcam": ablation_cams,
    "saliency": saliency,
    "inputxgradient": input_x_gradient,
    "smoothgrad": smooth_grad,
    "integratedgradients": integrated_gradients,
    "occlusion": occlusion,
    "superpixels": superpixels,
}


class Question(Struct, frozen=True, kw_only=True):
    """What to explain and how, complete and checked; made by `make_question`.

    Attributes
    ----------
    nodes
        The nodes for class activation maps; empty for a method on the input.
    average
        Whether to return one map that averages the nodes.
    settings
        The values of all parameters of the method.
    """

    method: Method
    outputs: Outputs
    nodes: tuple[str, ...]
    average: bool
    settings: Mapping[str, Value]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the maps in the answer."""
        if self.method.kind == "input":
            return (INPUT,)
        return (AVERAGE,) if self.average else self.nodes


def make_question(
    model: LoadedModel,
    method: Method,
    outputs: Outputs,
    nodes: Sequence[str] = (),
    average: bool = False,
    given: Mapping[str, Value] | None = None,
) -> Question:
    """Return a complete question about a model: all stages if no nodes are given, and defaults for the rest.

    Raises
    ------
    StudioError
        If there is no such node or parameter, or a class activation map at a node would be meaningless.
    """
    settings = method.settings(given or {})
    if method.kind == "input":
        return Question(method=method, outputs=outputs, nodes=(), average=False, settings=settings)
    nodes = tuple(dict.fromkeys(nodes)) or model.config.stages
    for node in nodes:
        if why := why_no_cam(model.node(node)):
            raise StudioError(why, "Choose a stage or a block.")
    return Question(method=method, outputs=outputs, nodes=nodes, average=average, settings=settings)


class Explained(Struct, frozen=True, kw_only=True):
    """A partial or final answer to a `Question`.

    Attributes
    ----------
    maps
        Maps (h, w) float32 by the names of the question; for a difference, the first output's map minus the
        second's.
    parts
        The two maps of a difference in the order of the outputs; otherwise empty.
    fields
        By the same names, where the units of the map lie on the input.
    delta
        The convergence delta of integrated gradients; for a difference, that of the difference.
    notes
        Sentences to be shown to the user.
    done, total
        The progress; the last answer is complete.
    """

    maps: dict[str, Map]
    parts: tuple[dict[str, Map], ...]
    fields: dict[str, FieldGeometry]
    delta: float | None
    notes: tuple[str, ...]
    done: int
    total: int


def explain(
    model: LoadedModel,
    tensor: Tensor,
    question: Question,
    should_stop: ShouldStop = never,
    geometry: CropGeometry | None = None,
) -> Iterator[Explained]:
    """Answer a question step by step; the last answer is complete.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    should_stop
        Called between blocks; the work stops if it returns true.
    geometry
        Where the input lies in the picture; if it is padded, the padding is left out of all maps.

    Raises
    ------
    StudioError
        If a parameter does not fit the picture, or there is not enough memory.
    Stopped
        If `should_stop` returned true.
    """
    task = AttributionTask(
        model=model,
        tensor=tensor,
        outputs=question.outputs,
        nodes=question.nodes,
        settings=question.settings,
        should_stop=should_stop,
        geometry=geometry,
    )
    name = question.method.name
    steps = gradient_cams(task, name) if name in GRADIENT_CAMS else _OTHERS[name](task)
    fields = {node: model.node(node).field for node in question.nodes} or {INPUT: PIXELS}
    for found in steps:
        yield conclude(question, found, fields, geometry)


def conclude(
    question: Question,
    found: MethodResult,
    fields: dict[str, FieldGeometry],
    geometry: CropGeometry | None = None,
) -> Explained:
    """Make the answer from the result of a method and the geometry of its nodes, without the padding."""
    maps = _without_padding(found.maps, fields, geometry)
    if question.average:
        # The average needs the maps of all nodes.
        is_whole = len(maps[0]) == len(question.nodes)
        maps, fields = _averages(maps, fields) if is_whole else (({},) * len(maps), {})
        maps = _without_padding(maps, fields, geometry)
    is_difference = len(maps) == 2
    shown = {name: values - maps[1][name] for name, values in maps[0].items()} if is_difference else maps[0]
    deltas = found.deltas
    delta = None if not deltas else deltas[0] - (deltas[1] if is_difference else 0)
    notes = list(found.notes)
    if found.done == found.total:
        notes += [note for name, values in shown.items() for note in _notes(question, name, values)]
    if is_difference and question.method.depends_on_target and not question.method.is_linear:
        notes.append(
            f"This is the difference of two maps; with {question.method.title} a map of the difference differs."
        )
    return Explained(
        maps=shown,
        parts=maps if is_difference else (),
        fields=fields,
        delta=delta,
        notes=tuple(notes),
        done=found.done,
        total=found.total,
    )


def _without_padding(
    maps: tuple[dict[str, Map], ...], fields: Mapping[str, FieldGeometry], geometry: CropGeometry | None
) -> tuple[dict[str, Map], ...]:
    """Return the maps of each output with 0 where the input is padded."""
    return tuple(
        {name: without_padding(values, fields[name], geometry) for name, values in of_output.items()}
        for of_output in maps
    )


def _averages(
    maps: tuple[dict[str, Map], ...], fields: dict[str, FieldGeometry]
) -> tuple[tuple[dict[str, Map], ...], dict[str, FieldGeometry]]:
    """Average the maps of each output on the finest grid, each divided by its largest absolute value.

    For a difference, both maps of a node are divided by the larger of their two maxima.
    """
    finest = min(fields, key=lambda node: fields[node].stride_px)
    shape, field = maps[0][finest].shape, fields[finest]
    height, width = shape
    averages: list[dict[str, Map]] = []
    for of_output in maps:
        placed = []
        for node, values in of_output.items():
            largest = max(float(np.abs(other[node]).max()) for other in maps)
            scaled = values / np.float32(largest) if largest > 0 else values
            placed.append(interpolate_map(scaled, fields[node], (height, width), field))
        averages.append({AVERAGE: np.asarray(np.mean(placed, axis=0), np.float32)})
    return tuple(averages), {AVERAGE: field}


def _notes(question: Question, name: str, values: Map) -> Iterator[str]:
    """Yield sentences about problems of a map."""
    where = "" if name == INPUT else f" at {name}" if name != AVERAGE else " of the average"
    missing = np.count_nonzero(~np.isfinite(values))
    if missing:
        yield f"{missing} of {values.size} values of the map{where} are not finite numbers."
    elif values.min() == values.max():
        yield f"The map{where} is constant ({values.flat[0]:.3g}): it does not distinguish any positions."
    elif values.max() <= 0 and question.method.is_signed:
        yield f"The map{where} has no positive values: it speaks only against, and its positive part is empty."
