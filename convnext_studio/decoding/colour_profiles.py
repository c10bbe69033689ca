"""From colours as a file stores them to sRGB: ICC profiles, gamma, CMYK, CIELAB and alpha."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Bytes = NDArray[np.uint8]
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_SPACES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}
_LARGEST_PROFILE = 20_000_000
_LONGEST_NAME = 60
_SRGB_GAMMA = 1 / 2.2
# Rounded primaries and curves of profiles that all mean sRGB differ by this much.
_SAME_COLOUR = 2


class ColourProfile:
    """An ICC profile, and its transform to sRGB.

    Parameters
    ----------
    data
        The profile as it is in the file.
    bands
        The number of bands that hold colours: 1, 3 or 4.

    Attributes
    ----------
    note
        What is done with it, in one sentence; empty if it is that of sRGB.
    """

    def __init__(self, data: bytes, bands: int) -> None:
        self._transform: ImageCms.ImageCmsTransform | None = None
        self._mode = _MODES[bands]
        self._data, self._intent = data, 0
        self.note = ""
        if not data:
            return
        try:
            self._open(data)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            self._transform = None
            self.note = "Its colour profile is damaged and was not used."

    def _open(self, data: bytes) -> None:
        if len(data) > _LARGEST_PROFILE:
            raise ValueError("too long")
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = str(profile.profile.xcolor_space)
        name = _printable(ImageCms.getProfileDescription(profile)) or "unnamed"
        if _SPACES.get(space) != self._mode:
            self.note = (
                f"Its colour profile, “{name}”, is for other colours ({space.strip()}) and was not used."
            )
            return
        intent = self._intent = ImageCms.getDefaultIntent(profile)
        out = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(profile, out, self._mode, "RGB", ImageCms.Intent(intent))
        if self._mode != "CMYK" and _changes_nothing(transform, self._mode):
            return
        self._transform = transform
        self.note = f"Colours converted from the profile “{name}” to sRGB."

    @property
    def is_used(self) -> bool:
        """Whether colours change."""
        return self._transform is not None

    def to_srgb(self, values: Bytes) -> Bytes:
        """Return colours (h, w, 1, 3 or 4) as sRGB, (h, w, 3)."""
        if self._transform is None:
            return _without_profile(values)
        picture = _as_picture(values)
        return np.asarray(ImageCms.applyTransform(picture, self._transform))

    def to_exact_srgb(self, unit: NDArray[Any]) -> NDArray[Any]:
        """Return colours (h, w, 1 or 3) from 0 to 1 as sRGB of 16 bits, (h, w, 1 or 3) from 0 to 1."""
        if self._transform is None:
            return unit
        # The decoder alone may import it, as a file of the kind is there.
        import imagecodecs

        values = np.rint(65535 * unit).astype(np.uint16)
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        try:
            found = imagecodecs.cms_transform(
                values[..., 0] if unit.shape[2] == 1 else values,
                self._data,
                srgb,
                colorspace="gray" if unit.shape[2] == 1 else "rgb",
                outcolorspace="rgb",
                intent=self._intent,
                flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
            )
        except (RuntimeError, ValueError, TypeError):  # What it does not convert has 8 bits.
            found = self.to_srgb((values // 257).astype(np.uint8)).astype(np.uint16) * 257
        return np.asarray(found).reshape(*unit.shape[:2], 3)[..., : unit.shape[2]] / np.float32(65535)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform to sRGB keeps a lattice of colours, as those of sRGB's many profiles do."""
    steps = np.linspace(0, 255, 18 if mode == "RGB" else 256).round().astype(np.uint8)
    axes = np.meshgrid(*([steps] * len(mode)), indexing="ij") if mode == "RGB" else [steps]
    lattice = np.stack(axes, -1).reshape(1, -1, len(axes))
    found = np.asarray(ImageCms.applyTransform(_as_picture(lattice), transform)).astype(int)
    return bool(np.abs(found - lattice).max() <= _SAME_COLOUR)


def _as_picture(values: Bytes) -> Image.Image:
    if values.shape[2] == 1:
        return Image.fromarray(np.ascontiguousarray(values[..., 0]))
    if values.shape[2] == 3:
        return Image.fromarray(np.ascontiguousarray(values))
    height, width = values.shape[:2]
    return Image.frombuffer(
        "CMYK", (width, height), np.ascontiguousarray(values).tobytes(), "raw", "CMYK", 0, 1
    )


def _without_profile(values: Bytes) -> Bytes:
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    if values.shape[2] == 3:
        return values
    return np.asarray(_as_picture(values).convert("RGB"))


def _printable(text: str) -> str:
    return "".join(char for char in text.strip()[:_LONGEST_NAME] if char.isprintable())


@lru_cache(maxsize=8)
def tone_curve(gamma: float, steps: int) -> NDArray[np.float64]:
    """Return the sRGB values, 0 to 1, of `steps` evenly spaced values that were stored with that exponent."""
    light = np.linspace(0, 1, steps) ** (1 / gamma)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def is_srgb_gamma(gamma: float) -> bool:
    """Whether an exponent is that of sRGB, or makes no sense."""
    return not 0.05 <= gamma <= 20 or abs(gamma - _SRGB_GAMMA) < 0.02


_D50, _D65 = (0.96422, 1.0, 0.82521), (0.95047, 1.0, 1.08883)
# From XYZ to linear sRGB, as published by Lindbloom; that for D50 includes Bradford's adaptation.
_D50_TO_LINEAR = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
_D65_TO_LINEAR = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)


def lab_to_srgb(lab: NDArray[np.float32], is_d65: bool) -> Bytes:
    """Return CIELAB colours for the white D65 or D50, (h, w, 3) with L from 0 to 100, as sRGB."""
    white, to_linear = (_D65, _D65_TO_LINEAR) if is_d65 else (_D50, _D50_TO_LINEAR)
    lightness = (lab[..., 0] + 16) / 116
    cubes = np.stack([lightness + lab[..., 1] / 500, lightness, lightness - lab[..., 2] / 200], -1)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * np.array(white)
    linear = np.clip(xyz @ np.array(to_linear).T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), np.uint8)


def on_white(rgb: Bytes, alpha: NDArray[np.float64], is_premultiplied: bool) -> Bytes:
    """Return colours (h, w, 3) with alpha (h, w), 0 to 1, blended with white."""
    cover = alpha[..., None]
    own = rgb.astype(np.float64) if is_premultiplied else rgb * cover
    return np.rint(np.clip(own + 255 * (1 - cover), 0, 255)).astype(np.uint8)
