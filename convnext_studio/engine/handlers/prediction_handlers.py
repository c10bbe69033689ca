"""The handler for predictions, with the Grad-CAMs of a class at the stages."""

from collections.abc import Generator, Mapping
from functools import partial
from typing import cast

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.gradient_cams import grad_cam
from convnext_studio.analysis.capture import stoppable
from convnext_studio.analysis.features import (
    StagePass,
    among_padding,
    autocast,
    probabilities_of,
    seen_part,
    stage_pass,
    to_arrays,
    trunk_node,
)
from convnext_studio.analysis.graphed_pass import GraphedPass, can_be_graphed, graphed_pass
from convnext_studio.analysis.tiling.tiled_memory import steps_of
from convnext_studio.analysis.tiling.tiled_passes import tiled_pass
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.map_handlers import keep_maps
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.large_inputs import tiled_plan
from convnext_studio.engine.server.node_outputs import finished, in_tiles, keep_outputs
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.attributions import Map
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.predictions import Classes, Classify, Predict, Prediction, TopClass


@handles(Predict)
def predict_in_steps(
    workspace: Workspace, request: Predict, should_stop: ShouldStop
) -> Generator[Progress, None, Prediction]:
    """Predict, and explain the requested class or the top prediction; large inputs are computed in tiles."""
    kept = kept_prediction(workspace, request.image, request.target, only_last=request.only_last)
    if kept is not None or not workspace.is_large(request.image):
        return predict(workspace, request, should_stop)
    _check_target(workspace, request)
    model, size = workspace.model, workspace.input_size(request.image)
    plan = tiled_plan(model, workspace.geometry(request.image), model.config.stages)
    tensor, geometry = workspace.any_input(request.image)
    is_pointless = workspace.until_another_model(should_stop)
    given = [tensor]
    del tensor  # Only the pass has it now, and lets it go after the stem.
    explain = partial(_cam, model, geometry)

    def score(logits: Tensor) -> Tensor:
        return logits[0, int(logits[0].argmax()) if request.target is None else request.target]

    total = steps_of(model, size, plan=plan)
    passed = yield from in_tiles(
        tiled_pass(model, given, plan, explain, score), request.id, total, is_pointless
    )
    prediction = _prediction_of(
        workspace,
        request.image,
        passed.logits.cpu().numpy(),
        int(passed.logits.argmax()) if request.target is None else request.target,
        passed.outputs,
        to_arrays(passed.explained),
        geometry,
    )
    keep_outputs(
        workspace,
        request.image,
        {trunk_node(model, name): output for name, output in passed.outputs.items()},
    )
    first = kept_prediction(workspace, request.image)
    extra = () if first is None else (request.target,)
    workspace.results.put(workspace.key("prediction", request.image, *extra), prediction)
    return prediction


def predict(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """Predict, and explain the requested class or the top prediction, in one go."""
    kept = kept_prediction(workspace, request.image, only_last=request.only_last)
    if kept is None and workspace.is_large(request.image):
        return finished(predict_in_steps(workspace, request, should_stop))
    prediction = kept
    if prediction is None:
        prediction = _first_pass(workspace, request, should_stop)
        workspace.results.put(workspace.key("prediction", request.image), prediction)
    target = prediction.top(1)[0] if request.target is None else request.target
    if target == prediction.target:
        return replace(prediction, is_kept=kept is not None)
    return _explaining(workspace, prediction, target, should_stop)


@handles(Classify)
def classify(
    workspace: Workspace, request: Classify, should_stop: ShouldStop
) -> Generator[Progress, None, Classes]:
    """Classify one picture after another; one that cannot be decoded does not stop the others."""
    is_pointless = workspace.until_another_model(should_stop)
    total = len(request.images)
    classes: list[TopClass] = []
    new: tuple[TopClass, ...] = ()
    for done, image in enumerate(request.images):
        text = f"Picture {done + 1} of {total}"
        yield Progress(id=request.id, done=done, total=total, text=text, partial=Classes(classes=new))
        if is_pointless():
            raise Stopped
        try:
            new = (_top_class(workspace, image, is_pointless),)
        except StudioError:
            new = ()  # Whoever looks at the picture is told why.
        classes.extend(new)
    return Classes(classes=tuple(classes))


def _top_class(workspace: Workspace, image: str, should_stop: ShouldStop) -> TopClass:
    known = kept_prediction(workspace, image, only_last=True)
    if known is None:
        if workspace.is_large(image):
            return _class_of(image, predict(workspace, Predict(image=image), should_stop).probabilities)
        tensor, _ = workspace.input(image)
        with torch.no_grad(), stoppable(workspace.model.blocks, should_stop):
            with autocast(tensor, workspace.precision):
                logits = workspace.model.module(tensor)
            probabilities = probabilities_of(workspace.model, logits[0].float()).numpy()
    else:
        probabilities = known.probabilities
    return _class_of(image, probabilities)


def _class_of(image: str, probabilities: NDArray[np.float64]) -> TopClass:
    target = int(probabilities.argmax())
    return TopClass(image=image, target=target, probability=float(probabilities[target]))


def kept_prediction(
    workspace: Workspace, image: str, target: int | None = None, *, only_last: bool = False
) -> Prediction | None:
    """Return the cached prediction of a picture, with a target the one that explains that class, or None.

    One that lacks the Grad-CAMs of some stages counts only if those are not needed.
    """
    first = cast("Prediction | None", workspace.results.get(workspace.key("prediction", image)))
    if first is not None and not (only_last or first.cams.keys() >= {*workspace.model.config.stages}):
        first = None
    if target is None or (first is not None and first.target == target):
        return first
    return cast("Prediction | None", workspace.results.get(workspace.key("prediction", image, target)))


def _first_pass(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """Predict with one forward and one backward pass, and cache the stages' maps and the nodes' outputs."""
    _check_target(workspace, request)
    tensor, geometry = workspace.input(request.image)
    graphed = _graphed_pass(workspace, request, tensor)
    if graphed is None:
        explained = workspace.model.config.stages[-1:] if request.only_last else ()
        result = stage_pass(
            workspace.model, tensor, request.target, workspace.precision, should_stop, explained
        )
    else:
        result = graphed(tensor)
    keep_outputs(workspace, request.image, result.trunk)
    return _prediction_of(
        workspace,
        request.image,
        result.logits,
        result.target,
        result.activations,
        _cams(workspace, result, geometry),
        geometry,
    )


def _graphed_pass(workspace: Workspace, request: Predict, tensor: Tensor) -> GraphedPass | None:
    """Return the pass as a CUDA graph for a frame of a live source, if it can be one; None otherwise."""
    is_usual = request.target is None and workspace.precision == "float32" and not workspace.is_changed_inside
    if number_of(request.image) is None or not is_usual or not can_be_graphed(tensor):
        return None
    if workspace.frame_pass is None or workspace.frame_pass[0] != tensor.shape:
        workspace.frame_pass = None  # Its memory is free before more is needed.
        workspace.frame_pass = tensor.shape, graphed_pass(workspace.model, tensor)
    return workspace.frame_pass[1]


def _check_target(workspace: Workspace, request: Predict) -> None:
    if request.target is not None:
        check_class(request.target, workspace.model.config.num_classes)


def _prediction_of(
    workspace: Workspace,
    image: str,
    logits: NDArray[np.float32],
    target: int,
    activations: Mapping[str, Tensor],
    cams: dict[str, Map],
    geometry: CropGeometry,
) -> Prediction:
    """Make the answer from the results of a pass, and cache the maps of the stages."""
    maps = to_arrays(activations)
    for name, stage in maps.items():
        keep_maps(workspace, image, name, stage, geometry)
    nodes = workspace.model.nodes_at(workspace.input_size(image))
    return Prediction(
        image=image,
        logits=logits,
        probabilities=probabilities_of(workspace.model, torch.from_numpy(logits)).numpy(),
        stage_means={name: stage.mean(axis=0) for name, stage in maps.items()},
        target=target,
        cams=cams,
        geometry=geometry,
        sizes={node.name: node.shape[1:] for node in nodes},
    )


def _explaining(
    workspace: Workspace, prediction: Prediction, target: int, should_stop: ShouldStop
) -> Prediction:
    """Return a prediction with the Grad-CAMs of another class, computing them unless they are cached."""
    check_class(target, workspace.model.config.num_classes)
    kept = kept_prediction(workspace, prediction.image, target)
    if kept is not None:
        return replace(kept, is_kept=True)
    if workspace.is_large(prediction.image):
        asked = Predict(image=prediction.image, target=target)
        return finished(predict_in_steps(workspace, asked, should_stop))
    tensor, geometry = workspace.input(prediction.image)
    result = stage_pass(workspace.model, tensor, target, should_stop=should_stop)
    other = replace(prediction, target=target, cams=_cams(workspace, result, geometry))
    workspace.results.put(workspace.key("prediction", prediction.image, target), other)
    return other


def _cams(workspace: Workspace, result: StagePass, geometry: CropGeometry) -> dict[str, Map]:
    """Return Grad-CAM at the stages that were differentiated."""
    explained = result.explained.items()
    return to_arrays(
        {name: _cam(workspace.model, geometry, name, maps, result.gradients[name]) for name, maps in explained}
    )


def _cam(model: LoadedModel, geometry: CropGeometry, stage: str, maps: Tensor, gradient: Tensor) -> Tensor:
    """Return Grad-CAM at a stage, in which padding neither has weight nor is explained."""
    field, (height, width) = model.node(stage).field, maps.shape[1:]
    cam = grad_cam(seen_part(maps, field, geometry), seen_part(gradient, field, geometry))
    return among_padding(cam, (height, width), field, geometry)
