"""The tiles of a wall of maps: pictures with a map over them, and what is said about it."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QIcon, QResizeEvent
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import Box
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.attributions import INPUT, ExplainedEach, Explanation, Explanations
from convnext_studio.protocol.envelope import Network, Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render import Clipping, Map, Rgb, Shading, format_number, format_percent, why_empty
from convnext_studio.render.shading import PIXEL_PERCENTILE
from convnext_studio.ui.panels.attribution.attribution_controls import LookControls
from convnext_studio.ui.panels.attribution.attribution_texts import has_sign
from convnext_studio.ui.panels.contact_sheet.wall_ranking import Ranking
from convnext_studio.ui.panels.contact_sheet.wall_subject import MOST, Wall, WallOf, WallTile
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.map_texts import Placement
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.qimage import device_px, thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

TILE_PX = 128
_SIZES_PX = (256, 224, 192, 160, TILE_PX)  # Of pictures on tiles, where there is room.
_SPACING_PX = 4
LINES = 3
_NOTHING = np.full((1, 1, 3), 127, dtype=np.uint8)


def shown_map(explanation: Explanation) -> tuple[str, Map]:
    """Return the name and values of the map that a thumbnail shows: the last one."""
    return list(explanation.maps.items())[-1]


def map_on_picture(picture: Rgb, explanation: Explanation, shading: Shading) -> Rgb:
    """Draw the map over the picture (at any resolution); return the picture alone if the map is empty."""
    name, values = shown_map(explanation)
    if why_empty(values, shading.part):
        return picture
    placement = Placement(explanation.fields[name], explanation.geometry)
    width, height = explanation.geometry.picture_size
    box = _scaled(placement.box(*values.shape), picture.shape[1] / width, picture.shape[0] / height)
    return shading.lay_over(picture, values, box, shading.limits_of([values]))


def _scaled(box: Box, across: float, down: float) -> Box:
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def shading_for(chosen: Shading, explanation: Explanation) -> Shading:
    """Return the look of one of several methods: without a sign the size alone, and on pixels not smooth."""
    is_on_pixels = INPUT in explanation.maps
    if chosen.part == "signed" and not has_sign(explanation.method, explanation.output):
        usual = Shading.usual(is_difference=False, is_on_pixels=is_on_pixels)
        chosen = replace(chosen, part=usual.part, colormap=usual.colormap)
    if is_on_pixels:
        chosen = replace(chosen, percentile=min(chosen.percentile, PIXEL_PERCENTILE), smooth=False)
    return chosen


class WallTiles(QListWidget):
    """A grid of pictures with lines of text below each; arrow keys and clicks choose one.

    Attributes
    ----------
    tile_px
        The longer side of the pictures: as large as all tiles fit, within limits.
    """

    size_changed = Signal()  # All pictures have to be painted again.

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWordWrap(False)
        self.tile_px = TILE_PX
        self.setSpacing(_SPACING_PX)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setAcceptDrops(False)  # The window handles drops.
        self.setAccessibleName("Wall of maps")
        self.setToolTip("Click a map to see it large, or use the arrow keys")
        self._items: dict[str, QListWidgetItem] = {}
        follow_text(self, self._use_size)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room for larger tiles."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Make the tiles as large as all of them fit, within limits."""
        if not self._items:
            return
        tile_px = next((size for size in _SIZES_PX if self._fits(size)), TILE_PX)
        if tile_px != self.tile_px:
            self.tile_px = tile_px
            self._use_size()
            self.size_changed.emit()

    def _fits(self, tile_px: int) -> bool:
        room, cell = self.viewport().size(), self._cell(tile_px)
        columns = room.width() // (cell.width() + 2 * _SPACING_PX)
        if not columns:
            return False
        return -(-len(self._items) // columns) * (cell.height() + 2 * _SPACING_PX) <= room.height()

    def _cell(self, tile_px: int) -> QSize:
        """Return the size of a tile with its texts."""
        height = scaled_px(tile_px + 12) + LINES * self.fontMetrics().height()
        return QSize(scaled_px(tile_px + 10), height)

    def _use_size(self) -> None:
        side, cell = scaled_px(self.tile_px), self._cell(self.tile_px)
        self.setIconSize(QSize(side, side))
        for item in self._items.values():
            item.setSizeHint(cell)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Block signals, because Qt makes the first item current on focus, which must not select it."""
        was_blocked = self.blockSignals(True)
        super().focusInEvent(event)
        self.blockSignals(was_blocked)

    def show_tiles(self, tiles: Sequence[tuple[str, str, Rgb | None]]) -> None:
        """Show tiles without maps: the key, the title, and the pixels of the picture if they are cached."""
        was_blocked = self.blockSignals(True)
        self.clear()
        self._items = {}
        size = self._cell(self.tile_px)
        for key, title, pixels in tiles:
            item = QListWidgetItem(self._icon(_NOTHING if pixels is None else pixels), f"{title}\n…\n")
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setSizeHint(size)
            self.addItem(item)
            self._items[key] = item
        self.blockSignals(was_blocked)
        self._fit()

    def show_tile(self, key: str, colours: Rgb) -> None:
        """Set a picture's thumbnail to one with its map."""
        if key in self._items:
            self._items[key].setIcon(self._icon(colours))

    def label(self, key: str, lines: Sequence[str]) -> None:
        """Set the text below a thumbnail; its tooltip also has the lines that do not fit."""
        item = self._items.get(key)
        if item is not None:
            item.setText("\n".join(lines[:LINES]))
            item.setToolTip(plain_tip("\n".join(lines)))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(lines))

    def text_of(self, key: str) -> str:
        """Return the text below a thumbnail."""
        return self._items[key].text()

    def put_in_order(self, keys: Sequence[str]) -> None:
        """Arrange the tiles in this order, without emitting signals."""
        was_blocked = self.blockSignals(True)
        current = self.currentItem()
        for row, key in enumerate(keys):
            if self.item(row) is not self._items[key]:
                self.insertItem(row, self.takeItem(self.row(self._items[key])))
        if current is not None:
            self.setCurrentItem(current)
        self.blockSignals(was_blocked)

    @property
    def order(self) -> list[str]:
        """The keys of the tiles in their order."""
        return [str(self.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(self.count())]

    def choose(self, key: str) -> None:
        """Make a tile the current one, without emitting signals."""
        if key in self._items:
            was_blocked = self.blockSignals(True)
            self.setCurrentItem(self._items[key])
            self.blockSignals(was_blocked)

    def _icon(self, colours: Rgb) -> QIcon:
        """Return an icon centred in a square, so that the texts below are aligned."""
        return thumbnail(to_qimage(colours), scaled_px(self.tile_px))


def seconds_text(seconds: float) -> str:
    """Return a computing time: "12 ms", "3.4 s"."""
    return f"{max(round(1000 * seconds), 1)} ms" if seconds < 1 else f"{format_number(seconds, 2)} s"


class WallMaps(QObject):
    """Lays the maps over the pictures of the tiles as they arrive, and says below each what it is.

    Parameters
    ----------
    tiles, bar
        Where maps and texts are shown, and the colour bar.
    look
        The choices of how maps are laid over pictures.
    ranking
        Knows the score of each map.

    Attributes
    ----------
    wall
        What is on the wall; None before anything was asked.
    failures
        Why some tiles have no map, by their keys.
    photographs
        Makes the pictures that were changed.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        tiles: WallTiles,
        bar: ColorBar,
        look: LookControls,
        ranking: Ranking,
    ) -> None:
        super().__init__(tiles)
        self._state, self._bridge = state, bridge
        self._tiles, self._bar, self._look, self._ranking = tiles, bar, look, ranking
        self.wall: Wall | None = None
        self.photographs = Photographs(state)
        self.failures: dict[str, str] = {}
        self._explanations: dict[str, Explanation] = {}
        self._unfinished: set[str] = set()
        self._predictions: dict[str, Prediction] = {}
        self._clipped: dict[str, Clipping] = {}
        self._thumbnails = ThumbnailLoader(state, bridge, device_px(scaled_px(tiles.tile_px)), parent=self)
        self._thumbnails.setObjectName("contact_sheet")
        self._thumbnails.arrived.connect(self._paint_picture)
        tiles.size_changed.connect(self._follow_size)
        # One thumbnail is coloured per event-loop turn, so that the window stays responsive.
        self._to_paint: list[str] = []
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._paint_next)

    @property
    def is_settled(self) -> bool:
        """Whether all maps that have arrived are shown."""
        return self._thumbnails.is_settled and not self._to_paint

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations received so far, in the order of the tiles."""
        return tuple(self._explanations[key] for key in self._tiles.order if key in self._explanations)

    def show_bare(self, wall: Wall) -> None:
        """Show the pictures of a wall without maps."""
        self.wall = wall
        self._explanations, self.failures, self._predictions, self._clipped = {}, {}, {}, {}
        self._unfinished = set()
        self._tiles.show_tiles([(tile.key, tile.title, self._bare(tile.question.image)) for tile in wall.tiles])

    def take(self, payload: Payload) -> None:
        """Show maps that have been computed."""
        if isinstance(payload, Explanations):
            for explanation in payload.explanations:
                self._take(explanation.image, explanation)
            for key, why_not in payload.failures:
                self._fail(key, why_not)
        elif isinstance(payload, ExplainedEach) and self.wall is not None:
            keys = [tile.key for tile in self.wall.tiles]
            self._unfinished = {keys[index] for index in payload.unfinished}
            for index, explanation in payload.explanations:
                self._take(keys[index], explanation)
            for index, why_not in payload.failures:
                self._fail(keys[index], why_not)

    def _follow_size(self) -> None:
        self._thumbnails.use_size(device_px(scaled_px(self._tiles.tile_px)))
        self.repaint()

    def repaint(self) -> None:
        """Show all maps again, in another look."""
        for key in self._explanations:
            self._paint_soon(key)

    def label_all(self) -> None:
        """Say again below each map what it is."""
        for key in (*self._explanations, *self.failures):
            self._label(key)

    def counts(self) -> list[str]:
        """Return how many maps there are, and how long they took together."""
        shown = self.wall
        if shown is None:
            return []
        said = [f"{len(self._explanations)} of {len(shown.tiles)} {shown.of}"]
        if shown.of == "pictures" and len(self._state.opened.all) > MOST:
            said.append(f"the first of {len(self._state.opened.all):,}")
        if shown.of != "pictures" and self._explanations:
            seconds = sum(each.seconds for each in self._explanations.values())
            said.append(f"{seconds_text(seconds)} in all")
        if self.failures:
            said.append(f"{len(self.failures)} could not be explained")
        return said

    # ------------------------------------------------------------------------------------- the maps

    @property
    def _of(self) -> WallOf | None:
        return None if self.wall is None else self.wall.of

    def _take(self, key: str, explanation: Explanation) -> None:
        if self._explanations.get(key) is explanation:
            return
        is_new = key not in self._explanations
        if is_new or self._explanations[key].seconds != explanation.seconds:
            self._explanations[key] = explanation
            self._paint_soon(key)
        if is_new and (self._of == "pictures" or not self._predictions):
            self._ask_prediction(explanation.image)

    def _fail(self, key: str, why_not: str) -> None:
        self.failures[key] = why_not
        self._label(key)

    def _ask_prediction(self, key: str) -> None:
        """Request the probability of the class, which the engine still has cached."""
        model = self._state.model

        def receive(answer: Payload) -> None:
            if isinstance(answer, Prediction) and model is self._state.model:
                self._predictions[key] = answer
                for tile in self._tiles_of(key):
                    self._label(tile.key)

        asked = Predict(panel=f"contact_sheet {key}", image=key, network=self._network)
        self._bridge.ask(asked, receive, on_failure=lambda _: None)

    @property
    def _network(self) -> Network:
        return "A" if self.wall is None else self.wall.request.network

    def _as_shown(self, key: str, pixels: Rgb, width: int) -> Rgb:
        """Return a small picture of that width in its own pixels, with its changes if the maps are of those."""
        return self.photographs.small(key, pixels, width) if self._network == "B" else pixels

    def _bare(self, key: str) -> Rgb | None:
        """Return a picture's thumbnail without its map if it is cached."""
        preview = self._state.opened.preview(key)
        return None if preview is None else self._as_shown(key, preview.thumbnail, preview.size[0])

    def _tiles_of(self, picture: str) -> list[WallTile]:
        """Return the tiles that show a picture."""
        tiles = () if self.wall is None else self.wall.tiles
        return [tile for tile in tiles if tile.question.image == picture]

    def _paint_picture(self, picture: str) -> None:
        """Paint the tiles of a picture whose pixels have arrived."""
        for tile in self._tiles_of(picture):
            self._paint_soon(tile.key)

    def _paint_soon(self, key: str) -> None:
        if key not in self._to_paint:
            self._to_paint.append(key)
        self._next.start()

    def _paint_next(self) -> None:
        if not self._to_paint:
            return
        key = self._to_paint.pop(0)
        explanation = self._explanations.get(key)
        pixels = None if explanation is None else self._thumbnails.get(explanation.image)
        if explanation is not None and pixels is not None and explanation.maps:
            shading = self._suited(explanation)
            pixels = self._as_shown(explanation.image, pixels, explanation.geometry.picture_size[0])
            self._show_scale(key, shown_map(explanation)[1], shading)
            self._tiles.show_tile(key, map_on_picture(pixels, explanation, shading))
            self._label(key)
        if self._to_paint:
            self._next.start()

    def _suited(self, explanation: Explanation) -> Shading:
        """Return the look of a map: on a wall of methods one look for all, as far as a method allows it."""
        is_on_pixels = INPUT in explanation.maps
        is_signed = has_sign(explanation.method, explanation.output)
        is_difference = explanation.output == "difference"
        is_mixed = self._of == "methods"
        self._look.suit(
            is_signed=is_signed or is_mixed,
            is_difference=is_difference,
            is_on_pixels=is_on_pixels and not is_mixed,
        )
        return self.shading_of(explanation)

    def shading_of(self, explanation: Explanation) -> Shading:
        """Return the look of a map, as far as its method allows it."""
        return shading_for(self._look.shading, explanation) if self._of == "methods" else self._look.shading

    def _show_scale(self, key: str, values: Map, shading: Shading) -> None:
        """Show this map's colour scale in the bar, and whether any map has values beyond its scale."""
        self._clipped[key] = Clipping.of(shading.part_of(values), shading.limits_of([values]))
        clipped = self._clipped.values()
        beyond = Clipping(any(each.below for each in clipped), any(each.above for each in clipped))
        shared = self._look.shading  # Of the wall, and not of a map that allows less.
        end = "max" if shared.percentile == 100 else f"p{shared.percentile:g}"
        ends = (f"-{end}" if shared.part == "signed" else "0", end)
        self._bar.set_scale(ColorScale(shared.colormap, shared.hand, ends, beyond, zero=0.0))

    # ------------------------------------------------------------------------------------ the texts

    def _label(self, key: str) -> None:
        """Set the text below the thumbnail: its title, and what is said about its map."""
        tiles = () if self.wall is None else self.wall.tiles
        tile = next((each for each in tiles if each.key == key), None)
        if tile is not None and self._state.model is not None:
            self._tiles.label(key, [tile.title, *self.lines_about(key, self._state.model)])

    def lines_about(self, key: str, model: ModelInfo) -> list[str]:
        """Return what is said about a map: class, probability, time, score and scale; or why there is none."""
        explanation = self._explanations.get(key)
        if explanation is None:
            return [self.failures.get(key, "…")]
        prediction = self._predictions.get(explanation.image)
        chance = f"{explanation.output} {format_number(explanation.score)}"
        if prediction is not None:
            chance = format_percent(float(prediction.probabilities[explanation.target]))
        scale = "…"
        if explanation.maps:
            values, shading = shown_map(explanation)[1], self.shading_of(explanation)
            limits = shading.limits_of([values])
            scale = f"scale {format_number(limits.low)} to {format_number(limits.high)}"
            scale = why_empty(values, shading.part) or scale
        if self._of == "pictures":
            return [label_of(model, explanation.target), chance, scale]
        time = "…" if key in self._unfinished else seconds_text(explanation.seconds)
        if self._of == "classes":
            return [chance, time, scale]
        score = self._ranking.text_of(key)
        source = method_named(explanation.method).source
        return [*([score] if score else []), time, scale, source]
