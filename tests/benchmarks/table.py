"""What was measured, as one table."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

Unit = Literal["s", "B"]


class Row(Struct, frozen=True, kw_only=True):
    """One measurement.

    Attributes
    ----------
    name
        What was measured.
    ours, theirs
        Medians of ours and of the reference's; where there is no reference, `ours` stands for itself.
    reference
        What it is compared with.
    goal
        Largest ratio, or largest measurement where there is no reference; None for no goal.
    unit
        Of the measurements: seconds, or bytes of memory.
    """

    name: str
    ours: float
    theirs: float | None = None
    reference: str = ""
    goal: float | None = None
    unit: Unit = "s"

    @property
    def ratio(self) -> float | None:
        """Ours over the reference's."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return (self.ours if self.ratio is None else self.ratio) <= self.goal

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of `HEAD`."""
        spoken = _SPOKEN[self.unit]
        goal = ""
        if self.goal is not None:
            goal = f"<= {spoken(self.goal)}" if self.ratio is None else f"<= {self.goal:g}"
        return (
            self.name,
            spoken(self.ours),
            "" if self.theirs is None else spoken(self.theirs),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            goal,
            {True: "met", False: "MISSED", None: ""}[self.is_met],
            self.reference,
        )


HEAD = ("", "ours", "reference", "ratio", "goal", "", "reference is")


def table(rows: Sequence[Row]) -> str:
    """Aligned columns, the first and the last flush left."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(HEAD) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


_SPOKEN: dict[Unit, Callable[[float], str]] = {"s": _seconds, "B": _megabytes}
