"""The handler for predictions, with the Grad-CAMs of a class at the stages."""

from collections.abc import Generator
from typing import cast

import torch
from msgspec.structs import replace

from convnext_studio.analysis.attribution.gradient_cams import grad_cam
from convnext_studio.analysis.capture import stoppable
from convnext_studio.analysis.features import StagePass, autocast, probabilities_of, stage_pass, to_arrays
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.map_handlers import keep_maps
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import keep_outputs
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.labels import check_class
from convnext_studio.protocol.attributions import Map
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.predictions import Classes, Classify, Predict, Prediction, TopClass


@handles(Predict)
def predict(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """Predict, and explain the requested class or the top prediction."""
    prediction = kept_prediction(workspace, request.image)
    if prediction is None:
        prediction = _first_pass(workspace, request, should_stop)
        workspace.results.put(workspace.key("prediction", request.image), prediction)
    target = prediction.top(1)[0] if request.target is None else request.target
    if target == prediction.target:
        return prediction
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
    known = kept_prediction(workspace, image)
    if known is None:
        tensor, _ = workspace.input(image)
        with torch.no_grad(), stoppable(workspace.model.blocks, should_stop):
            with autocast(tensor, workspace.precision):
                logits = workspace.model.module(tensor)
            probabilities = probabilities_of(workspace.model, logits[0].float()).numpy()
    else:
        probabilities = known.probabilities
    target = int(probabilities.argmax())
    return TopClass(image=image, target=target, probability=float(probabilities[target]))


def kept_prediction(workspace: Workspace, image: str, target: int | None = None) -> Prediction | None:
    """Return the cached prediction of a picture, with a target the one that explains that class, or None."""
    first = cast("Prediction | None", workspace.results.get(workspace.key("prediction", image)))
    if target is None or (first is not None and first.target == target):
        return first
    return cast("Prediction | None", workspace.results.get(workspace.key("prediction", image, target)))


def _first_pass(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """Predict with one forward and one backward pass, and cache the stages' maps and the nodes' outputs."""
    if request.target is not None:
        check_class(request.target, workspace.model.config.num_classes)
    tensor, geometry = workspace.input(request.image)
    result = stage_pass(workspace.model, tensor, request.target, workspace.precision, should_stop)
    maps = to_arrays(result.activations)
    for name, stage in maps.items():
        keep_maps(workspace, request.image, name, stage, geometry)
    keep_outputs(workspace, request.image, result.trunk)
    return Prediction(
        image=request.image,
        logits=result.logits,
        probabilities=probabilities_of(workspace.model, torch.from_numpy(result.logits)).numpy(),
        stage_means={name: stage.mean(axis=0) for name, stage in maps.items()},
        target=result.target,
        cams=_cams(result),
        geometry=geometry,
    )


def _explaining(
    workspace: Workspace, prediction: Prediction, target: int, should_stop: ShouldStop
) -> Prediction:
    """Return a prediction with the Grad-CAMs of another class, computing them unless they are cached."""
    check_class(target, workspace.model.config.num_classes)
    kept = kept_prediction(workspace, prediction.image, target)
    if kept is not None:
        return kept
    tensor, _ = workspace.input(prediction.image)
    result = stage_pass(workspace.model, tensor, target, should_stop=should_stop)
    other = replace(prediction, target=target, cams=_cams(result))
    workspace.results.put(workspace.key("prediction", prediction.image, target), other)
    return other


def _cams(result: StagePass) -> dict[str, Map]:
    explained = result.explained
    return to_arrays({name: grad_cam(maps, result.gradients[name]) for name, maps in explained.items()})
