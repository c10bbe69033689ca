"""A view as it was when it was put into a figure, to be painted again at any size and on another scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage, QPainter

from convnext_studio.render import Clipping, Limits, Rgb
from convnext_studio.ui.plots.color_bar import ColorScale, MapView
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_texts import is_signed, map_layer, veil_layer
from convnext_studio.ui.plots.scene import Layer, Scene
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.qimage import from_qimage


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a view shows: its scene, its colour scale, and what is said about it.

    Attributes
    ----------
    name, caption
        The name and the caption that the view would have in a file.
    python
        The lines of Python that give its numbers, or None.
    """

    scene: Scene
    scale: ColorScale | None
    name: str
    caption: str
    python: PythonLines | None = None

    @classmethod
    def of(cls, view: MapView) -> "Snapshot | None":
        """Return what a view shows now, or None if it shows nothing."""
        if view.view.scene is None or view.contents is None:
            return None
        contents = view.contents
        return cls(view.view.scene, view.bar.scale, contents.name, contents.caption, contents.python)

    @property
    def values(self) -> NDArray[np.float32] | None:
        """The values (h, w) that the colours of a single map stand for; None for other views."""
        measured = self.scene.measured
        has_one_map = measured is not None and self.scale is not None and self.scale.limits is not None
        if measured is None or not has_one_map or self._map_layer is None:
            return None
        found = measured[0].values
        return found if found.ndim == 2 and self.scene.unit != "units" else None

    @property
    def _map_layer(self) -> Layer | None:
        return next((layer for layer in reversed(self.scene.layers) if layer.numbers is not None), None)

    @property
    def group(self) -> tuple[str, bool] | None:
        """What views must have in common to share a scale; None if this one cannot."""
        if self.values is None or self.scale is None:
            return None
        return self.scale.colormap, self.scale.zero is None

    def on_scale(self, limits: Limits) -> "Snapshot":
        """Return the same view with its map coloured on another scale."""
        layer, values, scale = self._map_layer, self.values, self.scale
        if layer is None or values is None or scale is None:
            return self
        coloured = _coloured(layer, values, limits, scale)
        layers = tuple(coloured if each is layer else each for each in self.scene.layers)
        new_scale = replace(scale, limits=limits, clipping=Clipping.of(values, limits))
        return replace(self, scene=replace(self.scene, layers=layers), scale=new_scale)

    def paint(self, width_px: int) -> Rgb:
        """Paint the whole scene at that width, as in the view but without its colour bar."""
        width, height = self.scene.size
        view = ImageView()
        view.resize(width_px, max(1, round(width_px * height / width)))
        view.set_scene(self.scene)
        image = QImage(view.size(), QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        with QPainter(image) as painter:
            view.draw(painter)
        view.deleteLater()
        return from_qimage(image)


def _coloured(layer: Layer, values: NDArray[np.float32], limits: Limits, scale: ColorScale) -> Layer:
    if scale.zero is None:
        new = map_layer(values, layer.box, limits, scale.colormap, layer.smooth)
    else:
        # What a one-sided scale does not show is below its zero.
        shown = values if is_signed(scale.colormap) else np.maximum(values, np.float32(scale.zero))
        new = veil_layer(shown, layer.box, limits, scale.colormap, scale.zero, measured=values)
    return replace(new, opacity=layer.opacity, smooth=layer.smooth, clip=layer.clip)


def on_common_scales(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the views with one scale for all that have the same colours, as far as they can share one."""
    limits: dict[tuple[str, bool], Limits] = {}
    for each in snapshots:
        if each.group is not None and each.scale is not None and each.scale.limits is not None:
            own, known = each.scale.limits, limits.get(each.group)
            both = own if known is None else Limits(min(own.low, known.low), max(own.high, known.high))
            limits[each.group] = both
    return [each if each.group is None else each.on_scale(limits[each.group]) for each in snapshots]
