"""Files that are whole or not there, in folders with safe names."""

import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import not_written, written_whole

# Forbidden by Windows' file systems; the others forbid only the slash.
_FORBIDDEN = frozenset('<>:"/\\|?*')
# Windows opens a device under these names, whatever the extension.
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
# File systems allow 255 bytes; the rest is for "-2" and for tools that append something.
_LONGEST_BYTES = 120


def safe_stem(name: str) -> str:
    """A folder name for a picture on any file system: its name without folders, extension and odd characters.

    Never empty, never "." or "..", at most 121 bytes of UTF-8.
    """
    # Windows' rules split at both kinds of slashes.
    stem = unicodedata.normalize("NFC", PureWindowsPath(name).stem)
    stem = "".join(char if char.isprintable() and char not in _FORBIDDEN else "_" for char in stem)
    stem = stem.encode()[:_LONGEST_BYTES].decode(errors="ignore").strip(". ")
    if stem.partition(".")[0].rstrip().upper() in _DEVICES:
        stem = f"_{stem}"
    return stem or "picture"


def export_directory(out: Path, name: str, taken: set[str]) -> Path:
    """The folder in `out` for the picture called `name`, which is then added to `taken`.

    A second picture of the same stem gets "-2" appended. Names that differ in case only count as the same,
    because some file systems say so.
    """
    stem = safe_stem(name)
    candidate, number = stem, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(candidate.casefold())
    return out / candidate


def make_directory(path: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises
    ------
    StudioError
        Where it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let `write` write the file at `path`, whole or not at all, and give `path` back.

    Raises
    ------
    StudioError
        Where it cannot be written.
    """
    with written_whole(path) as file:
        write(file)
    return path


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files, given by their names, one after the other into a folder, which is made where it is missing.

    Raises
    ------
    StudioError
        Where one cannot be written; it says how many are there already.
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
