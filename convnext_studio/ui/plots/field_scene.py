"""The figure of a receptive field: the map, its squares, the theoretical field, and the texts around them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, FieldGeometry
from convnext_studio.erf import DEFINITIONS, OF_WHAT
from convnext_studio.protocol.receptive_fields import (
    THRESHOLDS,
    FieldView,
    OpenedField,
    Protocol,
    ReceptiveFieldResult,
    Scale,
    Square,
)
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.scene import Mark, Scene
from convnext_studio.ui.widgets import theme

PROTOCOLS: dict[Protocol, str] = {
    "centred": "Centred",
    "replknet": "RepLKNet",
    "absolute": "Absolute",
    "luo": "Luo et al.",
}

SMALLEST_PX = 3
MEANING = (
    "Theoretical field: the pixels that can affect the unit at all, calculated. Effective "
    "field: those that do, by the gradient. The squares are the smallest around the centre "
    "that hold 20, 30, 50 and 99 % of it."
)
SEES_ALL = "sees the whole picture"


def shown_values(view: FieldView, scale: Scale) -> NDArray[np.float64]:
    """Return the values to colour: the field itself, or log10(field + 1)."""
    return np.log10(view.field_map + 1) if scale == "log" else view.field_map


def why_no_figure(view: FieldView) -> str:
    """Return a sentence that says why the field cannot be shown as a map; empty if it can."""
    field = view.field_map
    height, width = field.shape
    if min(field.shape) < SMALLEST_PX:
        return (
            f"This field has {width} × {height} pixels, which is too small for squares: they need "
            "at least 3 × 3."
        )
    if not np.isfinite(field).all():
        return "This field contains values that are not finite, so shares and squares have no meaning."
    if field.max() == 0:
        return (
            "This field is zero everywhere: no pixel of the inputs affects the measured unit. "
            "Try another unit or more pictures."
        )
    if field.min() == field.max():
        return "This field is the same everywhere: it has no centre and no size."
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """The colouring of a field.

    Attributes
    ----------
    scale
        Whether the field itself or log10(field + 1) is coloured; the squares are those of the same scale.
    is_relative
        Whether these values are divided by their maximum.
    limits
        Ends of the colour scale.
    """

    scale: Scale
    colormap: str
    limits: Limits
    is_relative: bool = False


def field_scene(view: FieldView, colours: Colours, *, note: str = "", is_small: bool = False) -> Scene:
    """Return the map with its squares and, dashed, the theoretical field; shorten labels if `is_small`."""
    values = shown_values(view, colours.scale)
    if colours.is_relative:
        values = values / values.max()
    height, width = values.shape
    whole = (0.0, 0.0, float(width), float(height))
    layer = map_layer(values, whole, colours.limits, colours.colormap, measured=view.field_map)
    scale = colours.scale
    squares = view.squares[scale]
    # In a small figure only the outermost square has a label; the other labels would hide what they frame.
    marks = [
        _square_mark(square, view, is_small, has_label=not is_small or square is squares[-1])
        for square in reversed(squares)
    ]
    box = theoretical_box(view)
    if box is not None:
        label = "theory" if is_small else f"theoretical · {box[2]:g} px"
        marks.append(
            Mark(clipped(box, width, height), label, theme.DARK.warning, dashed=True, beside=not is_small)
        )
    return Scene(size=(width, height), layers=(layer,), marks=tuple(marks), note=note)


def theoretical_of(view: FieldView) -> FieldGeometry | None:
    """Return the geometry of the theoretical field, or None if it is unknown."""
    return view.theoretical if isinstance(view, ReceptiveFieldResult | OpenedField) else None


def unit_of(view: FieldView) -> tuple[int, int] | None:
    """Return row and column of the measured unit; None if unknown, and for a class score."""
    if isinstance(view, ReceptiveFieldResult):
        return view.unit if view.target is None else None
    return view.unit if isinstance(view, OpenedField) else None


def theoretical_box(view: FieldView) -> Box | None:
    """Return the theoretical field of the measured unit in the input.

    The result is None if it is unknown, if a class score was measured, and if the unit sees the whole picture,
    which is stated in words and not drawn.
    """
    geometry, unit = theoretical_of(view), unit_of(view)
    return None if geometry is None or not geometry.is_box or unit is None else geometry.unit_box(*unit)


def nearest_unit(view: ReceptiveFieldResult, x: float, y: float) -> tuple[int, int]:
    """Return row and column of the unit whose theoretical field is centred nearest to a point of the input."""
    height, width = view.field_map.shape
    first, stride = view.theoretical.first_centre_px, view.theoretical.stride_px

    def nearest(at: float, side: int) -> int:
        # As paddings are symmetric, the last field extends at most as far beyond the input as the first.
        last = int((side - 2 * first) // stride)
        return min(max(round((at - first) / stride), 0), max(last, 0))

    return nearest(y, height), nearest(x, width)


def clipped(box: Box, width: float, height: float) -> Box:
    """Return the part of a box that is within the input."""
    x, y = max(box[0], 0.0), max(box[1], 0.0)
    return x, y, min(box[0] + box[2], width) - x, min(box[1] + box[3], height) - y


def square_box(view: FieldView, square: Square) -> Box:
    """Return the part of a square that is within the input."""
    height, width = view.field_map.shape
    side, (x, y) = float(square.side_px), view.centre_px
    return clipped((x - side / 2, y - side / 2, side, side), width, height)


def _square_mark(square: Square, view: FieldView, is_small: bool, has_label: bool) -> Mark:
    box = square_box(view, square)
    if not has_label:
        return Mark(box)
    share = f"{100 * square.threshold:g} %"
    area = format_percent(square.area_ratio, None)
    return Mark(box, share if is_small else f"{share} · {square.side_px} px · area {area}", beside=not is_small)


# ----------------------------------------------------------------------------------------------------- words


def what(view: FieldView) -> str:
    """Return what was measured: a node, a class score, or the field of a file."""
    if isinstance(view, ReceptiveFieldResult):
        return view.node if view.target is None else f"the score of class {view.target}"
    return (view.node or "a saved field") if isinstance(view, OpenedField) else "a field"


def count_text(view: FieldView, progress: str = "") -> str:
    """Return what was averaged over: “8 pictures”, or `progress` (“12 of 50 pictures”) if that is not empty."""
    if not isinstance(view, ReceptiveFieldResult):
        return "from a file"
    if progress:
        return progress
    return averaged_text(view.pictures, view.noises)


def averaged_text(pictures: int, noises: int, total: int | None = None) -> str:
    """Return how many inputs were averaged, and of how many: “8 pictures”, “3 of 8 × noise”."""
    of = "" if total is None else f" of {total}"
    if pictures and noises:
        return f"{pictures + noises}{of} inputs, {noises} of them noise"
    if noises:
        return f"{noises}{of} × noise"
    return f"{pictures}{of} picture{'' if (total or pictures) == 1 else 's'}"


def figure_note(view: FieldView, scale: Scale, progress: str = "") -> str:
    """Return the note printed on every figure: measured object, protocol, number of inputs and scale."""
    said = [f"ERF of {what(view)}", f"{PROTOCOLS[view.protocol]} protocol", count_text(view, progress)]
    said.append("log10(x + 1)" if scale == "log" else "linear")
    geometry = theoretical_of(view)
    if geometry is not None and not geometry.is_box:
        said.append(f"sees {geometry.extent}")
    if view.random_weights:
        said.append("random weights")
    return "\n".join(said)


def describe(view: FieldView, scale: Scale, progress: str = "") -> str:
    """Return the sentences below the figure: the geometry, and notes on what is missing or failed."""
    height, width = view.field_map.shape
    said = [progress] if progress else []
    unit = unit_of(view)
    if unit is not None:
        said.append(f"unit (y {unit[0]}, x {unit[1]})")
    said.append(f"input {width} × {height} px")
    said.extend(_theoretical_words(view))
    own_scale = DEFINITIONS[view.protocol].scale
    if scale != own_scale:
        said.append(f"squares of {OF_WHAT[scale]}, as you chose")
    reached = {square.threshold for square in view.squares[scale]}
    missing = [f"{100 * share:g} %" for share in THRESHOLDS if share not in reached]
    # On the protocol's own scale the notes already say so.
    if missing and own_scale != scale:
        said.append(f"no square within the input holds {' or '.join(missing)}")
    if view.gaussian is not None and view.protocol == "luo":
        said.append(f"Gaussian fit: σ {view.gaussian.sigma_px:.3g} px, radius {view.gaussian.radius_px:.3g} px")
    words = " · ".join(said)
    return " ".join((words[0].upper() + words[1:] + ".", *view.notes))


def _theoretical_words(view: FieldView) -> list[str]:
    geometry, box = theoretical_of(view), theoretical_box(view)
    if isinstance(view, ReceptiveFieldResult) and view.target is not None:
        return [f"a class score {SEES_ALL}, because the head pools over the map"]
    if geometry is not None and not geometry.is_box:
        # The extent is part of the figure's note, and no box is drawn.
        return [f"its convolutions see only {geometry.size_px} px"]
    if box is None:
        return []
    height, width = view.field_map.shape
    size = f"theoretical field {box[2]:g} × {box[3]:g} px"
    is_beyond = box[0] < 0 or box[1] < 0 or box[0] + box[2] > width or box[1] + box[3] > height
    return [f"{size}, which extends beyond the input and is drawn clipped" if is_beyond else size]


def point_text(view: FieldView, x: float, y: float) -> str:
    """Return the read-out of the value under the pointer."""
    row, column = math.floor(y), math.floor(x)
    value, largest = float(view.field_map[row, column]), float(view.field_map.max())
    share = f" · {format_number(value / largest)} of the largest" if largest > 0 else ""
    place = f"{what(view)} · receptive field · input ({column}, {row})"
    return f"{place} · value {format_number(value)}{share}"
