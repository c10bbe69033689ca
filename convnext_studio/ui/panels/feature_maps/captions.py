"""What the feature maps say below them: shape, scale and order of the mosaic, and the selected channel."""

import numpy as np

from convnext_studio.render import ROBUST_PERCENTILES, Limits, format_number, pluralize
from convnext_studio.ui.panels.feature_maps.channel_view import ChannelValues
from convnext_studio.ui.panels.feature_maps.mosaic_image import Look, Painting
from convnext_studio.ui.plots.map_texts import is_signed, statistics


def describe_mosaic(painting: Painting, look: Look, class_name: str) -> str:
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


def describe_channel(shown: ChannelValues, contour: str, unit: tuple[int, int] | None) -> str:
    """Describe the selected channel's statistics, its contour and the selected unit."""
    said = [f"Channel {shown.channel}: {statistics(shown.values)}"]
    if contour:
        said.append(contour)
    if unit is not None:
        said.append(f"unit (y {unit[0]}, x {unit[1]}) {format_number(float(shown.values[unit]))}")
    return " · ".join(said)


def _scale_text(painting: Painting, look: Look) -> str:
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


def _order_text(painting: Painting, look: Look, class_name: str) -> str:
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
