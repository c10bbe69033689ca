"""Paths that people name, and files that are written whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from convnext_studio.common.errors import StudioError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes are the file at `path` once the block has ended.

    Until then they are in a file beside it, of a name that no other program and no other thread chooses. Where
    the block fails, is interrupted, or the program is killed, `path` keeps its old contents; only a kill leaves
    the file beside it. A file that is replaced hands its permissions on, and a link to one stays a link.

    Raises
    ------
    StudioError
        Where the disk is full or refuses, also if a library hides that behind an error of its own.
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
            with contextlib.suppress(OSError):  # Where it was never made, the reason is told already.
                temporary.unlink(missing_ok=True)
    except StudioError:
        raise
    except Exception as error:
        refusal = _refusal_behind(error)
        if refusal is None:
            raise
        raise not_written(path, refusal) from error


def expanded(name: str) -> Path:
    """The path that a person named, with ``~`` for a home that is there."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_file_or_folder(path: Path) -> bool:
    """Whether it can be opened: reading from a pipe or a device might never end."""
    try:
        return path.is_file() or path.is_dir()
    except OSError:  # A name longer than names may be.
        return False


def not_written(path: Path, error: OSError) -> StudioError:
    """What to tell where a file cannot be written: the system's own word for it, where there is one."""
    reason = "a file of that name is in the way" if isinstance(error, FileExistsError) else error.strerror
    return StudioError(
        f"{path} could not be written: {reason or error}.", "Choose another folder, or make room on the disk."
    )


def _check_replaceable(target: Path) -> None:
    """The system lets us replace more than we should: devices, and files that somebody has protected."""
    if not target.exists():
        return
    if not target.is_file():
        raise OSError(0, "it is not a regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError(0, "it is write-protected")


def _hand_on_permissions(old: Path, new: Path) -> None:
    with contextlib.suppress(OSError):  # There is none; or the file system knows no permissions.
        new.chmod(stat.S_IMODE(old.stat().st_mode))


def _refusal_behind(error: BaseException) -> OSError | None:
    """The system's error: this one, or one that it was raised over, as torch's writer does."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen
