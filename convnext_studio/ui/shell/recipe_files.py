"""Saving what was changed inside the network and on pictures as a recipe file, and opening one again."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.common.recipe import Recipe, read_recipe, write_recipe
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.pictures import (
    ListedPicture,
    ListedPictures,
    ListPictures,
    SavedPicture,
    SavePicture,
)
from convnext_studio.render import pluralize
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.message_bar import Notice

RECIPE = "recipe"


def with_paths(recipe: Recipe, pictures: Iterable[ListedPicture]) -> Recipe:
    """Return a recipe that names pictures by their paths; without what concerns pictures that have none."""
    return _renamed(recipe, {each.key: _whole(each.path) for each in pictures if each.path})


def with_keys(recipe: Recipe, pictures: Iterable[ListedPicture]) -> Recipe:
    """Return a recipe that names pictures by their keys; without what concerns pictures that are not open."""
    return _renamed(recipe, {_whole(each.path): each.key for each in pictures if each.path})


def _renamed(recipe: Recipe, names: dict[str, str]) -> Recipe:
    kept = Recipe(
        tuple(change for change in recipe.changes if not change.picture or change.picture in names),
        tuple(
            (key, tuple(each for each in made if not each.picture or each.picture in names))
            for key, made in recipe.retouched
            if key in names
        ),
    )
    return kept.renamed(names.__getitem__)


def _whole(path: str) -> str:
    return path if path.startswith(SAMPLE_PREFIX) else str(Path(path).absolute())


class RecipeFiles(QObject):
    """Saves and opens recipes, and the changed pictures."""

    noticed = Signal(object)  # Notice

    def __init__(
        self, state: AppState, bridge: EngineBridge, controller: Controller, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._controller = controller

    @property
    def python(self) -> PythonLines | None:
        """The lines that make the same changes in a script, and predict; None if there are none."""
        recipe, picture = self._state.interventions.recipe.applied, self._state.picture
        if recipe.is_empty or picture is None or self._state.model is None:
            return None
        return PythonLines(("values = picture.predictions.probabilities",), (picture.key,), network="B")

    # ---------------------------------------------------------------------------------------------- recipes

    def save(self, path: Path) -> None:
        """Save all changes to a recipe file."""
        whole = self._state.interventions.recipe
        recipe = with_paths(whole, self._state.opened.all)
        left_out = _count(whole) - _count(recipe)
        self._in_background(
            partial(write_recipe, path, recipe), partial(self._saved, path, left_out), "Writing the recipe"
        )

    def _saved(self, path: Path, left_out: int, _nothing: None) -> None:
        hint = (
            f"{pluralize(left_out, 'change')} of pictures that have no file could not be included."
            if left_out
            else ""
        )
        self.noticed.emit(Notice(RECIPE, f"The changes were saved as {path}.", hint, good=True, path=str(path)))

    def open(self, path: Path) -> None:
        """Make the changes of a recipe file, in place of those that are there."""
        self._controller.background.read(
            partial(read_recipe, path), self._follow, self._tell, "Reading the recipe"
        )

    def _follow(self, recipe: Recipe) -> None:
        self._controller.succeeded.emit(RECIPE)
        if not recipe.pictures:
            self._state.interventions.put_recipe(recipe)
            return
        self._bridge.ask(
            ListPictures(panel=RECIPE, paths=recipe.pictures),
            partial(self._listed, recipe),
            on_failure=self._refuse,
        )

    def _listed(self, recipe: Recipe, answer: Payload) -> None:
        if not isinstance(answer, ListedPictures):
            return
        if answer.pictures:
            self._controller.pictures.add(answer.pictures, None)
        for failure in answer.failures[:1]:
            self.noticed.emit(Notice(RECIPE, failure.message, failure.hint))
        self._state.interventions.put_recipe(with_keys(recipe, answer.pictures))

    # --------------------------------------------------------------------------------------------- pictures

    def save_picture(self, key: str, path: Path) -> None:
        """Save a picture, changed or not, at its full size."""
        request = SavePicture(panel=RECIPE, image=key, path=str(path))
        self._bridge.ask(request, self._picture_saved, on_failure=self._refuse)

    def _picture_saved(self, answer: Payload) -> None:
        if isinstance(answer, SavedPicture):
            message = f"The picture was saved as {answer.path}."
            self.noticed.emit(Notice(RECIPE, message, good=True, path=answer.path))

    # --------------------------------------------------------------------------------------------- telling

    def _in_background(self, work: Callable[[], object], use: Callable[..., None], doing: str) -> None:
        self._controller.background.run(work, use, self._tell, doing)

    def _refuse(self, failed: Failed) -> None:
        self.noticed.emit(Notice(RECIPE, failed.message, failed.hint))

    def _tell(self, error: StudioError) -> None:
        self.noticed.emit(Notice(RECIPE, error.message, error.hint))


def _count(recipe: Recipe) -> int:
    return len(recipe.changes) + sum(len(made) for _, made in recipe.retouched)
