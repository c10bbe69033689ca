"""Why the network decided: class activation maps.

Grad-CAM: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, arXiv:1610.02391. The maps here are signed, before the paper's ReLU, so that the
evidence against a class can be seen too.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_array
from convnext_studio.errors import StudioError
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel

METHODS = ("gradcam",)


def grad_cam(activation: Tensor, gradient: Tensor) -> NDArray[np.float32]:
    """Sum the channels, each weighted by the spatial mean of its gradient.

    Parameters
    ----------
    activation, gradient
        (C, h, w): a node's output and the derivative of the class's logit by it.

    Returns
    -------
    (h, w) float32, signed.
    """
    weights = gradient.mean(dim=(1, 2), keepdim=True)
    return to_array((weights * activation).sum(dim=0))


def attribute(
    model: LoadedModel,
    tensor: Tensor,
    method: str = "gradcam",
    node: str | None = None,
    target: int | None = None,
) -> NDArray[np.float32]:
    """Attribute a class's logit to the positions of a node's map.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    method
        One of `METHODS`.
    node
        A stage, a block, the stem or a downsampling layer; the last stage where None.
    target
        Class; the one with the highest logit where None.

    Returns
    -------
    (h, w) float32, signed, on the node's grid.

    Raises
    ------
    StudioError
        Where there is no such method, node or class, or a map of the node would mean little.
    """
    if method not in METHODS:
        raise StudioError(f"There is no attribution method “{method}”.", f"There are: {', '.join(METHODS)}.")
    node = node or model.config.stages[-1]
    info, module = model.node(node), model.module_at(node)
    if not info.is_explainable:
        raise StudioError(
            f"A class activation map of {node} would mean little: it lacks the shortcut, or has no positions.",
            "Take the stem, a stage, a block, or a downsampling layer.",
        )
    if target is not None:
        check_class(target, model.config.num_classes)
    with torch.enable_grad(), captured({node: module}, with_gradients=True) as outputs:
        logits = model.module(tensor)[0]
    chosen = int(logits.argmax()) if target is None else target
    (gradient,) = torch.autograd.grad(logits[chosen], outputs[node])
    return grad_cam(outputs[node].detach()[0], gradient[0])
