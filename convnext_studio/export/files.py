"""Files that are whole or not there, in folders with safe names."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from convnext_studio.errors import StudioError

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
        raise _not_written(path, error) from error


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, rename it, and give `path` back.

    Whatever happens, `path` holds the old contents or the new ones, and no temporary file is left.

    Raises
    ------
    StudioError
        Where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with temporary.open("wb") as file:
                write(file)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    return path


def _not_written(path: Path, error: OSError) -> StudioError:
    reason = "a file of that name is in the way" if isinstance(error, FileExistsError) else error.strerror
    return StudioError(f"{path} could not be written: {reason or error}.")
