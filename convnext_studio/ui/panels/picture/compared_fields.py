"""The fields of corresponding units of two networks, as the picture panel shows them."""

from dataclasses import dataclass

import numpy as np

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.comparison import MapPlace, difference_of
from convnext_studio.protocol.units import UnitFieldResult
from convnext_studio.render import SIGNED_OVER_PICTURE, Clipping, Limits, Range, format_number, limits_of
from convnext_studio.ui.panels.picture.unit_field import Heat, SelectedUnit, heat_of, largest_value
from convnext_studio.ui.plots.map_texts import veil_layer
from convnext_studio.ui.plots.scene import Layer
from convnext_studio.ui.state.selection.two_answers import Shown

PIXELS = FieldGeometry()
Seen = tuple[SelectedUnit, UnitFieldResult]


@dataclass(frozen=True, slots=True)
class HeatLook:
    """How the field of a unit is coloured; see `heat_of`."""

    is_log: bool
    colormap: str
    range: Range


def compared_heat(
    first: Seen, second: Seen | None, shown: Shown, look: HeatLook
) -> tuple[Heat | None, Layer | None]:
    """Return what to lay over the picture, and what is right of the curtain's line; None for nothing.

    Both fields are on one scale, and the difference is one about 0.
    """
    if second is None:
        return (_heat(first, look), None) if shown == "first" else (None, None)
    if shown == "difference":
        return _difference(first, second), None
    largest = max(largest_value(first[1]), largest_value(second[1]))
    one, other = _heat(first, look, largest), _heat(second, look, largest)
    if shown == "curtain":
        return one, None if other is None else other.layer
    return (other if shown == "second" else one), None


def _heat(seen: Seen, look: HeatLook, largest: float | None = None) -> Heat | None:
    return heat_of(*seen, look.is_log, look.colormap, look.range, largest)


def _difference(first: Seen, second: Seen) -> Heat | None:
    one, other = first[1], second[1]
    values = difference_of(
        one.effective, MapPlace(PIXELS, one.geometry), other.effective, MapPlace(PIXELS, other.geometry)
    ).astype(np.float32)
    limits: Limits = limits_of(values, symmetric=True)
    if not limits.high:
        return None
    height, width = values.shape
    box = one.geometry.box_to_picture((0.0, 0.0, float(width), float(height)))
    layer = veil_layer(values, box, limits, SIGNED_OVER_PICTURE, 0.0)
    return Heat(layer, SIGNED_OVER_PICTURE, limits, Clipping.of(values, limits), 0.0)


def values_text(first: UnitFieldResult, second: UnitFieldResult, shown: Shown) -> str:
    """Describe what is shown of both fields, and the values of the unit."""
    a, b = format_number(first.value), format_number(second.value)
    what = (
        "effective field of A minus that of B, linear"
        if shown == "difference"
        else "A left of the line, B right of it"
    )
    return f"value {a} in A, {b} in B, A − B {format_number(first.value - second.value)} · {what}"
