"""Work that has to be done in the window's thread, one piece in each turn of the event loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer, SignalInstance

_BETWEEN_MS = 1
"""Events of zero delay would be handled before the timers and the painting that wait already."""


class Turns(QObject):
    """Runs one callable at once and each of the others in a later turn of the event loop.

    Input, timers and painting come in between. What many panels hear of at once, such as a prediction, would
    otherwise stop the window for as long as all of them take together.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Turn] = []
        self._timer = QTimer(self, singleShot=True, interval=_BETWEEN_MS)
        self._timer.timeout.connect(self._run_first)

    @property
    def is_waiting(self) -> bool:
        """Whether anything waits for its turn."""
        return bool(self._waiting)

    @property
    def is_free(self) -> bool:
        """Whether a piece of work would be run at once."""
        return not self._timer.isActive()

    def connect_slot(self, signal: SignalInstance, slot: Callable[[Any], None], owner: QObject) -> None:
        """Have a slot take turns with others for what a signal brings; with None it is called at once.

        None takes away what is shown, which must not stay there for a moment. Of several values that come
        before the slot's turn, it is called with the last.
        """
        signal.connect(_SlotTurn(self, slot, owner).take)

    def has(self, turn: "Turn") -> bool:
        """Whether a piece of work waits for its turn."""
        return turn in self._waiting

    def append(self, turn: "Turn") -> None:
        """Let a piece of work wait for its turn, after those that wait already."""
        if turn in self._waiting:
            return
        self._waiting.append(turn)
        if self.is_free:
            self._run_first()

    def remove(self, turn: "Turn") -> None:
        """Let a piece of work wait no longer."""
        if turn in self._waiting:
            self._waiting.remove(turn)

    def _run_first(self) -> None:
        if self._waiting:
            self._timer.start()
            self._waiting.pop(0).call()


class Turn(QObject):
    """A piece of work that waits for its turn, once however often it is started.

    Attributes
    ----------
    call
        What is run.
    """

    def __init__(self, turns: Turns, call: Callable[[], None], owner: QObject) -> None:
        super().__init__(owner)
        self._turns = turns
        self.call = call
        self.destroyed.connect(partial(turns.remove, self))

    @property
    def is_waiting(self) -> bool:
        """Whether it was started, and has not been run yet."""
        return self._turns.has(self)

    def start(self) -> None:
        """Run it soon."""
        self._turns.append(self)

    def stop(self) -> None:
        """Do not run it."""
        self._turns.remove(self)


class _SlotTurn(Turn):
    """The turn of a slot that a signal brings values to, for as long as its owner is there."""

    def __init__(self, turns: Turns, slot: Callable[[Any], None], owner: QObject) -> None:
        super().__init__(turns, lambda: None, owner)
        self._slot = slot

    def take(self, value: object) -> None:
        """Have the slot called with the value, at once if that is None."""
        self.stop()
        if value is None:
            self._slot(None)
        else:
            self.call = partial(self._slot, value)
            self.start()
