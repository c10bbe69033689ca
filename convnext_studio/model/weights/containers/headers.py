"""Recognise a weights file by its first bytes, and read the header of a safetensors file within limits."""

import os
import re
import struct
from pathlib import Path
from typing import Any, BinaryIO, Literal

from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import open_regular, read_beginning
from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.foreign.strict_json import parse_json

FileKind = Literal["safetensors", "zip", "legacy", "pickle", "onnx"]

_NO_FILE_BYTES = 1 << 63
"""What no file system holds, so that it is damage rather than a missing part."""
PERHAPS_TRUNCATED = "The download or copy may be incomplete: get the file again."

# The start of torch's format until 2020, which it still writes on request: a pickled number.
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

_OLD_PICKLE = re.compile(rb"\([dl]p\d+\n|[}\]]q[\x00\x01]|c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n(p\d+\n|q[\x00\x01])")
"""The start of a dict, a list or an object in a pickle of the protocols 0 and 1, which have no mark."""


class Header(Struct, frozen=True, kw_only=True):
    """The header of a safetensors file.

    Attributes
    ----------
    metadata
        Any pairs of name and text.
    shapes
        The shape of every tensor.
    dtypes
        The type of every tensor, by the format's own name, such as ``F16``.
    """

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]


def file_kind(path: Path) -> FileKind:
    """Return what kind of weights file this is.

    Raises
    ------
    StudioError
        If it cannot be read, or is not a weights file; the message says what it is instead, if that is known.
    """
    try:
        start = read_beginning(path, 64)
    except OSError as error:
        raise _unreadable(path, error) from error
    _refuse_known_mistakes(start, path)
    # Before the others: the length of a header that begins a file may look like the start of a pickle.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= LARGEST_HEADER_BYTES:
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start.startswith(_LEGACY_START[: len(start)]):
        return "legacy"
    if start.startswith(b"\x80"):
        return "pickle"
    if start[8:9] == b"{" or len(start) <= 8:
        return "safetensors"
    if path.suffix.lower() == ".onnx":
        return "onnx"
    if _OLD_PICKLE.match(start):
        return "pickle"
    raise StudioError(
        f"{path.name} is not a weights file.", "ConvNeXt Studio reads what torch and safetensors write."
    )


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, and check that the file is long enough for its tensors.

    Raises
    ------
    StudioError
        If it is not such a file, or is damaged.
    """
    try:
        with open_regular(path) as stream:
            entries = _parse(stream, path)
            header_end = stream.tell()
            data_bytes = stream.seek(0, os.SEEK_END) - header_end
    except OSError as error:
        raise _unreadable(path, error) from error
    metadata = entries.pop("__metadata__", None)
    try:
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        dtypes = {name: str(entry["dtype"]) for name, entry in entries.items()}
        needed_bytes = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        if needed_bytes >= _NO_FILE_BYTES:
            raise ValueError(needed_bytes)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise StudioError(f"{path.name} has a damaged list of tensors.", PERHAPS_TRUNCATED) from error
    if needed_bytes > data_bytes:
        raise StudioError(
            f"{path.name} is incomplete: its last {needed_bytes - data_bytes} bytes are missing.",
            PERHAPS_TRUNCATED,
        )
    texts = metadata if isinstance(metadata, dict) else {}
    return Header(
        metadata={name: text for name, text in texts.items() if isinstance(text, str)},
        shapes=shapes,
        dtypes=dtypes,
    )


def _parse(stream: BinaryIO, path: Path) -> dict[str, Any]:
    """Read the JSON of the header: a little-endian length of eight bytes, then the text."""
    start = stream.read(64)
    _refuse_known_mistakes(start, path)
    if len(start) < 8:
        raise StudioError(
            f"{path.name} has only {len(start)} byte{'s' * (len(start) != 1)}.", PERHAPS_TRUNCATED
        )
    if start[8:9] not in (b"{", b""):
        raise StudioError(f"{path.name} is not a safetensors file.")
    (length,) = struct.unpack("<Q", start[:8])
    if length > LARGEST_HEADER_BYTES:
        raise StudioError(
            f"{path.name} is not a weights file, or its header is far too long.", PERHAPS_TRUNCATED
        )
    stream.seek(8)
    text = stream.read(length)
    if len(text) < length:
        raise StudioError(f"{path.name} ends in the middle of its header.", PERHAPS_TRUNCATED)
    try:
        header = parse_json(text, unique_names=True)
        if not isinstance(header, dict):
            raise ValueError(type(header))
    except ValueError as error:
        raise StudioError(f"{path.name} has a damaged header.", PERHAPS_TRUNCATED) from error
    return header


def _refuse_known_mistakes(start: bytes, path: Path) -> None:
    text = start.lstrip().lower()
    if not start:
        raise StudioError(f"{path.name} is empty.", PERHAPS_TRUNCATED)
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise StudioError(
            f"{path.name} is a web page, not weights.",
            "The download page was probably saved instead of the file itself.",
        )
    for known, (what, hint) in _KNOWN_STARTS.items():
        if start.startswith(known):
            raise StudioError(f"{path.name} is {what}, not weights of torch.", hint)
    if start[4:8] == b"TFL3":
        raise StudioError(f"{path.name} is a TensorFlow Lite file, not weights of torch.")
    if text.startswith(b"version https://git-lfs"):
        raise StudioError(
            f"{path.name} is a Git LFS pointer, not the weights themselves.", "Fetch them with: git lfs pull"
        )


_KNOWN_STARTS: dict[bytes, tuple[str, str]] = {
    b"\x89HDF\r\n\x1a\n": (
        "an HDF5 file, as Keras and TensorFlow write them",
        "Convert it to torch's names first.",
    ),
    b"GGUF": ("a GGUF file, which llama.cpp and its relatives read", "Open the weights that it was made from."),
    b"\x1f\x8b": ("compressed (gzip)", "Unpack it first."),
    b"BZh": ("compressed (bzip2)", "Unpack it first."),
    b"\xfd7zXZ": ("compressed (xz)", "Unpack it first."),
    b"7z\xbc\xaf": ("compressed (7-Zip)", "Unpack it first."),
    b"Rar!": ("compressed (RAR)", "Unpack it first."),
    b"\x93NUMPY": ("a single array of numpy", "Open a file with all tensors of the network."),
}


def _unreadable(path: Path, error: OSError) -> StudioError:
    return StudioError(f"{path} cannot be read ({system_reason(error)}).")
