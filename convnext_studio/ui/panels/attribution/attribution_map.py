"""Colouring an attribution map, the widget that shows it over the picture, and the line that moves it aside."""

import math
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.frame_keys import number_of, source_of
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import (
    OPACITY,
    SMOOTH_SIDE,
    Clipping,
    Limits,
    Map,
    Rgb,
    Shading,
    colorize,
    grid_lines,
    reduced,
    why_empty,
)
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.map_texts import Placement, numbers_of, point_text, value_text
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Lines, Mark, Scene, line_mark
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

# Larger maps are reduced to this side before colouring: it is more than the screen shows, and stays fast.
_LARGEST_SIDE = 640
_SMALL_SIDE = 64


class PlacedMap(Struct, frozen=True, kw_only=True, eq=False):
    """A map with its title and its placement in the picture."""

    title: str
    values: Map
    placement: Placement


class Veil(Struct, frozen=True):
    """The settings for how much of the picture the map covers.

    Attributes
    ----------
    opacity
        Opacity of the map's largest value, from 0 to 1.
    curtain
        Share of the picture's width, from the left, that shows no map.
    split
        Share of the picture's width, from the left, that shows the first of two maps.
    """

    opacity: float = OPACITY
    curtain: float = 0.0
    split: float = 0.5


class MapCell(QWidget):
    """A map over the picture, or a sentence in its place if the map would show nothing."""

    pointed = Signal(str)  # the text for what is under the pointer, or ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading = ElidedLabel()
        self.heading.setProperty("heading", True)
        self.map = MapView("Attribution")
        # Used for several maps: beside a small map, the button would take as much room as the map.
        self.save = self.map.save_button("Attribution")
        self.line = ColorBar(Qt.Orientation.Horizontal)
        self.words = plain_label("muted")
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.map)
        self._stack.addWidget(self.words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.save)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self.line)
        self._shown: PlacedMap | None = None
        self._picture: ImageInfo | None = None
        self._below: Layer | None = None
        self._over: Layer | None = None
        self._beyond: Layer | None = None  # The second map, right of the line between the two.
        self._veil = Veil()
        self._read_out = ""
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: self.pointed.emit(""))

    @property
    def shown(self) -> PlacedMap | None:
        """The map that is shown or described by the sentence."""
        return self._shown

    @property
    def says(self) -> str:
        """The sentence shown instead of the figure; empty while there is a figure."""
        return self.words.text() if self._stack.currentIndex() == 1 else ""

    def show_map(
        self,
        shown: PlacedMap,
        picture: ImageInfo,
        below: Layer,
        limits: Limits,
        shading: Shading,
        read_out: str,
        beyond: PlacedMap | None = None,
    ) -> None:
        """Show a map over the layer `below`; `read_out` is the start of the hover text.

        With a second map, `beyond`, the first is shown left of a line and the second right of it.
        """
        self._shown, self._picture, self._below, self._read_out = shown, picture, below, read_out
        self.heading.setText(shown.title)
        self.map.view.setAccessibleName(f"Attribution, {shown.title}")
        self.save.setAccessibleName(f"Copy or save: Attribution, {shown.title}")
        words = why_empty(shown.values, shading.part) if beyond is None else ""
        self.words.setText(words)
        self._stack.setCurrentIndex(1 if words else 0)
        scale = (
            None
            if words
            else ColorScale(
                shading.colormap,
                limits,
                clipping=Clipping.of(shading.part_of(shown.values), limits),
                zero=0.0,
            )
        )
        self.map.bar.set_scale(scale)
        self.line.set_scale(scale)
        side = self._side_px(shown, picture)
        self._over = None if words else _coloured(shown, limits, shading, side)
        self._beyond = None if beyond is None else _coloured(beyond, limits, shading, side)
        self._compose()

    def _side_px(self, shown: PlacedMap, picture: ImageInfo) -> int:
        """Return the longest side of an interpolated map: of a live frame, no more pixels than are seen."""
        view, (width, height) = self.map.view, picture.size
        if number_of(picture.key) is None or not view.is_fitted:
            return SMOOTH_SIDE
        scale = min(view.width() / width, view.height() / height) * view.devicePixelRatioF()
        longest = max(shown.placement.box(*shown.values.shape)[2:])
        return min(math.ceil(scale * longest), SMOOTH_SIDE)

    def be_one_of(self, count: int) -> None:
        """Use an upright colour bar for a single map; a heading and a flat bar for one of several."""
        self.map.bar.setVisible(count == 1)
        self.map.save.setVisible(count == 1)
        self.save.setVisible(count > 1)
        self.heading.setVisible(count > 1)
        self.line.setVisible(count > 1)

    def set_veil(self, veil: Veil) -> None:
        """Set how much of the picture the map covers."""
        if veil != self._veil:
            self._veil = veil
            self._compose()

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the map while a newer one is being computed."""
        self.map.view.set_dimmed(dimmed)

    def _compose(self) -> None:
        if self._below is None or self._picture is None:
            return
        width, height = self._picture.size
        layers, marks, lines = [self._below], [], []
        edge = self._veil.curtain * width
        line = width if self._beyond is None else self._veil.split * width
        if self._over is not None and edge < line:
            clip = None if (edge, line) == (0, width) else (edge, 0.0, line - edge, float(height))
            layers.append(replace(self._over, opacity=self._veil.opacity, clip=clip))
        if self._beyond is not None:
            start = max(edge, line)
            clip = (start, 0.0, width - start, float(height))
            layers.append(replace(self._beyond, opacity=self._veil.opacity, clip=clip))
            marks.append(line_mark(line, height))
        if self._over is not None and self._shown is not None and self._beyond is None:
            grid = _right_of(edge, grid_lines(self._shown.values.shape, self._over.box))
            lines = [Lines(grid, faint=True)] if len(grid) else []
        if 0 < edge < width:
            marks.append(Mark((edge, 0.0, 0.0, float(height))))
        self.map.view.set_scene(
            Scene(size=(width, height), layers=tuple(layers), marks=tuple(marks), lines=tuple(lines))
        )

    def unit_at(self, x: float, y: float) -> tuple[NDArray[Any], tuple[int, int]] | None:
        """Return the map that is shown, and row and column of the value at a point of the picture, or None."""
        shown = self._shown
        unit = None if shown is None else shown.placement.unit_at(x, y, *shown.values.shape)
        return None if shown is None or unit is None else (shown.values, unit)

    def _hover(self, x: float, y: float) -> None:
        if self._shown is None:
            return
        values, placement = self._shown.values, self._shown.placement
        unit = placement.unit_at(x, y, *values.shape)
        is_pixel = placement.field.stride_px == 1
        self.map.view.set_highlight(None if unit is None or is_pixel else placement.unit_box(*unit))
        here = point_text(x, y)
        if unit is not None:
            kind = "pixel" if is_pixel else "unit"
            value = value_text(float(values[unit]))
            here = f"{self._read_out} · {kind} (y {unit[0]}, x {unit[1]}) · {value} · {here}"
        self.pointed.emit(here)


def _right_of(edge: float, lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the parts of horizontal and vertical lines that are to the right of a vertical line."""
    kept = lines[lines[:, 1, 0] > edge]
    kept[..., 0] = np.maximum(kept[..., 0], edge)
    return kept


def _coloured(shown: PlacedMap, limits: Limits, shading: Shading, side: int) -> Layer:
    """Return the map as a layer; its own pixels, if they are reduced, average those of the map."""
    colours = shading.veil_of(reduced(shown.values, _LARGEST_SIDE), limits, side)
    box, numbers = shown.placement.box(*shown.values.shape), numbers_of(shown.values)
    return Layer(Bitmap(colours), box, smooth=shading.smooth, numbers=numbers)


def _are_frames_of_one(*images: str) -> bool:
    """Return whether images are frames of one live source."""
    return all(number_of(image) is not None for image in images) and len({*map(source_of, images)}) == 1


class SmallMaps:
    """The class activation maps of a prediction for the buttons of the stages, coloured once.

    Where the prediction of a live frame lacks some of them, those of an earlier frame stay.
    """

    def __init__(self) -> None:
        self._shading = Shading()
        self._prediction: Prediction | None = None
        self._maps: dict[str, Rgb] = {}

    def of(self, prediction: Prediction, shading: Shading) -> dict[str, Rgb]:
        """Return the maps by stage, each on a scale of its own."""
        before = self._prediction
        if prediction is not before or shading != self._shading:
            is_next = before is not None and _are_frames_of_one(prediction.image, before.image)
            stays = is_next and shading == self._shading
            self._prediction, self._shading = prediction, shading
            self._maps = (self._maps if stays else {}) | {
                stage: colorize(
                    reduced(shading.part_of(cam), _SMALL_SIDE), shading.limits_of([cam]), shading.colormap
                )
                for stage, cam in prediction.cams.items()
            }
        return self._maps


class CurtainSlider(QWidget):
    """The position of a line, left of which the plain picture is seen instead of the map.

    It rests while the line of two networks is shown, because a map has one line only.
    """

    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setAccessibleName("Curtain")
        follow_text(self.slider, lambda: self.slider.setFixedWidth(scaled_px(80)))
        self.word = PlainLabel("Curtain")
        self.word.setBuddy(self.slider)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.word, self.slider):
            layout.addWidget(part)
        self.slider.valueChanged.connect(self.moved)
        self.rest(False)

    @property
    def curtain(self) -> float:
        """The place of the line as a share of the picture's width; 0 while it rests."""
        return self.slider.value() / 100 if self.slider.isEnabled() else 0.0

    def move_curtain(self, share: float) -> None:
        """Move the line, as far as the picture reaches."""
        self.slider.setValue(round(100 * share))

    def rest(self, rests: bool) -> None:
        """Show the map over the whole picture, or up to the line again."""
        for part in (self.word, self.slider):
            part.setEnabled(not rests)
        self.slider.setToolTip(
            "The line between two networks is shown; the slider beside “Curtain” above the views moves it"
            if rests
            else "Drag the map aside; left of the line, the plain picture shows"
        )
        self.moved.emit()
