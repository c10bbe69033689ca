"""Any file to an 8-bit RGB picture, with a sentence on everything that was done to it; no torch."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    ImageOps,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from convnext_studio.errors import StudioError
from convnext_studio.samples import SAMPLE_PREFIX, sample_path

# Formats whose decoders are well kept; others that Pillow knows (EPS runs Ghostscript) are not opened. Naming
# the plug-ins is quicker than Pillow's search for all. A phone's MPO is opened as the JPEG that it begins with.
_PLUGINS = (
    AvifImagePlugin.AvifImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    IcoImagePlugin.IcoImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    TgaImagePlugin.TgaImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(plugin.format for plugin in _PLUGINS)
MAX_PIXELS = 100_000_000
PREVIEW_PX = 2048
THUMBNAIL_PX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A picture as the network may see it.

    Attributes
    ----------
    key
        Digest of the pixels.
    name, path
        For people; `path` is empty for a picture that came as bytes.
    pixels
        (height, width, 3) uint8 RGB, read-only.
    notes
        A sentence on each thing done while decoding.
    """

    key: str
    name: str
    path: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def to_pil(self) -> Image.Image:
        """Give the picture in Pillow's form."""
        return Image.fromarray(self.pixels)

    def reduced(self, longest_px: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8: the picture, made smaller where a side is longer than that."""
        if max(self.size) <= longest_px:
            return self.pixels
        picture = self.to_pil()
        picture.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=None)
        return np.ascontiguousarray(picture)


def decode(source: str | bytes, name: str = "") -> DecodedImage:
    """Read a picture from a path, ``sample:NAME`` or encoded bytes.

    Raises
    ------
    StudioError
        Where it is no picture, too large, damaged, or not finite.
    """
    if isinstance(source, bytes):
        encoded, path, own_name = source, "", "Pasted picture"
    elif source.startswith(SAMPLE_PREFIX):
        own_name = source.removeprefix(SAMPLE_PREFIX)
        encoded, path = _read(sample_path(own_name)), source
    else:
        encoded, path, own_name = _read(Path(source)), source, Path(source).name
    name = name or own_name
    with warnings.catch_warnings():
        # Pillow warns of odd metadata, which changes nothing, and of large pictures, which are measured here.
        warnings.simplefilter("ignore")
        pixels, notes = _decode(encoded, name)
    pixels.flags.writeable = False
    digest = hashlib.blake2b(pixels.data, digest_size=12, salt=str(pixels.shape).encode()[:16]).hexdigest()
    return DecodedImage(key=digest, name=name, path=path, pixels=pixels, notes=tuple(notes))


def _read(file: Path) -> bytes:
    try:
        if file.is_dir():
            raise StudioError(f"“{file.name}” is a folder, not a picture.", "Open the pictures in it.")
        if not file.exists():
            raise StudioError(f"There is no file “{file}”.", "It may have been moved or renamed.")
        if not file.is_file():
            raise StudioError(f"“{file.name}” is not a regular file.", "Open a picture file.")
        return file.read_bytes()
    except OSError as error:
        raise StudioError(f"“{file.name}” cannot be read: {error.strerror}.") from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{file.name}” is not a usable file name.") from error


def _decode(encoded: bytes, name: str) -> tuple[NDArray[np.uint8], list[str]]:
    if not encoded:
        raise StudioError(f"“{name}” is empty (0 bytes).", "Copy or download it again.")
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(name, f"{width} × {height} pixels, {width * height / 1e6:,.0f} megapixels")
            image.load()
            return _to_rgb(image, name)
    except StudioError:
        raise
    except UnidentifiedImageError:
        raise StudioError(
            f"“{name}” is not a picture of a known format.",
            "PNG, JPEG, WebP, TIFF, BMP, GIF and others can be opened.",
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name, "over 179 megapixels") from None
    except MemoryError:
        raise StudioError(f"There is not enough memory to decode “{name}”.") from None
    except Exception as error:  # Decoders meet damaged files with exceptions of every kind.
        raise StudioError(
            f"“{name}” is damaged and cannot be decoded ({error}).", "Copy or download it again."
        ) from error


def _too_large(name: str, size: str) -> StudioError:
    return StudioError(
        f"“{name}” is too large: {size}.", f"The limit is {MAX_PIXELS / 1e6:.0f} megapixels; reduce it first."
    )


def _to_rgb(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], list[str]]:
    notes: list[str] = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"First of {frames} frames.")
    picture = _upright(image, notes)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        return _rescaled(np.asarray(picture), name, notes), notes
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        notes.append("Transparency laid over white.")
    elif picture.mode == "P":
        notes.append("Palette converted to RGB.")
    elif picture.mode == "1":
        notes.append("Black and white converted to RGB.")
    elif picture.mode == "L":
        notes.append("Greyscale repeated in the three channels.")
    elif picture.mode != "RGB":
        notes.append(f"{picture.mode} converted to RGB, without a colour profile.")
    return np.array(picture.convert("RGB")), notes


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        upright: Any = ImageOps.exif_transpose(image)
        turned = image.getexif().get(0x0112, 1) in range(2, 9)
    except Exception:  # Damaged metadata raise anything; the pixels are still good.
        notes.append("Damaged EXIF data were left out of account.")
        return image
    if turned:
        notes.append("Turned as its EXIF orientation says.")
    picture: Image.Image = upright
    return picture


def _rescaled(values: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    finite = np.isfinite(values)
    if not finite.all():
        raise StudioError(
            f"“{name}” has {np.count_nonzero(~finite):,} values that are not finite numbers.",
            "Replace NaN and infinity in it first.",
        )
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.floating):
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        notes.append(f"Float values {low:.6g} to {high:.6g} rescaled to 0 to 255.")
    elif low >= 0 and high <= 0xFFFF:
        low, high = 0.0, float(0xFFFF)
        notes.append("16-bit values 0 to 65,535 rescaled to 0 to 255.")
    else:
        notes.append(f"32-bit values {low:,.0f} to {high:,.0f} rescaled to 0 to 255.")
    span = high - low or 1.0
    grey = np.rint((values.astype(np.float64) - low) * (255 / span)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
