"""What a person has changed inside the network and on the pictures, with undo and redo."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from msgspec import structs
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.interventions import Change
from convnext_studio.common.retouches import Retouch

CAPACITY = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """All changes.

    Attributes
    ----------
    changes
        The changes inside the network, in the order in which they were made.
    retouched
        For each changed picture its key and the changes of it, in their order.
    """

    changes: tuple[Change, ...] = ()
    retouched: tuple[tuple[str, tuple[Retouch, ...]], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was changed, not even by a change that is switched off."""
        return not self.changes and not self.retouched

    def of_picture(self, key: str) -> tuple[Retouch, ...]:
        """Return the changes of a picture."""
        return dict(self.retouched).get(key, ())

    def with_picture(self, key: str, retouches: tuple[Retouch, ...]) -> "Chain":
        """Return a chain with other changes of a picture."""
        every = {**dict(self.retouched), key: retouches}
        return replace(self, retouched=tuple((each, made) for each, made in every.items() if made))


class Interventions(QObject):
    """The chain of changes that all views are computed with, and the chains before it.

    Attributes
    ----------
    is_held
        Whether a slider or a brush is held, so that more changes of the same kind are about to come.
    """

    changed = Signal(object)  # Chain
    released = Signal()  # What was held is held no longer.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chain = Chain()
        self._before: list[Chain] = []
        self._undone: list[Chain] = []
        self._held_since: Chain | None = None

    @property
    def chain(self) -> Chain:
        """All changes."""
        return self._chain

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes inside the network."""
        return self._chain.changes

    # ----------------------------------------------------------------------------------------- one change

    def add(self, change: Change) -> None:
        """Append a change; one that changes the same part of the same node takes the place of the former."""
        part = _part(change)
        kept = tuple(each for each in self.changes if _part(each) != part)
        self._set(replace(self._chain, changes=(*kept, change)))

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
        self._set(replace(self._chain, changes=tuple(changes)))

    def switch(self, index: int, on: bool) -> None:
        """Apply a change, or only keep it in the chain."""
        self.put(index, structs.replace(self.changes[index], enabled=on))

    def remove(self, index: int) -> None:
        """Remove a change."""
        self._set(replace(self._chain, changes=(*self.changes[:index], *self.changes[index + 1 :])))

    def retouch(self, picture: str, retouches: tuple[Retouch, ...]) -> None:
        """Set the changes of a picture."""
        self._set(self._chain.with_picture(picture, retouches))

    # ---------------------------------------------------------------------------------------- all changes

    def clear(self) -> None:
        """Remove all changes."""
        self._set(Chain())

    def put_chain(self, chain: Chain) -> None:
        """Put other changes in the place of all, as a session or a recipe says."""
        self._set(chain)

    def switch_all_off(self) -> None:
        """Keep all changes in the chain, and apply none of them."""
        changes = tuple(structs.replace(change, enabled=False) for change in self.changes)
        retouched = tuple(
            (key, tuple(structs.replace(each, enabled=False) for each in made))
            for key, made in self._chain.retouched
        )
        self._set(Chain(changes, retouched))

    def forget_pictures(self, keys: Collection[str]) -> None:
        """Forget the changes of pictures that were closed; this is not undone."""
        kept = tuple((key, made) for key, made in self._chain.retouched if key not in keys)
        if kept != self._chain.retouched:
            self._chain = replace(self._chain, retouched=kept)
            self.changed.emit(self._chain)

    # ----------------------------------------------------------------------------------- holding and undoing

    @property
    def is_held(self) -> bool:
        """Whether a slider or a brush is held."""
        return self._held_since is not None

    def hold(self) -> None:
        """Take all changes until `release` as one step."""
        if self._held_since is None:
            self._held_since = self._chain

    def release(self) -> None:
        """End the step that `hold` began."""
        before, self._held_since = self._held_since, None
        if before is None:
            return
        if before != self._chain:
            self._keep(before)
        self.released.emit()

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier chain."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone chain."""
        return bool(self._undone)

    def undo(self) -> None:
        """Return to the chain before the last step."""
        self._go(self._before, self._undone)

    def redo(self) -> None:
        """Return to the chain that was undone last."""
        self._go(self._undone, self._before)

    def _go(self, source: list[Chain], other: list[Chain]) -> None:
        self.release()
        if source:
            other.append(self._chain)
            self._chain = source.pop()
            self.changed.emit(self._chain)

    def _set(self, chain: Chain) -> None:
        if chain == self._chain:
            return
        before, self._chain = self._chain, chain
        if self._held_since is None:
            self._keep(before)
        self.changed.emit(chain)

    def _keep(self, before: Chain) -> None:
        self._before = [*self._before, before][-CAPACITY:]
        self._undone = []


def _part(change: Change) -> tuple[object, ...]:
    """Return which part of the network a change concerns."""
    return change.node, change.branch, change.channels, change.region
