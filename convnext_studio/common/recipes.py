"""Recipes: files that say how a network was changed inside, to be replayed elsewhere."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, written_whole
from convnext_studio.common.interventions import Change
from convnext_studio.common.saved_paths import found_path, saved_path

SUFFIX = ".json"
VERSION = 1
LARGEST_BYTES = 1 << 20
MOST_CHANGES = 1000


class _Header(msgspec.Struct):
    """The part that can be read from files of every version."""

    format: Literal["convnext-studio recipe"]
    version: Annotated[int, msgspec.Meta(ge=1)]


class _Recipe(msgspec.Struct, kw_only=True):
    """The content of a recipe file; unknown fields are left out when it is read."""

    format: Literal["convnext-studio recipe"] = "convnext-studio recipe"
    version: int = VERSION
    changes: Annotated[tuple[Change, ...], msgspec.Meta(max_length=MOST_CHANGES)]


def write_recipe(path: Path, changes: tuple[Change, ...]) -> None:
    """Write changes to a recipe file.

    Parameters
    ----------
    path
        A name that ends in ``.json``.
    changes
        The changes; their pictures are the paths of files, or ``sample:NAME``.

    Raises
    ------
    StudioError
        If the name has another ending, or the file cannot be written.
    """
    checked_ending(path, (SUFFIX,), "A recipe")
    folder = path.absolute().parent
    saved = _with_paths(changes, lambda path: saved_path(path, folder))
    text = json.dumps(msgspec.to_builtins(_Recipe(changes=saved)), indent=1)
    with written_whole(path) as stream:
        stream.write(text.encode())


def read_recipe(path: Path) -> tuple[Change, ...]:
    """Read the changes of a recipe file.

    Returns
    -------
    The changes; their pictures are the paths of files, or ``sample:NAME``.

    Raises
    ------
    StudioError
        If the file cannot be read, is not a recipe, or was written by a newer version.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise StudioError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # The path contains a null character.
        raise StudioError(f"“{path.name}” is not a usable file name.") from error
    if len(data) > LARGEST_BYTES:
        raise _no_recipe(path, "it is too large")
    changes = _parsed(data, path)
    for change in changes:
        change.check()
    folder = path.absolute().parent
    return _with_paths(changes, lambda path: found_path(path, folder))


def _parsed(data: bytes, path: Path) -> tuple[Change, ...]:
    try:
        header = msgspec.json.decode(data, type=_Header)
        if header.version > VERSION:
            raise StudioError(
                f"The recipe {path.name} was saved by a newer version of ConvNeXt Studio.",
                "Install that version to open it.",
            )
        return msgspec.json.decode(data, type=_Recipe).changes
    except msgspec.ValidationError as error:
        raise _no_recipe(path, "parts of it are missing or of the wrong kind") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_recipe(path, "it is not JSON") from error


def _with_paths(changes: Iterable[Change], path_of: Callable[[str], str]) -> tuple[Change, ...]:
    """Return changes whose pictures, if they have one, are at other paths."""
    return tuple(
        msgspec.structs.replace(change, picture=path_of(change.picture)) if change.picture else change
        for change in changes
    )


def _no_recipe(path: Path, why: str) -> StudioError:
    return StudioError(f"“{path.name}” is not a recipe of ConvNeXt Studio: {why}.", "Open another file.")
