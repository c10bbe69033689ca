"""Undo and redo for the selection, and undo for closing pictures."""

import time
from collections.abc import Callable

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.opening.picture_opener import PictureOpener

CAPACITY = 200
TOGETHER_S = 1.0


class Selection(Struct, frozen=True):
    """The selection at one point in time; `picture` is a key, or empty for none."""

    picture: str
    node: str
    channel: int
    unit: tuple[int, int] | None
    target: int | None


class SelectionHistory(QObject):
    """Records the selections of an `AppState`, and undoes and redoes them.

    Changes of the same kind that follow each other within a second, as when a key is held, are one step. The
    engine's work is not undone: a picture stays open, and a model stays loaded. The history is cleared when
    another network is loaded.

    Parameters
    ----------
    clock_s
        Returns the time in seconds.
    """

    changed = Signal()

    def __init__(
        self, state: AppState, parent: QObject | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._clock_s = clock_s
        self._now = self._selection()
        self._before: list[Selection] = []
        self._behind: list[Selection] = []
        self._nodes: tuple[str, ...] = ()
        self._last_kind: frozenset[str] = frozenset()
        self._last_s = 0.0
        self._is_restoring = False
        for signal in (
            state.opened.picture_chosen,
            state.node_selected,
            state.channel_selected,
            state.unit_selected,
            state.target_selected,
        ):
            signal.connect(self._note)
        state.model_loaded.connect(self._begin_anew)
        state.opened.changed.connect(self._forget_closed)

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier selection to return to."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone selection to restore."""
        return bool(self._behind)

    def undo(self) -> None:
        """Restore the previous selection, if there is one."""
        self._go(self._before, self._behind)

    def redo(self) -> None:
        """Restore the selection that was undone last, if there is one."""
        self._go(self._behind, self._before)

    def _go(self, source: list[Selection], other: list[Selection]) -> None:
        if not source:
            return
        other.append(self._now)
        self._is_restoring = True
        try:
            self._restore(source.pop())
        finally:
            self._is_restoring = False
        self._now = self._selection()
        self._last_kind = frozenset()
        self.changed.emit()

    def _restore(self, selection: Selection) -> None:
        state = self._state
        if any(picture.key == selection.picture for picture in state.opened.all):
            state.opened.select(selection.picture)
        state.set_node(selection.node)
        state.set_channel(selection.channel)
        if selection.unit is None:
            state.clear_unit()
        else:
            state.set_unit(*selection.unit)
        state.set_target(selection.target)

    def _selection(self) -> Selection:
        state = self._state
        key = "" if state.opened.chosen is None else state.opened.chosen.key
        return Selection(key, state.node, state.channel, state.unit, state.target)

    def _note(self, _changed: object) -> None:
        now = self._selection()
        if self._is_restoring or now == self._now:
            return
        kind = frozenset(
            name for name in now.__struct_fields__ if getattr(now, name) != getattr(self._now, name)
        )
        time_s = self._clock_s()
        # Selecting a node moves the unit, so both change at once, while the next step may change only the node.
        is_more_of_it = bool(kind & self._last_kind) and time_s - self._last_s < TOGETHER_S
        # The state without any picture cannot be restored.
        is_first_picture = not self._now.picture and kind == {"picture"}
        if not is_first_picture and not is_more_of_it:
            self._before = [*self._before, self._now][-CAPACITY:]
        self._behind = []
        self._now, self._last_kind, self._last_s = now, kind, time_s
        self.changed.emit()

    def _begin_anew(self, model: ModelInfo) -> None:
        """Clear the history if the model has other nodes; a model that is loaded again keeps it."""
        nodes = tuple(node.name for node in model.nodes)
        if nodes != self._nodes:
            self._nodes = nodes
            self._before, self._behind = [], []
        self._now = self._selection()
        self._last_kind = frozenset()
        self.changed.emit()

    def _forget_closed(self, pictures: tuple[ListedPicture, ...]) -> None:
        """Drop the selections on closed pictures, which cannot be restored."""
        there = {"", *(picture.key for picture in pictures)}
        self._before, self._behind = (
            [selection for selection in steps if selection.picture in there]
            for steps in (self._before, self._behind)
        )
        self.changed.emit()


class Undo:
    """Undoes the closing of pictures and changes of the selection; the pictures come first."""

    def __init__(self, history: SelectionHistory, pictures: PictureOpener) -> None:
        self._history = history
        self._pictures = pictures

    @property
    def can_undo(self) -> bool:
        """Whether closed pictures can be brought back, or an earlier selection."""
        return self._pictures.can_reopen or self._history.can_undo

    def undo(self) -> None:
        """Bring back the pictures that were closed last, or else return to the selection before."""
        if self._pictures.can_reopen:
            self._pictures.reopen()
        else:
            self._history.undo()
