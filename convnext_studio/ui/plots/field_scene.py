"""The figure of a receptive field: the map, its squares, the theoretical field, and the texts around them."""

import math
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, FieldGeometry
from convnext_studio.erf import (
    DECADES,
    DEFINITIONS,
    OF_WHAT,
    SCALE_TEXTS,
    GaussianFit,
    ShownScale,
    averaged_text,
    lowest_shown,
    scale_of_squares,
    scaled_field,
    side_text,
)
from convnext_studio.erf import square_box as box_of_square
from convnext_studio.protocol.receptive_fields import (
    THRESHOLDS,
    FieldView,
    OpenedField,
    Protocol,
    ReceptiveFieldResult,
    Square,
)
from convnext_studio.render import Clipping, Limits, Range, format_number, format_percent
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.scene import Layer, Mark, Numbers, Scene
from convnext_studio.ui.widgets import theme

PROTOCOLS: dict[Protocol, str] = {
    "centred": "Centred",
    "replknet": "RepLKNet",
    "absolute": "Absolute",
    "luo": "Luo et al.",
}
PROTOCOL_UNKNOWN = "Unknown protocol"

SMALLEST_PX = 3
MEANING = (
    "Theoretical field: the pixels that can affect the unit at all, calculated. Effective "
    "field: those that do, by the gradient. The squares are the smallest around the centre "
    "that hold 20, 30, 50 and 99 % of it."
)
SEES_ALL = "sees the whole picture"


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


class Colours(Struct, frozen=True, kw_only=True):
    """The colouring of a field.

    Attributes
    ----------
    scale
        The scale of the colours, which also decides whose squares are drawn: see `scale_of_squares`.
    is_relative
        Whether these values are divided by their maximum.
    limits
        Ends of the colour scale.
    """

    scale: ShownScale
    colormap: str
    limits: Limits
    is_relative: bool = False


def protocol_title(view: FieldView) -> str:
    """Return the name of the protocol that a field was measured by; a bare array does not say it."""
    return PROTOCOLS[view.protocol] if view.is_protocol_told else PROTOCOL_UNKNOWN


def squares_on(view: FieldView, scale: ShownScale) -> tuple[Square, ...]:
    """Return the squares that are drawn on a scale."""
    return view.squares[scale_of_squares(scale, view.protocol)]


def shown_limits(view: FieldView, scale: ShownScale, chosen: Range) -> Limits:
    """Return the ends of the colour scale."""
    if scale == "decades" and (chosen.kind == "data" or (chosen.kind == "hand" and chosen.hand is None)):
        return Limits(lowest_shown(view.field_map), 0.0)
    return chosen.limits(scaled_field(view.field_map, scale))


def shown_clipping(view: FieldView, scale: ShownScale, values: NDArray[np.float64], limits: Limits) -> Clipping:
    """Return whether values lie beyond the ends of the colour scale, or below the last of the decades."""
    seen = Clipping.of(values, limits)
    field = view.field_map
    has_less = scale == "decades" and bool((field < field.max() * 10.0**-DECADES).any())
    return Clipping(below=seen.below or has_less, above=seen.above)


WINDOW_MARGIN = 0.06
_WHOLE_SHARE = 0.9


def window_around(view: FieldView, scale: ShownScale) -> Box:
    """Return the part of the input to zoom to: the 99 % square with a margin; all of it if that is no less.

    Its edges are whole pixels.
    """
    height, width = view.field_map.shape
    whole = (0.0, 0.0, float(width), float(height))
    outermost = [square for square in squares_on(view, scale) if square.threshold == THRESHOLDS[-1]]
    if not outermost:
        return whole
    x, y, across, down = square_box(view, outermost[0])
    margin = WINDOW_MARGIN * max(across, down) + 1
    left, top = max(math.floor(x - margin), 0), max(math.floor(y - margin), 0)
    right, bottom = (
        min(math.ceil(x + across + margin), width),
        min(math.ceil(y + down + margin), height),
    )
    window = (float(left), float(top), float(right - left), float(bottom - top))
    return whole if window[2] * window[3] > _WHOLE_SHARE * width * height else window


Labels = Literal["full", "short", "one"]


def field_scene(
    view: FieldView,
    colours: Colours,
    *,
    note: str = "",
    labels: Labels = "full",
    window: Box | None = None,
) -> Scene:
    """Return the map with its squares and, dashed, the theoretical field.

    Parameters
    ----------
    note
        The text beside the map.
    labels
        ``full`` and ``short`` ones beside the map, or only ``one`` at the outermost square.
    window
        The part of the input to show, to whose upper left corner the scene's coordinates refer; all of it if
        None.
    """
    layer = field_layer(view, colours, scaled_field(view.field_map, colours.scale), window)
    return marked_scene(view, layer, colours.scale, note=note, labels=labels, window=window)


def field_layer(view: FieldView, colours: Colours, values: NDArray[np.float64], window: Box | None) -> Layer:
    """Return the coloured map of a field, whose `values` on its scale are given, or the part in a window."""
    if colours.is_relative and colours.scale != "decades":
        values = values / values.max()
    height, width = values.shape
    left, top, across, down = window or (0.0, 0.0, float(width), float(height))
    part = np.s_[int(top) : int(top + down), int(left) : int(left + across)]
    layer = map_layer(values[part], (0.0, 0.0, across, down), colours.limits, colours.colormap)
    # A share of the sum is one of the whole field, whatever part of it is shown.
    return replace(layer, numbers=Numbers(lambda: view.field_map[part], lambda: view.field_map))


def marked_scene(
    view: FieldView, layer: Layer, scale: ShownScale, *, note: str, labels: Labels, window: Box | None
) -> Scene:
    """Return the scene of a map that is coloured already; the parameters are those of `field_scene`."""
    height, width = view.field_map.shape
    left, top, across, down = window or (0.0, 0.0, float(width), float(height))
    squares = squares_on(view, scale)
    # In a small figure only the outermost square has a label; the other labels would hide what they frame.
    is_small = labels == "one"
    marks = [
        _square_mark(square, view, labels, has_label=not is_small or square is squares[-1])
        for square in reversed(squares)
    ]
    box = theoretical_box(view)
    if box is not None:
        label = "theoretical" if is_small else f"theoretical · {theoretical_text(view, box)}"
        marks.append(
            Mark(clipped(box, width, height), label, theme.DARK.warning, dashed=True, beside=not is_small)
        )
    moved = [replace(mark, box=_moved(mark.box, -left, -top)) for mark in marks]
    seen = tuple(mark for mark in moved if _is_in_sight(mark.box, across, down))
    return Scene(size=(across, down), layers=(layer,), marks=seen, note=note)


def _moved(box: Box, right: float, down: float) -> Box:
    return box[0] + right, box[1] + down, box[2], box[3]


def _is_in_sight(box: Box, width: float, height: float) -> bool:
    """Return whether a whole frame is within a scene; one that surrounds it all would only confuse."""
    return box[0] >= 0 and box[1] >= 0 and box[0] + box[2] <= width and box[1] + box[3] <= height


def theoretical_text(view: FieldView, box: Box) -> str:
    """Return the size of the theoretical field as it is drawn: “76 px”, or that it is clipped at the edge."""
    height, width = view.field_map.shape
    return f"{box[2]:g} px" if clipped(box, width, height) == box else "clipped at the edge"


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
    return box_of_square(square, view.centre_px, view.field_map.shape)


def square_text(view: FieldView, square: Square) -> str:
    """Return the side of a square as it is drawn, and whether it is clipped."""
    return side_text(square, view.centre_px, view.field_map.shape)


def squares_text(view: FieldView, scale: ShownScale) -> str:
    """Return the sides of all squares, for a caption where the map has no room for labels."""
    return ", ".join(
        f"{100 * square.threshold:g} % in {square_text(view, square)}" for square in squares_on(view, scale)
    )


def _square_mark(square: Square, view: FieldView, labels: Labels, has_label: bool) -> Mark:
    box = square_box(view, square)
    if not has_label:
        return Mark(box)
    share = f"{100 * square.threshold:g} %"
    if labels == "one":
        return Mark(box, share)
    size, _, clipping = square_text(view, square).partition(", ")
    if clipping and labels == "short":
        return Mark(box, f"{share} · {clipping}", beside=True)
    area = format_percent(square.area_ratio, None)
    said = (share, f"{size}, {clipping}" if clipping else size, f"area {area}")
    return Mark(box, " · ".join(said), beside=True)


# ----------------------------------------------------------------------------------------------------- words


def what(view: FieldView) -> str:
    """Return what was measured: a node, a class score, or the field of a file."""
    if isinstance(view, ReceptiveFieldResult):
        return view.node if view.target is None else f"the score of class {view.target}"
    return (view.node or "a saved field") if isinstance(view, OpenedField) else "a field"


def count_text(view: FieldView, progress: str = "") -> str:
    """Return what was averaged: “mean of 8 pictures”, or `progress` (“12 of 50 inputs”) if not empty."""
    if not isinstance(view, ReceptiveFieldResult):
        return "from a file"
    if progress:
        return progress
    return averaged_text(view.pictures, view.noises)


def figure_note(view: FieldView, scale: ShownScale, progress: str = "", *, has_count: bool = True) -> str:
    """Return the note printed on every figure: measured object, protocol, number of inputs and scale."""
    said = [f"ERF of {what(view)}", f"{PROTOCOLS[view.protocol]} protocol"]
    if has_count:
        # In two lines, because the longest one decides how much room is left for the map.
        said += count_text(view, progress).replace(" and ", "\nand ").splitlines()
    said.append(SCALE_TEXTS[scale])
    geometry = theoretical_of(view)
    if geometry is not None and not geometry.is_box:
        said.append(f"sees {geometry.extent}")
    if view.random_weights:
        said.append("random weights")
    return "\n".join(said)


def describe(view: FieldView, shown: ShownScale, progress: str = "") -> str:
    """Return the sentences below the figure: the geometry, and notes on what is missing or failed."""
    height, width = view.field_map.shape
    said, scale = [progress or count_text(view)], scale_of_squares(shown, view.protocol)
    unit = unit_of(view)
    if unit is not None:
        said.append(f"unit (y {unit[0]}, x {unit[1]})")
    fitted = view.fitted if isinstance(view, ReceptiveFieldResult) else ""
    # “input 224 × 224 px, pictures cropped to it”
    how = f", pictures {fitted.rpartition(' ')[0]}" if fitted else ""
    said.append(f"input {width} × {height} px{how}")
    said.extend(_theoretical_words(view))
    own_scale = DEFINITIONS[view.protocol].scale
    if scale != own_scale:
        said.append(f"squares of {OF_WHAT[scale]}, as you chose")
    reached = {square.threshold for square in view.squares[scale]}
    missing = [f"{100 * share:g} %" for share in THRESHOLDS if share not in reached]
    # On the protocol's own scale the notes already say so.
    if missing and own_scale != scale:
        said.append(f"no square within the input holds {' or '.join(missing)}")
    if view.protocol == "luo":
        said.append(_gaussian_words(view.gaussian))
    words = " · ".join(said)
    return " ".join((words[0].upper() + words[1:] + ".", *view.notes))


def _gaussian_words(fit: GaussianFit | None) -> str:
    if fit is None:
        return "no Gaussian fits"
    return f"Gaussian fit: σ {format_number(fit.sigma_px)} px, radius {format_number(fit.radius_px)} px"


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
    return [f"{size}, which extends beyond the input and is clipped at the edge" if is_beyond else size]


def point_text(view: FieldView, x: float, y: float) -> str:
    """Return the read-out of the value under the pointer."""
    row, column = math.floor(y), math.floor(x)
    value, largest = float(view.field_map[row, column]), float(view.field_map.max())
    share = f" · {format_number(value / largest)} of the largest" if largest > 0 else ""
    place = f"{what(view)} · receptive field · input ({column}, {row})"
    return f"{place} · value {format_number(value)}{share}"
