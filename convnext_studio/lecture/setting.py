"""Settings of a live view that the author of a lecture may choose, and their allowed values."""

import re
from itertools import pairwise

from msgspec import Struct

_NODE = re.compile(r"stem|head|(stem|head|stage\d+)(\.[a-z]+\d*)+|stage\d+")

_MANY = 8


class Setting(Struct, frozen=True, kw_only=True):
    """A setting with any text as its value; the base class of the others.

    Attributes
    ----------
    help
        A sentence that says what the setting does.
    default
        The value if the author gives none.
    """

    help: str
    default: str

    @property
    def allowed(self) -> str:
        """A description of the allowed values."""
        return "any text"

    def accepts(self, value: str) -> bool:
        """Return whether a value is allowed."""
        return bool(value)


class OneOf(Setting, frozen=True, kw_only=True):
    """A setting with a fixed list of allowed words."""

    values: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """A description of the allowed words; long sequences of numbers are abbreviated."""
        shown = self.values
        if len(shown) > _MANY and _are_even(shown):
            shown = (*shown[:2], "…", shown[-1])
        return f"one of {', '.join(shown)}"

    def accepts(self, value: str) -> bool:
        """Return whether a value is one of the allowed words."""
        return value in self.values


class Whole(Setting, frozen=True, kw_only=True):
    """A setting with an integer value; both ends of the range are allowed."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        """A description of the range."""
        return f"a whole number from {self.least} to {self.most}"

    def accepts(self, value: str) -> bool:
        """Return whether a value is an integer in the range."""
        return value.isascii() and value.isdecimal() and self.least <= int(value) <= self.most


class NodeName(Setting, frozen=True, kw_only=True):
    """A setting with the name of a node. The view checks whether the open network has that node."""

    @property
    def allowed(self) -> str:
        """A description of node names."""
        return "a node such as stem, stage3 or stage3.block5.dwconv"

    def accepts(self, value: str) -> bool:
        """Return whether a value looks like a node name."""
        return _NODE.fullmatch(value) is not None


def _are_even(values: tuple[str, ...]) -> bool:
    """Return whether the values are equally spaced integers."""
    if not all(value.isdecimal() for value in values):
        return False
    numbers = [int(value) for value in values]
    return len({after - before for before, after in pairwise(numbers)}) == 1
