"""What a person has changed inside the network and on the pictures, with undo and redo."""

from collections.abc import Collection

from msgspec import structs
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.interventions import Change
from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Retouch

CAPACITY = 200


class Interventions(QObject):
    """The recipe of changes that all views are computed with, and the chains before it.

    Attributes
    ----------
    is_held
        Whether a slider or a brush is held, so that more changes of the same kind are about to come.
    """

    changed = Signal(object)  # Recipe
    released = Signal()  # What was held is held no longer.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recipe = Recipe()
        self._before: list[Recipe] = []
        self._undone: list[Recipe] = []
        self._held_since: Recipe | None = None

    @property
    def recipe(self) -> Recipe:
        """All changes."""
        return self._recipe

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes inside the network."""
        return self._recipe.changes

    # ----------------------------------------------------------------------------------------- one change

    def add(self, change: Change) -> None:
        """Append a change; one that changes the same part of the same node takes the place of the former."""
        part = _part(change)
        kept = tuple(each for each in self.changes if _part(each) != part)
        self._set(structs.replace(self._recipe, changes=(*kept, change)))

    def toggle(self, change: Change) -> None:
        """Append a change, or remove it if it is there already."""
        if change in self.changes:
            self.remove(self.changes.index(change))
        else:
            self.add(change)

    def put(self, index: int, change: Change) -> None:
        """Put another change in the place of one."""
        changes = list(self.changes)
        changes[index] = change
        self._set(structs.replace(self._recipe, changes=tuple(changes)))

    def switch(self, index: int, on: bool) -> None:
        """Apply a change, or only keep it in the recipe."""
        self.put(index, structs.replace(self.changes[index], enabled=on))

    def remove(self, index: int) -> None:
        """Remove a change."""
        self._set(structs.replace(self._recipe, changes=(*self.changes[:index], *self.changes[index + 1 :])))

    def retouch(self, picture: str, retouches: tuple[Retouch, ...]) -> None:
        """Set the changes of a picture."""
        self._set(self._recipe.with_picture(picture, retouches))

    # ---------------------------------------------------------------------------------------- all changes

    def clear(self) -> None:
        """Remove all changes."""
        self._set(Recipe())

    def put_recipe(self, recipe: Recipe) -> None:
        """Put other changes in the place of all, as a session or a recipe says."""
        self._set(recipe)

    def switch_all_off(self) -> None:
        """Keep all changes in the recipe, and apply none of them."""
        changes = tuple(structs.replace(change, enabled=False) for change in self.changes)
        retouched = tuple(
            (key, tuple(structs.replace(each, enabled=False) for each in made))
            for key, made in self._recipe.retouched
        )
        self._set(Recipe(changes, retouched))

    def forget_pictures(self, keys: Collection[str]) -> None:
        """Forget the changes of pictures that were closed; this is not undone."""
        kept = tuple((key, made) for key, made in self._recipe.retouched if key not in keys)
        if kept != self._recipe.retouched:
            self._recipe = structs.replace(self._recipe, retouched=kept)
            self.changed.emit(self._recipe)

    # ----------------------------------------------------------------------------------- holding and undoing

    @property
    def is_held(self) -> bool:
        """Whether a slider or a brush is held."""
        return self._held_since is not None

    def hold(self) -> None:
        """Take all changes until `release` as one step."""
        if self._held_since is None:
            self._held_since = self._recipe

    def release(self) -> None:
        """End the step that `hold` began."""
        before, self._held_since = self._held_since, None
        if before is None:
            return
        if before != self._recipe:
            self._keep(before)
        self.released.emit()

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier recipe."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone recipe."""
        return bool(self._undone)

    def undo(self) -> None:
        """Return to the recipe before the last step."""
        self._go(self._before, self._undone)

    def redo(self) -> None:
        """Return to the recipe that was undone last."""
        self._go(self._undone, self._before)

    def _go(self, source: list[Recipe], other: list[Recipe]) -> None:
        self.release()
        if source:
            other.append(self._recipe)
            self._recipe = source.pop()
            self.changed.emit(self._recipe)

    def _set(self, recipe: Recipe) -> None:
        if recipe == self._recipe:
            return
        before, self._recipe = self._recipe, recipe
        if self._held_since is None:
            self._keep(before)
        self.changed.emit(recipe)

    def _keep(self, before: Recipe) -> None:
        self._before = [*self._before, before][-CAPACITY:]
        self._undone = []


def _part(change: Change) -> tuple[object, ...]:
    """Return which part of the network a change concerns."""
    return change.node, change.branch, change.channels, change.region
