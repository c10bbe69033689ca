"""From a picture to the network's input, with the exact geometry of the way. numpy and Pillow only.

The steps are those of timm's and torchvision's evaluation transform (resize the shorter side, centre crop,
scale to [0, 1], normalise), so that predictions equal theirs.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.geometry import CropGeometry

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Beyond this only the crop's neighbourhood is resized: a 20000 x 30 picture would become 43 megapixels.
MAX_RESIZED_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a model wants its pictures.

    Attributes
    ----------
    input_px
        Side of the square input.
    crop_fraction
        Part of the resized shorter side that the crop keeps (timm's ``crop_pct``).
    interpolation
        ``bilinear``, ``bicubic`` or ``nearest``, with antialiasing.
    mean, std
        Per channel, for values in [0, 1].
    squash
        Resize both sides to the input's size, without keeping the proportions, and crop nothing.
    """

    input_px: int = 224
    crop_fraction: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    squash: bool = False

    def squashed(self, input_px: int) -> "Preprocessing":
        """Squash whole pictures to a square of that side, bicubic, as receptive fields are measured."""
        return replace(self, input_px=input_px, squash=True, interpolation="bicubic")

    def geometry(self, picture_size: tuple[int, int]) -> CropGeometry:
        """Where the input lies in a picture of that width and height."""
        width, height = picture_size
        side = self.input_px
        if self.squash:
            return CropGeometry(picture_size, (side, side), (0, 0), (side, side))
        shorter = math.floor(side / self.crop_fraction)
        # torchvision truncates the longer side and rounds the crop's corner half to even.
        if width <= height:
            resized = (shorter, int(shorter * height / width))
        else:
            resized = (int(shorter * width / height), shorter)
        origin = (round((resized[0] - side) / 2.0), round((resized[1] - side) / 2.0))
        return CropGeometry(picture_size, resized, origin, (side, side))

    def crop(self, picture: Image.Image) -> tuple[Image.Image, CropGeometry]:
        """The network's input as an RGB picture, before normalisation."""
        geometry = self.geometry(picture.size)
        resample = Image.Resampling[self.interpolation.upper()]
        picture = picture.convert("RGB")
        if geometry.resized_size[0] * geometry.resized_size[1] <= MAX_RESIZED_PIXELS:
            resized, (left, top) = picture.resize(geometry.resized_size, resample), geometry.crop_origin
        else:
            resized, (left, top) = _resize_around_crop(picture, geometry, resample)
        width, height = geometry.input_size
        return resized.crop((left, top, left + width, top + height)), geometry

    def __call__(self, picture: Image.Image) -> tuple[NDArray[np.float32], CropGeometry]:
        """The network's input as (3, H, W) float32, normalised, and its geometry."""
        cropped, geometry = self.crop(picture)
        pixels = np.asarray(cropped, dtype=np.float32) / np.float32(255)
        normalised = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)), geometry


def _resize_around_crop(
    picture: Image.Image, geometry: CropGeometry, resample: Image.Resampling
) -> tuple[Image.Image, tuple[int, int]]:
    """Resize only what the crop needs, with a margin for the filter; also where the crop lies in it."""
    margin = 8
    window: list[tuple[int, int]] = []
    for axis in (0, 1):
        start = max(0, geometry.crop_origin[axis] - margin)
        stop = min(geometry.resized_size[axis], geometry.crop_origin[axis] + geometry.input_size[axis] + margin)
        window.append((start, stop))
    (left, right), (top, bottom) = window
    scale_x, scale_y = geometry.scale
    box = (left * scale_x, top * scale_y, right * scale_x, bottom * scale_y)
    resized = picture.resize((right - left, bottom - top), resample, box=box)
    return resized, (geometry.crop_origin[0] - left, geometry.crop_origin[1] - top)
