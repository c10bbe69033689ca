"""Handlers that test whether a map can be trusted: curves, randomised weights, comparison of methods."""

from collections.abc import Callable, Generator, Hashable, Iterator
from functools import partial
from typing import cast

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.analysis.capture import ShouldStop
from convnext_studio.analysis.evidence.correlation import agreement, rank_correlation
from convnext_studio.analysis.evidence.faithfulness import (
    TOP_SHARE,
    InsertionDeletion,
    area,
    centre_out_order,
    check_steps,
    pixel_order,
    random_order,
)
from convnext_studio.analysis.evidence.sanity import (
    RandomisationProgress,
    Randomised,
    cascade,
    parts,
    unrelated_maps,
)
from convnext_studio.common.attribution_methods import MethodName
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.attribution.attribution_handlers import (
    chosen_map,
    completed,
    explain,
    timed,
    within,
)
from convnext_studio.engine.handlers.attribution.masked_outputs import MaskedPictures, key_of_order
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.protocol.attributions import (
    RANDOM_ORDERS,
    Agreement,
    CheckSanity,
    CompareMethods,
    Curves,
    Explain,
    Explanation,
    Faithfulness,
    MeasureFaithfulness,
    Sanity,
    SanityStep,
)
from convnext_studio.protocol.envelope import Progress


@handles(MeasureFaithfulness)
def measure_faithfulness(
    workspace: Workspace, request: MeasureFaithfulness, should_stop: ShouldStop
) -> Generator[Progress, None, Faithfulness]:
    """Measure insertion and deletion by the map, then from the centre outwards, then by random maps."""
    check_steps(request.steps)
    complete, question = completed(workspace, request.question, should_stop)
    name = chosen_map(question, request.map_name)
    asked = replace(request, id=0, panel="", question=complete, map_name=name)
    key = workspace.key("faithfulness", asked)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("Faithfulness", kept)
    is_pointless = workspace.until_another_model(should_stop)
    first = Progress(id=request.id, done=0, total=0, text="The map")
    explanation = yield from within(explain(workspace, complete, is_pointless), first)
    result: Faithfulness | None = None
    for measured, seconds in timed(_curves(workspace, asked, explanation, is_pointless)):
        of_map, of_centre, *of_random = measured.curves
        result = Faithfulness(
            image=complete.image,
            method=complete.method,
            map_name=name,
            target=explanation.target,
            fill=request.fill,
            steps=request.steps,
            seed=request.seed,
            orders=request.orders,
            shares=np.linspace(0, 1, request.steps + 1),
            of_map=_with_areas(of_map),
            of_centre=_with_areas(of_centre),
            of_random=tuple(_with_areas(each) for each in of_random),
            probability=measured.whole,
            top_share=TOP_SHARE,
            random_weights=workspace.model.random_weights,
            seconds=seconds,
        )
        done = sum(each.done for each in measured.curves)
        total = (2 + request.orders) * of_map.total
        if done < total:
            text = f"Insertion and deletion, {measured.order}: {done} of {total}"
            yield Progress(id=request.id, done=done, total=total, text=text, partial=result)
    assert result is not None  # There are at least two steps.
    workspace.results.put(key, result)
    return result


class _Measured(Struct, frozen=True):
    """The curves so far: of the map, from the centre outwards, and of the random orders that were begun.

    `order` names the one being measured, and `whole` is the probability on the whole picture.
    """

    curves: tuple[InsertionDeletion, ...]
    order: str
    whole: float


def _curves(
    workspace: Workspace, request: MeasureFaithfulness, explanation: Explanation, should_stop: ShouldStop
) -> Iterator[_Measured]:
    masked = MaskedPictures(workspace, explanation.image, request.fill, request.steps, should_stop)
    whole = masked.whole(explanation.target)
    values, field = explanation.maps[request.map_name], explanation.fields[request.map_name]
    nothing = InsertionDeletion.unmeasured(request.steps)
    curves = [nothing]
    order = pixel_order(values, field, *masked.size)
    for curves[0] in masked.curves(order, key_of_order(order), explanation.target):
        yield _Measured((curves[0], nothing), "the map", whole)
    for baseline in _baseline_orders(request, values.shape, field, *masked.size):
        # These do not depend on the map's values, so that all maps of the same size share them.
        curves.append(nothing)
        for curves[-1] in masked.curves(baseline.pixels(), baseline.key, explanation.target):
            yield _Measured(tuple(curves), baseline.name, whole)


class _BaselineOrder(Struct, frozen=True):
    """An order of the pixels that knows nothing of the picture or the network.

    `key` says what it depends on, and `pixels` computes it.
    """

    name: str
    key: Hashable
    pixels: Callable[[], NDArray[np.int64]]


def _baseline_orders(
    request: MeasureFaithfulness, shape: tuple[int, ...], field: FieldGeometry, height: int, width: int
) -> Iterator[_BaselineOrder]:
    yield _BaselineOrder("from the centre", "centre", partial(centre_out_order, height, width))
    for number in range(request.orders):
        seed = request.seed + number
        by_chance = partial(random_order, shape, field, height, width, seed)
        yield _BaselineOrder(f"random order {number + 1}", (seed, shape, field), by_chance)


def _with_areas(curves: InsertionDeletion) -> Curves:
    return Curves(
        insertion=curves.insertion,
        deletion=curves.deletion,
        insertion_area=area(curves.insertion),
        deletion_area=area(curves.deletion),
        kept=curves.kept,
        removed=curves.removed,
    )


@handles(CheckSanity)
def check_sanity(
    workspace: Workspace, request: CheckSanity, should_stop: ShouldStop
) -> Generator[Progress, None, Sanity]:
    """Randomise the weights from the head down, on a copy of the network, and record how the map changes."""
    complete, question = completed(workspace, request.question, should_stop)
    name = chosen_map(question, request.map_name)
    key = workspace.key("sanity", replace(request, id=0, panel="", question=complete, map_name=name))
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("Sanity", kept)
    model = workspace.model
    tensor, geometry = workspace.input(complete.image)
    is_pointless = workspace.until_another_model(should_stop)
    steps = cascade(model, tensor, question, name, request.seed, is_pointless, geometry)
    to_randomise = parts(model)
    unrelated: tuple[float, ...] = ()
    result: Sanity | None = None
    for step, seconds in timed(steps):
        if step.steps:
            first = step.steps[0]
            seen = first.map[geometry.seen_units(first.field, *first.map.shape)]
            unrelated = unrelated or _unrelated(seen, request.seed)
            result = Sanity(
                image=complete.image,
                method=complete.method,
                map_name=name,
                target=question.outputs.classes[0],
                seed=request.seed,
                parts=to_randomise,
                steps=tuple(_sanity_step(done) for done in step.steps),
                unrelated=unrelated,
                field=step.steps[0].field,
                geometry=geometry,
                random_weights=model.random_weights,
                seconds=seconds,
            )
        if len(step.steps) <= len(to_randomise):
            yield _sanity_progress(request.id, step, to_randomise, result)
    assert result is not None  # There is at least the network as it is.
    workspace.results.put(key, result)
    return result


def _unrelated(values: NDArray[np.float32], seed: int) -> tuple[float, ...]:
    """Return how similar the sizes of a map are to those of unrelated maps."""
    sizes = np.abs(values)
    return tuple(rank_correlation(sizes, other) for other in unrelated_maps(sizes, RANDOM_ORDERS, seed))


def _sanity_step(done: Randomised) -> SanityStep:
    return SanityStep(
        part=done.part,
        map=done.map,
        correlation=done.correlation,
        correlation_of_sizes=done.correlation_of_sizes,
    )


def _sanity_progress(
    identifier: int, step: RandomisationProgress, to_randomise: tuple[str, ...], partial: Sanity | None
) -> Progress:
    """Return the progress in hundredths of a step, since a single step of a slow method takes long."""
    done, total = len(step.steps), len(to_randomise) + 1
    text = f"Randomised weights: step {done + 1} of {total}"
    hundredths = round(100 * (done + step.share))
    return Progress(id=identifier, done=hundredths, total=100 * total, text=text, partial=partial)


@handles(CompareMethods)
def compare_methods(
    workspace: Workspace, request: CompareMethods, should_stop: ShouldStop
) -> Generator[Progress, None, Agreement]:
    """Run every method, and correlate its map with those of the others."""
    methods = tuple(dict.fromkeys(request.methods))
    if len(methods) < 2:
        raise StudioError("There is nothing to compare.", "Choose at least two methods.")
    node = request.node or workspace.model.config.stages[-1]
    is_pointless = workspace.until_another_model(should_stop)
    question = Explain(
        image=request.image,
        nodes=(node,),
        target=request.target,
        output=request.output,
        against=request.against,
    )
    explanations: list[Explanation] = []
    for done, method in enumerate(methods):
        text = f"Method {done + 1} of {len(methods)}"
        result = _agreement(workspace, request.image, methods, node, explanations)
        so_far = Progress(id=request.id, done=done, total=len(methods), text=text, partial=result)
        yield so_far
        if is_pointless():
            raise Stopped
        work = explain(workspace, replace(question, method=method), is_pointless)
        explanations.append((yield from within(work, so_far)))
    return _agreement(workspace, request.image, methods, node, explanations)


def _agreement(
    workspace: Workspace, image: str, methods: tuple[MethodName, ...], node: str, done: list[Explanation]
) -> Agreement:
    """Return the agreement of the methods done so far; the entries of the others are NaN."""
    info, geometry = workspace.node(image, node), workspace.geometry(image)
    height, width = info.shape[1:]
    seen = geometry.seen_units(info.field, height, width)
    matrix = np.full((len(methods), len(methods)), np.nan)
    maps = [(next(iter(found.maps.values())), next(iter(found.fields.values()))) for found in done]
    matrix[: len(done), : len(done)] = agreement(maps, (height, width), info.field, seen)
    return Agreement(
        image=image,
        methods=methods,
        node=node,
        matrix=matrix,
        explanations=tuple(done),
        random_weights=workspace.model.random_weights,
        seconds=sum(found.seconds for found in done),
    )
