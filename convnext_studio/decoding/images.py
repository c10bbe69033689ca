"""Decode any picture file to 8-bit RGB, with a note on everything that was done to it. Needs no torch."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import open_regular
from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.common.foreign.plain_reasons import is_variant, plain_reason, system_reason
from convnext_studio.common.samples import SAMPLE_PREFIX, sample_path
from convnext_studio.decoding.developing import develop
from convnext_studio.decoding.kinds import HEAD_BYTES, Kind, kind_of, stranger
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.decoding.raster import MAX_PIXELS, Raster, damaged, no_such_frame, too_large, variant

__all__ = [
    "MAX_PIXELS",
    "DecodedImage",
    "PictureReader",
    "check_head",
    "decode",
    "file_key",
    "file_of",
    "reduced",
]

_READERS: dict[Kind, str] = {
    "tiff": "tiff",
    "png": "png",
    "jpeg": "jpeg",
    "jpeg2000": "jpeg2000",
    "bmp": "bmp",
    "heif": "heif",
    "dicom": "dicom",
    "raw": "raw",
    "array": "arrays",
    "film": "films",
    "other": "others",
}
_HAVE_FRAMES: tuple[Kind, ...] = ("tiff", "png", "heif", "dicom", "array", "film", "other")
_CAN_BE_REDUCED: tuple[Kind, ...] = ("jpeg", "other")
PREVIEW_PX = 2048


class DecodedImage(Struct, frozen=True, kw_only=True):
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
    frames, bands
        How many frames or pages the file has, and how many bands each pixel, alpha included.
    view
        Which of them are shown.
    values
        The pixels from 0 to 1 before they were rounded to 8 bits, (height, width, 1 or 3) float32, read-only;
        None where the file has no more. Those of all bands where the view takes all.
    is_retouched
        Whether parts of it were blurred or filled after it was decoded.
    """

    key: str
    name: str
    path: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]
    frames: int = 1
    bands: int = 3
    view: PictureView = WHOLE
    values: NDArray[np.float32] | None = None
    is_retouched: bool = False

    @property
    def for_networks(self) -> Image.Image | NDArray[np.float32]:
        """What a network's preprocessing takes: the values with all their bits, or the picture of 8 bits."""
        return self.to_pil() if self.values is None else self.values

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

    def decode(
        self, source: str | bytes, name: str = "", longest_px: int = 0, view: PictureView = WHOLE
    ) -> DecodedImage:
        """Read a picture as `decode` does."""

    def check_head(self, path: str) -> None:
        """Check a file as `check_head` does."""


def decode(source: str | bytes, name: str = "", longest_px: int = 0, view: PictureView = WHOLE) -> DecodedImage:
    """Read a picture from a path, ``sample:NAME`` or encoded bytes.

    Parameters
    ----------
    longest_px
        The longest side that is needed; a JPEG is then not decoded at its full size. 0 for the full size.
    view
        Which frame and bands are shown, and how.

    Raises
    ------
    StudioError
        If it is not a picture, is too large, damaged, has values that are not finite, or has no such frame or
        bands.
    """
    own_name, path = described(source)
    name = name or own_name
    key = picture_key(source, view)
    with _opened(source) as stream, _without_warnings(), in_plain_words(name, stream):
        raster = _read(_checked_kind(stream, name), stream, name, longest_px, view.frame)
        found = develop(raster, name, view, is_for_networks=not longest_px)
    pixels = reduced(found.pixels, longest_px) if longest_px else found.pixels
    for array in (pixels, found.values):
        if array is not None:
            array.flags.writeable = False
    return DecodedImage(
        key=key,
        name=name,
        path=path,
        pixels=pixels,
        notes=tuple(found.notes),
        values=found.values,
        frames=raster.frames,
        bands=raster.samples.shape[2],
        view=view,
    )


def check_head(path: str) -> None:
    """Check that a file is a picture of an allowed size, without decoding its pixels.

    Raises
    ------
    StudioError
        As `decode` raises it, except for errors that only the pixels show.
    """
    name, _ = described(path)
    with _opened(path) as stream, _without_warnings(), in_plain_words(name, stream):
        _reader(_checked_kind(stream, name)).size(stream, name)


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


def picture_key(source: str | bytes, view: PictureView = WHOLE) -> str:
    """Return the key of a picture: it changes with its file and with the view; empty if there is no file."""
    key = _digest(source) if isinstance(source, bytes) else file_key(source)
    if view == WHOLE or not key:
        return key
    contrast = view.contrast and tuple(float(percentile) for percentile in view.contrast)
    told = f"{view.frame} {view.bands} {contrast}"
    if view.inputs or view.fitting:
        told += f" {view.inputs} {view.fitting}"
    return _digest(f"{key}\0{told}".encode())


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def described(source: str | bytes) -> tuple[str, str]:
    """Return the default name of a source, and its path (empty for bytes)."""
    if isinstance(source, bytes):
        return "Pasted picture", ""
    if source.startswith(SAMPLE_PREFIX):
        return source.removeprefix(SAMPLE_PREFIX), source
    return one_line(Path(source).name), source


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings: odd metadata are harmless, and large pictures are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(source: str | bytes) -> BinaryIO:
    """Open the encoded picture without reading it; the first bytes show whether it is a picture."""
    return io.BytesIO(source) if isinstance(source, bytes) else opened_file(file_of(source))


def opened_file(file: Path) -> BinaryIO:
    """Open a file without reading it; a StudioError says why that is not possible."""
    try:
        if file.is_dir():
            raise StudioError(f"“{file.name}” is a folder, not a picture.", "Open the pictures in it.")
        if not file.exists():
            raise StudioError(f"There is no file “{file}”.", "It may have been moved or renamed.")
        if not file.is_file():
            raise StudioError(f"“{file.name}” is not a regular file.", "Open a picture file.")
        return open_regular(file)
    except OSError as error:
        raise StudioError(f"“{file.name}” cannot be read: {system_reason(error)}.") from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{file.name}” is not a usable file name.") from error


def _checked_kind(stream: BinaryIO, name: str) -> Kind:
    head = stream.read(HEAD_BYTES)
    if not head:
        raise StudioError(f"“{name}” is empty (0 bytes).", "Copy or download it again.")
    stream.seek(0)
    return kind_of(head)


def _read(kind: Kind, stream: BinaryIO, name: str, longest_px: int, frame: int) -> Raster:
    options = {"longest_px": longest_px} if kind in _CAN_BE_REDUCED else {}
    if kind in _HAVE_FRAMES:
        options["frame"] = frame
    elif frame:
        raise no_such_frame(name, frame, 1)
    found: Raster = _reader(kind).read(stream, name, **options)
    return found


def _reader(kind: Kind) -> Any:
    """Return the module that reads files of a kind; it is imported when it is first needed."""
    return import_module(f"convnext_studio.decoding.formats.{_READERS[kind]}")


@contextmanager
def in_plain_words(name: str, stream: BinaryIO) -> Iterator[None]:
    """Turn the exceptions of decoders into StudioErrors."""
    try:
        yield
    except StudioError:
        raise
    except UnidentifiedImageError:
        stream.seek(0)
        raise stranger(stream.read(HEAD_BYTES), name) from None
    except Image.DecompressionBombError:
        raise too_large(name, "over 179 megapixels") from None
    except MemoryError:
        raise StudioError(f"“{name}” needs too much memory to decode.", "Reduce it first.") from None
    except Exception as error:  # Decoders raise exceptions of every kind for damaged files.
        if is_variant(error):
            raise variant(name) from error
        raise damaged(name, plain_reason(error)) from error
