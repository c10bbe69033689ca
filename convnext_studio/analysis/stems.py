"""What the stem's weights make of a picture with another stride and padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel


@torch.no_grad()
def stem_output(model: LoadedModel, tensor: Tensor, stride: int, padding: int) -> Tensor:
    """The stem's output where its convolution moves by `stride` and the picture is padded by `padding`.

    The weights are the model's own, whatever stride they were trained with: their shapes do not depend on it.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.

    Returns
    -------
    Tensor
        (channels, h, w) float32, behind the stem's norm where it has one.

    Raises
    ------
    StudioError
        Where the network's stem is not one convolution of patches.
    """
    if not isinstance(model.module, ConvNeXt) or model.module.config.stem_type != "patch":
        raise StudioError(
            "The stem of this network is not one convolution of patches.", "Open a ConvNeXt with a patch stem."
        )
    stem = model.module.downsample_layers[0]
    assert isinstance(stem, nn.Sequential)
    conv, *others = stem
    assert isinstance(conv, nn.Conv2d)
    output = functional.conv2d(tensor, conv.weight, conv.bias, stride, padding)
    for layer in others:
        output = layer(output)
    return output[0]
