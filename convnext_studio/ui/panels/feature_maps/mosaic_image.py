"""How the channels of a node become a picture: order, scale and colours. Runs in any thread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.model.nodes import NodeInfo
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
    robust_limits,
)
from convnext_studio.ui.plots.map_texts import Placement, is_signed
from convnext_studio.ui.plots.scene import Bitmap, Layer
from convnext_studio.ui.plots.view_saver import RANDOM_WEIGHTS

Order = Literal["index", "mean", "maximum", "variance", "sparsity", "contribution"]
Scaling = Literal["channel", "layer", "robust", "fixed"]
AllLimits = Limits | tuple[Limits, ...]

BUDGET_BYTES = 24 << 20
"""Most that the maps of a node take: 96 channels at 223 × 223 do; larger ones come as an overview."""
_SIGNED, _UNSIGNED = "vik", "viridis"
# Reduced copies smaller than this are made in no time when they are painted.
_REDUCED_PX = 200


def maps_request(image: str, node: str, panel: str) -> FeatureMaps:
    """The question that a `Subject` answers."""
    return FeatureMaps(image=image, node=node, panel=panel, budget_bytes=BUDGET_BYTES)


@dataclass(frozen=True, eq=False)
class Subject:
    """An answer, with what was selected when it was asked for: it stays, dimmed, when something else is.

    Attributes
    ----------
    result
        The maps.
    node
        Of the model that it was asked of.
    model, picture
        What it was asked of.
    exact
        Each channel in numbers, where the maps are only an overview; None while that is not known.
    """

    result: FeatureMapsResult
    node: NodeInfo
    model: ModelInfo
    picture: ImageInfo
    exact: ChannelNumbers | None = None

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self.result.maps)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the maps, which may be an overview."""
        channels, height, width = self.result.maps.shape
        return channels, height, width

    @property
    def units(self) -> int:
        """How many values a channel has."""
        _, height, width = self.shape
        return height * width

    @property
    def title(self) -> str:
        """Node, picture and model, for people."""
        random = f" · {RANDOM_WEIGHTS}" if self.model.random_weights else ""
        return f"{self.node.title} · {self.picture.name} · {self.model.title}{random}"

    @property
    def file_name(self) -> str:
        """For files about it."""
        return f"{self.picture.name.partition('.')[0]} {self.result.node}"

    @property
    def is_sortable(self) -> bool:
        """Whether the channels' exact numbers are at hand."""
        return self.result.is_exact or self.exact is not None

    @cached_property
    def numbers(self) -> ChannelNumbers:
        """Each channel in numbers; of the overview while the exact ones are not known."""
        return self.exact if self.exact is not None else channel_numbers(self.result.maps)

    @cached_property
    def placement(self) -> Placement:
        """Where the values of `result` lie."""
        return Placement(self.result.field, self.result.geometry).of_boxes(self.result.reduction)

    @cached_property
    def _robust(self) -> Limits:
        return robust_limits(self.result.maps)

    def shared_limits(self, scaling: Scaling, symmetric: bool) -> Limits:
        """One scale for all channels: of all values, or without the outermost."""
        if scaling != "robust":
            return self.numbers.shared_limits(symmetric)
        limits = self._robust
        return _symmetric(limits) if symmetric else limits

    @property
    def size_bytes(self) -> int:
        """Of the maps."""
        return self.result.maps.nbytes


@dataclass(frozen=True, slots=True)
class Look:
    """How the person wants to see the channels.

    Attributes
    ----------
    order
        What they are sorted by.
    scaling
        ``channel``: each from its smallest to its largest value; ``layer``: all together; ``robust``: without
        the outermost values of all; ``fixed``: as `range` says, of all together.
    range
        What the common scale holds.
    colormap
        Its name; empty for one that suits the data.
    target
        Class whose contributions they are sorted by; None while those are not known.
    gap_colour
        Between the tiles.
    """

    order: Order = "index"
    scaling: Scaling = "channel"
    range: Range = ALL_VALUES
    colormap: str = ""
    target: int | None = None
    gap_colour: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A mosaic in colours.

    Attributes
    ----------
    subject, mosaic, layer
        What it shows, where, and the colours.
    limits
        One for all channels, or one for each.
    colormap
        The one used.
    order
        What the channels are sorted by: what was wished, once what it takes is known.
    """

    subject: Subject
    mosaic: Mosaic
    layer: Layer
    limits: AllLimits
    colormap: str
    order: Order

    def limits_of(self, channel: int) -> Limits:
        """Scale of a channel."""
        return self.limits if isinstance(self.limits, Limits) else self.limits[channel]

    @property
    def shared(self) -> Limits | None:
        """The scale of all channels, where they share one."""
        return self.limits if isinstance(self.limits, Limits) else None

    @property
    def clipping(self) -> Clipping:
        """Whether the scale that all channels share leaves values out."""
        numbers = self.subject.numbers
        ends = np.array([numbers.minimum, numbers.maximum])
        return UNCLIPPED if self.shared is None else Clipping.of(ends, self.shared)

    @property
    def size_bytes(self) -> int:
        """About: colours with their reduced copies, and the maps that they keep."""
        width, height = self.mosaic.size_px
        return width * height * 4 * 4 // 3 + self.subject.size_bytes


def paint(
    subjects: Sequence[Subject], mosaics: Sequence[Mosaic], look: Look, scores: NDArray[np.floating] | None
) -> tuple[Painting, ...]:
    """Colour one mosaic, or two on common scales and in the same order.

    Parameters
    ----------
    subjects, mosaics
        What is seen, and how its tiles are arranged, by index.
    scores
        Contribution of each channel of the first; None where it is not known.
    """
    first = subjects[0]
    order, by = _order(first, look.order, scores)
    colormap = look.colormap or suited(subjects)
    limits = _limits(subjects, look, is_signed(colormap))
    paintings = []
    for subject, mosaic, own in zip(subjects, mosaics, limits, strict=True):
        if subject.channels == first.channels:
            mosaic = replace(mosaic, order=order)
        dead = subject.numbers.is_dead if subject.is_sortable else None
        rgb = assemble(subject.result.maps, mosaic, own, colormap, look.gap_colour, dead)
        width, height = mosaic.size_px
        layer = Layer(Bitmap(rgb).reduce(_REDUCED_PX), (0.0, 0.0, float(width), float(height)))
        paintings.append(Painting(subject, mosaic, layer, own, colormap, by))
    return tuple(paintings)


def suited(subjects: Sequence[Subject]) -> str:
    """The diverging colour map where any value is negative."""
    return _SIGNED if any(subject.numbers.is_signed for subject in subjects) else _UNSIGNED


def _order(
    subject: Subject, wanted: Order, scores: NDArray[np.floating] | None
) -> tuple[tuple[int, ...], Order]:
    """Channels in their tiles, and what they are really sorted by."""
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
    """Of each subject; common to all that can be compared."""
    if look.scaling == "fixed" and look.range.kind != "data":
        return [_around([look.range.limits(subject.result.maps) for subject in subjects])] * len(subjects)
    # A single unit on a scale of its own would say nothing.
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
