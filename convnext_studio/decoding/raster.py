"""What a file format's reader hands over: the stored samples, and what the file says that they mean."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError

MAX_PIXELS = 100_000_000
MAX_SAMPLE_BYTES = 900_000_000
_STRIPE_PIXELS = 2_000_000

Colours = Literal["grey", "rgb", "cmyk", "bands"]
COLOUR_BANDS: dict[Colours, int] = {"grey": 1, "rgb": 3, "cmyk": 4}
Alpha = Literal["none", "straight", "premultiplied"]


class Raster(Struct, kw_only=True):
    """A picture as its file stores it.

    Attributes
    ----------
    samples
        (H, W, bands), of the file's number type: the colours, then alpha if there is one, then bands that have
        no colour.
    colours
        What the first bands are; ``bands`` for data of which the file names no colours.
    alpha
        Whether the band behind the colours is alpha, and whether the colours were multiplied by it.
    bits
        How many bits of whole numbers are used, counted from the lowest; 0 if the file does not say so.
    is_full_range
        Whether white is the largest number that the type (or `bits`) can hold, however small the values are.
    highest
        The value of white if the file states it.
    zero_is_white
        Whether small values are bright.
    no_data
        The value of pixels that were not measured, if the file names one.
    profile
        The ICC profile.
    gamma
        The exponent of the stored values (PNG's ``gAMA``); 0 if unknown or that of sRGB.
    orientation, orientation_source
        How the picture has to be turned, as EXIF counts, and what says so.
    frames, frame
        How many frames or pages there are, and the index of this one.
    notes
        One sentence about each thing that the reader did.
    """

    samples: NDArray[Any]
    colours: Colours
    alpha: Alpha = "none"
    bits: int = 0
    is_full_range: bool = False
    highest: float | None = None
    zero_is_white: bool = False
    no_data: float | None = None
    profile: bytes = b""
    gamma: float = 0.0
    orientation: int = 1
    orientation_source: str = ""
    frames: int = 1
    frame: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.samples.shape[1], self.samples.shape[0]


def stripes(height: int, width: int) -> Iterator[slice]:
    """Yield a few rows at a time, so that conversions need little memory."""
    rows = max(1, _STRIPE_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def check_size(size: tuple[int, int], name: str) -> None:
    """Raise a StudioError for a picture without pixels, or with too many."""
    width, height = size
    if width <= 0 or height <= 0:
        raise StudioError(f"“{name}” has {width} × {height} pixels: there is nothing to see.")
    if width * height > MAX_PIXELS:
        raise too_large(name, f"{width} × {height} pixels, {_rounded_up(width * height)} megapixels")


def check_bytes(size: tuple[int, int], bands: int, item_bytes: int, name: str) -> None:
    """Raise a StudioError for samples that do not fit into the decoder's memory."""
    check_size(size, name)
    needed = size[0] * size[1] * bands * item_bytes
    if needed > MAX_SAMPLE_BYTES:
        raise StudioError(
            f"“{name}” is too large: {size[0]} × {size[1]} pixels of {bands} "
            f"{'band' if bands == 1 else 'bands'} are {_rounded_up(needed)} MB.",
            f"The limit is {MAX_SAMPLE_BYTES / 1e6:.0f} MB; reduce it or remove bands first.",
        )


def _rounded_up(count: int) -> str:
    """Return so many millions; never the limit itself for what exceeds it."""
    return f"{math.ceil(count / 1e5) / 10:,.1f}".removesuffix(".0")


def too_large(name: str, size: str) -> StudioError:
    """Return the error for a picture of too many pixels."""
    return StudioError(
        f"“{name}” is too large: {size}.", f"The limit is {MAX_PIXELS / 1e6:.0f} megapixels; reduce it first."
    )


def damaged(name: str, why: str) -> StudioError:
    """Return the error for a damaged file; `why` is a part of a sentence."""
    return StudioError(f"“{name}” is damaged and cannot be decoded ({why}).", "Copy or download it again.")


def variant(name: str) -> StudioError:
    """Return the error for a file that may be sound, but of a sort that its decoder does not know."""
    return StudioError(
        f"“{name}” is of a variant of its format that cannot be opened.",
        "Save it as PNG or as a plain TIFF with another program.",
    )


def incomplete(name: str) -> StudioError:
    """Return the error for a file that lacks a part of its pixels."""
    return damaged(name, "it ends before its last pixels")


def not_decoded(name: str, kind: str, hint: str = "") -> StudioError:
    """Return the error for a sound file of a kind for which there is no decoder."""
    return StudioError(
        f"“{name}” is sound, as far as can be seen, but is not decoded: it is {kind}.",
        hint or "Save it as PNG or as a plain TIFF with another program.",
    )


def no_such_frame(name: str, frame: int, frames: int) -> StudioError:
    """Return the error for a frame or page that a file does not have."""
    return StudioError(f"“{name}” has no frame {frame + 1}: it has {frames}.")


def failed(name: str, kind: str) -> StudioError:
    """Return the error for a file of a kind whose only decoder fails, whatever the reason may be."""
    return StudioError(
        f"“{name}” cannot be decoded: it is {kind}, and damaged or of a rare sort.",
        "Copy it again, or save it as PNG with another program.",
    )


def as_bands(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples as (H, W, bands)."""
    return samples[..., None] if samples.ndim == 2 else samples


def is_whole(dtype: np.dtype[Any]) -> bool:
    """Whether a number type holds whole numbers only."""
    return bool(np.issubdtype(dtype, np.integer) or dtype == np.bool_)
