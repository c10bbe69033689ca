"""What can be changed inside a network: parts of the outputs of nodes, as plain data."""

from typing import Literal

from msgspec import Struct

from convnext_studio.common.errors import StudioError

Effect = Literal["off", "mean", "picture mean", "factor", "patch"]
"""What a change does to the values: set them to 0, to the mean over the positions of their channel, or to the
mean over the positions of their channel on several pictures; multiply them by a factor; or take them from
another picture."""

LOWEST_FACTOR, HIGHEST_FACTOR = -2.0, 2.0


class Region(Struct, frozen=True):
    """A rectangle of the units of a map: rows from `top` up to `bottom`, columns from `left` up to `right`."""

    top: int
    left: int
    bottom: int
    right: int


class Change(Struct, frozen=True, kw_only=True):
    """A change of the output of a node, or of a part of it.

    Attributes
    ----------
    node
        Any node of the node table.
    effect
        What is done to the values.
    channels
        The channels that are changed; all of them if empty.
    region
        The positions that are changed; all of them if None.
    branch
        Whether only the branch of a block is changed, before it is added to the shortcut.
    factor
        What the values are multiplied by, for the effect ``factor``.
    picture
        The key of the picture that the values are taken from, for the effect ``patch``.
    enabled
        Whether the change is applied; one that is not is only kept in the list.
    """

    node: str
    effect: Effect = "off"
    channels: tuple[int, ...] = ()
    region: Region | None = None
    branch: bool = False
    factor: float = 1.0
    picture: str = ""
    enabled: bool = True

    def check(self) -> None:
        """Raise a StudioError if the change does not make sense for any network."""
        if not LOWEST_FACTOR <= self.factor <= HIGHEST_FACTOR:
            raise StudioError(
                f"The factor {self.factor:g} is not between {LOWEST_FACTOR:g} and {HIGHEST_FACTOR:g}.",
                "Give one that is.",
            )
        if self.effect == "patch" and not self.picture:
            raise StudioError("It is not said which picture the values are taken from.", "Choose a picture.")
        region = self.region
        if region is not None and not (0 <= region.top < region.bottom and 0 <= region.left < region.right):
            raise StudioError("The region contains no positions.", "Give a larger one.")
        if any(channel < 0 for channel in self.channels):
            raise StudioError("Channels are counted from 0.", "Give numbers from 0 on.")
