"""What is said below the feature maps."""

import numpy as np

from convnext_studio.render import ROBUST_PERCENTILES, Limits, format_number
from convnext_studio.ui.panels.channel_values import ChannelValues
from convnext_studio.ui.panels.maps import is_signed, statistics, value_text
from convnext_studio.ui.panels.mosaic_painting import Look, Painting

_ORDERS = {
    "index": "",
    "mean": "largest mean first",
    "maximum": "largest maximum first",
    "variance": "largest variance first",
    "sparsity": "sparsest first (Hoyer's measure)",
}


def describe_mosaic(painting: Painting, look: Look, class_name: str) -> str:
    """Shape, scale, order, and what is wrong with channels."""
    subject = painting.subject
    channels, height, width = subject.node.shape[0], *subject.shape[1:]
    stride = subject.placement.field.stride_px
    said = [f"{subject.node.title}: {channels} × {height} × {width}, one unit per {stride} px of the input"]
    side = subject.result.reduction
    if side > 1:
        said[0] = f"{subject.node.title}: {channels} channels, an overview of means over {side} × {side} units"
    said.append(_scale_text(painting, look))
    said.append(_order_text(painting, look, class_name))
    said += _problems(painting)
    return "; ".join(text for text in said if text) + "."


def describe_channel(shown: ChannelValues, level: float | None, unit: tuple[int, int] | None) -> str:
    """The selected channel's numbers, its contour and the selected unit."""
    said = [f"Channel {shown.channel}: {statistics(shown.values)}"]
    if level is not None:
        said.append(f"contour at {format_number(level)}")
    if unit is not None:
        said.append(f"unit (y {unit[0]}, x {unit[1]}) has {value_text(float(shown.values[unit]))}")
    return "; ".join(said) + "."


def _scale_text(painting: Painting, look: Look) -> str:
    symmetric = ", symmetric about 0" if is_signed(painting.colormap) and look.scaling != "fixed" else ""
    if painting.shared is None:
        return f"each channel has its own scale{symmetric}"
    low, high = ROBUST_PERCENTILES
    how = {
        "robust": f" at the percentiles {low:g} and {high:g}{_beyond(painting, painting.shared)}",
        "fixed": f" set by hand{_beyond(painting, painting.shared)}",
    }.get(look.scaling, "")
    return f"one scale for the layer{how}{symmetric}"


def _beyond(painting: Painting, limits: Limits) -> str:
    """How many channels have values outside of a scale that does not hold all."""
    numbers = painting.subject.numbers
    with np.errstate(invalid="ignore"):
        count = int(np.count_nonzero((numbers.minimum < limits.low) | (numbers.maximum > limits.high)))
    return f" ({count} channels reach beyond)" if count else ""


def _order_text(painting: Painting, look: Look, class_name: str) -> str:
    if painting.order == "contribution":
        return f"largest contribution to {class_name} first"
    if painting.order != look.order:
        return "by index until the numbers to sort by are there"
    return _ORDERS[painting.order]


def _problems(painting: Painting) -> list[str]:
    numbers, said = painting.subject.numbers, []
    dead = int(np.count_nonzero(numbers.is_dead)) if painting.subject.is_sortable else 0
    if dead:
        said.append(f"{dead} dead channel{'s' if dead > 1 else ''} (constant) crossed")
    missing, where = int(numbers.non_finite.sum()), int(np.count_nonzero(numbers.non_finite))
    if missing:
        said.append(f"{missing} values in {where} channel{'s' if where > 1 else ''} are not finite (hatched)")
    return said
