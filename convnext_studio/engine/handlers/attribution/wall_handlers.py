"""Handlers for many maps beside each other, and for ranking them."""

from collections.abc import Generator, Hashable, Iterator
from typing import cast

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.analysis.attribution import Outputs, Question, conclude
from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.attribution.pass_counts import passes_needed
from convnext_studio.analysis.attribution.shared_pass import SHARING, Share, shared_pass
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask
from convnext_studio.analysis.evidence.correlation import agreement
from convnext_studio.analysis.evidence.faithfulness import (
    InsertionDeletion,
    area,
    check_steps,
    pixel_order,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.attribution.attribution_handlers import completed, explain, explanation_of
from convnext_studio.engine.handlers.attribution.masked_outputs import MaskedPictures, key_of_order
from convnext_studio.engine.handlers.prediction_handlers import predict
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.protocol.attributions import (
    Explain,
    ExplainEach,
    ExplainedEach,
    Explanation,
    RankedMaps,
    RankMaps,
)
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.predictions import Predict


class _Asked(Struct, frozen=True):
    """One of the questions: its index, the complete request, and what it asks of the methods."""

    index: int
    complete: Explain
    question: Question

    @property
    def shares_with(self) -> Hashable | None:
        """What questions have in common that can take one pass together; None for other methods."""
        if self.complete.method not in SHARING:
            return None
        complete = self.complete
        return complete.image, complete.target, complete.output, complete.against


@handles(ExplainEach)
def explain_each(
    workspace: Workspace, request: ExplainEach, should_stop: ShouldStop
) -> Generator[Progress, None, ExplainedEach]:
    """Answer one question after the other; one that has no answer does not stop the others."""
    is_pointless = workspace.until_another_model(should_stop)
    total = len(request.questions)
    answered: dict[int, Explanation] = {}
    failures: dict[int, str] = {}
    for new in _answers(workspace, request, is_pointless):
        answered |= {index: found for index, found in new.explanations if index not in new.unfinished}
        failures |= dict(new.failures)
        done = len(answered) + len(failures)
        text = f"Map {min(done + 1, total)} of {total}"
        if done < total or new.unfinished:
            yield Progress(id=request.id, done=done, total=total, text=text, partial=new)
        if is_pointless():
            raise Stopped
    if not answered:
        raise StudioError(next(iter(failures.values()), "There is nothing to explain."))
    return ExplainedEach(explanations=tuple(sorted(answered.items())), failures=tuple(sorted(failures.items())))


def _answers(workspace: Workspace, request: ExplainEach, should_stop: ShouldStop) -> Iterator[ExplainedEach]:
    """Yield what is new: problems first, then the maps that share a pass, then all others by their cost."""
    yield ExplainedEach()
    asked: list[_Asked] = []
    for index, question in enumerate(request.questions):
        try:
            asked.append(_Asked(index, *completed(workspace, question, should_stop)))
        except StudioError as error:
            yield ExplainedEach(failures=((index, str(error)),))
    model = workspace.model
    together: dict[Hashable, list[_Asked]] = {}
    alone: list[_Asked] = []
    for each in asked:
        if each.shares_with is None or workspace.results.get(_key(workspace, each)) is not None:
            alone.append(each)
        else:
            together.setdefault(each.shares_with, []).append(each)
    for group in together.values():
        yield from _answered_together(workspace, group, should_stop)
    for each in sorted(alone, key=lambda each: passes_needed(model, each.question)):
        yield from _answered_alone(workspace, each, should_stop)


def _key(workspace: Workspace, asked: _Asked) -> Hashable:
    return workspace.key("explanation", asked.complete)


def _answered_together(
    workspace: Workspace, group: list[_Asked], should_stop: ShouldStop
) -> Iterator[ExplainedEach]:
    """Yield the maps that one forward pass and one backward pass for each output give.

    Of an input that is computed in tiles, each map is made by a pass of its own, because together they would
    not fit into memory.
    """
    model = workspace.model
    first = group[0].complete
    if workspace.is_large(first.image):
        for each in group:
            yield from _answered_alone(workspace, each, should_stop)
        return
    try:
        tensor, geometry = workspace.input(first.image)
        prediction = predict(workspace, Predict(image=first.image), should_stop)
        outputs: Outputs = group[0].question.outputs
        task = AttributionTask(
            model=model,
            tensor=tensor,
            outputs=outputs,
            nodes=(),
            settings={},
            should_stop=should_stop,
            geometry=geometry,
        )
        shares = [Share(each.complete.method, each.question.nodes) for each in group]
        for each, (found, seconds) in zip(group, shared_pass(task, shares), strict=True):
            fields = {node: model.node(node).field for node in each.question.nodes} or {INPUT: PIXELS}
            explained = conclude(each.question, found, fields, geometry)
            result = explanation_of(workspace, each.complete, each.question, prediction, explained, seconds)
            workspace.results.put(_key(workspace, each), result)
            yield ExplainedEach(explanations=((each.index, result),))
    except StudioError as error:
        yield ExplainedEach(failures=tuple((each.index, str(error)) for each in group))


def _answered_alone(workspace: Workspace, asked: _Asked, should_stop: ShouldStop) -> Iterator[ExplainedEach]:
    """Yield the map of a method, and what it has found before if it takes long."""
    work = explain(workspace, asked.complete, should_stop)
    while True:
        try:
            progress = next(work)
        except StopIteration as finished:
            yield ExplainedEach(explanations=((asked.index, cast("Explanation", finished.value)),))
            return
        except StudioError as error:
            yield ExplainedEach(failures=((asked.index, str(error)),))
            return
        if isinstance(progress.partial, Explanation):
            yield ExplainedEach(explanations=((asked.index, progress.partial),), unfinished=(asked.index,))
        else:
            yield ExplainedEach(unfinished=(asked.index,))


# --------------------------------------------------------------------------------------------------- ranking


@handles(RankMaps)
def rank_maps(
    workspace: Workspace, request: RankMaps, should_stop: ShouldStop
) -> Generator[Progress, None, RankedMaps]:
    """Measure one map after the other; maps that cannot be computed have no score."""
    check_steps(request.steps)
    is_pointless = workspace.until_another_model(should_stop)
    if len({question.image for question in request.questions}) > 1:
        raise StudioError("Maps of several pictures cannot be ranked.", "Show all methods on one picture.")
    total = len(request.questions)
    scores = np.full(total, np.nan)
    explanations: dict[int, Explanation] = {}
    for index, question in enumerate(request.questions):
        text = f"Ranking map {index + 1} of {total}"
        so_far = Progress(id=request.id, done=index, total=total, text=text)
        yield replace(so_far, partial=RankedMaps(by=request.by, scores=tuple(scores.tolist())))
        if is_pointless():
            raise Stopped
        try:
            work = explain(workspace, question, is_pointless)
            explanations[index] = yield from _finished(work, so_far)
            if request.by != "agreement":
                scores[index] = yield from _area(workspace, request, explanations[index], so_far, is_pointless)
        except StudioError:
            continue
    if request.by == "agreement":
        for index, score in zip(explanations, _agreements(list(explanations.values())), strict=True):
            scores[index] = score
    return RankedMaps(by=request.by, scores=tuple(scores.tolist()))


def _finished(
    work: Generator[Progress, None, Explanation], around: Progress
) -> Generator[Progress, None, Explanation]:
    """Run a method to its end, with the progress of the ranking."""
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return cast("Explanation", finished.value)
        yield around


def _area(
    workspace: Workspace, request: RankMaps, found: Explanation, around: Progress, should_stop: ShouldStop
) -> Generator[Progress, None, float]:
    """Measure the area under the curve of a map."""
    name = next(reversed(found.maps))
    masked = MaskedPictures(workspace, found.image, request.fill, request.steps, should_stop)
    order = pixel_order(found.maps[name], found.fields[name], *masked.size)
    measured = InsertionDeletion.unmeasured(request.steps)
    for so_far in masked.curves(order, key_of_order(order), found.target):
        measured = so_far
        yield around
    return area(measured.insertion if request.by == "insertion" else measured.deletion)


def _agreements(found: list[Explanation]) -> list[float]:
    """Return the mean rank correlation of each map with all others, on the coarsest grid among them."""
    maps = [(each.maps[name], each.fields[name]) for each in found for name in [next(reversed(each.maps))]]
    if len(maps) < 2:
        return [float("nan")] * len(maps)
    coarsest, field = max(maps, key=lambda each: each[1].stride_px)
    shape = coarsest.shape[0], coarsest.shape[1]
    matrix = agreement(maps, shape, field, found[0].geometry.seen_units(field, *shape))
    np.fill_diagonal(matrix, np.nan)
    means = []
    for row in matrix:
        known = row[np.isfinite(row)]
        means.append(float(known.mean()) if known.size else float("nan"))
    return means
