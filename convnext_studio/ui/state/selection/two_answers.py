"""Two answers to one question, and which of them all views show: one, the other, their difference, or both."""

from typing import Literal

from PySide6.QtCore import QObject, Signal

Shown = Literal["first", "second", "difference", "curtain"]
"""The first answer, the second, the first minus the second, or both on either side of a line."""
SHOWN: tuple[Shown, ...] = ("first", "second", "difference", "curtain")


class TwoAnswers(QObject):
    """The choice that is common to all views, and the place of the curtain's line in all of them.

    Parameters
    ----------
    first, second
        What the two answers are called, such as A and B.
    """

    chosen = Signal(object)  # Shown
    renamed = Signal()
    curtain_moved = Signal(float)

    def __init__(self, first: str, second: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.first = first
        self.second = second
        self._shown: Shown = "first"
        self._curtain = 0.5

    def rename(self, first: str, second: str) -> None:
        """Call the two answers something else."""
        if (first, second) != (self.first, self.second):
            self.first, self.second = first, second
            self.renamed.emit()

    @property
    def shown(self) -> Shown:
        """What is shown."""
        return self._shown

    def choose(self, shown: Shown) -> None:
        """Choose what is shown."""
        if shown != self._shown:
            self._shown = shown
            self.chosen.emit(shown)

    @property
    def curtain(self) -> float:
        """The share of the width, from the left, at which the line is; the first answer is left of it."""
        return self._curtain

    def move_curtain(self, share: float) -> None:
        """Move the line."""
        share = min(max(share, 0.0), 1.0)
        if share != self._curtain:
            self._curtain = share
            self.curtain_moved.emit(share)

    @property
    def sides(self) -> str:
        """Which answer is on which side of the line, in words."""
        return f"{self.first} left of the line, {self.second} right of it"

    def text(self, shown: Shown | None = None) -> str:
        """Return what is shown in words, such as "A − B"."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": f"{self.first} − {self.second}",
            "curtain": f"{self.first} | {self.second}",
        }[self._shown if shown is None else shown]
