"""What the network says of a picture, and what at its stages speaks for a class."""

from typing import cast

import torch
from msgspec.structs import replace

from convnext_studio.analysis.attribution import grad_cam
from convnext_studio.analysis.features import StagePass, probabilities_of, stage_pass, to_array
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.engine.handlers.maps import keep_maps
from convnext_studio.engine.server.node_outputs import keep_outputs
from convnext_studio.engine.server.registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.labels import check_class
from convnext_studio.protocol.attributions import Attribute, Attribution
from convnext_studio.protocol.predictions import Predict, Prediction


@handles(Predict)
def predict(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """Predict, and explain the class asked for or the first prediction."""
    key = workspace.key("prediction", request.image)
    prediction = cast("Prediction | None", workspace.results.get(key))
    if prediction is None:
        prediction = _first_pass(workspace, request, should_stop)
        workspace.results.put(key, prediction)
    target = prediction.top(1)[0] if request.target is None else request.target
    if target == prediction.attribution.target:
        return prediction
    explained = Attribute(image=request.image, target=target)
    return replace(prediction, attribution=attribute(workspace, explained, should_stop))


def _first_pass(workspace: Workspace, request: Predict, should_stop: ShouldStop) -> Prediction:
    """One forward and one backward pass give the prediction, all stages' maps and their CAMs."""
    if request.target is not None:
        check_class(request.target, workspace.model.config.num_classes)
    tensor, geometry = workspace.input(request.image)
    result = stage_pass(workspace.model, tensor, request.target, workspace.precision, should_stop)
    maps = {name: to_array(activation) for name, activation in result.activations.items()}
    for name, stage in maps.items():
        keep_maps(workspace, request.image, name, stage, geometry)
    keep_outputs(workspace, request.image, result.trunk)
    return Prediction(
        image=request.image,
        logits=result.logits,
        probabilities=probabilities_of(torch.from_numpy(result.logits)).numpy(),
        stage_means={name: stage.mean(axis=0) for name, stage in maps.items()},
        attribution=_keep_attribution(workspace, request.image, result, geometry),
        geometry=geometry,
    )


@handles(Attribute)
def attribute(workspace: Workspace, request: Attribute, should_stop: ShouldStop) -> Attribution:
    """Grad-CAM of a class at all stages, computed unless it is at hand."""
    check_class(request.target, workspace.model.config.num_classes)
    kept = workspace.results.get(workspace.key("attribution", request.image, request.target))
    if kept is not None:
        return cast("Attribution", kept)
    tensor, geometry = workspace.input(request.image)
    result = stage_pass(workspace.model, tensor, request.target, should_stop=should_stop)
    return _keep_attribution(workspace, request.image, result, geometry)


def _keep_attribution(
    workspace: Workspace, image: str, result: StagePass, geometry: CropGeometry
) -> Attribution:
    attribution = Attribution(
        image=image,
        target=result.target,
        cams={name: grad_cam(maps, result.gradients[name]) for name, maps in result.explained.items()},
        geometry=geometry,
    )
    workspace.results.put(workspace.key("attribution", image, result.target), attribution)
    return attribution
