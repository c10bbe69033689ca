"""Find the pictures in a folder."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import expand_home, is_there

SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".ico", ".jfif", ".jpe", ".jpeg", ".jpg", ".png"),
        *(".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx", ".pbm", ".pfm", ".pgm", ".pnm", ".ppm", ".webp"),
        *(".icb", ".tga", ".tif", ".tiff", ".vda", ".vst", ".dcm", ".dicom", ".heic", ".heif", ".hif"),
    )
)
"""The endings of pictures. Raw files of cameras are left out, because most of them lie beside their JPEG."""


def pictures_in(folder: str) -> list[Path]:
    """Return all files with a picture's suffix in a folder and its subfolders, sorted, without hidden ones.

    Links to folders are not followed, because they may form a loop. Unreadable folders count as empty.

    Raises
    ------
    StudioError
        If there is no such folder, or no picture in it.
    """
    found = [path for paths in walk_pictures(folder) for path in paths]
    if not found:
        raise no_pictures(folder)
    return sorted(found)


def walk_pictures(folder: str) -> Iterator[list[Path]]:
    """Yield the pictures of a folder, then those of each subfolder, as `pictures_in` finds them.

    Raises
    ------
    StudioError
        If there is no such folder.
    """
    top = expand_home(folder)
    if not is_there(top):
        raise StudioError(f"There is no folder “{folder}”.", "It may have been moved or renamed.")
    if not top.is_dir():
        raise StudioError(f"“{folder}” is not a folder.", "Choose a folder with pictures.")
    for directory, below, names in os.walk(top):
        below[:] = [name for name in below if not name.startswith(".")]
        yield [
            Path(directory, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]


def no_pictures(folder: str) -> StudioError:
    """Return the error for a folder without pictures."""
    return StudioError(
        f"There are no pictures in “{folder}”.",
        "ConvNeXt Studio looks for PNG, JPEG, WebP, TIFF, BMP, GIF and other picture files.",
    )


def natural_key(path: Path) -> tuple[tuple[int, str], ...]:
    """Return a sort key for natural order: ``scan9.png`` before ``scan10.png``."""
    parts = re.split(r"([0-9]+)", str(path).lower())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    """Return the paths in a random order; a larger sample from its start contains every smaller one."""
    return [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))]
