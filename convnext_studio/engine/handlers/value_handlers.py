"""The handler that takes one value of the network apart."""

from functools import cache

import torch
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.analysis.features import autocast
from convnext_studio.analysis.value_sums import NetworkSteps, value_sum
from convnext_studio.common.value_sums import INPUT, LOGITS
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import outputs_of
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainValue


@handles(ExplainValue)
def explain_value(workspace: Workspace, request: ExplainValue, should_stop: ShouldStop) -> ExplainedValue:
    """Return how a value was made, from the cached outputs of the nodes."""
    model = workspace.model
    steps = NetworkSteps(model)
    nodes = {node.name for node in model.nodes}

    @cache
    def output_of(name: str) -> Tensor:
        if name == INPUT:
            return workspace.input(request.image)[0][0]
        if name in nodes:
            return outputs_of(workspace, request.image, [name], should_stop)[name]
        if name == LOGITS and not isinstance(model.module, ConvNeXt):
            tensor, _ = workspace.input(request.image)
            with torch.no_grad(), autocast(tensor, workspace.precision):
                logits: Tensor = model.module(tensor)[0].float()
            return logits[:, None, None]
        step = steps.step(name)
        return steps.run(step, [output_of(before) for before in step.before], workspace.precision)

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
