"""Figures of a picture: the channels of a node, an attribution, and one unit."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import Box
from convnext_studio.export.drawing.figure_page import PAPER, ColourBar, Figure, Marks, map_figure
from convnext_studio.export.export_contents import MapContents, explained_text, place_text
from convnext_studio.protocol.attributions import AVERAGE, INPUT, Explanation
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.receptive_fields import UnitFieldResult
from convnext_studio.render import (
    OVER_PICTURE,
    ROBUST_PERCENTILES,
    Clipping,
    Limits,
    Mosaic,
    Rgb,
    Shading,
    assemble,
    format_number,
    format_percent,
    limits_of,
    overlay,
    robust_limits,
)

COLORMAP = "viridis"
BODY_PX = 1200
"""Longer side of the map in a figure, in pixels, where it can be chosen freely."""

_UNITS = {"logit": "logit units", "probability": "units of probability", "difference": "logit units"}


def _figure_of(
    body: Rgb,
    bar: ColourBar,
    title: str,
    caption: Sequence[str],
    contents: MapContents,
    mark: Callable[[Marks], object] = bool,
) -> Figure:
    """Lay out a map with the picture and model named in its caption, and with random weights marked."""
    model = contents.model
    said = with_sources(caption, model, contents.image)
    return map_figure(body, bar, title=title, caption=said, random_weights=model.random_weights, mark=mark)


def with_sources(caption: Sequence[str], model: ModelInfo, image: ImageInfo) -> list[str]:
    """Return the lines of a caption, and those that name the picture and the model."""
    width, height = image.size
    return [
        *caption,
        f"Picture: {image.name}, {width} x {height} px.",
        f"Model: {model.title} ({model.source}).",
    ]


def enlarged(image: ImageInfo, longest_px: int) -> tuple[Rgb, tuple[float, float]]:
    """Return a picture resized for a figure, and the (x, y) scale from picture pixels to figure pixels."""
    preview = Image.fromarray(image.preview)
    factor = longest_px / max(preview.size)
    size = (max(1, round(preview.width * factor)), max(1, round(preview.height * factor)))
    pixels = np.asarray(preview.resize(size, Image.Resampling.LANCZOS))
    return pixels, (size[0] / image.size[0], size[1] / image.size[1])


def scaled(box: Box, scale: tuple[float, float]) -> Box:
    """Scale a box by factors for x and y."""
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


# --------------------------------------------------------------------------------------------- feature maps


def mosaic_figure(contents: MapContents, result: FeatureMapsResult) -> Figure:
    """Draw all channels of a node on one colour scale, each unit as a square of whole pixels."""
    channels, height, width = result.maps.shape
    mosaic = Mosaic.fitting((channels, height, width), aspect=1.0)
    limits = robust_limits(result.maps)
    pixels = assemble(result.maps, mosaic, limits, COLORMAP, background=PAPER)
    factor = max(1, round(BODY_PX / max(pixels.shape[:2])))
    caption = [
        f"All {channels} channels of {result.node}, {height} x {width} units each: channel 0 first, "
        f"{mosaic.columns} in a row.",
    ]
    finite = result.maps[np.isfinite(result.maps)]
    if finite.size:
        caption.append(_scale_text(finite, limits))
    if missing := result.maps.size - finite.size:
        caption.append(
            f"{missing} of {result.maps.size} values are not finite numbers and are chequered in grey."
        )
    bar = ColourBar(
        limits=limits, colormap=COLORMAP, title="activation", clipping=Clipping.of(result.maps, limits)
    )
    title = f"Feature maps of {contents.model.node(result.node).title.lower()}"
    return _figure_of(pixels.repeat(factor, 0).repeat(factor, 1), bar, title, caption, contents)


def _scale_text(finite: NDArray[np.float32], limits: Limits) -> str:
    beyond = np.count_nonzero((finite < limits.low) | (finite > limits.high)) / finite.size
    return (
        f"One scale for all channels, from percentile {ROBUST_PERCENTILES[0]} to "
        f"{ROBUST_PERCENTILES[1]}; the {format_percent(beyond)} of values beyond it have the "
        f"colours of its ends. The smallest value is {format_number(float(finite.min()))}, the "
        f"largest {format_number(float(finite.max()))}."
    )


# ---------------------------------------------------------------------------------------------- attributions


def shading_of(explanation: Explanation, name: str) -> Shading:
    """Return the default look of a map, which is that of the window."""
    is_difference = explanation.output == "difference"
    return Shading.usual(is_difference=is_difference, is_on_pixels=name == INPUT)


def map_box(explanation: Explanation, name: str) -> Box:
    """Return the box that a map covers, in picture pixels."""
    field = explanation.fields[name]
    return explanation.geometry.box_to_picture(field.map_box(*explanation.maps[name].shape))


def attribution_figure(contents: MapContents, explanation: Explanation, name: str) -> Figure:
    """Draw one of an explanation's maps over the picture, with a frame around what the network sees."""
    values, method = explanation.maps[name], method_named(explanation.method)
    shading = shading_of(explanation, name)
    limits = shading.limits_of([values])
    body, scale = laid_over(contents.image, explanation, name, BODY_PX)
    crop = scaled(explanation.geometry.seen_box, scale)
    caption = [
        _what(contents, explanation, name),
        _look_text(shading, values),
        *_told(explanation, values),
        "The frame marks what the network sees.",
    ]
    bar = ColourBar(
        limits=limits,
        colormap=shading.colormap,
        title=_bar_title(explanation, name),
        clipping=Clipping.of(shading.part_of(values), limits),
        zero=0.0,
    )
    title = f"{method.title}: {explained_text(contents.model, explanation)}"
    return _figure_of(body, bar, title, caption, contents, lambda marks: marks.frame(crop))


def laid_over(
    image: ImageInfo, explanation: Explanation, name: str, longest_px: int
) -> tuple[Rgb, tuple[float, float]]:
    """Return a picture with a map laid over it, and the scale from picture pixels to figure pixels."""
    picture, scale = enlarged(image, longest_px)
    shading, values = shading_of(explanation, name), explanation.maps[name]
    box = scaled(map_box(explanation, name), scale)
    return shading.lay_over(picture, values, box, shading.limits_of([values])), scale


def _look_text(shading: Shading, values: NDArray[np.float32]) -> str:
    """Describe how a map was drawn, and the range of its values."""
    told = ", ".join(shading.text.split(" · "))
    return (
        f"Shown: {told}. The opacity is proportional to the size of the value, up to "
        f"{100 * shading.opacity:.0f} %. {_range_text(values)}"
    )


def size_text(explanation: Explanation, name: str) -> str:
    """Return the size of a map, and whether it was interpolated."""
    is_on_pixels = name == INPUT
    text = shading_of(explanation, name).resolution_text(
        explanation.maps[name].shape, is_on_pixels=is_on_pixels
    )
    return text.replace("×", "x")


def _what(contents: MapContents, explanation: Explanation, name: str) -> str:
    height, width = explanation.maps[name].shape
    where = (
        f"on the input's {height} x {width} pixels"
        if name == INPUT
        else f"at {place_text(explanation, name)}, {size_text(explanation, name)}"
    )
    against = "" if explanation.against is None else f", and not class {explanation.against},"
    probability = contents.prediction.probabilities[explanation.target]
    of = "the probability of " if explanation.output == "probability" else ""
    return (
        f"{method_named(explanation.method).title} of {of}class {explanation.target}{against} {where}; "
        f"its probability is {format_percent(float(probability), None)}."
    )


def _told(explanation: Explanation, values: NDArray[np.float32]) -> list[str]:
    """Return sentences for the parameters, the convergence delta and the notes, if there are any."""
    told = []
    in_force = method_named(explanation.method).in_force(explanation.parameters)
    if in_force:
        settings = ", ".join(f"{name} {value}" for name, value in in_force.items())
        told.append(f"Parameters: {settings}.")
    if explanation.delta is not None:
        told.append(
            f"Convergence delta: {format_number(explanation.delta)}; the map adds up to "
            f"{format_number(float(values.sum(dtype=np.float64)))}."
        )
    return [*told, *([" ".join(explanation.notes)] if explanation.notes else [])]


def _bar_title(explanation: Explanation, name: str) -> str:
    method = method_named(explanation.method)
    if name == AVERAGE:
        return f"{method.title}, relative to the maximum"
    if method.is_linear:  # The map scales with the explained output, so it has the same unit.
        return f"{method.title} in {_UNITS[explanation.output]}"
    return method.title


def _range_text(values: NDArray[np.float32]) -> str:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return "No value of the map is a finite number."
    low, high = format_number(float(finite.min())), format_number(float(finite.max()))
    return f"The values of the map range from {low} to {high}."


# --------------------------------------------------------------------------------------------------- a unit


def unit_figure(contents: MapContents, result: UnitFieldResult) -> Figure:
    """Draw a unit's effective field over the picture, and its theoretical field, if it is a box, dashed."""
    node = contents.model.node(result.node)
    picture, scale = enlarged(contents.image, BODY_PX)
    limits = limits_of(np.append(result.effective, np.float32(0)))
    crop = scaled(result.geometry.seen_box, scale)
    body = overlay(picture, result.effective, crop, limits, OVER_PICTURE)
    clipped = ", clipped at the edge" if result.is_clipped and node.field.is_box else ""
    caption = [
        (
            f"Unit (y {result.y}, x {result.x}) of {result.node}, channel {result.channel}, with "
            f"value {format_number(result.value)}."
        ),
        "The colours show the magnitude of its derivative by the input, summed over red, green and blue.",
        f"Theoretical field: {node.field.extent}{clipped}.",
    ]
    bar = ColourBar(limits=limits, colormap=OVER_PICTURE, title="|d unit / d input|", zero=0.0)
    title = f"One unit of {node.title.lower()}"

    def mark(marks: Marks) -> None:
        if node.field.is_box:
            marks.frame(scaled(result.geometry.box_to_picture(result.clipped_box), scale), dashed=True)

    return _figure_of(body, bar, title, caption, contents, mark)
