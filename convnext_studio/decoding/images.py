"""Decode any picture file to 8-bit RGB, with a note on everything that was done to it. Needs no torch."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLE_PREFIX, sample_path

# Formats with well-maintained decoders. Other formats of Pillow are not opened (EPS would run Ghostscript).
# Naming the plug-ins is faster than Pillow's search for all of them. An MPO file is opened as the JPEG that it
# starts with.
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
_STRIPE_PIXELS = 4_000_000
_LONGEST_REASON = 120
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transpositions that make a picture upright, by its EXIF orientation."""
_CONVERSIONS = {
    "P": "Palette converted to RGB.",
    "1": "Black and white converted to RGB.",
    "L": "Greyscale copied to all three channels.",
}
PREVIEW_PX = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A decoded picture.

    Attributes
    ----------
    key
        The key of the source when reading began: `file_key`, or a digest of the encoded bytes.
    name, path
        The display name, and the path of the file; `path` is empty for a picture from bytes.
    pixels
        (height, width, 3) uint8 RGB, read-only.
    notes
        One sentence about each thing that was done while decoding.
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
        """Return the picture as a Pillow image."""
        return Image.fromarray(self.pixels)

    def reduced(self, longest_px: int) -> NDArray[np.uint8]:
        """Return the picture, (h, w, 3) uint8, reduced so that no side is longer than `longest_px`."""
        return reduced(self.pixels, longest_px)


def reduced(pixels: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """Return pixels (h, w, 3) uint8, reduced so that no side is longer than `longest_px`."""
    if max(pixels.shape[:2]) <= longest_px:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(picture)


class PictureReader(Protocol):
    """Something that reads pictures: this module, or a process that uses it."""

    def decode(self, source: str | bytes, name: str = "", longest_px: int = 0) -> DecodedImage:
        """Read a picture as `decode` does."""

    def check_head(self, path: str) -> None:
        """Check a file as `check_head` does."""


def decode(source: str | bytes, name: str = "", longest_px: int = 0) -> DecodedImage:
    """Read a picture from a path, ``sample:NAME`` or encoded bytes.

    Parameters
    ----------
    longest_px
        The longest side that is needed; a JPEG is then not decoded at its full size. 0 for the full size.

    Raises
    ------
    StudioError
        If it is not a picture, is too large, damaged, or has values that are not finite.
    """
    own_name, path = described(source)
    name = name or own_name
    key = _digest(source) if isinstance(source, bytes) else file_key(source)
    with _opened(source) as stream, _without_warnings(), _in_plain_words(name):
        pixels, notes = _decode(stream, name, longest_px)
    pixels.flags.writeable = False
    return DecodedImage(key=key, name=name, path=path, pixels=pixels, notes=tuple(notes))


def check_head(path: str) -> None:
    """Check that a file is a picture of an allowed size, without decoding its pixels.

    Raises
    ------
    StudioError
        As `decode` raises it, except for errors that only the pixels show.
    """
    name, _ = described(path)
    with _opened(path) as stream, _without_warnings(), _in_plain_words(name):
        _check_content(stream, name)
        with Image.open(stream, formats=FORMATS) as image:
            _check_size(image, name)


def file_of(path: str) -> Path:
    """Return the file of a path or of ``sample:NAME``; a StudioError if there is no such sample."""
    if path.startswith(SAMPLE_PREFIX):
        return sample_path(path.removeprefix(SAMPLE_PREFIX))
    return Path(path)


def file_key(path: str) -> str:
    """Return a key that changes whenever the file does; empty if there is no such file.

    It is computed from the path, the size and the modification time; the contents are not read.
    """
    try:
        found = file_of(path).stat()
    except (OSError, ValueError, StudioError):
        return ""
    facts = f"{path}\0{found.st_size}\0{found.st_mtime_ns}"
    return _digest(facts.encode(errors="surrogateescape"))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def described(source: str | bytes) -> tuple[str, str]:
    """Return the default name of a source, and its path (empty for bytes)."""
    if isinstance(source, bytes):
        return "Pasted picture", ""
    if source.startswith(SAMPLE_PREFIX):
        return source.removeprefix(SAMPLE_PREFIX), source
    return Path(source).name, source


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings: odd metadata are harmless, and large pictures are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(source: str | bytes) -> BinaryIO:
    """Open the encoded picture without reading it; the first bytes show whether it is a picture."""
    return io.BytesIO(source) if isinstance(source, bytes) else _opened_file(file_of(source))


def _opened_file(file: Path) -> BinaryIO:
    try:
        if file.is_dir():
            raise StudioError(f"“{file.name}” is a folder, not a picture.", "Open the pictures in it.")
        if not file.exists():
            raise StudioError(f"There is no file “{file}”.", "It may have been moved or renamed.")
        if not file.is_file():
            raise StudioError(f"“{file.name}” is not a regular file.", "Open a picture file.")
        return file.open("rb")
    except OSError as error:
        raise StudioError(f"“{file.name}” cannot be read: {error.strerror}.") from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{file.name}” is not a usable file name.") from error


def _decode(stream: BinaryIO, name: str, longest_px: int) -> tuple[NDArray[np.uint8], list[str]]:
    _check_content(stream, name)
    with Image.open(stream, formats=FORMATS) as image:
        _check_size(image, name)
        if longest_px:
            image.draft(None, (2 * longest_px, 2 * longest_px))
        image.load()
        _check_size(image, name)  # The pictures in an icon may differ from the sizes that it lists.
        pixels, notes = _to_rgb(image, name)
    return (reduced(pixels, longest_px) if longest_px else pixels), notes


@contextmanager
def _in_plain_words(name: str) -> Iterator[None]:
    """Turn Pillow's exceptions into StudioErrors."""
    try:
        yield
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
        raise StudioError(f"“{name}” needs too much memory to decode.", "Reduce it first.") from None
    except Exception as error:  # Decoders raise exceptions of every kind for damaged files.
        raise StudioError(
            f"“{name}” is damaged and cannot be decoded ({_words(error)}).", "Copy or download it again."
        ) from error


def _check_content(stream: BinaryIO, name: str) -> None:
    if not stream.seek(0, io.SEEK_END):
        raise StudioError(f"“{name}” is empty (0 bytes).", "Copy or download it again.")
    stream.seek(0)


def _words(error: Exception) -> str:
    """Return the message of a decoder, which may contain anything from the file."""
    said = "".join(char for char in str(error)[:_LONGEST_REASON] if char.isprintable())
    return said or type(error).__name__


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if not width * height:
        raise StudioError(f"“{name}” has {width} × {height} pixels: there is nothing to see.")
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} × {height} pixels, {width * height / 1e6:,.0f} megapixels")


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
        return _rescaled(picture, name, notes), notes
    to_rgb = _opaque_rgb if picture.has_transparency_data else _rgb
    if picture.has_transparency_data:
        notes.append("Transparency blended with white.")
    elif picture.mode in _CONVERSIONS:
        notes.append(_CONVERSIONS[picture.mode])
    elif picture.mode != "RGB":
        notes.append(f"{picture.mode} converted to RGB, without a colour profile.")
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows, stripe in _stripes(picture):
        pixels[rows] = np.asarray(to_rgb(stripe))
    return pixels, notes


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Damaged metadata can raise anything, but the pixels are still good.
        notes.append("Damaged EXIF data were ignored.")
        return image
    if turn is None:
        return image
    notes.append("Rotated according to its EXIF orientation.")
    return image.transpose(turn)


def _stripes(picture: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield a few rows at a time, so that conversions need little memory."""
    height = max(1, _STRIPE_PIXELS // picture.width)
    for top in range(0, picture.height, height):
        bottom = min(top + height, picture.height)
        yield slice(top, bottom), picture.crop((0, top, picture.width, bottom))


def _rgb(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB")


def _opaque_rgb(picture: Image.Image) -> Image.Image:
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _rescaled(picture: Image.Image, name: str, notes: list[str]) -> NDArray[np.uint8]:
    low, high, strange = np.inf, -np.inf, 0
    for _, stripe in _stripes(picture):
        values = np.asarray(stripe)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        strange += values.size - int(np.count_nonzero(np.isfinite(values)))
    if strange:
        raise StudioError(
            f"“{name}” has {strange:,} values that are not finite numbers.",
            "Replace NaN and infinity in it first.",
        )
    if picture.mode == "F":
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        notes.append(f"Float values {low:.6g} to {high:.6g} rescaled to 0 to 255.")
    elif low >= 0 and high <= 0xFFFF:
        low, high = 0.0, float(0xFFFF)
        notes.append("16-bit values 0 to 65,535 rescaled to 0 to 255.")
    else:
        notes.append(f"32-bit values {low:,.0f} to {high:,.0f} rescaled to 0 to 255.")
    span = high - low or 1.0
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows, stripe in _stripes(picture):
        pixels[rows] = np.rint((np.asarray(stripe, np.float64) - low) * (255 / span))[..., None]
    return pixels
