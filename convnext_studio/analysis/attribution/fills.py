"""What stands in the place of a picture, or of a part of it: black, the mean colour, a blur, noise."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from convnext_studio.model.preprocessing import Preprocessing

BLUR_SHARE = 0.05
"""Standard deviation of the blur, as a share of the input's longer side."""


def filled(tensor: Tensor, preprocessing: Preprocessing, fill: str, seed: int = 0) -> Tensor:
    """A picture with nothing of the picture in it, in the normalised colours of the network's input.

    Parameters
    ----------
    tensor
        (1, C, H, W): the picture.
    fill
        ``mean``: the mean colour of the data set that the network was trained on, which normalises to 0.
        ``black``. ``blur``: the picture behind a Gaussian of `BLUR_SHARE`. ``noise``: normal, with the data
        set's mean and standard deviation, which normalise to 0 and 1.
    seed
        Of the noise.

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
        return blurred(tensor, BLUR_SHARE * max(tensor.shape[-2:]))
    if fill == "noise":
        return drawn(tensor.shape, seed).to(tensor)
    raise ValueError(f"no fill {fill!r}")


def drawn(shape: torch.Size, seed: int) -> Tensor:
    """Normal noise, on the CPU, so that a seed means the same on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blurred(tensor: Tensor, sigma_px: float) -> Tensor:
    """Behind a Gaussian that is cut off at 3 standard deviations; the border's pixels go on beyond it."""
    reach = math.ceil(3 * sigma_px)
    offsets = torch.arange(-reach, reach + 1, device=tensor.device, dtype=tensor.dtype)
    weights = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    weights = weights / weights.sum()
    channels = tensor.shape[1]
    padded = functional.pad(tensor, (reach, reach, reach, reach), mode="replicate")
    for kernel in (weights.view(1, 1, -1, 1), weights.view(1, 1, 1, -1)):
        padded = functional.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    return padded
