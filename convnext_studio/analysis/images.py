"""Any file to an 8-bit RGB picture, with a sentence on everything that was done to it; no torch."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
        return reduced(self.pixels, longest_px)


def reduced(pixels: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: pixels of a picture, made smaller where a side is longer than that."""
    if max(pixels.shape[:2]) <= longest_px:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(picture)


def decode(source: str | bytes, name: str = "") -> DecodedImage:
    """Read a picture from a path, ``sample:NAME`` or encoded bytes.

    Raises
    ------
    StudioError
        Where it is no picture, too large, damaged, or not finite.
    """
    path = "" if isinstance(source, bytes) else source
    name = name or _name_of(source)
    with _without_warnings():
        pixels, notes = _decode(_encoded(source), name)
    pixels.flags.writeable = False
    digest = hashlib.blake2b(pixels.data, digest_size=12, salt=str(pixels.shape).encode()[:16]).hexdigest()
    return DecodedImage(key=digest, name=name, path=path, pixels=pixels, notes=tuple(notes))


def decode_small(source: str | bytes, longest_px: int, name: str = "") -> NDArray[np.uint8]:
    """(h, w, 3) uint8: a picture with sides of at most that length; a JPEG is not decoded at its full size.

    Raises
    ------
    StudioError
        As `decode`.
    """
    with _without_warnings():
        pixels, _ = _decode(_encoded(source), name or _name_of(source), draft_px=2 * longest_px)
    return reduced(pixels, longest_px)


def check_head(path: str) -> None:
    """Read as much of a file as tells whether it is a picture and how large; the pixels are not decoded.

    Raises
    ------
    StudioError
        As `decode`, but for what only the pixels tell.
    """
    file = file_of(path)
    _check_file(file)
    try:
        with file.open("rb") as opened, _without_warnings(), _in_plain_words(file.name):
            if not opened.read(1):
                raise _empty(file.name)
            opened.seek(0)
            with Image.open(opened, formats=FORMATS) as image:
                _check_size(image, file.name)
    except OSError as error:
        raise _unreadable(file, error) from error


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
    return hashlib.blake2b(facts.encode(errors="surrogateescape"), digest_size=12).hexdigest()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of odd metadata, which changes nothing, and of large pictures, which are measured here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _name_of(source: str | bytes) -> str:
    if isinstance(source, bytes):
        return "Pasted picture"
    return source.removeprefix(SAMPLE_PREFIX) if source.startswith(SAMPLE_PREFIX) else Path(source).name


def _encoded(source: str | bytes) -> bytes:
    return source if isinstance(source, bytes) else _read(file_of(source))


def _read(file: Path) -> bytes:
    _check_file(file)
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _check_file(file: Path) -> None:
    """That there is such a file; StudioError where there is not."""
    try:
        if file.is_dir():
            raise StudioError(f"“{file.name}” is a folder, not a picture.", "Open the pictures in it.")
        if not file.exists():
            raise StudioError(f"There is no file “{file}”.", "It may have been moved or renamed.")
        if not file.is_file():
            raise StudioError(f"“{file.name}” is not a regular file.", "Open a picture file.")
    except OSError as error:
        raise _unreadable(file, error) from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{file.name}” is not a usable file name.") from error


def _unreadable(file: Path, error: OSError) -> StudioError:
    return StudioError(f"“{file.name}” cannot be read: {error.strerror}.")


def _decode(encoded: bytes, name: str, draft_px: int | None = None) -> tuple[NDArray[np.uint8], list[str]]:
    if not encoded:
        raise _empty(name)
    with _in_plain_words(name), Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        _check_size(image, name)
        if draft_px is not None:
            image.draft(None, (draft_px, draft_px))
        image.load()
        return _to_rgb(image, name)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} × {height} pixels, {width * height / 1e6:,.0f} megapixels")


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
        raise StudioError(f"There is not enough memory to decode “{name}”.") from None
    except Exception as error:  # Decoders meet damaged files with exceptions of every kind.
        raise StudioError(
            f"“{name}” is damaged and cannot be decoded ({error}).", "Copy or download it again."
        ) from error


def _empty(name: str) -> StudioError:
    return StudioError(f"“{name}” is empty (0 bytes).", "Copy or download it again.")


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
