"""What a lecture's author may choose of a view: the allowed values, and what they do."""

import re
from dataclasses import dataclass
from itertools import pairwise

_NODE = re.compile(r"stem|head|(stem|head|stage\d+)(\.[a-z]+\d*)+|stage\d+")

_MANY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Any text.

    Attributes
    ----------
    help
        What it does, in a sentence.
    default
        The value where the author gives none.
    """

    help: str
    default: str

    @property
    def allowed(self) -> str:
        """The values that may be given, in words."""
        return "any text"

    def accepts(self, value: str) -> bool:
        """Whether it may be given this value."""
        return bool(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Setting):
    """One of a few words."""

    values: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The words; the first and the last of many numbers at one distance."""
        shown = self.values
        if len(shown) > _MANY and _are_even(shown):
            shown = (*shown[:2], "…", shown[-1])
        return f"one of {', '.join(shown)}"

    def accepts(self, value: str) -> bool:
        """Whether it is one of them."""
        return value in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Setting):
    """A whole number; both ends are allowed."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        """The range."""
        return f"a whole number from {self.least} to {self.most}"

    def accepts(self, value: str) -> bool:
        """Whether it is a number of that range."""
        return value.isascii() and value.isdecimal() and self.least <= int(value) <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeName(Setting):
    """Name of a node, as in the network strip. Whether the open network has it, the view finds out."""

    @property
    def allowed(self) -> str:
        """What such a name looks like."""
        return "a node such as stem, stage3 or stage3.block5.dwconv"

    def accepts(self, value: str) -> bool:
        """Whether it looks like one."""
        return _NODE.fullmatch(value) is not None


def _are_even(values: tuple[str, ...]) -> bool:
    """Whether they are whole numbers at one distance."""
    if not all(value.isdecimal() for value in values):
        return False
    numbers = [int(value) for value in values]
    return len({after - before for before, after in pairwise(numbers)}) == 1
