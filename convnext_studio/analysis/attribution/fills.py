"""Fills for removed pixels and baselines: black, the mean colour, a blurred picture, or noise."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from convnext_studio.model.preprocessing import Preprocessing

BLUR_SHARE = 0.05
"""Standard deviation of the blur, as a fraction of the longer side of the input."""


def fill_picture(tensor: Tensor, preprocessing: Preprocessing, fill: str, seed: int = 0) -> Tensor:
    """Return a picture of fill pixels only, in the normalised colours of the network's input.

    Parameters
    ----------
    tensor
        The picture, (1, C, H, W).
    fill
        ``mean``: the mean colour of the training data, which normalises to 0. ``black``: black. ``blur``: the
        picture, blurred by a Gaussian of `BLUR_SHARE`. ``noise``: normal noise with the mean and standard
        deviation of the training data, which normalise to 0 and 1.
    seed
        Seed of the noise.

    Returns
    -------
    (1, C, H, W).
    """
    if fill == "mean":
        return torch.zeros_like(tensor)
    if fill == "black":
        black = [-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)]
        return tensor.new_tensor(black).view(1, -1, 1, 1).expand_as(tensor).contiguous()
    if fill == "blur":
        return blur(tensor, BLUR_SHARE * max(tensor.shape[-2:]))
    if fill == "noise":
        return normal_noise(tensor.shape, seed).to(tensor)
    raise ValueError(f"no fill {fill!r}")


def normal_noise(shape: torch.Size, seed: int) -> Tensor:
    """Draw normal noise on the CPU, so that a seed gives the same noise on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blur(tensor: Tensor, sigma_px: float) -> Tensor:
    """Blur a picture by a Gaussian that is cut off at 3 standard deviations, repeating the border pixels."""
    reach = math.ceil(3 * sigma_px)
    offsets = torch.arange(-reach, reach + 1, device=tensor.device, dtype=tensor.dtype)
    weights = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    weights = weights / weights.sum()
    channels = tensor.shape[1]
    padded = functional.pad(tensor, (reach, reach, reach, reach), mode="replicate")
    for kernel in (weights.view(1, 1, -1, 1), weights.view(1, 1, 1, -1)):
        padded = functional.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    return padded
