"""Paths given by the user or kept in files, and files that are written completely or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import BinaryIO

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.samples import SAMPLE_PREFIX

FILE_ENDINGS = (
    ".png", ".svg", ".pdf", ".npy", ".npz", ".csv", ".json", ".txt", ".html", ".htm", ".cnxsession",
    ".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".mp4", ".gif",
)  # fmt: skip
"""The endings of all files that this program writes."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a stream whose contents replace the file at `path` when the block ends without an error.

    Until then they are in a temporary file in the same folder, with a unique name. If the block fails, is
    interrupted, or the program is killed, `path` keeps its old contents; only a kill leaves the temporary file
    behind. The new file gets the permissions of the old one, and a link to a file stays a link.

    Raises
    ------
    StudioError
        If the file cannot be written, even if a library hides the system's error behind one of its own.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        _check_replaceable(target)
        try:
            with temporary.open("xb") as stream:
                yield stream
            _hand_on_permissions(target, temporary)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):  # If it was never created, the error has been raised already.
                temporary.unlink(missing_ok=True)
    except StudioError:
        raise
    except Exception as error:
        refusal = _refusal_behind(error)
        if refusal is None:
            raise
        raise not_written(path, refusal) from error


def expand_home(name: str) -> Path:
    """Return the path that the user named, with ``~`` expanded if there is such a home folder."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_file_or_folder(path: Path) -> bool:
    """Return whether a path is a regular file or a folder; reading from a pipe or a device could block."""
    try:
        return path.is_file() or path.is_dir()
    except OSError:  # The name is too long for the system.
        return False


def is_there(path: Path) -> bool:
    """Return whether a path names anything at all, be it a pipe or a device."""
    try:
        return path.exists()
    except OSError:  # The name is too long for the system.
        return False


def checked_ending(path: Path, endings: Sequence[str], what: str) -> str:
    """Return the ending of a name that a person gave to a file, in lower case; it decides the format.

    A name without an ending stands for the first of the endings.

    Parameters
    ----------
    endings
        The endings that the file may have, such as ``.png``.
    what
        What is to be saved, as the subject of a sentence: "A screenshot".

    Raises
    ------
    StudioError
        If the name has another ending, whose format nothing here writes.
    """
    ending = path.suffix.lower()
    if ending and ending not in endings:
        listed = " or ".join((", ".join(endings[:-1]), endings[-1]) if endings[1:] else endings)
        raise StudioError(f"{what} cannot be saved as “{path.name}”.", f"Use a name that ends in {listed}.")
    return ending or endings[0]


def check_folder_name(path: Path) -> None:
    """Refuse a name for a new folder that ends like a file, because the person expects that file.

    Raises
    ------
    StudioError
        If the folder does not exist and its name ends like a file that this program writes.
    """
    if path.suffix.lower() in FILE_ENDINGS and not path.is_dir():
        raise StudioError(
            f"“{path.name}” is the name of a file, but the results are written to a folder.",
            f"Give a folder, such as {path.stem}.",
        )


def not_written(path: Path, error: OSError) -> StudioError:
    """Return the error for a file that cannot be written, with the system's reason if there is one."""
    is_there = isinstance(error, FileExistsError)
    reason = "a file of that name is in the way" if is_there else system_reason(error)
    return StudioError(
        f"{path} could not be written: {reason}.", "Choose another folder, or make room on the disk."
    )


def _check_replaceable(target: Path) -> None:
    """Refuse to replace devices and write-protected files, which the system itself would allow."""
    if not target.exists():
        return
    if not target.is_file():
        raise OSError(0, "it is not a regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError(0, "it is write-protected")


def _hand_on_permissions(old: Path, new: Path) -> None:
    with contextlib.suppress(OSError):  # There is no old file, or the file system has no permissions.
        new.chmod(stat.S_IMODE(old.stat().st_mode))


def _refusal_behind(error: BaseException) -> OSError | None:
    """Return the system's error, which may be the cause of an error raised by a library such as torch."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen


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
