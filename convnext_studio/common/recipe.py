"""Recipes: what was changed inside a network and on pictures, and the files that keep it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Struct, structs

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, found_path, saved_path, written_whole
from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.json_documents import NoJsonError, read_document
from convnext_studio.common.foreign.limits import LARGEST_RECIPE_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.interventions import Change
from convnext_studio.common.retouches import MOST_RETOUCHES, Retouch

RECIPE_SUFFIX = ".json"
RECIPE_VERSION = 1
_MOST_CHANGES = 1000

Changes = Annotated[tuple[Change, ...], msgspec.Meta(max_length=_MOST_CHANGES)]
Retouches = Annotated[tuple[Retouch, ...], msgspec.Meta(max_length=MOST_RETOUCHES)]
PathOf = Callable[[str], str]


class Recipe(Struct, frozen=True):
    """All changes.

    Attributes
    ----------
    changes
        The changes inside the network, in the order in which they were made.
    retouched
        For each changed picture its key (in files its path) and the changes of it, in their order.
    """

    changes: Changes = ()
    retouched: Annotated[tuple[tuple[str, Retouches], ...], msgspec.Meta(max_length=_MOST_CHANGES)] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was changed, not even by a change that is switched off."""
        return not self.changes and not self.retouched

    @property
    def averages_pictures(self) -> bool:
        """Whether there is a mean over all open pictures, so that the result depends on which they are."""
        return any(change.effect == "picture mean" for change in self.changes)

    @property
    def applied(self) -> "Recipe":
        """The recipe without the changes that are switched off."""
        changes = tuple(change for change in self.changes if change.enabled)
        retouched = ((key, tuple(each for each in made if each.enabled)) for key, made in self.retouched)
        return Recipe(changes, tuple((key, made) for key, made in retouched if made))

    def of_picture(self, key: str) -> tuple[Retouch, ...]:
        """Return the changes of a picture."""
        return dict(self.retouched).get(key, ())

    def with_picture(self, key: str, retouches: tuple[Retouch, ...]) -> "Recipe":
        """Return a recipe with other changes of a picture."""
        every = {**dict(self.retouched), key: retouches}
        return structs.replace(self, retouched=tuple((each, made) for each, made in every.items() if made))

    @property
    def pictures(self) -> tuple[str, ...]:
        """All pictures that are named: those that are changed, and those of which parts are taken."""
        named = [change.picture for change in self.changes if change.effect == "patch"]
        for key, made in self.retouched:
            named += [key, *(each.picture for each in made if each.fill == "paste")]
        return tuple(dict.fromkeys(name for name in named if name))

    def renamed(self, name_of: PathOf) -> "Recipe":
        """Return the recipe with other names of all pictures."""
        changes = tuple(
            structs.replace(change, picture=name_of(change.picture)) if change.picture else change
            for change in self.changes
        )
        retouched = tuple(
            (
                name_of(key),
                tuple(
                    structs.replace(each, picture=name_of(each.picture)) if each.picture else each
                    for each in made
                ),
            )
            for key, made in self.retouched
        )
        return Recipe(changes, retouched)

    def check(self) -> None:
        """Raise a StudioError if a change does not make sense for any network or picture."""
        for change in self.changes:
            change.check()
        for _, made in self.retouched:
            for retouch in made:
                retouch.check()


NO_CHANGES = Recipe()


class _RecipeHeader(Struct):
    """The part that can be read from files of every version."""

    format: Literal["convnext-studio recipe"]
    version: Annotated[int, msgspec.Meta(ge=1)]


class _RecipePicture(Struct, kw_only=True):
    """The changes of a picture in a file."""

    picture: Annotated[str, msgspec.Meta(min_length=1)]
    retouches: Retouches


class _RecipeDocument(Struct, kw_only=True):
    """The content of a recipe file; unknown fields are left out when it is read."""

    format: Literal["convnext-studio recipe"] = "convnext-studio recipe"
    version: int = RECIPE_VERSION
    changes: Changes
    retouched: Annotated[tuple[_RecipePicture, ...], msgspec.Meta(max_length=_MOST_CHANGES)] = ()


def write_recipe(path: Path, recipe: Recipe | tuple[Change, ...]) -> None:
    """Write changes to a recipe file.

    Parameters
    ----------
    path
        A name that ends in ``.json``.
    recipe
        A recipe, or changes inside a network alone; their pictures are the paths of files, or ``sample:NAME``.

    Raises
    ------
    StudioError
        If the name has another ending, or the file cannot be written.
    """
    checked_ending(path, (RECIPE_SUFFIX,), "A recipe")
    folder = path.absolute().parent
    whole = recipe if isinstance(recipe, Recipe) else Recipe(recipe)
    saved = whole.renamed(lambda path: saved_path(path, folder))
    document = _RecipeDocument(
        changes=saved.changes,
        retouched=tuple(_RecipePicture(picture=key, retouches=made) for key, made in saved.retouched),
    )
    text = json.dumps(msgspec.to_builtins(document), indent=1)
    with written_whole(path) as stream:
        stream.write(text.encode())


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Returns
    -------
    The recipe; its pictures are the paths of files, or ``sample:NAME``.

    Raises
    ------
    StudioError
        If the file cannot be read, is not a recipe, or was written by a newer version.
    """
    try:
        data = read_bounded(path, LARGEST_RECIPE_BYTES)
    except OSError as error:
        raise StudioError(f"The recipe {path} cannot be read: {system_reason(error)}.") from error
    except ValueError as error:  # The path contains a null character.
        raise StudioError(f"“{path.name}” is not a usable file name.") from error
    document = _parsed(data, path)
    recipe = Recipe(document.changes, tuple((each.picture, each.retouches) for each in document.retouched))
    recipe.check()
    folder = path.absolute().parent
    return recipe.renamed(lambda path: found_path(path, folder))


def _parsed(data: bytes, path: Path) -> _RecipeDocument:
    try:
        header = read_document(data, _RecipeHeader)
        if header.version > RECIPE_VERSION:
            raise StudioError(
                f"The recipe {path.name} was saved by a newer version of ConvNeXt Studio.",
                "Install that version to open it.",
            )
        return read_document(data, _RecipeDocument)
    except msgspec.ValidationError as error:
        raise _no_recipe(path, "parts of it are missing or of the wrong kind") from error
    except NoJsonError as error:
        raise _no_recipe(path, "it is not JSON") from error


def _no_recipe(path: Path, why: str) -> StudioError:
    return StudioError(f"“{path.name}” is not a recipe of ConvNeXt Studio: {why}.", "Open another file.")
