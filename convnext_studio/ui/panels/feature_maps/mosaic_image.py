"""Turn the channels of a node into an image: order, scale and colours. Usable from any thread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Network
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import (
    ALL_VALUES,
    UNCLIPPED,
    ChannelNumbers,
    Clipping,
    Limits,
    Mosaic,
    Range,
    assemble,
    channel_numbers,
    descending,
    mosaic_values,
    robust_limits,
)
from convnext_studio.ui.plots.map_texts import Placement, is_signed
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS
from convnext_studio.ui.plots.scene import Bitmap, Layer, Numbers

Order = Literal["index", "mean", "maximum", "variance", "sparsity", "contribution"]
Scaling = Literal["channel", "layer", "robust", "fixed"]
AllLimits = Limits | tuple[Limits, ...]

BUDGET_BYTES = 24 << 20
"""Most bytes of maps per node: enough for 96 channels at 223 × 223; larger maps come as an overview."""
_SIGNED, _UNSIGNED = "vik", "viridis"
# Reduced copies smaller than this can be made quickly while painting.
_REDUCED_PX = 200


def maps_request(image: str, node: str, panel: str) -> FeatureMaps:
    """Return the request whose answer a `Subject` holds."""
    return FeatureMaps(image=image, node=node, panel=panel, budget_bytes=BUDGET_BYTES)


@dataclass(frozen=True, eq=False)
class Subject:
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
    made_of: tuple["Subject", ...] = ()

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
    def size_bytes(self) -> int:
        """Size of the maps in bytes."""
        return self.result.maps.nbytes


@dataclass(frozen=True, slots=True)
class Look:
    """How the user wants to see the channels.

    Attributes
    ----------
    order
        What the channels are sorted by.
    scaling
        ``channel``: each channel from its smallest to its largest value; ``layer``: one scale for all;
        ``robust``: one scale without the extreme values; ``fixed``: one scale as `range` says.
    range
        The range of the common scale.
    colormap
        Name of the colour map; empty for one that suits the data.
    target
        The class to whose score the contributions used for sorting refer; None until they are known.
    gap_colour
        Colour of the gaps between the tiles.
    """

    order: Order = "index"
    scaling: Scaling = "channel"
    range: Range = ALL_VALUES
    colormap: str = ""
    target: int | None = None
    gap_colour: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A coloured mosaic.

    Attributes
    ----------
    subject, mosaic, layer
        The maps, their arrangement, and the coloured layer.
    limits
        One scale for all channels, or one per channel.
    colormap
        Name of the colour map used.
    order
        What the channels are sorted by: the wanted order, once the numbers for it are known.
    """

    subject: Subject
    mosaic: Mosaic
    layer: Layer
    limits: AllLimits
    colormap: str
    order: Order

    def limits_of(self, channel: int) -> Limits:
        """Return the scale of a channel."""
        return self.limits if isinstance(self.limits, Limits) else self.limits[channel]

    @property
    def shared(self) -> Limits | None:
        """The scale of all channels if they share one, otherwise None."""
        return self.limits if isinstance(self.limits, Limits) else None

    @property
    def clipping(self) -> Clipping:
        """Whether the shared scale leaves values out."""
        numbers = self.subject.numbers
        ends = np.array([numbers.minimum, numbers.maximum])
        return UNCLIPPED if self.shared is None else Clipping.of(ends, self.shared)

    @property
    def size_bytes(self) -> int:
        """Approximate size: the colours with their reduced copies, and the maps that they keep alive."""
        width, height = self.mosaic.size_px
        return width * height * 4 * 4 // 3 + self.subject.size_bytes


def paint(
    subjects: Sequence[Subject],
    mosaics: Sequence[Mosaic],
    look: Look,
    scores: NDArray[np.floating] | None,
    beside: Sequence[Subject] = (),
) -> tuple[Painting, ...]:
    """Colour one mosaic, or two on common scales and in the same order.

    Parameters
    ----------
    subjects, mosaics
        The maps and the arrangements of their tiles, in the same order.
    scores
        Contribution of each channel of the first subject; None if not known.
    beside
        Other maps that the scales and the order are common with, although they are not painted.
    """
    on_scale = (*subjects, *beside)
    order, by = _order(beside[0] if beside else subjects[0], look.order, scores)
    first = subjects[0]
    colormap = look.colormap or suited(on_scale)
    limits = _limits(on_scale, look, is_signed(colormap))
    paintings = []
    for subject, mosaic, own in zip(subjects, mosaics, limits, strict=False):
        if subject.channels == first.channels:
            mosaic = replace(mosaic, order=order)
        dead = subject.numbers.is_dead if subject.is_sortable else None
        rgb = assemble(subject.result.maps, mosaic, own, colormap, look.gap_colour, dead)
        width, height = mosaic.size_px
        numbers = Numbers(partial(mosaic_values, subject.result.maps, mosaic))
        box = (0.0, 0.0, float(width), float(height))
        layer = Layer(Bitmap(rgb).reduce(_REDUCED_PX), box, numbers=numbers)
        paintings.append(Painting(subject, mosaic, layer, own, colormap, by))
    return tuple(paintings)


def suited(subjects: Sequence[Subject]) -> str:
    """Return the diverging colour map if any value is negative, otherwise the sequential one."""
    return _SIGNED if any(subject.numbers.is_signed for subject in subjects) else _UNSIGNED


def _order(
    subject: Subject, wanted: Order, scores: NDArray[np.floating] | None
) -> tuple[tuple[int, ...], Order]:
    """Return the channels in tile order, and what they are actually sorted by."""
    if wanted != "contribution":
        numbers = subject.numbers
        known = {
            "mean": numbers.mean,
            "maximum": numbers.maximum,
            "variance": numbers.variance,
            "sparsity": numbers.sparsity,
        }
        scores = known.get(wanted) if subject.is_sortable else None
    if wanted == "index" or scores is None:
        return (), "index"
    return tuple(descending(scores).tolist()), wanted


def _limits(subjects: Sequence[Subject], look: Look, symmetric: bool) -> list[AllLimits]:
    """Return the limits of each subject; comparable subjects share theirs."""
    if look.scaling == "fixed" and look.range.kind != "data":
        return [_around([look.range.limits(subject.result.maps) for subject in subjects])] * len(subjects)
    # A single unit on a scale of its own would show nothing.
    if look.scaling != "channel" or any(subject.units == 1 for subject in subjects):
        each = [subject.shared_limits(look.scaling, symmetric) for subject in subjects]
        return [_around(each)] * len(subjects)
    own = [subject.numbers.own_limits(symmetric) for subject in subjects]
    if len({len(limits) for limits in own}) > 1:
        return list(own)
    common = tuple(_around(limits) for limits in zip(*own, strict=True))
    return [common] * len(subjects)


def _around(limits: Sequence[Limits]) -> Limits:
    return Limits(min(each.low for each in limits), max(each.high for each in limits))


def _symmetric(limits: Limits) -> Limits:
    largest = max(abs(limits.low), abs(limits.high))
    return Limits(-largest, largest)
