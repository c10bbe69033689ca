"""Any file to an 8-bit RGB picture, with a sentence on everything that was done to it; no torch."""

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
"""What brings a picture upright, by its orientation in the EXIF standard."""
_CONVERSIONS = {
    "P": "Palette converted to RGB.",
    "1": "Black and white converted to RGB.",
    "L": "Greyscale repeated in the three channels.",
}
PREVIEW_PX = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A picture as the network may see it.

    Attributes
    ----------
    key
        Of the source as it was when reading began: `file_key`, or a digest of the encoded bytes.
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
        return reduced(self.pixels, longest_px)


def reduced(pixels: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: pixels of a picture, made smaller where a side is longer than that."""
    if max(pixels.shape[:2]) <= longest_px:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(picture)


class PictureReader(Protocol):
    """What reads pictures: this module itself, or a process that uses it."""

    def decode(self, source: str | bytes, name: str = "", longest_px: int = 0) -> DecodedImage:
        """As `decode`."""

    def check_head(self, path: str) -> None:
        """As `check_head`."""


def decode(source: str | bytes, name: str = "", longest_px: int = 0) -> DecodedImage:
    """Read a picture from a path, ``sample:NAME`` or encoded bytes.

    Parameters
    ----------
    longest_px
        Sides of at most that length are enough: a JPEG is not decoded at its full size then. 0 for the whole.

    Raises
    ------
    StudioError
        Where it is no picture, too large, damaged, or not finite.
    """
    own_name, path = described(source)
    name = name or own_name
    key = _digest(source) if isinstance(source, bytes) else file_key(source)
    with _opened(source) as stream, _without_warnings(), _in_plain_words(name):
        pixels, notes = _decode(stream, name, longest_px)
    pixels.flags.writeable = False
    return DecodedImage(key=key, name=name, path=path, pixels=pixels, notes=tuple(notes))


def check_head(path: str) -> None:
    """Read as much of a file as tells whether it is a picture and how large; the pixels are not decoded.

    Raises
    ------
    StudioError
        As `decode`, but for what only the pixels tell.
    """
    name, _ = described(path)
    with _opened(path) as stream, _without_warnings(), _in_plain_words(name):
        _check_content(stream, name)
        with Image.open(stream, formats=FORMATS) as image:
            _check_size(image, name)


def file_of(path: str) -> Path:
    """Where the file of a path or of ``sample:NAME`` lies; StudioError where there is no such sample."""
    if path.startswith(SAMPLE_PREFIX):
        return sample_path(path.removeprefix(SAMPLE_PREFIX))
    return Path(path)


def file_key(path: str) -> str:
    """A name for a file as it is now: another one whenever it changes, empty where there is none.

    It is made of the path, the size and the time of the last change; nothing is read.
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
    """What a source is called where it is given no name, and its path (empty for bytes)."""
    if isinstance(source, bytes):
        return "Pasted picture", ""
    if source.startswith(SAMPLE_PREFIX):
        return source.removeprefix(SAMPLE_PREFIX), source
    return Path(source).name, source


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of odd metadata, which changes nothing, and of large pictures, which are measured here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(source: str | bytes) -> BinaryIO:
    """The encoded picture, not read yet: what is no picture shows by its first bytes, however long it is."""
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
        _check_size(image, name)  # An icon's pictures may differ from its list of them.
        pixels, notes = _to_rgb(image, name)
    return (reduced(pixels, longest_px) if longest_px else pixels), notes


@contextmanager
def _in_plain_words(name: str) -> Iterator[None]:
    """What Pillow raises, as a StudioError."""
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
    except Exception as error:  # Decoders meet damaged files with exceptions of every kind.
        raise StudioError(
            f"“{name}” is damaged and cannot be decoded ({_words(error)}).", "Copy or download it again."
        ) from error


def _check_content(stream: BinaryIO, name: str) -> None:
    if not stream.seek(0, io.SEEK_END):
        raise StudioError(f"“{name}” is empty (0 bytes).", "Copy or download it again.")
    stream.seek(0)


def _words(error: Exception) -> str:
    """What a decoder says, which may hold whatever the file does."""
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
        notes.append("Transparency laid over white.")
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
    except Exception:  # Damaged metadata raise anything; the pixels are still good.
        notes.append("Damaged EXIF data were left out of account.")
        return image
    if turn is None:
        return image
    notes.append("Turned as its EXIF orientation says.")
    return image.transpose(turn)


def _stripes(picture: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Some rows at a time, so that what is converted on the way takes little memory."""
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
