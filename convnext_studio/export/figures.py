"""The figures: mosaic of a node's channels, effective receptive field (and see `attribution_figure`)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.engine.messages import FeatureMapsResult, Protocol, ReceptiveFieldResult, Scale, Square
from convnext_studio.export.contents import ExportContents, MapContents
from convnext_studio.export.marks import dashed_frame, frame, label, label_boxes
from convnext_studio.export.sheet import PAPER, ColourBar, sheet
from convnext_studio.geometry import Box
from convnext_studio.render import Limits, Mosaic, Values, assemble, colorize, format_number, limits_of

COLORMAP = "viridis"
ROBUST_PERCENTILES = (0.5, 99.5)
BODY_PX = 1200
"""Longer side of the map in a figure, where that can be chosen freely."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A finished figure.

    Attributes
    ----------
    picture
        RGB.
    body_xy
        Upper left corner of the map in it, in pixels.
    title, caption
        What is printed above and below.
    """

    picture: Image.Image
    body_xy: tuple[int, int]
    title: str
    caption: tuple[str, ...]


def figure_of(
    body: Image.Image, bar: ColourBar, title: str, caption: list[str], contents: MapContents
) -> Figure:
    """A figure around a map, with the model in its caption, and random weights marked."""
    model = contents.model
    caption = [*caption, f"Model: {model.title} ({model.source})."]
    picture, place = sheet(body, bar, title=title, caption=caption, random_weights=model.random_weights)
    return Figure(picture, place, title, tuple(caption))


def source_text(contents: MapContents) -> str:
    """Name and size of the picture, as every caption ends."""
    width, height = contents.image.size
    return f"Picture: {contents.image.name}, {width} x {height} px."


def scaled(box: Box, scale: tuple[float, float]) -> Box:
    """A box in pixels of another size."""
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


# --------------------------------------------------------------------------------------------- feature maps


def robust_limits(maps: Values) -> Limits:
    """One scale for all channels, without the outermost values: a few units of a ConvNeXt exceed all others."""
    finite = maps[np.isfinite(maps)]
    return limits_of(np.percentile(finite, ROBUST_PERCENTILES) if finite.size else finite)


def mosaic_figure(contents: ExportContents, result: FeatureMapsResult) -> Figure:
    """All channels of a node on one scale, each unit a square of whole pixels."""
    channels, height, width = result.maps.shape
    mosaic = Mosaic.fitting((channels, height, width), aspect=1.0)
    limits = robust_limits(result.maps)
    pixels = Image.fromarray(assemble(result.maps, mosaic, limits, COLORMAP, background=PAPER))
    factor = max(1, round(BODY_PX / max(pixels.size)))
    body = pixels.resize((pixels.width * factor, pixels.height * factor), Image.Resampling.NEAREST)
    node = contents.model.node(result.node)
    finite = result.maps[np.isfinite(result.maps)]
    beyond = np.count_nonzero((finite < limits.low) | (finite > limits.high)) / max(finite.size, 1)
    caption = [
        f"All {channels} channels of {result.node}, {height} x {width} units each: channel 0 first, "
        f"{mosaic.columns} in a row.",
        f"One scale for all channels, from percentile {ROBUST_PERCENTILES[0]} to {ROBUST_PERCENTILES[1]}; "
        f"the {100 * beyond:.1f} % of values beyond it have the colours of its ends. "
        f"Smallest value {format_number(finite.min(initial=np.inf))}, "
        f"largest {format_number(finite.max(initial=-np.inf))}.",
    ]
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="activation")
    return figure_of(
        body, bar, f"Feature maps of {node.title.lower()}", [*caption, source_text(contents)], contents
    )


# ------------------------------------------------------------------------------------------ receptive field

_PROTOCOLS: dict[Protocol, str] = {
    "replknet": "as published (Ding et al. 2022, at 1024 x 1024 px), squares around pixel (h // 2, w // 2)",
    "centred": "gradient as published (Ding et al. 2022), squares around the unit's true centre",
}


def log_view(result: ReceptiveFieldResult) -> NDArray[np.float64]:
    """What the figure shows: log10(1 + gradient)."""
    return np.asarray(np.log10(1 + result.field_map))


def receptive_field_figure(contents: ExportContents) -> Figure:
    """The field on the network's input, in logarithms, with its squares and the theoretical field."""
    result = contents.receptive_field
    view = log_view(result)
    limits = limits_of(np.append(view, 0.0))
    factor = max(1, round(BODY_PX / max(view.shape)))
    body = Image.fromarray(colorize(view, limits, COLORMAP).repeat(factor, 0).repeat(factor, 1))
    theoretical = scaled(result.theoretical.unit_box(*result.unit), (factor, factor))
    dashed_frame(body, theoretical)
    boxes = [scaled(_square_box(result, square), (factor, factor)) for square in result.squares["log"]]
    for box in boxes:
        frame(body, box)
    label_boxes(body, boxes, [f"{100 * square.threshold:g}%" for square in result.squares["log"]])
    if theoretical[1] >= 0:
        label(body, (theoretical[0] + theoretical[2] / 2, theoretical[1]), "mt", "theoretical")
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="log10(1 + gradient)")
    title = f"Effective receptive field of {contents.model.node(result.node).title.lower()}"
    return figure_of(body, bar, title, _receptive_field_caption(result), contents)


def _square_box(result: ReceptiveFieldResult, square: Square) -> Box:
    x, y = (centre - square.side_px / 2 for centre in result.centre_px)
    return x, y, float(square.side_px), float(square.side_px)


def _receptive_field_caption(result: ReceptiveFieldResult) -> list[str]:
    height, width = result.field_map.shape
    row, column = result.unit
    field = result.theoretical
    beyond = min(field.unit_box(*result.unit)[:2]) < 0
    theoretical = f"theoretical field, {field.size_px} px" + (", beyond the input" if beyond else "")
    if field.is_global:
        theoretical += " by its convolutions; the whole input, because the node pools over it"
    averaged = f"{_counted(result.pictures, 'picture')} and {_counted(result.noises, 'noise image')}"
    skipped = f", {result.skipped} skipped because of gradients that are not finite" if result.skipped else ""
    return [
        f"Protocol “{result.protocol}”: {_PROTOCOLS[result.protocol]}. Unit in row {row}, column {column}; "
        f"input {width} x {height} px; average over {averaged}{skipped}.",
        f"Squares hold that share of what is drawn: {_sides(result, 'log')}. "
        f"Of the gradient itself: {_sides(result, 'linear')}.",
        f"Dashed: {theoretical}.",
    ]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _sides(result: ReceptiveFieldResult, scale: Scale) -> str:
    squares = result.squares.get(scale, ())
    return (
        ", ".join(f"{100 * each.threshold:g}% in {each.side_px} px" for each in squares)
        or "none fits the input"
    )
