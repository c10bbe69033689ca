"""Read and write fields: ``.npy`` contains only the array, ``.npz`` also how it was measured.

An ``.npz`` of this program contains ``field``, (H, W) float64, and ``about``, a JSON text with ``format`` (1)
and the contents of ``erf.json`` (`convnext_studio.export.field_exports`).
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import expand_home
from convnext_studio.common.foreign.bounded_files import bounded_archive, open_regular
from convnext_studio.common.foreign.limits import LARGEST_ABOUT_BYTES, MOST_FIELD_PIXELS
from convnext_studio.common.foreign.npy_headers import read_npy_header
from convnext_studio.common.foreign.plain_reasons import plain_reason, system_reason
from convnext_studio.common.foreign.strict_json import parse_json

FORMAT = 1
SUFFIXES = (".npy", ".npz")
_DAMAGES = (
    *(ValueError, EOFError, KeyError, TypeError, RuntimeError, SyntaxError, RecursionError, OverflowError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged archive or array raises; a NotImplementedError is a RuntimeError."""
_READABLE = "Open an .npy or .npz file with a two-dimensional array."


class SavedField(Struct, frozen=True):
    """The contents of a field file.

    Attributes
    ----------
    field_map
        The field, (H, W) float64, finite and not negative.
    about
        The metadata in the file; empty for an ``.npy``.
    """

    field_map: NDArray[np.float64]
    about: Mapping[str, Any]


def is_field(path: str) -> bool:
    """Return whether a file is to be opened as a field and not as a picture.

    An ``.npz`` with an array ``field`` is one, and an ``.npy`` of floating-point numbers with two axes, as is
    what cannot be read. Arrays of whole numbers, or of more axes, are pictures.
    """
    if not path.lower().endswith(SUFFIXES):
        return False
    try:
        with open_regular(expand_home(path)) as opened:
            if opened.read(2) == b"PK":
                with bounded_archive(opened) as archive:
                    return "field.npy" in archive.namelist()
            opened.seek(0)
            shape, _, dtype = read_npy_header(opened)
    except (OSError, *_DAMAGES):
        return True
    return len(shape) == 2 and dtype.kind == "f"


def npy_bytes(array: NDArray[np.floating]) -> bytes:
    """Return the contents of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def npz_bytes(field_map: NDArray[np.float64], about: Mapping[str, Any]) -> bytes:
    """Return the contents of an ``.npz`` file; `about` must be JSON-ready."""
    buffer = io.BytesIO()
    text = json.dumps({"format": FORMAT, **about}, ensure_ascii=True, allow_nan=False)
    np.savez_compressed(buffer, field=field_map, about=np.array(text))
    return buffer.getvalue()


def read_field(path: str) -> SavedField:
    """Read a field from an ``.npy`` or ``.npz`` file.

    Raises
    ------
    StudioError
        If it is not such a file, is damaged, or its array is not a field.
    """
    file = expand_home(path)
    try:
        with open_regular(file) as opened:
            return _read(opened, file.name)
    except FileNotFoundError:
        raise StudioError(f"There is no file “{path}”.", "It may have been moved or renamed.") from None
    except OSError as error:
        raise StudioError(f"“{file.name}” cannot be read: {system_reason(error)}.") from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{file.name}” is not a usable file name.") from error
    except MemoryError:
        raise StudioError(f"There is not enough memory to open “{file.name}”.") from None


def _read(opened: BinaryIO, name: str) -> SavedField:
    try:
        if not zipfile.is_zipfile(opened):
            opened.seek(0)
            return SavedField(_field(bounded_array(opened, name), name), {})
        with bounded_archive(opened) as archive:
            members = set(archive.namelist())
            if "field.npy" not in members:
                raise StudioError(f"“{name}” contains no receptive field.", "There is no array “field” in it.")
            with archive.open("field.npy") as member:
                field_map = _field(bounded_array(member, name), name)
            return SavedField(field_map, _about(archive, name) if "about.npy" in members else {})
    except (StudioError, MemoryError):
        raise
    except _DAMAGES as error:
        raise StudioError(
            f"“{name}” is not a receptive field that can be opened ({plain_reason(error)}).", _READABLE
        ) from error


def bounded_array(opened: Any, name: str) -> NDArray[Any]:
    """Read the array of an ``.npy`` stream, after checking its header before memory is allocated."""
    if opened.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
        raise StudioError(f"“{name}” is not a receptive field.", _READABLE)
    opened.seek(0)
    shape, fortran, dtype = read_npy_header(opened)
    if len(shape) != 2 or 0 in shape:
        raise StudioError(f"“{name}” contains an array of shape {shape}, but a field has two dimensions.")
    if math.prod(shape) > MOST_FIELD_PIXELS:
        raise StudioError(
            f"The field in “{name}” is too large: {shape[1]} × {shape[0]} px.",
            f"The limit is {MOST_FIELD_PIXELS:,} pixels, which are 4096 × 4096.",
        )
    if dtype.kind not in "fiu":
        raise StudioError(f"“{name}” contains values of type {dtype}, but a field has numbers.")
    expected = shape[0] * shape[1] * dtype.itemsize
    data = opened.read(expected)
    if len(data) < expected:
        raise StudioError(f"“{name}” is damaged: it ends too early.", "Copy it again.")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _field(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    field_map = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(field_map).all() or field_map.min() < 0:
        raise StudioError(f"“{name}” is not a receptive field: some values are negative or not finite.")
    return field_map


def _about(archive: zipfile.ZipFile, name: str) -> Mapping[str, Any]:
    about = archived_json(archive)
    if about.get("format") != FORMAT:
        raise _strange("it was written by a newer version of this program", name)
    return about


def archived_json(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the JSON object in the array `about`, or raise a ValueError."""
    if archive.getinfo("about.npy").file_size > LARGEST_ABOUT_BYTES:
        raise ValueError("its metadata are too long")
    with archive.open("about.npy") as member:
        shape, _, dtype = read_npy_header(member)
        if shape or dtype.kind != "U":
            raise ValueError("its metadata are no text")
        text = member.read(dtype.itemsize).decode("utf-32-be" if dtype.byteorder == ">" else "utf-32-le")
    about = parse_json(text.rstrip("\0"))
    if not isinstance(about, dict):
        raise ValueError("its metadata cannot be read")
    return about


def _strange(why: str, name: str) -> StudioError:
    return StudioError(f"“{name}” is not a receptive field that can be opened: {why}.", _READABLE)
