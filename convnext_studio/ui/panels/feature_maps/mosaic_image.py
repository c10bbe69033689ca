"""Turn the channels of a node into an image: order, scale, colours and words. Usable from any thread."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.render import (
    ALL_VALUES,
    ROBUST_PERCENTILES,
    UNCLIPPED,
    Clipping,
    Limits,
    Mosaic,
    Range,
    assemble,
    descending,
    mosaic_values,
    pluralize,
)
from convnext_studio.ui.panels.feature_maps.maps_subject import MapsSubject, Scaling
from convnext_studio.ui.plots.map_texts import is_signed
from convnext_studio.ui.plots.scene import Bitmap, Layer, Numbers

Order = Literal["index", "mean", "maximum", "variance", "sparsity", "contribution"]
AllLimits = Limits | tuple[Limits, ...]

_SIGNED, _UNSIGNED = "vik", "viridis"
# Reduced copies smaller than this can be made quickly while painting.
_REDUCED_PX = 200


class MosaicLook(Struct, frozen=True):
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


class Painting(Struct, frozen=True, eq=False):
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

    subject: MapsSubject
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
    def colour_bytes(self) -> int:
        """Size of the colours with their reduced copies, without the maps that they show."""
        width, height = self.mosaic.size_px
        return width * height * 4 * 4 // 3


def paint(
    subjects: Sequence[MapsSubject],
    mosaics: Sequence[Mosaic],
    look: MosaicLook,
    scores: NDArray[np.floating] | None,
    beside: Sequence[MapsSubject] = (),
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


def suited(subjects: Sequence[MapsSubject]) -> str:
    """Return the diverging colour map if any value is negative, otherwise the sequential one."""
    return _SIGNED if any(subject.numbers.is_signed for subject in subjects) else _UNSIGNED


def _order(
    subject: MapsSubject, wanted: Order, scores: NDArray[np.floating] | None
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


def _limits(subjects: Sequence[MapsSubject], look: MosaicLook, symmetric: bool) -> list[AllLimits]:
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


def describe_mosaic(painting: Painting, look: MosaicLook, class_name: str) -> str:
    """Describe shape, scale and order of a mosaic, and any problems with its channels."""
    subject = painting.subject
    side = subject.result.reduction
    shape = " × ".join(map(str, subject.node.shape if side > 1 else subject.shape))
    said = [f"{subject.node.title}: {shape}"]
    if side > 1:
        said.append(f"overview, means of {side} × {side} units")
    elif subject.units > 1:
        said.append(f"a unit every {subject.placement.field.stride_px} px")
    if subject.result.geometry.is_padded:
        said.append("statistics without the padding")
    said += [_scale_text(painting, look), _order_text(painting, look, class_name), *_problems(painting)]
    return " · ".join(text for text in said if text)


def _scale_text(painting: Painting, look: MosaicLook) -> str:
    if painting.shared is None:
        return "each channel's own scale" + (", ± about 0" if is_signed(painting.colormap) else "")
    low, high = ROBUST_PERCENTILES
    how = {
        "robust": f", percentiles {low:g} to {high:g}{_beyond(painting, painting.shared)}",
        "fixed": f", {look.range.text}{_beyond(painting, painting.shared)}",
    }.get(look.scaling, "")
    return f"one scale{how}"


def _beyond(painting: Painting, limits: Limits) -> str:
    """Say how many channels have values outside of a scale that does not cover all; empty if none has."""
    numbers = painting.subject.numbers
    with np.errstate(invalid="ignore"):
        count = int(np.count_nonzero((numbers.minimum < limits.low) | (numbers.maximum > limits.high)))
    return f" ({pluralize(count, 'channel')} beyond it)" if count else ""


def _order_text(painting: Painting, look: MosaicLook, class_name: str) -> str:
    if painting.order == "contribution":
        return f"sorted by contribution to {class_name}"
    if painting.order != look.order:
        return f"by index until the {look.order} of every channel is known"
    return "" if painting.order == "index" else f"sorted by {painting.order}"


def _problems(painting: Painting) -> list[str]:
    numbers, said = painting.subject.numbers, []
    dead = int(np.count_nonzero(numbers.is_dead)) if painting.subject.is_sortable else 0
    if dead:
        said.append(f"{pluralize(dead, 'dead channel')} (constant) crossed")
    missing, where = int(numbers.non_finite.sum()), int(np.count_nonzero(numbers.non_finite))
    if missing:
        said.append(f"{pluralize(missing, 'value')} in {pluralize(where, 'channel')} not finite (hatched)")
    return said
