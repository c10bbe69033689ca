"""What a view shows, as the export draws it."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.export.views import PlacedImage, PlacedLines, PlacedMark, ScaleTexts, ViewFigure
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.scene import Layer, Mark, Scene, Spot
from convnext_studio.ui.widgets.qimage import from_qimage

_SPOT_PX = 6


def figure_of(view: ImageView, title: str, caption: str, scale: ScaleTexts | None) -> ViewFigure:
    """The part of the scene that is seen, in the view's pixels; its note follows the caption."""
    scene = view.scene or Scene(size=(1.0, 1.0))
    lines = [PlacedLines(ends=_ends(view, each.ends), colour=each.colour) for each in scene.lines]
    return ViewFigure(
        title=title,
        caption=" · ".join(text for text in (caption, *scene.note.splitlines()) if text),
        size=(view.width(), view.height()),
        images=tuple(_image(view, layer) for layer in scene.layers),
        lines=(*lines, *(_cross(view, spot) for spot in scene.spots)),
        marks=tuple(_mark(view, mark) for mark in scene.marks),
        scale=scale,
    )


def _image(view: ImageView, layer: Layer) -> PlacedImage:
    rgb = from_qimage(layer.bitmap.image)
    return PlacedImage(rgb=rgb, box=_box(view, layer.box), opacity=layer.opacity, smooth=layer.smooth)


def _mark(view: ImageView, mark: Mark) -> PlacedMark:
    return PlacedMark(box=_box(view, mark.box), label=mark.label, colour=mark.colour, dashed=mark.dashed)


def _box(view: ImageView, box: Box) -> Box:
    x, y, width, height = box
    start, end = view.to_widget(x, y), view.to_widget(x + width, y + height)
    return start.x(), start.y(), end.x() - start.x(), end.y() - start.y()


def _ends(view: ImageView, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    origin, unit = view.to_widget(0, 0), view.to_widget(1, 1)
    return ends * (unit.x() - origin.x(), unit.y() - origin.y()) + (origin.x(), origin.y())


def _cross(view: ImageView, spot: Spot) -> PlacedLines:
    centre = view.to_widget(spot.x, spot.y)
    arms = np.array([[[-_SPOT_PX, 0], [_SPOT_PX, 0]], [[0, -_SPOT_PX], [0, _SPOT_PX]]], dtype=np.float64)
    return PlacedLines(ends=np.array((centre.x(), centre.y())) + arms, colour=spot.colour)
