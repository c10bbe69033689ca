"""The figure of a receptive field."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.geometry import Box
from convnext_studio.erf import OF_WHAT, definition
from convnext_studio.export.figures import BODY_PX, COLORMAP, Figure
from convnext_studio.export.marks import dashed_frame, frame, label, label_boxes
from convnext_studio.export.sheet import ColourBar, sheet
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult, Scale, Square
from convnext_studio.render import colorize, format_number, format_percent, limits_of


def log_view(result: ReceptiveFieldResult) -> NDArray[np.float64]:
    """What the figure shows: log10(1 + field)."""
    return np.asarray(np.log10(1 + result.field_map))


def field_figure(result: ReceptiveFieldResult) -> Figure:
    """The field on the network's input, in logarithms, its protocol's squares and the theoretical field."""
    view = log_view(result)
    limits = limits_of(np.append(view, 0.0))
    factor = max(1, round(BODY_PX / max(view.shape)))
    body = Image.fromarray(colorize(view, limits, COLORMAP).repeat(factor, 0).repeat(factor, 1))
    if result.theoretical.is_box:
        theoretical = _scaled(result.theoretical.unit_box(*result.unit), factor)
        dashed_frame(body, theoretical)
        if theoretical[1] >= 0:
            label(body, (theoretical[0] + theoretical[2] / 2, theoretical[1]), "mt", "theoretical")
    found = result.squares.get(definition(result.protocol).scale, ())
    boxes = [_scaled(_square_box(result, square), factor) for square in found]
    for box in boxes:
        frame(body, box)
    label_boxes(body, boxes, [f"{100 * square.threshold:g}%" for square in found])
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="log10(1 + gradient)")
    of_what = f"class {result.target}" if result.target is not None else _spaced(result.node)
    title = f"Effective receptive field of {of_what}"
    caption = _caption(result)
    picture, place = sheet(body, bar, title=title, caption=caption, random_weights=result.random_weights)
    return Figure(picture, place, title, tuple(caption))


def _scaled(box: Box, factor: int) -> Box:
    return box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor


def _square_box(result: ReceptiveFieldResult, square: Square) -> Box:
    x, y = (centre - square.side_px / 2 for centre in result.centre_px)
    return x, y, float(square.side_px), float(square.side_px)


def _spaced(node: str) -> str:
    """A node's name as people read it: "stage 3, block 5"."""
    return node.replace(".", ", ").replace("stage", "stage ").replace("block", "block ")


def _caption(result: ReceptiveFieldResult) -> list[str]:
    scale = definition(result.protocol).scale
    other: Scale = "linear" if scale == "log" else "log"
    said = [
        result.protocol_text,
        f"Squares hold that share of {OF_WHAT[scale]}: {_sides(result, scale)}. "
        f"Of {OF_WHAT[other]}: {_sides(result, other)}.",
    ]
    if result.protocol == "luo" and result.gaussian is not None:
        gaussian = result.gaussian
        said.append(
            f"Gaussian fit: sigma {format_number(gaussian.sigma_px)} px, radius to 1 - 95.45 % of its centre "
            f"{format_number(gaussian.radius_px)} px; it explains "
            f"{format_percent(gaussian.explained)} of variance."
        )
    said.append(_theoretical(result))
    if result.skipped:
        said.append(f"{result.skipped} skipped because of gradients that are not finite.")
    return [*said, *result.notes, f"Model: {result.title} ({result.source})."]


def _theoretical(result: ReceptiveFieldResult) -> str:
    field = result.theoretical
    if field.is_global:
        return f"The theoretical field is the whole input; by its convolutions alone, {field.size_px} px."
    if not field.has_box:
        return "No theoretical field is drawn: with attention in windows it is no box around the unit."
    is_beyond = field.box_in_input(*result.unit, *result.field_map.shape)[1]
    beyond = ", beyond the input" if is_beyond else ""
    return f"Dashed: theoretical field, {field.size_px} px{beyond}."


def _sides(result: ReceptiveFieldResult, scale: Scale) -> str:
    squares = result.squares.get(scale, ())
    return (
        ", ".join(f"{100 * each.threshold:g}% in {each.side_px} px" for each in squares)
        or "none fits the input"
    )
