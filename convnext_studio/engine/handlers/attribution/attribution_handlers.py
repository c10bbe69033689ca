"""Handlers that explain a class with any attribution method, on one picture or several."""

import time
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

from msgspec.structs import replace

from convnext_studio.analysis.attribution import (
    Explained,
    MethodResult,
    Outputs,
    Question,
    conclude,
    make_question,
)
from convnext_studio.analysis.attribution import explain as explained_by
from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.attribution.task import INPUT
from convnext_studio.analysis.attribution.tiled_maps import needs_one_pass, nodes_back_to, tiled_maps
from convnext_studio.analysis.tiling.tiled_memory import steps_of
from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.prediction_handlers import kept_prediction, predict, predict_in_steps
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.large_inputs import tiled_plan
from convnext_studio.engine.server.node_outputs import in_tiles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.protocol.attributions import (
    Explain,
    ExplainSeveral,
    Explanation,
    Explanations,
)
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.predictions import Predict, Prediction

Step = TypeVar("Step")
Result = TypeVar("Result")


def timed(steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """Yield each step with the total computing time so far in seconds; time between steps does not count."""
    seconds = 0.0
    while True:
        begin = time.perf_counter()
        try:
            step = next(steps)
        except StopIteration:
            return
        seconds += time.perf_counter() - begin
        yield step, seconds


def completed(workspace: Workspace, request: Explain, should_stop: ShouldStop) -> tuple[Explain, Question]:
    """Return the request with all defaults filled in, and the question that it asks of the methods.

    Raises
    ------
    StudioError
        If there is no such method, node, class or parameter.
    """
    target = request.target
    if target is None:
        target = predict(workspace, Predict(image=request.image), should_stop).top(1)[0]
    method = method_named(request.method)
    model = workspace.model
    outputs = Outputs.of(
        request.output, target, request.against, model.config.num_classes, model.is_multi_label
    )
    given = dict(request.parameters)
    question = make_question(workspace.model, method, outputs, request.nodes, request.average, given)
    complete = Explain(
        image=request.image,
        method=request.method,
        nodes=question.nodes,
        average=question.average,
        target=target,
        output=request.output,
        against=request.against if request.output == "difference" else None,
        parameters=tuple(question.settings.items()),
    )
    return complete, question


def chosen_map(question: Question, name: str) -> str:
    """Return the name of one of a question's maps: the requested one, or the last.

    Raises
    ------
    StudioError
        If the question has no such map.
    """
    name = name or question.names[-1]
    if name not in question.names:
        raise StudioError(f"There is no map “{name}”.", f"There are: {', '.join(question.names)}.")
    return name


@handles(Explain)
def explain(
    workspace: Workspace, request: Explain, should_stop: ShouldStop
) -> Generator[Progress, None, Explanation]:
    """Explain an output with the requested method, unless the result is cached."""
    if workspace.is_large(request.image):  # Here, so that there is progress; later it is at hand.
        yield from predict_in_steps(workspace, Predict(id=request.id, image=request.image), should_stop)
    complete, question = completed(workspace, request, should_stop)
    key = workspace.key("explanation", complete)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("Explanation", kept)
    is_pointless = workspace.until_another_model(should_stop)
    prediction = predict(workspace, Predict(image=complete.image), is_pointless)
    if _is_made_in_tiles(workspace, complete, question):
        spent: list[float] = []
        explained = yield from _explained_in_tiles(
            workspace, request.id, complete, question, spent, is_pointless
        )
        answer = explanation_of(workspace, complete, question, prediction, explained, sum(spent))
        workspace.results.put(key, answer)
        return answer
    steps = timed(_steps(workspace, complete, question, is_pointless))
    result: Explanation | None = None
    for explained, seconds in steps:
        result = explanation_of(workspace, complete, question, prediction, explained, seconds)
        if explained.done < explained.total:
            text = f"{question.method.title}: {explained.done} of {explained.total}"
            partial = result if result.maps else None
            yield Progress(
                id=request.id, done=explained.done, total=explained.total, text=text, partial=partial
            )
    assert result is not None  # Every method gives at least one step.
    workspace.results.put(key, result)
    return result


def _steps(
    workspace: Workspace, complete: Explain, question: Question, should_stop: ShouldStop
) -> Iterator[Explained]:
    """Yield the method's results; a cached prediction provides Grad-CAMs of its class's logit at stages."""
    model = workspace.model
    prediction = _prediction_with_cams(workspace, complete)
    if prediction is not None:
        found = MethodResult(maps=({node: prediction.cams[node] for node in complete.nodes},))
        yield conclude(question, found, {node: model.node(node).field for node in complete.nodes})
        return
    tensor, geometry = workspace.input(complete.image)
    yield from explained_by(model, tensor, question, should_stop, geometry)


def _is_made_in_tiles(workspace: Workspace, complete: Explain, question: Question) -> bool:
    """Whether a question about a large input is answered in tiles, and not by the prediction at hand."""
    is_large = workspace.is_large(complete.image) and needs_one_pass(question)
    return is_large and _prediction_with_cams(workspace, complete) is None


def _explained_in_tiles(
    workspace: Workspace,
    identifier: int,
    complete: Explain,
    question: Question,
    spent: list[float],
    should_stop: ShouldStop,
) -> Generator[Progress, None, Explained]:
    """Answer a question about a large input, with progress for the request of that number.

    The seconds of each tile are added to `spent`.
    """
    model, size = workspace.model, workspace.input_size(complete.image)
    plan = tiled_plan(model, workspace.geometry(complete.image), nodes_back_to(question), keeps_outputs=False)
    tensor, geometry = workspace.any_input(complete.image)
    total = steps_of(model, size, plan=plan) * len(question.outputs.classes)
    work = _timed_tiles(tiled_maps(model, tensor, question, plan, geometry), spent)
    found = yield from in_tiles(work, identifier, total, should_stop)
    fields = {node: model.node(node).field for node in question.nodes} or {INPUT: PIXELS}
    return conclude(question, found, fields, geometry)


def _timed_tiles(work: Generator[None, None, Result], spent: list[float]) -> Generator[None, None, Result]:
    """Pass on work in tiles, adding the computing time of each of them to a list."""
    while True:
        begin = time.perf_counter()
        try:
            next(work)
        except StopIteration as finished:
            return cast("Result", finished.value)
        finally:
            spent.append(time.perf_counter() - begin)
        yield


def _prediction_with_cams(workspace: Workspace, complete: Explain) -> Prediction | None:
    """Return the cached prediction whose Grad-CAMs answer the request, or None."""
    is_answer = complete.method == "gradcam" and complete.output == "logit"
    if not is_answer or not set(complete.nodes) <= {*workspace.model.config.stages}:
        return None
    return kept_prediction(workspace, complete.image, complete.target)


def explanation_of(
    workspace: Workspace,
    complete: Explain,
    question: Question,
    prediction: Prediction,
    explained: Explained,
    seconds: float,
) -> Explanation:
    """Return the answer to a complete request, from what a method has found."""
    assert complete.target is not None  # `completed` has filled it in.
    target_maps, against_maps = explained.parts or ({}, {})
    return Explanation(
        image=complete.image,
        method=complete.method,
        nodes=complete.nodes,
        maps=explained.maps,
        target_maps=target_maps,
        against_maps=against_maps,
        fields=explained.fields,
        target=complete.target,
        against=complete.against,
        output=complete.output,
        score=_score(complete, prediction),
        parameters=dict(question.settings),
        delta=explained.delta,
        notes=(*explained.notes, *padding_notes(prediction.geometry)),
        geometry=prediction.geometry,
        random_weights=workspace.model.random_weights,
        seconds=seconds,
    )


def padding_notes(geometry: CropGeometry) -> tuple[str, ...]:
    """Return what is to be said of the padding of an input."""
    return ("The padding around the picture is left out.",) if geometry.is_padded else ()


def _score(complete: Explain, prediction: Prediction) -> float:
    """Return the value of the explained output, from the prediction."""
    assert complete.target is not None  # `completed` has filled it in.
    if complete.output == "probability":
        return float(prediction.probabilities[complete.target])
    subtracted = 0.0 if complete.against is None else float(prediction.logits[complete.against])
    return float(prediction.logits[complete.target]) - subtracted


@handles(ExplainSeveral)
def explain_several(
    workspace: Workspace, request: ExplainSeveral, should_stop: ShouldStop
) -> Generator[Progress, None, Explanations]:
    """Explain one picture after another; one that cannot be explained does not stop the others."""
    is_pointless = workspace.until_another_model(should_stop)
    total = len(request.images)
    failure = StudioError("There is no picture to explain.", "Open one.")
    explanations: list[Explanation] = []
    failures: list[tuple[str, str]] = []
    new = Explanations(explanations=())
    for done, image in enumerate(request.images):
        so_far = Progress(id=request.id, done=done, total=total, text=f"Picture {done + 1} of {total}")
        yield replace(so_far, partial=new)
        if is_pointless():
            raise Stopped
        try:
            inner = explain(workspace, replace(request.question, image=image), is_pointless)
            explanations.append((yield from within(inner, so_far)))
            new = Explanations(explanations=(explanations[-1],))
        except StudioError as error:
            failure = error
            failures.append((image, str(error)))
            new = Explanations(explanations=(), failures=(failures[-1],))
    if not explanations:
        raise failure
    return Explanations(explanations=tuple(explanations), failures=tuple(failures))


def within(work: Generator[Progress, None, Result], around: Progress) -> Generator[Progress, None, Result]:
    """Run work inside other work; its progress has the outer work's numbers and the texts of both."""
    while True:
        try:
            progress = next(work)
        except StopIteration as finished:
            return cast("Result", finished.value)
        yield replace(around, text=f"{around.text} · {progress.text}")
