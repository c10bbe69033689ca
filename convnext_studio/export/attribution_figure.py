"""The figure of an attribution: the map on the picture, with what was explained, where and how."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import Box
from convnext_studio.export.contents import MapContents
from convnext_studio.export.explanations import explained_text, place_text
from convnext_studio.export.figures import Figure, enlarged, figure_of, scaled, source_text
from convnext_studio.export.marks import frame
from convnext_studio.export.sheet import ColourBar
from convnext_studio.protocol.attributions import AVERAGE, INPUT, Explanation
from convnext_studio.render import DIVERGING, Limits, format_number, format_percent, limits_of, overlay

SEQUENTIAL_MAP = "viridis"
DIVERGING_MAP = DIVERGING[0]
MAP_OPACITY = 0.55
CLIP_PERCENTILE = 99.5

_UNITS = {"logit": "logit units", "probability": "units of probability", "difference": "logit units"}


@dataclass(frozen=True, slots=True)
class Shading:
    """Which numbers of a map are coloured, how, and the words for it.

    Attributes
    ----------
    values
        (h, w): the map, or its positive part.
    limits, colormap
        As given to `convnext_studio.render.overlay`.
    text
        For the caption.
    """

    values: NDArray[np.float32]
    limits: Limits
    colormap: str
    text: str


def shading_of(explanation: Explanation, name: str) -> Shading:
    """A difference signed; else the positive part. A few pixels exceed all others: their scale is clipped."""
    values = explanation.maps[name]
    is_difference = explanation.output == "difference"
    if not is_difference:
        values = np.maximum(values, 0)
    clipped = values
    if name == INPUT and np.isfinite(values).any():
        bound = float(np.percentile(np.abs(values[np.isfinite(values)]), CLIP_PERCENTILE))
        # Where nearly all is 0, the percentile is, too.
        clipped = np.clip(values, -bound, bound) if bound > 0 else values
    limits = limits_of(np.append(clipped, np.float32(0)), symmetric=is_difference)
    part = "Signed, symmetric about 0" if is_difference else "Positive part"
    text = f"{part}, scale up to percentile {CLIP_PERCENTILE}" if clipped is not values else part
    return Shading(values, limits, DIVERGING_MAP if is_difference else SEQUENTIAL_MAP, text)


def map_box(explanation: Explanation, name: str) -> Box:
    """Where a map lies in the picture, in picture pixels."""
    field = explanation.fields[name]
    return explanation.geometry.box_to_picture(field.map_box(*explanation.maps[name].shape))


def attribution_figure(contents: MapContents, explanation: Explanation, name: str) -> Figure:
    """One of an explanation's maps laid over the picture, and what the network sees framed."""
    image, values, method = contents.image, explanation.maps[name], method_named(explanation.method)
    shading, is_smooth = shading_of(explanation, name), name != INPUT
    picture, scale = enlarged(image)
    body = Image.fromarray(
        overlay(
            picture,
            shading.values,
            scaled(map_box(explanation, name), scale),
            shading.limits,
            shading.colormap,
            MAP_OPACITY,
            smooth=is_smooth,
        )
    )
    frame(body, scaled(explanation.geometry.crop_box, scale))
    resampling = "bilinearly between the units' centres" if is_smooth else "to the nearest pixel of the input"
    caption = [
        _what(contents, explanation, name),
        f"{shading.text}, opacity {100 * MAP_OPACITY:.0f} %, resampled {resampling}. " + _range_text(values),
        *_told(explanation, values),
        "The frame is what the network sees.",
        source_text(contents),
    ]
    bar = ColourBar(limits=shading.limits, colormap=shading.colormap, title=_bar_title(explanation, name))
    return figure_of(
        body, bar, f"{method.title}: {explained_text(contents.model, explanation)}", caption, contents
    )


def _what(contents: MapContents, explanation: Explanation, name: str) -> str:
    height, width = explanation.maps[name].shape
    where = (
        f"on the input's {height} x {width} pixels"
        if name == INPUT
        else f"at {place_text(explanation, name)}, {height} x {width} units"
    )
    against = "" if explanation.against is None else f", and not class {explanation.against},"
    probability = contents.prediction.probabilities[explanation.target]
    of = "the probability of " if explanation.output == "probability" else ""
    return (
        f"{method_named(explanation.method).title} of {of}class {explanation.target}{against} {where}; "
        f"its probability is {format_percent(float(probability), None)}."
    )


def _told(explanation: Explanation, values: NDArray[np.float32]) -> list[str]:
    """Parameters, convergence delta and notes, where there are any."""
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
        return f"{method.title}, parts of the largest"
    if method.is_linear:  # The map scales with what is explained, and so has its unit.
        return f"{method.title} in {_UNITS[explanation.output]}"
    return method.title


def _range_text(values: NDArray[np.float32]) -> str:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return "No value of the map is a finite number."
    low, high = format_number(float(finite.min())), format_number(float(finite.max()))
    return f"The map itself goes from {low} to {high}."
