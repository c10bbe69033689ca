"""Attribute an output of the network to positions, by `convnext_studio.common.attribution_methods`.

There is one file for each family of methods: `gradient_cams`, `channel_cams`, `pixel_gradients` and
`ablations`. If a method has a sign, so have its maps: no ReLU is applied, so that evidence against a class can
be seen as well.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.explaining import (
    AVERAGE,
    Explained,
    Question,
    conclude,
    explain,
    make_question,
)
from convnext_studio.analysis.attribution.gradient_cams import grad_cam as _grad_cam
from convnext_studio.analysis.attribution.task import INPUT, Map, MethodResult, Outputs
from convnext_studio.analysis.features import to_array
from convnext_studio.analysis.inputs import checked_input
from convnext_studio.common.attribution_methods import METHODS, Output, Value, method_named
from convnext_studio.model.loaded import LoadedModel

__all__ = [
    "AVERAGE",
    "INPUT",
    "METHODS",
    "Explained",
    "MethodResult",
    "Outputs",
    "Question",
    "attribute",
    "conclude",
    "explain",
    "grad_cam",
    "make_question",
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
    """Attribute an output of the network to positions of a node or to pixels of the input.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    method
        Name of one of `METHODS`.
    node
        For class activation maps: a stage, a block, the stem or a downsampling layer; the last stage if None.
        For several nodes, their average on the finest grid, each divided by its largest absolute value.
    target
        Index of the class; the one with the highest logit if None.
    output, against
        ``logit`` or ``probability`` of the target, or the ``difference`` of its logit and that of class
        `against`.
    parameters
        Parameters of the method by name; the others have their defaults.

    Returns
    -------
    (h, w) float32 on the grid of the node or on the pixels of the input; signed if the method is.

    Raises
    ------
    StudioError
        If there is no such method, parameter, node or class, or the network takes no such input.
    """
    chosen, tensor = method_named(method), checked_input(model, tensor)
    if target is None:
        target = _predicted(model, tensor)
    outputs = Outputs.of(output, target, against, model.config.num_classes, model.is_multi_label)
    if node is None or isinstance(node, str):
        nodes: Sequence[str] = (node or model.config.stages[-1],)
    else:
        nodes = node
    question = make_question(model, chosen, outputs, nodes, len(nodes) > 1, parameters)
    (explained,) = deque(explain(model, tensor, question), maxlen=1)
    return explained.maps[question.names[0]]


def grad_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Compute Grad-CAM from the output of a node and its gradient.

    Parameters
    ----------
    activation, gradient
        The output of the node and the derivative of the explained output with respect to it, (C, h, w).

    Returns
    -------
    (h, w) float32, signed.
    """
    return to_array(_grad_cam(activation, gradient))


def _predicted(model: LoadedModel, tensor: Tensor) -> int:
    with torch.no_grad():
        return int(model.module(tensor)[0].argmax())
