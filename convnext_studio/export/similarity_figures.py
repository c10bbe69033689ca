"""Figures of what positions have in common: components, the likeness to one position, parts, norms."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from PIL import Image

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.common.likeness import MEASURE_TITLES
from convnext_studio.export.drawing.figure_page import (
    GREY,
    INK,
    ColourBar,
    Figure,
    Marks,
    PageCanvas,
    map_figure,
    page_figure,
)
from convnext_studio.export.figures import BODY_PX, enlarged, scaled, with_sources
from convnext_studio.export.png_encoding import encoded_png
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import (
    ComponentsResult,
    Map,
    MostAlikeResult,
    NormsResult,
    Parts,
    PictureParts,
)
from convnext_studio.render import (
    OVER_PICTURE,
    SIGNED_OVER_PICTURE,
    Clipping,
    Rgb,
    blended,
    format_number,
    format_percent,
    label_picture,
    laid_over,
    likeness_limits,
    limits_of,
    overlay,
    part_rgb,
    seen_map,
    signed_limits,
    three_colours,
)

OPACITY = 0.85
COLOUR_NAMES = ("red", "green", "blue")
_GAP_PX = 20
_TEXT_PX = 22


def _box_of(
    shape: Sequence[int], field: FieldGeometry, geometry: CropGeometry, scale: tuple[float, float]
) -> Box:
    """Return the box of a map in the pixels of a figure."""
    x, y, width, height = geometry.box_to_picture(field.map_box(shape[0], shape[1]))
    return x * scale[0], y * scale[1], width * scale[0], height * scale[1]


# ------------------------------------------------------------------------------------------- components


def components_figure(model: ModelInfo, image: ImageInfo, result: ComponentsResult) -> Figure:
    """Draw three components as the colours of a picture, and each of them as a signed map beside it."""
    basis = result.basis
    scores, place = seen_map(result.scores.maps, result.field, result.scores.geometry)
    picture, scale = enlarged(image, BODY_PX)
    box = scaled(place, scale)
    body = laid_over(picture, three_colours(scores, basis.ends), box, OPACITY)
    shown = range(min(3, len(scores)))
    height, width = body.shape[:2]
    small_px = max(1, round((height - 2 * _GAP_PX) / 3 - 1.4 * _TEXT_PX))
    small, small_scale = enlarged(image, max(1, round(small_px * max(1.0, width / height))))
    singles = [
        overlay(
            small,
            scores[index],
            scaled(place, small_scale),
            signed_limits(basis.ends[index]),
            SIGNED_OVER_PICTURE,
            smooth=True,
        )
        for index in shown
    ]

    def draw(canvas: PageCanvas) -> None:
        canvas.image(0, 0, body)
        for index, single in zip(shown, singles, strict=True):
            top = round(index * (height + _GAP_PX) / 3)
            text = f"{index + 1} ({COLOUR_NAMES[index]}): {format_percent(basis.shares[index])}"
            canvas.text(width + _GAP_PX, top + 0.8 * _TEXT_PX, text, _TEXT_PX, INK)
            canvas.image(width + _GAP_PX, top + round(1.3 * _TEXT_PX), single)

    caption = [
        f"The first {len(shown)} principal components of the {scores.shape[1]} x {scores.shape[2]} "
        f"positions of {result.node}, computed from {basis.origin} ({basis.positions} positions).",
        *(component_text(result, index) for index in shown),
        "In the single maps, warm colours are positive and cold ones negative.",
    ]
    whole = (width + _GAP_PX + small.shape[1], max(height, round(1.3 * _TEXT_PX) + small.shape[0]))
    return page_figure(
        whole,
        draw,
        title=f"Principal components of {model.node(result.node).title.lower()}",
        caption=with_sources(caption, model, image),
        random_weights=model.random_weights,
    )


def component_text(result: ComponentsResult, index: int) -> str:
    """Describe a component: its colour, variance and scale, and the channels that load on it."""
    basis = result.basis
    low, high = basis.ends[index]
    loadings = ", ".join(
        f"{channel} ({format_number(loading)})" for channel, loading in basis.loadings(index, 3)
    )
    colour = f" is {COLOUR_NAMES[index]}," if index < 3 else ""
    return (
        f"Component {index + 1}{colour} from {format_number(low)} to {format_number(high)}, and explains "
        f"{format_percent(basis.shares[index], None)} of the variance; channels {loadings} load most."
    )


# --------------------------------------------------------------------------------------------- likeness


def likeness_figure(model: ModelInfo, image: ImageInfo, result: MostAlikeResult, of: str) -> Figure:
    """Draw the likeness of a picture's positions to one position; `of` says which, in words."""
    placed = next(each for each in result.likeness if each.image == image.key)
    values = placed.maps[0]
    limits = likeness_limits(values, result.measure)
    colormap = SIGNED_OVER_PICTURE if limits.low < 0 else OVER_PICTURE
    title = MEASURE_TITLES[result.measure]
    mark: Callable[[Marks], object] = bool
    if result.image == image.key:
        own = _box_of((1, 1), result.field, placed.geometry, (1.0, 1.0))
        across, down = own[2] * result.x, own[3] * result.y
        unit = (own[0] + across, own[1] + down, own[2], own[3])

        def mark(marks: Marks) -> None:
            scale = BODY_PX / max(image.size)
            marks.frame((unit[0] * scale, unit[1] * scale, unit[2] * scale, unit[3] * scale))

    caption = f"{title} of the vector at every position of {result.node} with that at {of}."
    return _over_figure(
        model,
        image,
        values,
        (result.field, placed.geometry),
        ColourBar(
            limits=limits,
            colormap=colormap,
            title=title.lower(),
            clipping=Clipping.of(values, limits),
            zero=max(limits.low, 0.0),
        ),
        f"What {model.node(result.node).title.lower()} calls the same",
        [caption],
        mark,
    )


def _over_figure(
    model: ModelInfo,
    image: ImageInfo,
    values: Map,
    placed: tuple[FieldGeometry, CropGeometry],
    bar: ColourBar,
    title: str,
    caption: Sequence[str],
    mark: Callable[[Marks], object] = bool,
) -> Figure:
    picture, scale = enlarged(image, BODY_PX)
    values, place = seen_map(values, *placed)
    box = scaled(place, scale)
    body = overlay(picture, values, box, bar.limits, bar.colormap, smooth=True, zero=bar.zero or 0.0)
    return map_figure(
        body,
        bar,
        title=title,
        caption=with_sources(caption, model, image),
        random_weights=model.random_weights,
        mark=mark,
    )


# ------------------------------------------------------------------------------------------------ parts


def part_name(index: int, names: Sequence[str] = ()) -> str:
    """Return the name that was given to a part, or its number, counted from 1."""
    given = names[index] if index < len(names) else ""
    return given or f"Part {index + 1}"


def parts_figure(model: ModelInfo, image: ImageInfo, parts: Parts, names: Sequence[str] = ()) -> Figure:
    """Draw the parts of one picture with a legend."""
    shown = next(each for each in parts.pictures if each.image == image.key)
    picture, scale = enlarged(image, BODY_PX)
    height, width = picture.shape[:2]
    labels = label_picture(
        shown.labels, _box_of(shown.labels.shape, parts.field, shown.geometry, scale), (width, height)
    )
    body = _tinted(picture, labels)
    own, _ = seen_map(shown.labels, parts.field, shown.geometry)
    rows = [
        (index, f"{part_name(index, names)}: {format_percent(float((own == index).mean()))}")
        for index in range(len(parts.parts))
    ]
    legend_px = 300

    def draw(canvas: PageCanvas) -> None:
        canvas.image(0, 0, body)
        for line, (index, text) in enumerate(rows):
            top = line * 2 * _TEXT_PX
            square = np.full((_TEXT_PX, _TEXT_PX, 3), part_rgb(index), np.uint8)
            canvas.image(width + _GAP_PX, top, square)
            canvas.text(
                width + _GAP_PX + round(1.6 * _TEXT_PX), top + 0.85 * _TEXT_PX, text, 0.8 * _TEXT_PX, INK
            )
        canvas.text(width + _GAP_PX, (2 * len(rows) + 1) * _TEXT_PX, "Share of the area", 0.8 * _TEXT_PX, GREY)

    how = "k-means" if parts.method == "kmeans" else "Non-negative matrix factorisation"
    caption = f"{how} of the positions of {parts.node} over {len(parts.pictures)} pictures: {len(rows)} parts."
    return page_figure(
        (width + _GAP_PX + legend_px, max(height, (2 * len(rows) + 2) * _TEXT_PX)),
        draw,
        title=f"Parts at {model.node(parts.node).title.lower()}",
        caption=with_sources([caption], model, image),
        random_weights=model.random_weights,
    )


def _tinted(picture: Rgb, labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Rgb:
    """Tint each part of a picture, with its borders opaque."""
    border = np.zeros(labels.shape, np.bool_)
    for step in (1, 2):
        border[step:] |= labels[step:] != labels[:-step]
        border[:, step:] |= labels[:, step:] != labels[:, :-step]
    veil = np.zeros((*labels.shape, 4), np.uint8)
    for label in np.unique(labels).tolist():
        if label:
            veil[labels == label] = (*part_rgb(label - 1), 105)
    veil[..., 3][border & (labels > 0)] = 255
    return blended(picture, veil)


def label_image(parts: Parts, shown: PictureParts, hidden: Collection[int] = ()) -> Image.Image:
    """Return the label of every pixel of a picture, in the picture's own size.

    The image has a palette: index 0 is what belongs to no part that is shown, and index n the nth part.
    """
    box = shown.geometry.box_to_picture(parts.field.map_box(*shown.labels.shape))
    image = Image.fromarray(label_picture(shown.labels, box, shown.geometry.picture_size, hidden))
    palette = [0, 0, 0]
    for index in range(len(parts.parts)):
        palette += part_rgb(index)
    image.putpalette(palette)
    return image


def label_png(
    parts: Parts, shown: PictureParts, names: Sequence[str] = (), hidden: Collection[int] = ()
) -> bytes:
    """Return the label image as a PNG file, with the parts' names as its texts ``label 1``, ``label 2``."""
    texts = {
        f"label {index + 1}": part_name(index, names)
        for index in range(len(parts.parts))
        if index not in hidden
    }
    return encoded_png(label_image(parts, shown, hidden), texts)


# ------------------------------------------------------------------------------------------------ norms


def norms_figure(model: ModelInfo, image: ImageInfo, result: NormsResult) -> Figure:
    """Draw the lengths of a picture's vectors, with a frame around each outlier."""
    finite = result.norms[np.isfinite(result.norms)]
    limits = limits_of(finite if finite.size else result.norms)
    scale = BODY_PX / max(image.size)
    box = _box_of((1, 1), result.field, result.geometry, (scale, scale))

    def mark(marks: Marks) -> None:
        for each in result.outliers[:50]:
            marks.frame((box[0] + each.x * box[2], box[1] + each.y * box[3], box[2], box[3]))

    count = len(result.outliers)
    caption = (
        f"The length of the vector at each position of {result.node}: median {format_number(result.median)}, "
        f"median deviation {format_number(result.deviation)}. {count} of {result.norms.size} positions are "
        "more than 5 median deviations from the median."
    )
    bar = ColourBar(limits=limits, colormap=OVER_PICTURE, title="length of the vector", zero=limits.low)
    title = f"Norms at {model.node(result.node).title.lower()}"
    return _over_figure(
        model, image, result.norms, (result.field, result.geometry), bar, title, [caption], mark
    )
