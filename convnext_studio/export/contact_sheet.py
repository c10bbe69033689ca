"""The maps of one method on several pictures, beside each other."""

import math
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.export.attribution_figure import MAP_OPACITY, map_box, shading_of
from convnext_studio.export.contents import label_of
from convnext_studio.export.explanations import place_text
from convnext_studio.export.figures import scaled
from convnext_studio.export.sheet import GREY, INK, PAPER, RANDOM_WEIGHTS, WARNING, font, wrapped
from convnext_studio.protocol.attributions import INPUT, Explanation
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import format_number, overlay

_TILE_PX = 320
_GAP_PX = 24
_TEXT_PX = 17
_TITLE_PX = 26
_LINE = 1.35
_LINES_BELOW = 3


def contact_sheet_png(
    model: ModelInfo, images: Sequence[ImageInfo], explanations: Sequence[Explanation]
) -> bytes:
    """The sheet as a PNG file; see `convnext_studio.export.export_contact_sheet`."""
    if not explanations:
        raise StudioError("There is nothing on the contact sheet.", "Wait for the first map.")
    pictures = {image.key: image for image in images}
    columns = math.ceil(math.sqrt(len(explanations)))
    rows = math.ceil(len(explanations) / columns)
    width = columns * (_TILE_PX + _GAP_PX) + _GAP_PX
    heading = _heading(model, explanations[0], width - 2 * _GAP_PX)
    top = _GAP_PX + sum(round(size * _LINE) for _, size, _ in heading) + _GAP_PX // 2
    tiles = [_tile(pictures[explanation.image], explanation) for explanation in explanations]
    tallest = max(tile.height for tile in tiles)
    pitch = tallest + round(_LINES_BELOW * _TEXT_PX * _LINE) + _GAP_PX
    page = Image.new("RGB", (width, top + rows * pitch), PAPER)
    _write(page, (_GAP_PX, _GAP_PX), heading)
    for position, (explanation, tile) in enumerate(zip(explanations, tiles, strict=True)):
        row, column = divmod(position, columns)
        image = pictures[explanation.image]
        x, y = _GAP_PX + column * (_TILE_PX + _GAP_PX), top + row * pitch
        page.paste(tile, (x + (_TILE_PX - tile.width) // 2, y + tallest - tile.height))
        text = f"{label_of(model, explanation.target)}: {explanation.output} {explanation.score:.3g}"
        limits = shading_of(explanation, *explanation.maps).limits
        colours = f"colours from {format_number(limits.low)} to {format_number(limits.high)}"
        lines = [(_cut(image.name), _TEXT_PX, INK), *((_cut(line), _TEXT_PX, GREY) for line in (text, colours))]
        _write(page, (x, y + tallest), lines)
    buffer = BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


_Line = tuple[str, int, tuple[int, int, int]]


def _heading(model: ModelInfo, explanation: Explanation, width: int) -> list[_Line]:
    """Title, what is seen, and, where it is so, that the weights are random."""
    method = method_named(explanation.method)
    (name,) = explanation.maps
    where = "on the input's pixels" if name == INPUT else f"at {place_text(explanation, name)}"
    of = " of the probability" if explanation.output == "probability" else ""
    against = "" if explanation.against is None else f", and not {label_of(model, explanation.against)}"
    shading = shading_of(explanation, name)
    paragraphs = [
        (f"{method.title}{of} {where}{against}", _TITLE_PX, INK),
        (
            f"Model: {model.title} ({model.source}). {shading.text}; each map has a scale of its own.",
            _TEXT_PX,
            GREY,
        ),
    ]
    if model.random_weights:
        paragraphs.append((RANDOM_WEIGHTS, _TEXT_PX, WARNING))
    return [(line, size, ink) for text, size, ink in paragraphs for line in wrapped(text, size, width)]


def _tile(image: ImageInfo, explanation: Explanation) -> Image.Image:
    (name,) = explanation.maps
    preview = Image.fromarray(image.preview)
    factor = _TILE_PX / max(preview.size)
    size = (max(1, round(preview.width * factor)), max(1, round(preview.height * factor)))
    scale = (size[0] / image.size[0], size[1] / image.size[1])
    shading = shading_of(explanation, name)
    return Image.fromarray(
        overlay(
            np.asarray(preview.resize(size, Image.Resampling.LANCZOS)),
            shading.values,
            scaled(map_box(explanation, name), scale),
            shading.limits,
            shading.colormap,
            MAP_OPACITY,
            smooth=name != INPUT,
        )
    )


def _cut(text: str) -> str:
    """As much of a text as fits below a tile."""
    lines = wrapped(text, _TEXT_PX, _TILE_PX)
    return f"{lines[0]} …" if len(lines) > 1 else "".join(lines)


def _write(page: Image.Image, place: tuple[int, int], lines: Sequence[_Line]) -> None:
    draw, (x, y) = ImageDraw.Draw(page), place
    for text, size, ink in lines:
        draw.text((x, y), text, ink, font(size))
        y += round(size * _LINE)
