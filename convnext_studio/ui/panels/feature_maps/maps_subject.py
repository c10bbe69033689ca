"""The feature maps of a node: of one network, or made of the maps of two; and what is kept of them."""

from functools import cached_property
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.comparison import MapPlace, curtain_of, difference_of, nearest_unit
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.framing import picture_of
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Network, Payload
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import ChannelNumbers, Limits, channel_numbers, robust_limits
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.plots.map_texts import Placement
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.selection.two_answers import Shown

Scaling = Literal["channel", "layer", "robust", "fixed"]

BUDGET_BYTES = 24 << 20
"""Most bytes of maps per node: enough for 96 channels at 223 × 223; larger maps come as an overview."""
_PANEL = "feature_maps"
_KEPT_BYTES = 192 << 20


def maps_request(image: str, node: str, panel: str = _PANEL) -> FeatureMaps:
    """Return the request whose answer a `MapsSubject` holds."""
    return FeatureMaps(image=image, node=node, panel=panel, budget_bytes=BUDGET_BYTES)


class MapsSubject(Struct, frozen=True, eq=False, dict=True):
    """Maps, with what they were asked for; they stay on display, dimmed, when something else is selected.

    Attributes
    ----------
    result
        The maps.
    node
        The node they belong to.
    model, picture
        The model and the picture they were computed with.
    exact
        The exact statistics of each channel, where the maps are only an overview; None until they are known.
    network
        Which of the two open networks computed them.
    made_of
        The maps of A and B that these were made of, such as their difference; empty for maps of one network.
    """

    result: FeatureMapsResult
    node: NodeInfo
    model: ModelInfo
    picture: ImageInfo
    exact: ChannelNumbers | None = None
    network: Network = "A"
    made_of: tuple["MapsSubject", ...] = ()

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.result.maps)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the maps, which may be an overview."""
        channels, height, width = self.result.maps.shape
        return channels, height, width

    @property
    def units(self) -> int:
        """Number of values in each channel."""
        _, height, width = self.shape
        return height * width

    @property
    def title(self) -> str:
        """Node, picture and model, or both models, as text for the user."""
        if self.made_of:
            first, second = self.made_of
            return f"{first.title} and {second.title}"
        random = f" · {RANDOM_WEIGHTS}" if self.model.random_weights else ""
        return f"{self.node.title} · {self.picture.name} · {self.model.title}{random}"

    @property
    def is_of_first(self) -> bool:
        """Whether the open network alone computed the maps."""
        return self.network == "A" and self.is_computed

    @property
    def is_computed(self) -> bool:
        """Whether a network computed the maps, so that it can be asked for more about them."""
        return not self.made_of

    @property
    def file_name(self) -> str:
        """The start of the names of files made from it."""
        return f"{self.picture.name.partition('.')[0]} {self.result.node}"

    @property
    def is_sortable(self) -> bool:
        """Whether the channels' exact statistics are available."""
        return self.result.is_exact or self.exact is not None or not self.is_computed

    @cached_property
    def numbers(self) -> ChannelNumbers:
        """The statistics of each channel; those of the overview until the exact ones are known."""
        return self.exact if self.exact is not None else channel_numbers(self.result.maps)

    @cached_property
    def placement(self) -> Placement:
        """Where the values of `result` are in the picture."""
        return Placement(self.result.field, self.result.geometry).of_boxes(self.result.reduction)

    @cached_property
    def _robust(self) -> Limits:
        return robust_limits(self.result.maps)

    def shared_limits(self, scaling: Scaling, symmetric: bool) -> Limits:
        """Return one scale for all channels, of all values or without the extreme ones."""
        if scaling != "robust":
            return self.numbers.shared_limits(symmetric)
        limits = self._robust
        return _symmetric(limits) if symmetric else limits

    @property
    def arrays(self) -> tuple[object, ...]:
        """All that it keeps alive and that is large: the maps, and the preview of the picture."""
        return self.result, self.picture, self.exact, *(each.arrays for each in self.made_of)


def compared_subject(first: MapsSubject, second: MapsSubject, shown: Shown, curtain: float) -> MapsSubject:
    """Return the maps to show of A and B.

    Parameters
    ----------
    shown
        Which of them; their difference is at the units of A, and with the curtain each channel is that of A in
        its left and that of B in its right part.
    curtain
        Where the line of the curtain is, as a share of the width.
    """
    match shown:
        case "first":
            return first
        case "second":
            return second
        case "difference":
            return _made(first, second, _difference(first, second))
        case "curtain":
            return _made(first, second, _split(first, second, curtain))


def _difference(first: MapsSubject, second: MapsSubject) -> FeatureMapsResult:
    maps = difference_of(first.result.maps, _place(first), second.result.maps, _place(second))
    return replace(first.result, maps=maps.astype(np.float32))


def _split(first: MapsSubject, second: MapsSubject, curtain: float) -> FeatureMapsResult:
    maps = curtain_of(first.result.maps, _place(first), second.result.maps, _place(second), curtain)
    return replace(first.result, maps=np.ascontiguousarray(maps, np.float32))


def _place(subject: MapsSubject) -> MapPlace:
    return MapPlace(subject.placement.field, subject.placement.crop)


def _made(first: MapsSubject, second: MapsSubject, result: FeatureMapsResult) -> MapsSubject:
    return replace(first, result=result, exact=None, made_of=(first, second))


def unit_of(subject: MapsSubject, unit: tuple[int, int], other: MapsSubject) -> tuple[int, int]:
    """Return the unit of another network's maps that is nearest to a unit in the picture, within its maps."""
    y, x = nearest_unit(unit, _place(subject), _place(other))
    _, height, width = other.shape
    return min(max(y, 0), height - 1), min(max(x, 0), width - 1)


def _symmetric(limits: Limits) -> Limits:
    largest = max(abs(limits.low), abs(limits.high))
    return Limits(-largest, largest)


class KeptMaps:
    """Keeps the maps of both networks that were seen last, and makes of them what is to be shown."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._photographs = Photographs(state)
        self._kept: ByteCache[MapsSubject] = ByteCache(_KEPT_BYTES, lambda subject: kept_bytes(subject.arrays))
        state.cache_sizes.add(self._kept)
        self._made: dict[tuple[Shown, float], MapsSubject] = {}  # Of the two subjects that are compared now.
        self.compared: tuple[MapsSubject, ...] = ()
        """The maps of A and of B that were compared last; empty before that."""

    def recall(self, question: FeatureMaps) -> FeatureMapsResult | None:
        """Return the answer to a request if it is kept."""
        kept = self._kept.get(question)
        return None if kept is None else kept.result

    def keep(self, subject: MapsSubject) -> None:
        """Keep maps, in place of those from the same request; of the frames of a live source, the last ones.

        Frames never come back, and thousands of them would fill the memory.
        """
        frame = number_of(subject.picture.key)
        if frame is not None:
            self._kept.forget_where(lambda _, other: number_of(other.picture.key) not in (None, frame))
        self._kept.put(_question_for(subject.result, subject.network), subject)

    def picture_of(self, result: Payload) -> ImageInfo | None:
        """Return the picture that maps are of: the current one, or an earlier frame of a live source."""
        current = self._state.picture
        if not isinstance(result, FeatureMapsResult):
            return current
        return self._state.live.picture(result.image, current) or current

    def shown(self, result: FeatureMapsResult, second: Payload | None, picture: ImageInfo) -> MapsSubject:
        """Return what is to be shown of the answer of A and, if it is there, of that of B."""
        model, other = self._state.model, self._state.second.model
        assert model is not None
        first = self._subject_of(result, model, picture, "A")
        if other is None or not isinstance(second, FeatureMapsResult):
            return first
        return self._compare(first, self._subject_of(second, other, self._photographs.changed(picture), "B"))

    def _subject_of(
        self, result: FeatureMapsResult, model: ModelInfo, picture: ImageInfo, network: Network
    ) -> MapsSubject:
        """Return maps as they are kept, or keep them."""
        subject = self._kept.get(_question_for(result, network))
        if subject is None or subject.result is not result:
            sized = self._state.sized if network == "A" else self._state.second.sized
            subject = MapsSubject(result, sized(model.node(result.node)), model, picture, network=network)
            self.keep(subject)
        return subject

    def _compare(self, first: MapsSubject, second: MapsSubject) -> MapsSubject:
        if self.compared != (first, second):
            self.compared, self._made = (first, second), {}
        shown, curtain = self._state.second.shown, self._state.second.choice.curtain
        # A line between the same units gives the same maps.
        key = (shown, round(curtain * first.shape[2]) if shown == "curtain" else 0.0)
        if key not in self._made:
            if shown == "curtain":  # One for each place of the line would be many.
                self._made = {each: made for each, made in self._made.items() if each[0] != "curtain"}
            self._made[key] = compared_subject(first, second, shown, curtain)
        return self._made[key]

    def unit_in(self, subject: MapsSubject | None, unit: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the selected unit of A in maps, which may be those of B."""
        return self._moved(unit, *self.compared) if unit is not None and self._is_of_b(subject) else unit

    def unit_of_first(self, subject: MapsSubject | None, unit: tuple[int, int]) -> tuple[int, int]:
        """Return the unit of A for one of maps that may be those of B."""
        return self._moved(unit, *reversed(self.compared)) if self._is_of_b(subject) else unit

    def _is_of_b(self, subject: MapsSubject | None) -> bool:
        """Whether maps are those of B, whose units may lie elsewhere than those of A."""
        return subject is not None and subject.network == "B" and len(self.compared) == 2

    @staticmethod
    def _moved(unit: tuple[int, int], *between: MapsSubject) -> tuple[int, int]:
        return unit_of(between[0], unit, between[1])

    def forget_all_but(self, opened: set[str]) -> None:
        """Forget the maps of all other pictures than these."""
        self._kept.forget_where(lambda _, subject: picture_of(subject.picture.key) not in opened)

    def forget_second(self) -> None:
        """Forget everything computed by the second network."""
        self._kept.forget_where(lambda _, subject: subject.network == "B")
        self.compared, self._made = (), {}

    def forget(self) -> None:
        """Forget everything."""
        self.compared, self._made = (), {}
        self._kept.clear()


def _question_for(result: FeatureMapsResult, network: Network) -> FeatureMaps:
    return replace(maps_request(result.image, result.node), network=network)
