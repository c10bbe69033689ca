"""What a stage calls the same: its components as colours, and the likeness of all positions to one."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent

from convnext_studio.common.likeness import Measure, centre_of, directions, likeness
from convnext_studio.lecture.setting import OneOf
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.similarity import Components, ComponentsResult
from convnext_studio.render import (
    OVER_PICTURE,
    SIGNED_OVER_PICTURE,
    Rgb,
    format_percent,
    laid_over,
    likeness_limits,
    overlay,
    seen_map,
    three_colours,
)
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView, draw_frame, lying_bar, seen_pixels
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_OPACITY = 0.85
_PICTURE_PX = 640
_TEXT_LINES = 4.0
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class SimilarityView(NetworkView):
    """What the network sees: in the colours of three components, and by the likeness to one position.

    Attributes
    ----------
    unit
        Row and column of the position that the others are compared with; the middle one at first.
    """

    needs_picture = True
    name = "What a stage calls the same"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.unit: tuple[int, int] | None = None
        self._components: ComponentsResult | None = None
        self._maps: FeatureMapsResult | None = None
        self._seen: Rgb | None = None
        self._coloured: Bitmap | None = None
        self._alike: Bitmap | None = None
        self._scale: MapPicture | None = None
        self._room = QRectF()
        self.stages = self.add_choice(
            "Stage",
            "The stage whose positions are compared",
            (("Last", "-1"), ("Last but one", "-2"), ("Second", "1"), ("First", "0")),
            settings["stage"],
            self.prepare,
        )
        self.measure = self.add_choice(
            "Measure",
            "Cosine compares directions; the centred one first subtracts the mean of all positions",
            (("Cosine", "cosine"), ("Centred cosine", "centred")),
            settings["measure"],
            self._compare,
        )
        self.controls.addStretch(1)
        self.canvas.pointed.connect(self._point)
        self.canvas.clicked.connect(self._point)
        self.canvas.setMouseTracking(True)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.canvas.takes_keys = True
        self.canvas.key_pressed.connect(self._step)

    @property
    def stage(self) -> str:
        """The stage that is shown; the nearest if the network has fewer."""
        stages = self.model.config.stages
        index = int(self.stages.currentData())
        return stages[max(-len(stages), min(index, len(stages) - 1))]

    def network_questions(self) -> Sequence[Request]:
        """Ask for the components and the maps of the stage."""
        picture = self.state.picture
        assert picture is not None
        return [
            Components(panel=self.panel, image=picture.key, node=self.stage),
            FeatureMaps(panel=self.panel, image=picture.key, node=self.stage),
        ]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the picture by the components, and compare the positions."""
        components, maps = answers
        picture = self.state.picture
        if (
            isinstance(components, ComponentsResult)
            and isinstance(maps, FeatureMapsResult)
            and picture is not None
        ):
            self._components, self._maps = components, maps
            self._seen = _of_side(seen_pixels(picture, maps.geometry))
            scores, place = seen_map(components.scores.maps, components.field, components.scores.geometry)
            x, y, across, down = maps.geometry.crop_box
            wide, high = self._seen.shape[1] / across, self._seen.shape[0] / down
            box = (place[0] - x) * wide, (place[1] - y) * high, place[2] * wide, place[3] * high
            colours = three_colours(scores, components.basis.ends)
            self._coloured = Bitmap(laid_over(self._seen, colours, box, _OPACITY))
            rows, columns = maps.maps.shape[1:]
            if self.unit is None or self.unit[0] >= rows or self.unit[1] >= columns:
                self.unit = rows // 2, columns // 2
            self._compare()
        super().show_answers(answers)

    def forget(self) -> None:
        """Clear what belongs to another network."""
        self._components = self._maps = self._seen = self._coloured = self._alike = None
        self.unit = None

    @property
    def _map_box(self) -> tuple[float, float, float, float]:
        """The box of the map in the pixels of what the network sees."""
        maps, seen = self._maps, self._seen
        assert maps is not None
        assert seen is not None
        x, y, width, height = maps.field.map_box(*maps.maps.shape[1:])
        across = seen.shape[1] / maps.geometry.input_size[0]
        down = seen.shape[0] / maps.geometry.input_size[1]
        return x * across, y * down, width * across, height * down

    def values(self) -> NDArray[np.float32]:
        """Return the likeness of all positions to the chosen one, (h, w)."""
        assert self._maps is not None
        assert self.unit is not None
        maps = self._maps.maps
        measure: Measure = self.measure.currentData()
        vectors = directions(maps, measure, centre_of(maps))
        one = vectors[:, self.unit[0] * maps.shape[2] + self.unit[1]]
        return likeness(vectors, one).reshape(maps.shape[1:])

    def _compare(self) -> None:
        if self._maps is None or self._seen is None:
            return
        values = self.values()
        limits = likeness_limits(values, self.measure.currentData())
        colormap = SIGNED_OVER_PICTURE if limits.low < 0 else OVER_PICTURE
        zero = max(limits.low, 0.0)
        self._scale = map_picture(values, limits=limits, colormap=colormap)
        self._alike = Bitmap(
            overlay(self._seen, values, self._map_box, limits, colormap, smooth=True, zero=zero)
        )
        self.canvas.update()

    def caption(self) -> str:
        """Return the caption, with what the components explain."""
        if self._components is None:
            return self.subject(self.stage)
        shares = ", ".join(format_percent(share) for share in self._components.basis.shares)
        return self.subject(f"{self.stage}: red, green and blue explain {shares} of the variance")

    # ------------------------------------------------------------------------------------------- pointing

    def _boxes(self) -> list[QRectF]:
        """Return the boxes of the two pictures on the canvas."""
        seen, room = self._seen, self._room
        if seen is None or room.isEmpty():
            return []
        boxes = []
        for column in shared_columns(room, 2, 0.03 * room.width()):
            scale = min(column.width() / seen.shape[1], column.height() / seen.shape[0])
            box = QRectF(0, 0, seen.shape[1] * scale, seen.shape[0] * scale)
            box.moveCenter(column.center())
            boxes.append(box)
        return boxes

    def _point(self, x: float, y: float) -> None:
        """Compare with the position under the pointer, in either of the pictures."""
        if self._maps is None or self._seen is None:
            return
        for box in self._boxes():
            if box.contains(x, y):
                width, height = self._maps.geometry.input_size
                at = (x - box.left()) / box.width() * width, (y - box.top()) / box.height() * height
                unit = self._maps.field.unit_at(*at, *self._maps.maps.shape[1:])
                if unit is not None and unit != self.unit:
                    self.unit = unit
                    self._compare()

    def _step(self, event: QKeyEvent) -> None:
        """Move to the next position with an arrow key."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or self.unit is None or self._maps is None:
            return
        rows, columns = self._maps.maps.shape[1:]
        y, x = self.unit[0] + step[0], self.unit[1] + step[1]
        self.unit = min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)
        self._compare()
        event.accept()

    # ------------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint both pictures with a frame around the chosen position, and what they show below."""
        below = _TEXT_LINES * ink.line()
        self._room = room.adjusted(0, 0, 0, -below)
        if self._coloured is None or self._alike is None or self._maps is None or self.unit is None:
            return
        x, y, width, height = self._map_box
        rows, columns = self._maps.maps.shape[1:]
        texts = (
            "Three principal components as red, green and blue",
            "How alike each position is to the framed one",
        )
        for box, bitmap, text in zip(self._boxes(), (self._coloured, self._alike), texts, strict=True):
            level = bitmap.level(box.width() * ink.painter.deviceTransform().m11() / bitmap.image.width())
            ink.painter.setRenderHint(ink.painter.RenderHint.SmoothPixmapTransform)
            ink.painter.drawImage(box, level, QRectF(level.rect()))
            scale = box.width() / bitmap.image.width()
            unit = QRectF(
                box.left() + (x + self.unit[1] * width / columns) * scale,
                box.top() + (y + self.unit[0] * height / rows) * scale,
                width / columns * scale,
                height / rows * scale,
            )
            draw_frame(ink, unit.intersected(box), "#ffffff", halo=True)
            place = QRectF(box.left(), box.bottom() + 0.3 * ink.line(), box.width(), below)
            if bitmap is self._alike and self._scale is not None:
                small = ink.line(ink.small)
                lying_bar(ink, QRectF(place.left(), place.top(), place.width(), small), self._scale)
                place.setTop(place.top() + 1.6 * small)
            ink.paragraph(place, text)


def _of_side(pixels: Rgb) -> Rgb:
    """Resize pixels so that the longer side suits a slide."""
    from PIL import Image  # Imported here, because Pillow would delay the window by 40 ms.

    factor = _PICTURE_PX / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


SPEC = ViewSpec(
    name="similarity",
    title="The positions of a stage: three components as colours, and the likeness to one of them",
    make=SimilarityView,
    arrangement="below",
    settings={
        "stage": OneOf(
            help="Which stage: -1 is the last, -2 the one before, 0 the first",
            default="-1",
            values=("-1", "-2", "1", "0"),
        ),
        "measure": OneOf(
            help="How positions are compared first",
            default="centred",
            values=("cosine", "centred"),
        ),
    },
)
