"""Turn a picture into the network's input and keep the exact geometry. Needs only numpy and Pillow.

The steps are those of the evaluation transforms of timm and torchvision (resize the shorter side, centre crop,
scale to [0, 1], normalise), so that predictions equal theirs.
"""

import math
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import Framing, Grid, framed_geometry
from convnext_studio.render.numbers import pluralize

if TYPE_CHECKING:  # Imported where it is needed: the window computes no input, and Pillow would delay it.
    from PIL import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Above this, only the neighbourhood of the crop is resized: a 20000 x 30 picture would become 43 megapixels.
MAX_RESIZED_PIXELS = 16_000_000

_SMALLEST_STD, _LARGEST_NUMBER = 1e-6, 1e6
"""Beyond these, the input would not be finite in float32."""


class Preprocessing(Struct, frozen=True, kw_only=True):
    """How pictures are turned into a model's input.

    Attributes
    ----------
    input_px
        Side of the square input that the network was trained with; its height, where it is not square.
    input_width_px
        Width of an input that is not square; 0 for a square one.
    crop_fraction
        Fraction of the resized picture that the crop keeps (timm's ``crop_pct``); above 1, the picture is
        smaller than the input, and `fill` is added around it.
    interpolation
        ``bilinear``, ``bicubic`` or ``nearest``, with antialiasing.
    mean, std
        Mean and standard deviation per channel, for values in [0, 1].
    squash
        Resize both sides to the input size without keeping the aspect ratio, and do not crop.
    border
        Resize the whole picture into the input, and fill the rest with `fill` (timm's ``border``).
    fill
        The colour around a picture that does not fill the input, from 0 to 255; black if empty.
    resized_px
        What the picture is resized to before the crop, instead of by `crop_fraction`: the length of its shorter
        side; or width and height, where both are squashed.
    floors_corner
        Whether the corner of the crop is rounded down, as in transformers, and not half to even.
    resizes_floats
        Whether pictures are resized as floating point numbers, without rounding to 8 bits afterwards.
    """

    input_px: int = 224
    input_width_px: int = 0
    crop_fraction: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    squash: bool = False
    border: bool = False
    fill: tuple[int, ...] = ()
    resized_px: tuple[int, ...] = ()
    floors_corner: bool = False
    resizes_floats: bool = False

    def __post_init__(self) -> None:
        numbers = (*self.mean, *self.std, self.crop_fraction)
        if not all(abs(number) <= _LARGEST_NUMBER for number in numbers):  # Also refuses what is no number.
            raise StudioError("The mean, standard deviation or crop of the preprocessing is no usual number.")
        if len(self.mean) != len(self.std) or not all(std >= _SMALLEST_STD for std in self.std):
            raise StudioError("The mean and standard deviation of the preprocessing do not fit each other.")

    def fits(self, channels: int) -> bool:
        """Return whether there are means for a network of so many channels; see `for_channels`."""
        return len(self.mean) in (1, len(IMAGENET_MEAN), channels)

    def for_channels(self, channels: int) -> "Preprocessing":
        """Return the preprocessing with means for a network of so many channels.

        One mean is that of all channels. Three, of colours, are averaged for one channel, and are taken again
        from the first one on for more than three.

        Raises
        ------
        StudioError
            If there is another number of them.
        """
        if not self.fits(channels):
            raise StudioError(
                f"The preprocessing has {len(self.mean)} means, but the network takes "
                f"{pluralize(channels, 'channel')}."
            )
        if len(self.mean) == channels:
            return self
        if channels == 1:
            return replace(self, mean=(_average(self.mean),), std=(_average(self.std),))
        mean, std = (tuple(islice(cycle(each), channels)) for each in (self.mean, self.std))
        return replace(self, mean=mean, std=std)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the input."""
        return self.input_width_px or self.input_px, self.input_px

    def squashed(self, input_px: int) -> "Preprocessing":
        """Return a bicubic preprocessing that squashes whole pictures to that side, as for receptive fields."""
        return replace(
            self,
            input_px=input_px,
            input_width_px=0,
            resized_px=(),
            squash=True,
            border=False,
            interpolation="bicubic",
        )

    def geometry(self, picture_size: tuple[int, int]) -> CropGeometry:
        """Return where the input lies in a picture of that width and height."""
        resized = self._resized_size(picture_size)
        sides = tuple(zip(resized, self.input_size, strict=True))
        left, top = (self._corner(after - side) for after, side in sides)
        right, bottom = (side - after + at for (after, side), at in zip(sides, (left, top), strict=True))
        padding = max(0, -left), max(0, -top), max(0, right), max(0, bottom)
        return CropGeometry(picture_size, resized, (left, top), self.input_size, padding)

    def _resized_size(self, picture_size: tuple[int, int]) -> tuple[int, int]:
        width, height = picture_size
        if self.squash:
            return (self.resized_px[0], self.resized_px[1]) if len(self.resized_px) > 1 else self.input_size
        aimed = [math.floor(side / self.crop_fraction) for side in self.input_size]
        if self.border or (aimed[0] != aimed[1] and not self.resized_px):
            # timm's `ResizeKeepRatio`: the whole picture within the aim, or the whole aim within the picture.
            ratios = width / aimed[0], height / aimed[1]
            ratio = max(ratios) if self.border else min(ratios)
            return max(1, round(width / ratio)), max(1, round(height / ratio))
        shorter = self.resized_px[0] if self.resized_px else aimed[0]
        # torchvision truncates the longer side.
        if width <= height:
            return shorter, int(shorter * height / width)
        return int(shorter * width / height), shorter

    def _corner(self, excess_px: int) -> int:
        """Return where the crop begins on a side that is so much longer than it; below 0, what is added."""
        if self.floors_corner:
            return excess_px // 2
        # torchvision rounds the corner half to even, and adds the larger half of an odd border at the end.
        return round(excess_px / 2.0) if excess_px >= 0 else -(-excess_px // 2)

    def framed(self, picture_size: tuple[int, int], framing: Framing, grid: Grid) -> CropGeometry:
        """Return where the input lies in a picture of that width and height, in any framing.

        Parameters
        ----------
        grid
            What inputs the network takes.
        """
        if framing.kind != "trained" or framing.box is not None:
            return framed_geometry(framing, picture_size, self.input_px, grid)
        return self.scaled(framing.input_px or self.input_px).geometry(picture_size)

    def scaled(self, input_px: int) -> "Preprocessing":
        """Return the same preprocessing for an input of another height, with everything else in proportion."""
        scale = input_px / self.input_px
        return replace(
            self,
            input_px=input_px,
            input_width_px=round(scale * self.input_width_px),
            resized_px=tuple(round(scale * side) for side in self.resized_px),
        )

    def crop(self, picture: "Image.Image") -> "tuple[Image.Image, CropGeometry]":
        """Return the network's input as an RGB picture, before normalisation, and its geometry."""
        geometry = self.geometry(picture.size)
        return self._cut(picture.convert("RGB"), geometry, self._fill(3)), geometry

    def _fill(self, bands: int) -> tuple[int, ...]:
        """Return the colour around a picture of so many bands, from 0 to 255."""
        fill = self.fill or (0,)
        return fill[:bands] if len(fill) >= bands else fill[:1] * bands

    def _cut(
        self, picture: "Image.Image", geometry: CropGeometry, fill: float | tuple[int, ...]
    ) -> "Image.Image":
        """Return the network's input as a picture of the same mode."""
        from PIL import Image

        resample = Image.Resampling[self.interpolation.upper()]
        if geometry.resized_size[0] * geometry.resized_size[1] <= MAX_RESIZED_PIXELS:
            resized, (left, top) = picture.resize(geometry.resized_size, resample), geometry.crop_origin
        else:
            resized, (left, top) = _resize_around_crop(picture, geometry, resample)
        width, height = geometry.input_size
        if not geometry.is_padded:
            return resized.crop((left, top, left + width, top + height))
        filled = Image.new(resized.mode, geometry.input_size, fill)
        filled.paste(resized, (-left, -top))
        return filled

    def _pixels(self, picture: "Image.Image", geometry: CropGeometry) -> NDArray[np.float32]:
        """Return the input before normalisation, (H, W, channels) from 0 to 1."""
        is_squashed = self.squash and not geometry.is_padded
        if self.resizes_floats and is_squashed and self.interpolation == "bilinear":
            values = np.asarray(picture.convert("RGB"), dtype=np.float32) / np.float32(255)
            (left, top), (width, height) = geometry.crop_origin, geometry.input_size
            return _squashed_floats(values, geometry.resized_size)[top : top + height, left : left + width]
        if self.resizes_floats:
            bands = zip(picture.convert("RGB").split(), self._fill(3), strict=True)
            cut = [self._cut(band.convert("F"), geometry, float(fill)) for band, fill in bands]
            stacked = np.stack([np.asarray(band, dtype=np.float32) for band in cut], axis=-1)
            return stacked / np.float32(255)
        if len(self.mean) == 1:
            grey = self._cut(picture.convert("L"), geometry, self._fill(1))
            return np.asarray(grey, dtype=np.float32)[..., None] / np.float32(255)
        cropped = self._cut(picture.convert("RGB"), geometry, self._fill(3))
        return np.asarray(cropped, dtype=np.float32) / np.float32(255)

    def __call__(
        self, picture: "Image.Image | NDArray[np.float32]", geometry: CropGeometry | None = None
    ) -> tuple[NDArray[np.float32], CropGeometry]:
        """Return the network's normalised input (C, H, W), float32, and its geometry.

        There is one channel, of luminance, where there is one mean.

        Parameters
        ----------
        picture
            A picture of 8 bits; or values from 0 to 1, of which none of the bits is lost: (h, w, 1 or 3), or
            as many bands as the network takes.
        geometry
            What the network is shown of it; by default what it was trained on. Padding gets the mean colour,
            or that of the training.
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
        if geometry.is_padded and geometry != self.geometry(geometry.picture_size):
            left, top, right, bottom = geometry.padding
            height, width = array.shape[1:]
            # The mean colour is 0 after the normalisation.
            array[:, :top] = array[:, height - bottom :] = 0
            array[:, :, :left] = array[:, :, width - right :] = 0
        return array, geometry

    def _values(self, values: NDArray[np.float32], geometry: CropGeometry) -> NDArray[np.float32]:
        """Return the input before normalisation, (H, W, channels), from values from 0 to 1."""
        from PIL import Image

        bands = [Image.fromarray(np.ascontiguousarray(values[..., band])) for band in range(values.shape[2])]
        fills = self._fill(len(bands))
        filled = [self._cut(band, geometry, fill / 255) for band, fill in zip(bands, fills, strict=True)]
        cut = np.stack([np.asarray(band) for band in filled], axis=-1)
        # The filters overshoot, which 8 bits cannot.
        within = np.clip(cut, 0, 1)
        if len(self.mean) == 1 and within.shape[2] == 3:
            return np.asarray(within @ _LUMINANCE[:, None], np.float32)
        if within.shape[2] > 1 and within.shape[2] != len(self.mean):
            return np.asarray(within, np.float32)
        return np.broadcast_to(within, (*cut.shape[:2], len(self.mean)))


def _average(numbers: tuple[float, ...]) -> float:
    return sum(numbers) / len(numbers)


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
    picture: "Image.Image", geometry: CropGeometry, resample: "Image.Resampling"
) -> "tuple[Image.Image, tuple[int, int]]":
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
