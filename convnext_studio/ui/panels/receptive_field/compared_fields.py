"""The receptive fields of two networks as the panel shows them: on one scale, subtracted, or side by side."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.comparison import shares_of
from convnext_studio.erf import ShownScale, scale_of_squares
from convnext_studio.protocol.receptive_fields import FieldView
from convnext_studio.render import Limits, Range, format_percent, limits_of
from convnext_studio.ui.plots.field_scene import shown_limits, window_around
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.scene import Scene

Window = tuple[float, float, float, float]
SIGNED = "vik"


def common_limits(first: FieldView, second: FieldView, scale: ShownScale, chosen: Range) -> Limits:
    """Return one colour scale for both fields."""
    one, other = (shown_limits(view, scale, chosen) for view in (first, second))
    return Limits(min(one.low, other.low), max(one.high, other.high))


def common_window(first: FieldView, second: FieldView, scale: ShownScale) -> Window:
    """Return the larger of the parts of the input that hold nearly all of either field."""
    return max((window_around(view, scale) for view in (first, second)), key=lambda box: box[2] * box[3])


def difference(first: FieldView, second: FieldView) -> NDArray[np.float64]:
    """Return the field of A minus that of B, each as shares of its sum."""
    return shares_of(first.field_map) - shares_of(second.field_map)


def difference_scene(values: NDArray[np.float64], limits: Limits, window: Window | None) -> Scene:
    """Return the map of a difference."""
    height, width = values.shape
    left, top, across, down = window or (0.0, 0.0, float(width), float(height))
    part = values[int(top) : int(top + down), int(left) : int(left + across)]
    return Scene(size=(across, down), layers=(map_layer(part, (0.0, 0.0, across, down), limits, SIGNED),))


def difference_limits(values: NDArray[np.float64]) -> Limits:
    """Return a scale about 0."""
    return limits_of(values, symmetric=True)


def areas_text(first: FieldView, second: FieldView, scale: ShownScale) -> str:
    """Compare the areas that hold a share of either field, as shares of the input."""
    of_a, of_b = (
        {square.threshold: square.area_ratio for square in view.squares[scale_of_squares(scale, view.protocol)]}
        for view in (first, second)
    )
    said = [
        f"{100 * threshold:g} % in A {format_percent(of_a[threshold])}, in B {format_percent(of_b[threshold])}"
        for threshold in of_a
        if threshold in of_b
    ]
    return f"shares of the field by area of the input: {'; '.join(said)}" if said else ""
