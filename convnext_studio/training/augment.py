"""Augment batches of pictures on their device, a whole batch at a time.

Every function draws its random numbers only from the CPU generator that it is given, so that the same seed
gives the same changes on every device and after every interruption.
"""

import math
import random

import torch
from torch import Generator, Tensor
from torch.nn import functional

from convnext_studio.training.picture_dataset import Pictures

# Width / height of a crop in the picture's own pixels; torchvision's default.
ASPECT_RANGE = (3 / 4, 4 / 3)
DRAWS = 10
LUMA = (0.299, 0.587, 0.114)


def random_boxes(log_aspects: Tensor, area_min: float, generator: Generator) -> Tensor:
    """Draw boxes of random area, aspect ratio and position inside pictures of given aspect ratios.

    This follows torchvision's random resized crop: the area is uniform from `area_min` to 1, and the logarithm
    of the aspect ratio is uniform in `ASPECT_RANGE`. The first of ten draws that fits into the picture is
    taken, or else the largest centred box with an aspect ratio in that range.

    Parameters
    ----------
    log_aspects
        (N,) logarithm of the pictures' width / height.
    area_min
        Smallest fraction of the picture's area.
    generator
        Source of the random numbers.

    Returns
    -------
    Tensor
        (N, 4) float32: left, top, width and height as fractions of the picture's width and height.
    """
    count = len(log_aspects)
    log_low, log_high = (math.log(bound) for bound in ASPECT_RANGE)
    area = torch.empty(DRAWS, count).uniform_(area_min, 1, generator=generator)
    log_ratio = torch.empty(DRAWS, count).uniform_(log_low, log_high, generator=generator) - log_aspects
    drawn = area.sqrt() * torch.stack([(log_ratio / 2).exp(), (-log_ratio / 2).exp()])
    fits = (drawn <= 1).all(0)
    size = drawn[:, fits.to(torch.uint8).argmax(0), torch.arange(count)]
    place = torch.rand(2, count, generator=generator)
    largest = (log_aspects.clamp(log_low, log_high) - log_aspects).exp()
    fallback = torch.stack([largest.clamp(max=1), (1 / largest).clamp(max=1)])
    size = torch.where(fits.any(0), size, fallback)
    place = torch.where(fits.any(0), place, 0.5)
    return torch.cat([place * (1 - size), size]).T


def sample_boxes(pixels: Tensor, boxes: Tensor, flip: Tensor, size_px: int) -> Tensor:
    """Resample each picture's box to a square, bilinearly.

    Parameters
    ----------
    pixels
        (N, H, W, 3) uint8.
    boxes
        (N, 4): left, top, width and height as fractions of the picture's width and height.
    flip
        (N,) bool: whether to mirror left and right.
    size_px
        Side of the result.

    Returns
    -------
    Tensor
        (N, 3, size_px, size_px) float32 in [0, 1].
    """
    left, top, width, height = boxes.unbind(1)
    sign = 1 - 2 * flip.to(boxes.dtype)
    zero = torch.zeros_like(left)
    # grid_sample's coordinates run from -1 to 1 between the picture's outer edges.
    theta = torch.stack(
        [
            torch.stack([sign * width, zero, 2 * left + width - 1], 1),
            torch.stack([zero, height, 2 * top + height - 1], 1),
        ],
        1,
    ).to(pixels.device)
    grid = functional.affine_grid(theta, [len(pixels), 3, size_px, size_px], align_corners=False)
    planes = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)
    return functional.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)


def jitter_colours(batch: Tensor, amount: float, generator: Generator) -> Tensor:
    """Multiply brightness, then contrast, then saturation of each picture by 1 plus or minus up to `amount`.

    As in torchvision, these blend the picture with black, with its mean grey and with its greyscale version.
    """
    if amount == 0:
        return batch
    factors = torch.empty(3, len(batch), 1, 1, 1).uniform_(1 - amount, 1 + amount, generator=generator)
    brightness, contrast, saturation = factors.to(batch.device)
    luma = torch.tensor(LUMA, device=batch.device).view(1, 3, 1, 1)
    batch = (batch * brightness).clamp_(0, 1)
    mean = (batch * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    batch = torch.lerp(mean, batch, contrast).clamp_(0, 1)
    grey = (batch * luma).sum(1, keepdim=True)
    return torch.lerp(grey, batch, saturation).clamp_(0, 1)


def jitter_sharpness(batch: Tensor, amount: float, generator: Generator) -> Tensor:
    """Add or subtract up to `amount` times the detail that a 3 x 3 binomial blur removes from each picture."""
    if amount == 0:
        return batch
    factors = torch.empty(len(batch), 1, 1, 1).uniform_(-amount, amount, generator=generator)
    line = torch.tensor((0.25, 0.5, 0.25), device=batch.device)
    kernel = torch.outer(line, line).expand(3, 1, 3, 3)
    edged = functional.pad(batch, (1, 1, 1, 1), mode="replicate")
    detail = batch - functional.conv2d(edged, kernel, groups=3)
    return (batch + factors.to(batch.device) * detail).clamp_(0, 1)


def augment(
    batch: Pictures, size_px: int, area_min: float, jitter: float, sharpness: float, generator: Generator
) -> Tensor:
    """Crop, flip, and jitter colours and sharpness: (N, 3, size_px, size_px) float32 in [0, 1]."""
    boxes = random_boxes(batch.log_aspects, area_min, generator)
    flip = torch.rand(len(batch), generator=generator) < 0.5
    cropped = jitter_colours(sample_boxes(batch.pixels, boxes, flip, size_px), jitter, generator)
    return jitter_sharpness(cropped, sharpness, generator)


def smoothed_targets(targets: Tensor, num_classes: int, smoothing: float) -> Tensor:
    """Turn (N,) indices into (N, num_classes) float32: one-hot, with `smoothing` spread over all classes."""
    spread = torch.full((len(targets), num_classes), smoothing / num_classes, device=targets.device)
    return spread.scatter_(1, targets[:, None], 1 - smoothing + smoothing / num_classes)


def mixup(batch: Tensor, targets: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Blend each picture and target with those at the mirrored index in the batch (arXiv:1710.09412)."""
    weight = _beta(alpha, generator)
    return torch.lerp(batch.flip(0), batch, weight), torch.lerp(targets.flip(0), targets, weight)


def cutmix(batch: Tensor, targets: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Paste a box from the mirrored index in the batch, and blend the targets by area (arXiv:1905.04899)."""
    height, width = batch.shape[2:]
    side = math.sqrt(1 - _beta(alpha, generator))
    centre_y, centre_x = torch.rand(2, generator=generator).tolist()
    top, bottom = _interval(centre_y, side, height)
    left, right = _interval(centre_x, side, width)
    mixed = batch.clone()
    mixed[:, :, top:bottom, left:right] = batch.flip(0)[:, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, torch.lerp(targets.flip(0), targets, kept)


def _interval(centre: float, part: float, length: int) -> tuple[int, int]:
    """Return the start and end pixel of an interval around a centre, clipped at the edges."""
    middle, half = int(centre * length), int(part * length) // 2
    return max(0, middle - half), min(length, middle + half)


def _beta(alpha: float, generator: Generator) -> float:
    """Draw a number from Beta(alpha, alpha); torch's own distribution takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return random.Random(seed).betavariate(alpha, alpha)
