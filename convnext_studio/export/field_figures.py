"""Figures of receptive fields: the map of one field, and the curves of several over the distance."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.erf import (
    DECADES,
    OF_WHAT,
    THRESHOLDS,
    GaussianFit,
    ShownScale,
    averaged_text,
    definition,
    lowest_shown,
    scaled_field,
    side_text,
    square_box,
    usual_scale,
)
from convnext_studio.export.drawing.figure_page import (
    GREY,
    INK,
    ColourBar,
    Figure,
    Marks,
    PageCanvas,
    hex_of,
    map_figure,
    page_figure,
    style_ticks,
)
from convnext_studio.export.drawing.fonts import cut, plain, width_of
from convnext_studio.export.figures import BODY_PX, COLORMAP, scaled
from convnext_studio.protocol.receptive_fields import FieldView, ReceptiveFieldResult, Scale, Square
from convnext_studio.render import (
    UNCLIPPED,
    Clipping,
    Limits,
    colorize,
    format_number,
    format_percent,
    format_ticks,
    limits_of,
    nice_ticks,
)

_BAR_TITLES: dict[ShownScale, str] = {
    "decades": "log10 of the fraction of the largest gradient",
    "log": "log10(1 + gradient)",
}


def field_figure(result: ReceptiveFieldResult) -> Figure:
    """Draw the logarithm of a field on the network's input, with its squares and the theoretical field.

    The logarithm is that of the fraction of the largest value, or for RepLKNet's protocol the published one.
    """
    scale = usual_scale(result.protocol)
    view, limits, clipping = _shown(result.field_map, scale)
    factor = max(1, round(BODY_PX / max(view.shape)))
    body = colorize(view, limits, COLORMAP).repeat(factor, 0).repeat(factor, 1)
    found = result.squares.get(definition(result.protocol).scale, ())
    by = float(factor), float(factor)
    boxes = [scaled(square_box(square, result.centre_px, result.field_map.shape), by) for square in found]

    def mark(marks: Marks) -> None:
        if result.theoretical.is_box:
            theoretical = scaled(result.theoretical.unit_box(*result.unit), by)
            marks.frame(theoretical, dashed=True)
            if theoretical[1] >= 0:
                middle = theoretical[0] + theoretical[2] / 2
                marks.label(middle, theoretical[1], "theoretical", below=True)
        for box in boxes:
            marks.frame(box)
        marks.label_boxes(boxes, [f"{100 * square.threshold:g}%" for square in found])

    of_what = f"class {result.target}" if result.target is not None else _spaced(result.node)
    return map_figure(
        body,
        ColourBar(limits=limits, colormap=COLORMAP, title=_BAR_TITLES[scale], clipping=clipping),
        title=f"Effective receptive field of {of_what}",
        caption=_caption(result),
        random_weights=result.random_weights,
        mark=mark,
    )


def _shown(field: NDArray[np.float64], scale: ShownScale) -> tuple[NDArray[np.float64], Limits, Clipping]:
    """Return the values to colour, the ends of their scale, and whether there are values beyond."""
    largest = float(field.max())
    if scale == "log" or largest == 0:
        view = scaled_field(field, "log")
        return view, limits_of(np.append(view, 0.0)), UNCLIPPED
    below = bool((field < largest * 10.0**-DECADES).any())
    return scaled_field(field, scale), Limits(lowest_shown(field), 0.0), Clipping(below=below)


def _spaced(node: str) -> str:
    """Return a node's name for readers, such as "stage 3, block 5"."""
    return node.replace(".", ", ").replace("stage", "stage ").replace("block", "block ")


def _caption(result: ReceptiveFieldResult) -> list[str]:
    scale = definition(result.protocol).scale
    other: Scale = "linear" if scale == "log" else "log"
    averaged = averaged_text(result.pictures, result.noises)
    said = [
        f"{averaged[0].upper()}{averaged[1:]}. {result.protocol_text}",
        (
            f"The squares hold these shares of {OF_WHAT[scale]}: {_sides(result, scale)}; and of "
            f"{OF_WHAT[other]}: {_sides(result, other)}."
        ),
    ]
    if result.protocol == "luo":
        said.append(_gaussian_text(result.gaussian))
    said.append(_theoretical(result))
    if result.skipped:
        said.append(f"{result.skipped} skipped because of gradients that are not finite.")
    return [*said, *result.notes, f"Model: {result.title} ({result.source})."]


def _gaussian_text(fit: GaussianFit | None) -> str:
    if fit is None:
        return "No Gaussian fits the field."
    return (
        f"Gaussian fit: sigma {format_number(fit.sigma_px)} px, radius at 1 - 95.45 % of the central value "
        f"{format_number(fit.radius_px)} px; it explains {format_percent(fit.explained)} of the variance."
    )


def _theoretical(result: ReceptiveFieldResult) -> str:
    field = result.theoretical
    if field.is_global:
        return f"The theoretical field is the whole input; the convolutions alone see {field.size_px} px."
    if not field.has_box:
        return (
            "No theoretical field is drawn, because with attention in windows it is not a box around the unit."
        )
    is_beyond = field.box_in_input(*result.unit, *result.field_map.shape)[1]
    beyond = ", beyond the input" if is_beyond else ""
    return f"Dashed: theoretical field, {field.size_px} px{beyond}."


def _sides(result: ReceptiveFieldResult, scale: Scale) -> str:
    squares = result.squares.get(scale, ())
    return (
        ", ".join(
            f"{100 * each.threshold:g}% in {side_text(each, result.centre_px, result.field_map.shape)}"
            for each in squares
        )
        or "none fits the input"
    )


# --------------------------------------------------------------------------------------------------- curves

# Okabe and Ito's colours, which colour-blind readers can tell apart; in print the legend's order helps.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
_PLOT_PX = (560, 460)
_LEFT, _TOP, _RIGHT, _BOTTOM = 92, 40, 24, 70
_ROW_PX = 30
_TEXT_PX, _TITLE_PX = 16, 19
_COLUMN_PX = 150
_DECADES = 6
"""The most powers of ten below its largest value that the radial profile is drawn down to."""

Values = NDArray[np.float64]


class _Plot(Struct, frozen=True, kw_only=True):
    """A line plot, whose lines have the colours of `COLOURS` in order."""

    title: str
    y_title: str
    x: Limits
    y: Limits
    lines: Sequence[tuple[Values, Values]]
    y_ticks: Sequence[float]
    y_texts: Sequence[str]

    def draw(self, canvas: PageCanvas) -> None:
        width, height = _PLOT_PX
        axes = canvas.axes((_LEFT, _TOP, width, height))
        for (x, y), colour in zip(self.lines, COLOURS, strict=False):
            axes.plot(x, y, color=hex_of(colour), linewidth=3, linestyle="-", marker="")
        axes.set(facecolor="white", xlim=(self.x.low, self.x.high), ylim=(self.y.low, self.y.high))
        axes.grid(visible=False)
        ticks = nice_ticks(self.x)
        axes.set_xticks(ticks, format_ticks(ticks))
        axes.set_yticks(self.y_ticks, self.y_texts)
        style_ticks(axes, _TEXT_PX, 6)
        for spine in axes.spines.values():
            spine.set(visible=True, color=hex_of(INK), linewidth=1)
        middle = _LEFT + width / 2
        canvas.text(middle, _TOP - 14, self.title, _TITLE_PX, INK, place="center")
        below = _TOP + height + 54
        canvas.text(middle, below, "distance from the centre in input pixels", _TEXT_PX, GREY, place="center")
        canvas.upright(_TEXT_PX, _TOP + height / 2, self.y_title, _TEXT_PX, GREY)


def curves_figure(views: Sequence[FieldView]) -> Figure:
    """Draw the cumulative contribution, radial profile and table of squares of up to four fields."""
    shown = [view for view in views if view.curves is not None][: len(COLOURS)]
    width, height = _LEFT + _PLOT_PX[0] + _RIGHT, _TOP + _PLOT_PX[1] + _BOTTOM

    def draw(canvas: PageCanvas) -> None:
        _cumulative(shown).draw(canvas)
        _radial(shown).draw(canvas.at(width, 0))
        _draw_table(canvas.at(0, height), shown, 2 * width - _RIGHT)

    caption = list(dict.fromkeys(view.protocol_text for view in shown))
    caption.append(
        "The distance is Euclidean, from the centre of the squares. The profile is the mean "
        "over rings one pixel wide, relative to the maximum, without rings of zeros and values "
        f"below 1e-{_DECADES}."
    )
    return page_figure(
        (2 * width, height + _ROW_PX * (len(shown) + 1) + 10),
        draw,
        title="Receptive fields over the distance from the centre",
        caption=caption,
        # If only some networks have random weights, the table says which.
        random_weights=all(view.random_weights for view in shown),
        unit=0.9,
    )


def _farthest(shown: Sequence[FieldView]) -> float:
    return max((float(view.curves.distance_px[-1]) for view in shown if view.curves is not None), default=1.0)


def _cumulative(shown: Sequence[FieldView]) -> _Plot:
    lines = [
        (np.append(0, view.curves.distance_px), np.append(0, view.curves.cumulative))
        for view in shown
        if view.curves is not None
    ]
    ticks = nice_ticks(Limits(0, 1))
    return _Plot(
        title="Cumulative contribution",
        y_title="share of the field within the distance",
        x=Limits(0, _farthest(shown)),
        y=Limits(0, 1),
        lines=lines,
        y_ticks=ticks,
        y_texts=format_ticks(ticks),
    )


def _radial(shown: Sequence[FieldView]) -> _Plot:
    lines = []
    for view in shown:
        if view.curves is None:
            continue
        largest = np.nanmax(view.curves.radial)
        positive = view.curves.radial > 0
        relative = view.curves.radial[positive] / largest if largest > 0 else np.zeros(0)
        lines.append((view.curves.distance_px[positive], np.log10(relative)))
    smallest = min((float(y.min()) for _, y in lines if len(y)), default=-1.0)
    decades = min(max(math.ceil(-smallest), 1), _DECADES)
    exponents = range(-decades, 1)
    return _Plot(
        title="Radial profile",
        y_title="mean of the ring, relative to the maximum",
        x=Limits(0, _farthest(shown)),
        y=Limits(-decades, 0),
        lines=lines,
        y_ticks=tuple(exponents),
        y_texts=["1" if exponent == 0 else f"1e{exponent}" for exponent in exponents],
    )


def _square_text(view: FieldView, square: Square) -> str:
    _, _, across, down = square_box(square, view.centre_px, view.field_map.shape)
    return f"{max(across, down):g} px, {format_percent(square.area_ratio)}"


def _draw_table(canvas: PageCanvas, shown: Sequence[FieldView], width: int) -> None:
    """Draw a row for each field: its colour, its name, and its square on the linear scale for each share."""
    first = width - len(THRESHOLDS) * _COLUMN_PX

    def write(row: int, x: float, text: str, colour: tuple[int, int, int], place: str = "right") -> None:
        canvas.text(x, _ROW_PX * row + 0.7 * _ROW_PX, text, _TEXT_PX, colour, place=place)

    write(0, _LEFT, "side and area of the square that holds", GREY, "left")
    for column, share in enumerate(THRESHOLDS, 1):
        write(0, first + _COLUMN_PX * column, f"{100 * share:g} %", GREY)
    for row, (view, colour) in enumerate(zip(shown, COLOURS, strict=False), 1):
        middle = _ROW_PX * row + 0.5 * _ROW_PX
        canvas.line((_LEFT, middle), (_LEFT + 34, middle), 5, colour)
        mark, gap = "(random weights)" if view.random_weights else "", 6
        name = cut(plain(view.title), _TEXT_PX, first - _LEFT - 46 - gap - width_of(mark, _TEXT_PX))
        write(row, _LEFT + 46, name, INK, "left")
        write(row, _LEFT + 46 + width_of(name, _TEXT_PX) + gap, mark, INK, "left")
        reached = {square.threshold: square for square in view.squares.get("linear", ())}
        for column, share in enumerate(THRESHOLDS, 1):
            square = reached.get(share)
            text = "none" if square is None else _square_text(view, square)
            write(row, first + _COLUMN_PX * column, text, INK)
