"""What was measured, as one table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement.

    Attributes
    ----------
    name
        What was measured.
    ours_s, reference_s
        Medians in seconds; where there is no reference, `ours_s` stands for itself.
    reference
        What it is compared with.
    goal
        Largest ratio, or largest number of seconds where there is no reference; None for no goal.
    """

    name: str
    ours_s: float
    reference_s: float | None = None
    reference: str = ""
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the reference's."""
        return None if self.reference_s is None else self.ours_s / self.reference_s

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return (self.ours_s if self.ratio is None else self.ratio) <= self.goal

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of `HEAD`."""
        goal = ""
        if self.goal is not None:
            goal = f"<= {_seconds(self.goal)}" if self.ratio is None else f"<= {self.goal:g}"
        return (
            self.name,
            _seconds(self.ours_s),
            "" if self.reference_s is None else _seconds(self.reference_s),
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
