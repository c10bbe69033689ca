"""Changes inside a network as plain data, and recipes: the files that keep them, to be replayed elsewhere."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, found_path, saved_path, written_whole

Effect = Literal["off", "mean", "picture mean", "factor", "patch"]
"""What a change does to the values: set them to 0, to the mean over the positions of their channel, or to the
mean over the positions of their channel on several pictures; multiply them by a factor; or take them from
another picture."""

LOWEST_FACTOR, HIGHEST_FACTOR = -2.0, 2.0


class Region(Struct, frozen=True):
    """A rectangle of the units of a map: rows from `top` up to `bottom`, columns from `left` up to `right`."""

    top: int
    left: int
    bottom: int
    right: int


class Change(Struct, frozen=True, kw_only=True):
    """A change of the output of a node, or of a part of it.

    Attributes
    ----------
    node
        Any node of the node table.
    effect
        What is done to the values.
    channels
        The channels that are changed; all of them if empty.
    region
        The positions that are changed; all of them if None.
    branch
        Whether only the branch of a block is changed, before it is added to the shortcut.
    factor
        What the values are multiplied by, for the effect ``factor``.
    picture
        The key of the picture that the values are taken from, for the effect ``patch``.
    enabled
        Whether the change is applied; one that is not is only kept in the list.
    """

    node: str
    effect: Effect = "off"
    channels: tuple[int, ...] = ()
    region: Region | None = None
    branch: bool = False
    factor: float = 1.0
    picture: str = ""
    enabled: bool = True

    def check(self) -> None:
        """Raise a StudioError if the change does not make sense for any network."""
        if not LOWEST_FACTOR <= self.factor <= HIGHEST_FACTOR:
            raise StudioError(
                f"The factor {self.factor:g} is not between {LOWEST_FACTOR:g} and {HIGHEST_FACTOR:g}.",
                "Give one that is.",
            )
        if self.effect == "patch" and not self.picture:
            raise StudioError("It is not said which picture the values are taken from.", "Choose a picture.")
        region = self.region
        if region is not None and not (0 <= region.top < region.bottom and 0 <= region.left < region.right):
            raise StudioError("The region contains no positions.", "Give a larger one.")
        if any(channel < 0 for channel in self.channels):
            raise StudioError("Channels are counted from 0.", "Give numbers from 0 on.")


RECIPE_SUFFIX = ".json"
RECIPE_VERSION = 1
LARGEST_RECIPE_BYTES = 1 << 20
_MOST_CHANGES = 1000


class _RecipeHeader(msgspec.Struct):
    """The part that can be read from files of every version."""

    format: Literal["convnext-studio recipe"]
    version: Annotated[int, msgspec.Meta(ge=1)]


class _Recipe(msgspec.Struct, kw_only=True):
    """The content of a recipe file; unknown fields are left out when it is read."""

    format: Literal["convnext-studio recipe"] = "convnext-studio recipe"
    version: int = RECIPE_VERSION
    changes: Annotated[tuple[Change, ...], msgspec.Meta(max_length=_MOST_CHANGES)]


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
    checked_ending(path, (RECIPE_SUFFIX,), "A recipe")
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
            data = file.read(LARGEST_RECIPE_BYTES + 1)
    except OSError as error:
        raise StudioError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # The path contains a null character.
        raise StudioError(f"“{path.name}” is not a usable file name.") from error
    if len(data) > LARGEST_RECIPE_BYTES:
        raise _no_recipe(path, "it is too large")
    changes = _parsed(data, path)
    for change in changes:
        change.check()
    folder = path.absolute().parent
    return _with_paths(changes, lambda path: found_path(path, folder))


def _parsed(data: bytes, path: Path) -> tuple[Change, ...]:
    try:
        header = msgspec.json.decode(data, type=_RecipeHeader)
        if header.version > RECIPE_VERSION:
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
