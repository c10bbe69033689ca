"""One question in, maps out, whatever the method: nodes, outputs, averages and what people should know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from convnext_studio.analysis.attribution.ablations import occlusion, superpixels
from convnext_studio.analysis.attribution.case import INPUT, Case, Found, Map, Outputs
from convnext_studio.analysis.attribution.channel_cams import ablation_cams, score_cams
from convnext_studio.analysis.attribution.gradient_cams import GRADIENT_CAMS, eigen_cams, gradient_cams
from convnext_studio.analysis.attribution.grids import PIXELS, interpolated
from convnext_studio.analysis.attribution.pixel_gradients import (
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from convnext_studio.analysis.capture import ShouldStop, never
from convnext_studio.common.attribution_methods import Method, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import why_no_cam

AVERAGE = "average"
"""Name of the map that averages several nodes."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to explain, and how; complete and checked, see `question_of`.

    Attributes
    ----------
    nodes
        For class activation maps; empty for a method on the input.
    average
        Give one map that averages the nodes.
    settings
        All parameters of the method, with their values.
    """

    method: Method
    outputs: Outputs
    nodes: tuple[str, ...]
    average: bool
    settings: Mapping[str, Value]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the maps that will be given."""
        if self.method.kind == "input":
            return (INPUT,)
        return (AVERAGE,) if self.average else self.nodes


def question_of(
    model: LoadedModel,
    method: Method,
    outputs: Outputs,
    nodes: Sequence[str] = (),
    average: bool = False,
    given: Mapping[str, Value] | None = None,
) -> Question:
    """A question about a model, with the stages where no nodes are given, and defaults for what is not given.

    Raises
    ------
    StudioError
        Where there is no such node or parameter, or a class activation map at a node would mean nothing.
    """
    settings = method.settings(given or {})
    if method.kind == "input":
        return Question(method=method, outputs=outputs, nodes=(), average=False, settings=settings)
    nodes = tuple(dict.fromkeys(nodes)) or model.config.stages
    for node in nodes:
        if why := why_no_cam(model.node(node)):
            raise StudioError(why, "Choose a stage or a block.")
    return Question(method=method, outputs=outputs, nodes=nodes, average=average, settings=settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The answer to a `Question`, whole or so far.

    Attributes
    ----------
    maps
        (h, w) float32 by the question's names; for a difference, the first output's minus the second's.
    parts
        The two maps of a difference, in the order of the outputs; empty otherwise.
    fields
        By the same names: where the map's units lie on the input.
    delta
        Of integrated gradients, for a difference that of the difference.
    notes
        Sentences for people.
    done, total
        Progress; the last one that is given is whole.
    """

    maps: dict[str, Map]
    parts: tuple[dict[str, Map], ...]
    fields: dict[str, FieldGeometry]
    delta: float | None
    notes: tuple[str, ...]
    done: int
    total: int


def explain(
    model: LoadedModel, tensor: Tensor, question: Question, should_stop: ShouldStop = never
) -> Iterator[Explained]:
    """Answer a question step by step; the last step's answer is whole.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    should_stop
        Asked between blocks.

    Raises
    ------
    StudioError
        Where a parameter does not suit the picture, or memory does not suffice.
    Stopped
        When `should_stop` said so.
    """
    case = Case(
        model=model,
        tensor=tensor,
        outputs=question.outputs,
        nodes=question.nodes,
        settings=question.settings,
        should_stop=should_stop,
    )
    name = question.method.name
    steps = gradient_cams(case, name) if name in GRADIENT_CAMS else _OTHERS[name](case)
    fields = {node: model.node(node).field for node in question.nodes} or {INPUT: PIXELS}
    for found in steps:
        yield conclude(question, found, fields)


def conclude(question: Question, found: Found, fields: dict[str, FieldGeometry]) -> Explained:
    """From what a method found at the nodes, whose units lie there, to the answer."""
    maps = found.maps
    if question.average:
        # There is nothing to average before all nodes are done.
        is_whole = len(maps[0]) == len(question.nodes)
        maps, fields = _averages(maps, fields) if is_whole else (({},) * len(maps), {})
    is_difference = len(maps) == 2
    shown = {name: values - maps[1][name] for name, values in maps[0].items()} if is_difference else maps[0]
    deltas = found.deltas
    delta = None if not deltas else deltas[0] - (deltas[1] if is_difference else 0)
    notes = list(found.notes)
    if found.done == found.total:
        notes += [note for name, values in shown.items() for note in _notes(question, name, values)]
    if is_difference and question.method.depends_on_target and not question.method.is_linear:
        notes.append(
            f"The difference of two maps, which by {question.method.title} is not the map of the difference."
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


def _averages(
    maps: tuple[dict[str, Map], ...], fields: dict[str, FieldGeometry]
) -> tuple[tuple[dict[str, Map], ...], dict[str, FieldGeometry]]:
    """Each output's nodes averaged on the finest grid, each node divided by its largest absolute value.

    Of a difference both maps of a node are divided by the same number, the largest of the two.
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
            placed.append(interpolated(scaled, fields[node], (height, width), field))
        averages.append({AVERAGE: np.asarray(np.mean(placed, axis=0), np.float32)})
    return tuple(averages), {AVERAGE: field}


def _notes(question: Question, name: str, values: Map) -> Iterator[str]:
    """What is wrong with a map, in words."""
    where = "" if name == INPUT else f" at {name}" if name != AVERAGE else " of the average"
    missing = np.count_nonzero(~np.isfinite(values))
    if missing:
        yield f"{missing} of {values.size} values of the map{where} are not finite numbers."
    elif values.min() == values.max():
        yield f"The map{where} is constant ({values.flat[0]:.3g}): it tells no place from another."
    elif values.max() <= 0 and question.method.is_signed:
        yield f"Nothing in the map{where} is positive: it speaks only against; its positive part is empty."
