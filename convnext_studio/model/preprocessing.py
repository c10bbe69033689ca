"""Turn a picture into the network's input and keep the exact geometry. Needs only numpy and Pillow.

The steps are those of the evaluation transforms of timm and torchvision (resize the shorter side, centre crop,
scale to [0, 1], normalise), so that predictions equal theirs.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import Framing, Grid, framed_geometry

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Above this, only the neighbourhood of the crop is resized: a 20000 x 30 picture would become 43 megapixels.
MAX_RESIZED_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How pictures are turned into a model's input.

    Attributes
    ----------
    input_px
        Side of the square input that the network was trained with.
    crop_fraction
        Fraction of the resized shorter side that the crop keeps (timm's ``crop_pct``).
    interpolation
        ``bilinear``, ``bicubic`` or ``nearest``, with antialiasing.
    mean, std
        Mean and standard deviation per channel, for values in [0, 1].
    squash
        Resize both sides to the input size without keeping the aspect ratio, and do not crop.
    floors_corner
        Whether the corner of the crop is rounded down, as in transformers, and not half to even.
    resizes_floats
        Whether pictures are resized as floating point numbers, without rounding to 8 bits afterwards.
    """

    input_px: int = 224
    crop_fraction: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    squash: bool = False
    floors_corner: bool = False
    resizes_floats: bool = False

    def squashed(self, input_px: int) -> "Preprocessing":
        """Return a bicubic preprocessing that squashes whole pictures to that side, as for receptive fields."""
        return replace(self, input_px=input_px, squash=True, interpolation="bicubic")

    def geometry(self, picture_size: tuple[int, int]) -> CropGeometry:
        """Return where the input lies in a picture of that width and height."""
        width, height = picture_size
        side = self.input_px
        if self.squash:
            return CropGeometry(picture_size, (side, side), (0, 0), (side, side))
        shorter = math.floor(side / self.crop_fraction)
        # torchvision truncates the longer side, and rounds the corner of the crop half to even.
        rounded = math.floor if self.floors_corner else round
        if width <= height:
            resized = (shorter, int(shorter * height / width))
        else:
            resized = (int(shorter * width / height), shorter)
        origin = (rounded((resized[0] - side) / 2.0), rounded((resized[1] - side) / 2.0))
        return CropGeometry(picture_size, resized, origin, (side, side))

    def framed(self, picture_size: tuple[int, int], framing: Framing, grid: Grid) -> CropGeometry:
        """Return where the input lies in a picture of that width and height, in any framing.

        Parameters
        ----------
        grid
            What inputs the network takes.
        """
        if framing.kind != "trained" or framing.box is not None:
            return framed_geometry(framing, picture_size, self.input_px, grid)
        return replace(self, input_px=framing.input_px or self.input_px).geometry(picture_size)

    def crop(self, picture: Image.Image) -> tuple[Image.Image, CropGeometry]:
        """Return the network's input as an RGB picture, before normalisation, and its geometry."""
        geometry = self.geometry(picture.size)
        return self._cut(picture.convert("RGB"), geometry), geometry

    def _cut(self, picture: Image.Image, geometry: CropGeometry) -> Image.Image:
        """Return the network's input as a picture of the same mode, black where it is padded."""
        resample = Image.Resampling[self.interpolation.upper()]
        if geometry.resized_size[0] * geometry.resized_size[1] <= MAX_RESIZED_PIXELS:
            resized, (left, top) = picture.resize(geometry.resized_size, resample), geometry.crop_origin
        else:
            resized, (left, top) = _resize_around_crop(picture, geometry, resample)
        width, height = geometry.input_size
        return resized.crop((left, top, left + width, top + height))

    def _pixels(self, picture: Image.Image, geometry: CropGeometry) -> NDArray[np.float32]:
        """Return the input before normalisation, (H, W, channels) from 0 to 1."""
        is_squashed = geometry.resized_size == geometry.input_size
        if self.resizes_floats and is_squashed and self.squash and self.interpolation == "bilinear":
            values = np.asarray(picture.convert("RGB"), dtype=np.float32) / np.float32(255)
            return _squashed_floats(values, geometry.input_size)
        if self.resizes_floats:
            bands = [self._cut(band.convert("F"), geometry) for band in picture.convert("RGB").split()]
            stacked = np.stack([np.asarray(band, dtype=np.float32) for band in bands], axis=-1)
            return stacked / np.float32(255)
        if len(self.mean) == 1:
            grey = self._cut(picture.convert("L"), geometry)
            return np.asarray(grey, dtype=np.float32)[..., None] / np.float32(255)
        cropped = self._cut(picture.convert("RGB"), geometry)
        return np.asarray(cropped, dtype=np.float32) / np.float32(255)

    def __call__(
        self, picture: Image.Image | NDArray[np.float32], geometry: CropGeometry | None = None
    ) -> tuple[NDArray[np.float32], CropGeometry]:
        """Return the network's normalised input (C, H, W), float32, and its geometry.

        There is one channel, of luminance, where there is one mean.

        Parameters
        ----------
        picture
            A picture of 8 bits; or values from 0 to 1, of which none of the bits is lost: (h, w, 1 or 3), or
            as many bands as the network takes.
        geometry
            What the network is shown of it; by default what it was trained on. Padding gets the mean colour.
        """
        if isinstance(picture, np.ndarray):
            geometry = geometry or self.geometry((picture.shape[1], picture.shape[0]))
            pixels = self._values(picture, geometry)
        else:
            geometry = geometry or self.geometry(picture.size)
            pixels = self._pixels(picture, geometry)
        # A network of more bands than it has means takes them again from the first one on.
        mean, std = (np.resize(np.array(each, np.float32), pixels.shape[2]) for each in (self.mean, self.std))
        normalised = (pixels - mean) / std
        array: NDArray[np.float32] = np.ascontiguousarray(normalised.transpose(2, 0, 1), np.float32)
        if geometry.is_padded:
            left, top, right, bottom = geometry.padding
            height, width = array.shape[1:]
            # The mean colour is 0 after the normalisation.
            array[:, :top] = array[:, height - bottom :] = 0
            array[:, :, :left] = array[:, :, width - right :] = 0
        return array, geometry

    def _values(self, values: NDArray[np.float32], geometry: CropGeometry) -> NDArray[np.float32]:
        """Return the input before normalisation, (H, W, channels), from values from 0 to 1."""
        bands = [Image.fromarray(np.ascontiguousarray(values[..., band])) for band in range(values.shape[2])]
        cut = np.stack([np.asarray(self._cut(band, geometry)) for band in bands], axis=-1)
        # The filters overshoot, which 8 bits cannot.
        within = np.clip(cut, 0, 1)
        if len(self.mean) == 1 and within.shape[2] == 3:
            return np.asarray(within @ _LUMINANCE[:, None], np.float32)
        if within.shape[2] > 1 and within.shape[2] != len(self.mean):
            return np.asarray(within, np.float32)
        return np.broadcast_to(within, (*cut.shape[:2], len(self.mean)))


_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""The weights of red, green and blue in ITU-R BT.601, which Pillow uses, too."""


def _squashed_floats(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize (H, W, channels) to a width and height, bilinear with antialiasing, as torch does in float32.

    Pillow computes the same in double precision, which differs by up to 3e-5 after normalisation.
    """
    rows, columns = (
        _bilinear_weights(own, wanted) for own, wanted in zip(values.shape[:2], size[::-1], strict=True)
    )
    across = np.einsum("ow,hwc->hoc", columns, values, optimize=True)
    squashed: NDArray[np.float32] = np.einsum("oh,hwc->owc", rows, across, optimize=True).astype(np.float32)
    return squashed


def _bilinear_weights(size: int, side: int) -> NDArray[np.float32]:
    """Return (side, size): how much each pixel adds to each pixel of the result."""
    scale = np.float32(size) / np.float32(side)
    reach = max(scale, np.float32(1))
    centres = scale * (np.arange(side, dtype=np.float32) + np.float32(0.5))
    positions = np.arange(size, dtype=np.float32) + np.float32(0.5)
    distances = np.abs(positions - centres[:, None]) / reach
    weights = np.maximum(np.float32(1) - distances, np.float32(0))
    normalised: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def _resize_around_crop(
    picture: Image.Image, geometry: CropGeometry, resample: Image.Resampling
) -> tuple[Image.Image, tuple[int, int]]:
    """Resize only what the crop needs, plus a margin for the filter, and return where the crop lies in it."""
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
