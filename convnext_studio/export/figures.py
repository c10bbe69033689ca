"""The figures of a picture: mosaic of a node's channels (and see `attribution_figure`, `field_figures`)."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convnext_studio import __version__
from convnext_studio.common.geometry import Box
from convnext_studio.export.contents import MapContents
from convnext_studio.export.sheet import PAPER, RANDOM_WEIGHTS, ColourBar, sheet
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import (
    ROBUST_PERCENTILES,
    Limits,
    Mosaic,
    Rgb,
    assemble,
    format_number,
    format_percent,
    robust_limits,
)

COLORMAP = "viridis"
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


def png_bytes(figure: Figure, random_weights: bool) -> bytes:
    """A PNG file that carries its caption as text too."""
    texts = PngInfo()
    texts.add_itxt("Software", f"ConvNeXt Studio {__version__}")
    texts.add_itxt("Title", figure.title.encode(errors="replace"))
    mark = (RANDOM_WEIGHTS,) if random_weights else ()
    # Names of files may have characters that no encoding has.
    texts.add_itxt("Description", " ".join((*mark, *figure.caption)).encode(errors="replace"))
    buffer = BytesIO()
    figure.picture.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


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


def enlarged(image: ImageInfo) -> tuple[Rgb, tuple[float, float]]:
    """A picture as large as a figure has it, and its pixels there for each pixel of the picture itself."""
    preview = Image.fromarray(image.preview)
    factor = BODY_PX / max(preview.size)
    size = (max(1, round(preview.width * factor)), max(1, round(preview.height * factor)))
    pixels = np.asarray(preview.resize(size, Image.Resampling.LANCZOS))
    return pixels, (size[0] / image.size[0], size[1] / image.size[1])


def scaled(box: Box, scale: tuple[float, float]) -> Box:
    """A box in pixels of another size."""
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


# --------------------------------------------------------------------------------------------- feature maps


def mosaic_figure(contents: MapContents, result: FeatureMapsResult) -> Figure:
    """All channels of a node on one scale, each unit a square of whole pixels."""
    channels, height, width = result.maps.shape
    mosaic = Mosaic.fitting((channels, height, width), aspect=1.0)
    limits = robust_limits(result.maps)
    pixels = Image.fromarray(assemble(result.maps, mosaic, limits, COLORMAP, background=PAPER))
    factor = max(1, round(BODY_PX / max(pixels.size)))
    body = pixels.resize((pixels.width * factor, pixels.height * factor), Image.Resampling.NEAREST)
    node = contents.model.node(result.node)
    finite = result.maps[np.isfinite(result.maps)]
    caption = [
        f"All {channels} channels of {result.node}, {height} x {width} units each: channel 0 first, "
        f"{mosaic.columns} in a row.",
    ]
    if finite.size:
        caption.append(_scale_text(finite, limits))
    if missing := result.maps.size - finite.size:
        caption.append(f"{missing} of {result.maps.size} values are not finite numbers: chequered in grey.")
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="activation")
    return figure_of(
        body, bar, f"Feature maps of {node.title.lower()}", [*caption, source_text(contents)], contents
    )


def _scale_text(finite: NDArray[np.float32], limits: Limits) -> str:
    beyond = np.count_nonzero((finite < limits.low) | (finite > limits.high)) / finite.size
    return (
        f"One scale for all channels, from percentile {ROBUST_PERCENTILES[0]} to {ROBUST_PERCENTILES[1]}; "
        f"the {format_percent(beyond)} of values beyond it have the colours of its ends. "
        f"Smallest value {format_number(float(finite.min()))}, largest {format_number(float(finite.max()))}."
    )
