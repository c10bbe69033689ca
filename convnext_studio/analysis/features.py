"""What every stage made of a picture, and what it takes to explain a class: one forward pass, one backward."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, captured, never, output_of, stoppable
from convnext_studio.model.loaded import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePass:
    """Results of one forward and one backward pass of one picture.

    Attributes
    ----------
    logits
        (classes,) float32.
    target
        The class whose logit was differentiated.
    activations, gradients
        By stage name, (C, h, w) float32: the stage's output, and the derivative of the target's logit by it.
    """

    logits: NDArray[np.float32]
    target: int
    activations: dict[str, Tensor]
    gradients: dict[str, Tensor]


def stage_pass(
    model: LoadedModel,
    tensor: Tensor,
    target: int | None = None,
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> StagePass:
    """Run a picture forward with the stage outputs captured, and one backward pass for all of them.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    target
        Class to differentiate; the one with the highest logit where None.
    precision
        ``float32``, or ``bfloat16``: then logits and activations come from a forward pass in that
        precision (autocast), and the gradients from a pass of their own in float32.
    should_stop
        Asked between blocks.

    Raises
    ------
    Stopped
        When `should_stop` said so.
    """
    stages = {name: model.module_at(name) for name in model.config.stages}
    with stoppable(model.blocks, should_stop):
        with torch.enable_grad(), captured(stages, with_gradients=True) as outputs:
            logits = model.module(tensor)[0]
        if precision == "bfloat16":
            with torch.no_grad(), autocast(tensor, precision), captured(stages) as activations:
                logits_shown = model.module(tensor)[0].float()
        else:
            activations, logits_shown = outputs, logits.detach()
        if target is None:
            target = int(logits_shown.argmax())
        gradients = torch.autograd.grad(logits[target], [outputs[name] for name in stages])
    return StagePass(
        logits=logits_shown.cpu().numpy(),
        target=target,
        activations={name: activations[name].detach()[0].float() for name in stages},
        gradients={name: gradient[0] for name, gradient in zip(stages, gradients, strict=True)},
    )


def autocast(tensor: Tensor, precision: str) -> torch.autocast | nullcontext[None]:
    """Context in which a forward pass runs in that precision, on the tensor's device."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(tensor.device.type, dtype=torch.bfloat16)


def feature_maps(
    model: LoadedModel, tensor: Tensor, node: str, precision: str = "float32", should_stop: ShouldStop = never
) -> NDArray[np.float32]:
    """All channels of a node's output, (C, h, w) float32.

    Raises
    ------
    StudioError
        Where the model has no such node.
    Stopped
        When `should_stop` said so.
    """
    module = model.module_at(node)
    with torch.no_grad(), autocast(tensor, precision), stoppable(model.blocks, should_stop):
        output = output_of(model.module, module, tensor)
    return to_array(output[0])


def to_array(tensor: Tensor) -> NDArray[np.float32]:
    """Give a tensor as a C-contiguous float32 array on the host."""
    array: NDArray[np.float32] = np.ascontiguousarray(tensor.detach().float().cpu().numpy())
    return array
