"""One channel of what is shown: of the maps at hand, or from the engine where they are only an overview."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from convnext_studio.engine.messages import ChannelMap, ChannelMapResult, Payload
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.maps import Placement, point_text, value_text
from convnext_studio.ui.panels.mosaic_painting import Subject
from convnext_studio.ui.sidequestion import SideQuestion


@dataclass(frozen=True, eq=False)
class ChannelValues:
    """One channel.

    Attributes
    ----------
    subject, channel
        What it is of.
    values
        (height, width).
    placement
        Where they lie.
    is_exact
        They are the network's own, one a unit.
    """

    subject: Subject
    channel: int
    values: NDArray[np.float32]
    placement: Placement
    is_exact: bool

    @property
    def has_units(self) -> bool:
        """Whether its values are units that can be selected: neither an overview's nor the head's."""
        return self.is_exact and self.subject.node.kind != "head"

    @cached_property
    def finite(self) -> NDArray[np.float32]:
        """The values that are finite, in one row."""
        finite: NDArray[np.float32] = self.values[np.isfinite(self.values)]
        return finite

    @property
    def name(self) -> str:
        """Node and channel, as read-outs have them."""
        return f"{self.subject.result.node} · channel {self.channel}"

    def holds(self, unit: tuple[int, int]) -> bool:
        """Whether there is such a unit."""
        height, width = self.values.shape
        return bool(0 <= unit[0] < height and 0 <= unit[1] < width)

    def read_out(self, row: int, column: int, where: str = "") -> str:
        """A value in words; `where` in the picture, the centre of its field if not given."""
        side = self.subject.result.reduction
        unit = f"unit (y {row}, x {column})"
        if not self.is_exact:
            unit = f"mean of {side} × {side} units from (y {row * side}, x {column * side})"
        value = value_text(float(self.values[row, column]))
        return " · ".join((self.name, unit, value, where or point_text(*self.placement.centre(row, column))))


def from_maps(subject: Subject, channel: int) -> ChannelValues:
    """A channel out of the maps at hand."""
    result = subject.result
    return ChannelValues(subject, channel, result.maps[channel], subject.placement, result.is_exact)


class ExactChannel(QObject):
    """Asks for a channel whose maps are only an overview.

    Parameters
    ----------
    on_values
        Gets it.
    """

    def __init__(
        self, bridge: EngineBridge, on_values: Callable[[ChannelValues], None], owner: QObject
    ) -> None:
        super().__init__(owner)
        self._on_values = on_values
        self._subject: Subject | None = None
        self._known: ChannelValues | None = None
        # Where the engine will not say, the overview stays, and is called one.
        self._question = SideQuestion(bridge, self._receive, lambda _reason: None, parent=self)

    @property
    def is_running(self) -> bool:
        """Whether the engine owes an answer."""
        return self._question.is_running

    def values_of(self, subject: Subject, channel: int) -> ChannelValues:
        """A channel as exactly as it is known; asks for what is not, and tells it later."""
        if subject.result.is_exact:
            self.drop()
            return from_maps(subject, channel)
        known = self._known
        if known is not None and known.subject.result is subject.result and known.channel == channel:
            return known
        if self._subject is None or subject.result is not self._subject.result:
            self.drop()
        self._subject = subject
        result = subject.result
        self._question.ask(
            ChannelMap(image=result.image, node=result.node, channel=channel, panel="feature_maps")
        )
        return from_maps(subject, channel)

    def drop(self) -> None:
        """Want nothing, and keep nothing."""
        self._question.drop()
        self._known = None

    def _receive(self, payload: Payload) -> None:
        if self._subject is not None and isinstance(payload, ChannelMapResult):
            placement = Placement(payload.field, payload.geometry)
            self._known = ChannelValues(self._subject, payload.channel, payload.map, placement, is_exact=True)
            self._on_values(self._known)
