"""The figures of a picture: mosaic of a node's channels, Grad-CAM on the picture."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convnext_studio import __version__
from convnext_studio.engine.messages import FeatureMapsResult
from convnext_studio.export.contents import ExportContents, label_of
from convnext_studio.export.marks import frame
from convnext_studio.export.sheet import PAPER, RANDOM_WEIGHTS, ColourBar, sheet
from convnext_studio.geometry import Box
from convnext_studio.render import (
    ROBUST_PERCENTILES,
    Mosaic,
    assemble,
    format_number,
    limits_of,
    overlay,
    robust_limits,
)

COLORMAP = "viridis"
CAM_OPACITY = 0.55
# Longer side of the map in a figure, where that can be chosen freely.
BODY_PX = 1200


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


def _figure(
    body: Image.Image, bar: ColourBar, title: str, caption: list[str], contents: ExportContents
) -> Figure:
    model = contents.model
    caption = [*caption, f"Model: {model.title} ({model.source})."]
    picture, place = sheet(body, bar, title=title, caption=caption, random_weights=model.random_weights)
    return Figure(picture, place, title, tuple(caption))


def _source(contents: ExportContents) -> str:
    width, height = contents.image.size
    return f"Picture: {contents.image.name}, {width} x {height} px."


# --------------------------------------------------------------------------------------------- feature maps


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
    return _figure(body, bar, f"Feature maps of {node.title.lower()}", [*caption, _source(contents)], contents)


# ---------------------------------------------------------------------------------------------- attribution


def cam_box(contents: ExportContents) -> Box:
    """Where the Grad-CAM that is written lies in the picture, in picture pixels."""
    field = contents.model.node(contents.cam_stage).field
    height, width = contents.prediction.attribution.cams[contents.cam_stage].shape
    return contents.prediction.attribution.geometry.box_to_picture(field.map_box(height, width))


def cam_figure(contents: ExportContents) -> Figure:
    """The positive part of a stage's Grad-CAM laid over the picture, and what the network sees framed."""
    attribution, image = contents.prediction.attribution, contents.image
    cam = attribution.cams[contents.cam_stage]
    positive = np.maximum(cam, 0)
    limits = limits_of(np.append(positive, np.float32(0)))
    preview = Image.fromarray(image.preview)
    factor = BODY_PX / max(preview.size)
    size = (max(1, round(preview.width * factor)), max(1, round(preview.height * factor)))
    scale = (size[0] / image.size[0], size[1] / image.size[1])
    photograph = np.asarray(preview.resize(size, Image.Resampling.LANCZOS))
    blended = overlay(
        photograph, positive, _scaled(cam_box(contents), scale), limits, COLORMAP, CAM_OPACITY, smooth=True
    )
    body = Image.fromarray(blended)
    frame(body, _scaled(attribution.geometry.crop_box, scale))
    probability = contents.prediction.probabilities[attribution.target]
    caption = [
        f"{attribution.method} of class {attribution.target} at {contents.cam_stage}, "
        f"{cam.shape[0]} x {cam.shape[1]} units; its probability is {100 * probability:.3g} %.",
        f"Positive part, opacity {100 * CAM_OPACITY:.0f} %, resampled bilinearly between the units' centres. "
        f"The signed map goes from {format_number(float(cam.min()))} to {format_number(float(cam.max()))}.",
        "The frame is what the network sees.",
    ]
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="Grad-CAM in logit units")
    title = f"{attribution.method}: {label_of(contents.model, attribution.target)}"
    return _figure(body, bar, title, [*caption, _source(contents)], contents)


def _scaled(box: Box, scale: tuple[float, float]) -> Box:
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]
