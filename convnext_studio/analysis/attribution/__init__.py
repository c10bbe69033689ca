"""Attribution of an output to places, by the methods of `convnext_studio.common.attribution_methods`.

One file for each family: `gradient_cams`, `channel_cams`, `pixel_gradients`, `ablations`. All maps are signed
where the method is, before any ReLU, so that the evidence against a class can be seen, too.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.case import INPUT, Found, Map, Outputs
from convnext_studio.analysis.attribution.explaining import (
    AVERAGE,
    Explained,
    Question,
    conclude,
    explain,
    question_of,
)
from convnext_studio.analysis.attribution.gradient_cams import grad_cam as _grad_cam
from convnext_studio.analysis.features import to_array
from convnext_studio.common.attribution_methods import METHODS, Output, Value, method_named
from convnext_studio.model.loaded import LoadedModel

__all__ = [
    "AVERAGE",
    "INPUT",
    "METHODS",
    "Explained",
    "Found",
    "Outputs",
    "Question",
    "attribute",
    "conclude",
    "explain",
    "grad_cam",
    "question_of",
]


def attribute(
    model: LoadedModel,
    tensor: Tensor,
    method: str = "gradcam",
    node: str | Sequence[str] | None = None,
    target: int | None = None,
    *,
    output: Output = "logit",
    against: int | None = None,
    parameters: Mapping[str, Value] | None = None,
) -> Map:
    """Attribute an output of the network to places.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    method
        Name of one of `METHODS`.
    node
        For class activation maps: a stage, a block, the stem or a downsampling; the last stage where None.
        Of several, the average is given: each divided by its largest absolute value, on the finest grid.
    target
        Class; the one with the highest logit where None.
    output, against
        ``logit`` or ``probability`` of the target, or ``difference`` of its logit and that of class `against`.
    parameters
        Of the method, by name; defaults for those left out.

    Returns
    -------
    (h, w) float32, signed where the method is: on the node's grid, or on the input's pixels.

    Raises
    ------
    StudioError
        Where there is no such method, parameter, node or class.
    """
    chosen = method_named(method)
    if target is None:
        target = _predicted(model, tensor)
    outputs = Outputs.of(output, target, against, model.config.num_classes)
    if node is None or isinstance(node, str):
        nodes: Sequence[str] = (node or model.config.stages[-1],)
    else:
        nodes = node
    question = question_of(model, chosen, outputs, nodes, len(nodes) > 1, parameters)
    (explained,) = deque(explain(model, tensor, question), maxlen=1)
    return explained.maps[question.names[0]]


def grad_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Grad-CAM from a node's output and its gradient.

    Parameters
    ----------
    activation, gradient
        (C, h, w): a node's output and the derivative of what is explained by it.

    Returns
    -------
    (h, w) float32, signed.
    """
    return to_array(_grad_cam(activation, gradient))


def _predicted(model: LoadedModel, tensor: Tensor) -> int:
    with torch.no_grad():
        return int(model.module(tensor)[0].argmax())
