"""Run the open network with one part altered: a block left out, or another stride of the stem."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.analysis.capture import ShouldStop, never, stoppable
from convnext_studio.analysis.features import autocast
from convnext_studio.analysis.resuming import rest_after
from convnext_studio.common.errors import StudioError
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel


def logits_without(
    model: LoadedModel,
    before: Tensor,
    block: str,
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> Tensor:
    """Return the logits of the network if one block passes on only its shortcut.

    Only the layers after the block are run.

    Parameters
    ----------
    before
        The input of the block, (C, h, w), on the model's device.
    block
        The node name of the block.

    Returns
    -------
    (classes,) float32.

    Raises
    ------
    StudioError
        If the network is not a ConvNeXt.
    Stopped
        If `should_stop` returned true.
    """
    if not isinstance(model.module, ConvNeXt):
        raise StudioError("Only the blocks of a ConvNeXt can be left out.", "Open a ConvNeXt.")
    dropped = model.module_at(block)
    assert isinstance(dropped, Block)
    with torch.no_grad(), autocast(before, precision), stoppable(model.blocks, should_stop):
        return rest_after(model, block).logits(dropped.shortcut(before[None]))[0].float()


@torch.no_grad()
def stem_output(model: LoadedModel, tensor: Tensor, stride: int, padding: int) -> Tensor:
    """Return the output of the stem with another stride and padding of its convolution.

    The weights are those of the model, because their shapes do not depend on the stride.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.

    Returns
    -------
    Tensor
        (channels, h, w) float32, after the norm of the stem if it has one.

    Raises
    ------
    StudioError
        If the stem of the network is not a single patch convolution.
    """
    if not isinstance(model.module, ConvNeXt) or model.module.config.stem_type != "patch":
        raise StudioError(
            "The stem of this network is not a single patch convolution.", "Open a ConvNeXt with a patch stem."
        )
    stem = model.module.downsample_layers[0]
    assert isinstance(stem, nn.Sequential)
    conv, *others = stem
    assert isinstance(conv, nn.Conv2d)
    output = functional.conv2d(tensor, conv.weight, conv.bias, stride, padding)
    for layer in others:
        output = layer(output)
    return output[0]
