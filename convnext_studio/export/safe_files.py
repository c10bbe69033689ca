"""Write files atomically, into folders whose names are safe on every file system."""

import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import not_written, written_whole

# Windows forbids these characters; other systems forbid only the slash.
_FORBIDDEN = frozenset('<>:"/\\|?*')
# Windows opens a device under these names, whatever the extension.
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
# File systems allow 255 bytes; the rest leaves room for "-2" and for tools that append something.
_LONGEST_BYTES = 120


def safe_stem(name: str) -> str:
    """Return a folder name for a picture that is valid on any file system.

    It is the picture's name without folders, extension and odd characters. It is never empty, never "." or
    "..", and has at most 121 bytes in UTF-8.
    """
    # Windows' rules split at both kinds of slash.
    stem = unicodedata.normalize("NFC", PureWindowsPath(name).stem)
    stem = "".join(char if char.isprintable() and char not in _FORBIDDEN else "_" for char in stem)
    stem = stem.encode()[:_LONGEST_BYTES].decode(errors="ignore").strip(". ")
    if stem.partition(".")[0].rstrip().upper() in _DEVICES:
        stem = f"_{stem}"
    return stem or "picture"


def export_directory(out: Path, name: str, taken: set[str]) -> Path:
    """Return the folder in `out` for the picture called `name`, and add the folder's name to `taken`.

    A second picture with the same stem gets "-2" appended. Names that differ only in case count as the same,
    because some file systems ignore case.
    """
    stem = safe_stem(name)
    candidate, number = stem, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(candidate.casefold())
    return out / candidate


def make_directory(path: Path) -> None:
    """Create a folder and its parents if they are missing.

    Raises
    ------
    StudioError
        If the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let `write` write the file at `path`, whole or not at all, and return `path`.

    Raises
    ------
    StudioError
        If the file cannot be written.
    """
    with written_whole(path) as file:
        write(file)
    return path


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files, given by name, into a folder in order, creating the folder if it is missing.

    Raises
    ------
    StudioError
        If a file cannot be written; the message says how many were written before it.
    """
    make_directory(folder)
    written: list[Path] = []
    for name, data in files.items():
        try:
            written.append(write_file(folder / name, partial(_put, data)))
        except StudioError as error:
            if not written:
                raise
            message = f"{error.message} {len(written)} of {len(files)} files were written before it."
            raise StudioError(message, error.hint) from error
    return written


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)
