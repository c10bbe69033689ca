"""Figures of many maps beside each other: all methods, many classes, or a contact sheet of pictures."""

import math
from collections.abc import Sequence

from msgspec import Struct

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.export.drawing.figure_page import (
    GREY,
    INK,
    RANDOM_WEIGHTS,
    WARNING,
    Line,
    PageCanvas,
    cut_line,
    lines_of,
)
from convnext_studio.export.export_contents import label_of, place_text
from convnext_studio.export.figures import laid_over, shading_of, size_text
from convnext_studio.export.png_encoding import encoded_png
from convnext_studio.protocol.attributions import INPUT, Explanation
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import format_number, pluralize

_TILE_PX = 320
_GAP_PX = 24
_TEXT_PX = 16
_TITLE_PX = 25
_MOST_PICTURES = 12
"""The most pictures whose geometry the caption names one by one."""
_PIXELS = "on the input's pixels"


class Sheet(Struct, frozen=True):
    """A finished wall.

    Attributes
    ----------
    canvas
        The page.
    title, caption
        The texts above and below the maps.
    """

    canvas: PageCanvas
    title: str
    caption: tuple[str, ...]


def contact_sheet(model: ModelInfo, images: Sequence[ImageInfo], explanations: Sequence[Explanation]) -> Sheet:
    """Lay out the maps in the order given; see `convnext_studio.export.export_contact_sheet`."""
    if not explanations:
        raise StudioError("There is nothing on the contact sheet.", "Wait for the first map.")
    pictures = {image.key: image for image in images}
    columns = math.ceil(math.sqrt(len(explanations)))
    rows = math.ceil(len(explanations) / columns)
    width = columns * (_TILE_PX + _GAP_PX) + _GAP_PX
    across = width - 2 * _GAP_PX
    title, heading = _heading(model, explanations, across)
    caption = _caption(model, pictures, explanations)
    foot = [line for text in caption for line in lines_of(text, _TEXT_PX, GREY, across)]
    below = [_tile_texts(model, pictures[each.image], each, explanations) for each in explanations]
    tiles = [laid_over(pictures[each.image], each, next(iter(each.maps)), _TILE_PX)[0] for each in explanations]
    top = _GAP_PX + sum(line.height for line in heading) + _GAP_PX // 2
    tallest = max(tile.shape[0] for tile in tiles)
    pitch = tallest + sum(line.height for line in below[0]) + _GAP_PX
    height = top + rows * pitch + sum(line.height for line in foot) + (_GAP_PX if foot else 0)
    canvas = PageCanvas(width, height)
    canvas.lines(_GAP_PX, _GAP_PX, heading)
    for position, (tile, texts) in enumerate(zip(tiles, below, strict=True)):
        row, column = divmod(position, columns)
        x, y = _GAP_PX + column * (_TILE_PX + _GAP_PX), top + row * pitch
        canvas.image(x + (_TILE_PX - tile.shape[1]) // 2, y + tallest - tile.shape[0], tile)
        canvas.lines(x, y + tallest, texts)
    canvas.lines(_GAP_PX, top + rows * pitch, foot)
    return Sheet(canvas, title, tuple(caption))


def contact_sheet_png(
    model: ModelInfo, images: Sequence[ImageInfo], explanations: Sequence[Explanation]
) -> bytes:
    """Return the wall as a PNG file; see `convnext_studio.export.export_contact_sheet`."""
    return encoded_png(contact_sheet(model, images, explanations).canvas.pixels(), {})


def _tile_texts(
    model: ModelInfo, image: ImageInfo, explanation: Explanation, all_of_them: Sequence[Explanation]
) -> list[Line]:
    """Return the lines below a map: first what it differs in from the others."""
    [(name, values)] = explanation.maps.items()
    limits = shading_of(explanation, name).limits_of([values])
    label = label_of(model, explanation.target)
    scored = f"{label}: {explanation.output} {explanation.score:.3g}"
    first, second = image.name, scored
    if _has_methods(all_of_them):
        first, second = method_named(explanation.method).title, scored
    elif _has_one_picture(all_of_them):
        first, second = label, f"{explanation.output} {explanation.score:.3g}"
    texts = (
        (first, INK),
        (second, GREY),
        (f"colours from {format_number(limits.low)} to {format_number(limits.high)}", GREY),
    )
    return [cut_line(text, _TEXT_PX, colour, _TILE_PX) for text, colour in texts]


def _has_methods(explanations: Sequence[Explanation]) -> bool:
    return len({each.method for each in explanations}) > 1


def _has_one_picture(explanations: Sequence[Explanation]) -> bool:
    return len(explanations) > 1 and len({each.image for each in explanations}) == 1


def _heading(model: ModelInfo, explanations: Sequence[Explanation], width: int) -> tuple[str, list[Line]]:
    """Return the title, and the lines above the maps: title, model, and a warning about random weights."""
    explanation = explanations[0]
    (name,) = explanation.maps
    where = _PIXELS if name == INPUT else f"at {place_text(explanation, name)}"
    of = " of the probability" if explanation.output == "probability" else ""
    against = "" if explanation.against is None else f", and not {label_of(model, explanation.against)}"
    shading = shading_of(explanation, name)
    told = ", ".join((size_text(explanation, name), *shading.text.split(" · ")))
    title = f"{method_named(explanation.method).title}{of} {where}{against}"
    if _has_methods(explanations):
        methods = pluralize(len(explanations), "method")
        title = f"{methods}{of} for {label_of(model, explanation.target)}{against}"
        told = "One look for all methods, as far as they allow it"
    elif _has_one_picture(explanations):
        title = f"{title}, for {pluralize(len(explanations), 'class', 'classes')}"
    said = f"Model: {model.title} ({model.source}). {told}; each map has its own scale."
    lines = [*lines_of(title, _TITLE_PX, INK, width), *lines_of(said, _TEXT_PX, GREY, width)]
    if model.random_weights:
        lines += lines_of(RANDOM_WEIGHTS, _TEXT_PX, WARNING, width)
    return title, lines


def _caption(
    model: ModelInfo, pictures: dict[str, ImageInfo], explanations: Sequence[Explanation]
) -> list[str]:
    """Return paragraphs that name every method with its paper, and node, class and geometry."""
    return [
        _methods_text(explanations),
        _places_text(explanations),
        _classes_text(model, explanations),
        _geometry_text(pictures, explanations),
    ]


def _methods_text(explanations: Sequence[Explanation]) -> str:
    said = []
    for name in dict.fromkeys(each.method for each in explanations):
        method = method_named(name)
        settings = next(each.parameters for each in explanations if each.method == name)
        in_force = ", ".join(f"{key} {value}" for key, value in method.in_force(settings).items())
        said.append(f"{method.title} ({method.source}{'; ' + in_force if in_force else ''})")
    return f"{'Methods' if len(said) > 1 else 'Method'}: {'; '.join(said)}."


def _places_text(explanations: Sequence[Explanation]) -> str:
    places: dict[str, None] = {}
    for each in explanations:
        (name,) = each.maps
        height, width = each.maps[name].shape
        if name == INPUT:
            places[f"the input's {height} x {width} pixels"] = None
        else:
            stride = each.fields[name].stride_px
            where = place_text(each, name)
            places[f"{where}, {height} x {width} units, one every {stride} px of the input"] = None
    return f"Where: {'; '.join(places)}."


def _classes_text(model: ModelInfo, explanations: Sequence[Explanation]) -> str:
    first = explanations[0]
    classes = dict.fromkeys(each.target for each in explanations)
    named = "; ".join(f"{label_of(model, index)} (class {index})" for index in classes)
    against = ""
    if first.against is not None:
        against = f", and not {label_of(model, first.against)} (class {first.against})"
    return f"Explained: the {first.output} of {named}{against}."


def _geometry_text(pictures: dict[str, ImageInfo], explanations: Sequence[Explanation]) -> str:
    geometries = {each.image: each.geometry for each in explanations}
    if len(geometries) > _MOST_PICTURES:
        sizes = {geometry.input_size for geometry in geometries.values()}
        widest, highest = (max(side) for side in zip(*sizes, strict=True))
        most = "" if len(sizes) == 1 else "at most "
        how = "padded" if any(geometry.is_padded for geometry in geometries.values()) else "cropped"
        return f"Pictures: {len(geometries)}, each resized and {how} to {most}{widest} x {highest} px."
    said = []
    for key, geometry in geometries.items():
        width, height = pictures[key].size
        said.append(f"{pictures[key].name}, {width} x {height} px, {_input_text(geometry)}")
    return f"{'Pictures' if len(said) > 1 else 'Picture'}: {'; '.join(said)}."


def _input_text(geometry: CropGeometry) -> str:
    """Say how the network's input was made of a picture."""
    (resized_width, resized_height), (width, height) = geometry.resized_size, geometry.input_size
    shown_width, shown_height = (round(side) for side in geometry.seen_in_input[2:])
    left, top = (max(side, 0) for side in geometry.crop_origin)
    said = [f"resized to {resized_width} x {resized_height}"]
    if (shown_width, shown_height) != (resized_width, resized_height) or not geometry.is_padded:
        said.append(f"cropped to {shown_width} x {shown_height} from ({left}, {top})")
    if geometry.is_padded:
        said.append(f"padded to {width} x {height}")
    return " and ".join(said)
