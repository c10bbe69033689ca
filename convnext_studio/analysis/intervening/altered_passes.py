"""Run the stem of the open network with another stride."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel


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
