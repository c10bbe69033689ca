"""The handlers that take one value of the network, or of an attribution map, apart."""

import math
from collections.abc import Generator
from functools import cache

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.analysis.attribution.map_terms import map_terms
from convnext_studio.analysis.attribution.task import AttributionTask
from convnext_studio.analysis.features import autocast, trunk_node
from convnext_studio.analysis.value_breakdown import NetworkSteps, value_sum
from convnext_studio.common.value_terms import INPUT, LOGITS, ValuePlace, ValueSum
from convnext_studio.engine.handlers.attribution.attribution_handlers import completed, explain
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import finished, outputs_in_steps
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainMapValue, ExplainValue


@handles(ExplainValue)
def explain_value(
    workspace: Workspace, request: ExplainValue, should_stop: ShouldStop
) -> Generator[Progress, None, ExplainedValue]:
    """Return how a value was made, from the cached outputs of the nodes."""
    model = workspace.model
    steps = NetworkSteps(model)
    nodes = {node.name for node in model.nodes}

    @cache
    def output_of(name: str) -> Tensor:
        if name == INPUT:
            return workspace.any_input(request.image)[0][0]
        if name in nodes:
            return finished(outputs_in_steps(workspace, request.id, request.image, [name], should_stop))[name]
        if name == LOGITS and not isinstance(model.module, ConvNeXt):
            tensor, _ = workspace.input(request.image)
            with torch.no_grad(), autocast(tensor, workspace.precision):
                logits: Tensor = model.module(tensor)[0].float()
            return logits[:, None, None]
        step = steps.step(name)
        return steps.run(step, [output_of(before) for before in step.before], workspace.precision)

    if workspace.is_large(request.image):  # The outputs that take long, with progress; they are kept.
        near = [name for name in _trunk_around(steps, request.place.step) if name in nodes]
        yield from outputs_in_steps(workspace, request.id, request.image, near, should_stop)
    made = value_sum(steps, request.place, output_of)
    if made.operation == "pixel":
        mean, std = (
            float(each[made.place.channel]) for each in (model.preprocessing.mean, model.preprocessing.std)
        )
        pixel = made.value * std + mean
        made = replace(
            made, numbers={"pixel": pixel, "mean": mean, "deviation": std}, total=(pixel - mean) / std
        )
    return ExplainedValue(
        image=request.image,
        made=made,
        precision=workspace.precision,
        geometry=workspace.geometry(request.image),
    )


def _trunk_around(steps: NetworkSteps, name: str) -> list[str]:
    """Return a step and the steps that it takes the outputs of; none for the picture."""
    return [] if name == INPUT else [name, *steps.step(name).before]


@handles(ExplainMapValue)
def explain_map_value(
    workspace: Workspace, request: ExplainMapValue, should_stop: ShouldStop
) -> Generator[Progress, None, ExplainedValue]:
    """Return which channels a value of an attribution map adds up."""
    value, model = request.value, workspace.model
    asked = replace(value.question, image=request.image, average=False)
    if value.node != INPUT:
        asked = replace(asked, nodes=(value.node,))
    complete, question = completed(workspace, asked, should_stop)
    tensor, geometry = workspace.input(request.image)
    task = AttributionTask(
        model=model,
        tensor=tensor,
        outputs=question.outputs,
        nodes=(),
        settings={},
        should_stop=should_stop,
        geometry=geometry,
    )
    terms = map_terms(task, question.method, value.node, value.y, value.x)
    explanation = yield from explain(workspace, complete, should_stop)
    source = trunk_node(model, value.node) if value.node != INPUT else INPUT
    shown = explanation.maps[value.node]
    count = len(terms.operands)
    sources = np.zeros((count, 4), np.int32)
    sources[:, 1], sources[:, 2], sources[:, 3] = np.arange(count), value.y, value.x
    products = terms.operands * terms.factors
    made = ValueSum(
        place=ValuePlace(question.method.title, complete.target or 0, value.y, value.x),
        operation="cam",
        function=question.method.name,
        shape=(1, shown.shape[0], shown.shape[1]),
        value=float(shown[value.y, value.x]),
        total=math.fsum(products),
        steps=(source,),
        operands=terms.operands,
        factors=terms.factors,
        terms=products,
        sources=sources,
        numbers={},
        after=shown,
    )
    return ExplainedValue(image=request.image, made=made, precision="float32", geometry=geometry)
