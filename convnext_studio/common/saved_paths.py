"""Paths of pictures in files that may be moved together with them: sessions and recipes."""

from pathlib import Path, PurePath

from convnext_studio.common.samples import SAMPLE_PREFIX


def saved_path(path: str, folder: Path) -> str:
    """Return a path relative to the folder if possible, with forward slashes, which every system reads.

    ``sample:NAME`` stays as it is.
    """
    if path.startswith(SAMPLE_PREFIX):
        return path
    whole = PurePath(path)
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()


def found_path(path: str, folder: Path) -> str:
    """Return the whole path that `saved_path` made relative to the folder."""
    return path if path.startswith(SAMPLE_PREFIX) else str(folder / path)
