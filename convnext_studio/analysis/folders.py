"""Which pictures a folder holds."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convnext_studio.errors import StudioError
from convnext_studio.files import expanded, is_file_or_folder

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)


def pictures_in(folder: str) -> list[Path]:
    """All files with a picture's suffix in a folder and its sub-folders, sorted; hidden ones are left out.

    Links to folders are not followed, because they may lead back. Folders that cannot be read count as empty.

    Raises
    ------
    StudioError
        Where there is no such folder, or no picture in it.
    """
    top = expanded(folder)
    if not is_file_or_folder(top) or top.is_file():
        raise StudioError(f"There is no folder “{folder}”.", "It may have been moved or renamed.")
    found: list[Path] = []
    for directory, below, names in os.walk(top):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [
            Path(directory, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    if not found:
        raise StudioError(
            f"There are no pictures in “{folder}”.",
            "PNG, JPEG, WebP, TIFF, BMP, GIF and others are looked for.",
        )
    return sorted(found)


def shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    """The same paths in a random order: its first n are a sample of n, and a larger sample begins with it."""
    return [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))]
