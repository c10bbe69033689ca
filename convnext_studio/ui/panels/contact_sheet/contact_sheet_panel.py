"""The contact sheet panel: one attribution method on all opened pictures, as tiles."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QIcon
from PySide6.QtWidgets import QHBoxLayout, QListView, QListWidget, QListWidgetItem, QPushButton, QWidget

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import Box
from convnext_studio.export.contents import label_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.attributions import INPUT, ExplainSeveral, Explanation, Explanations
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render import Clipping, Map, Rgb, Shading, format_number, format_percent, why_empty
from convnext_studio.ui.panels.attribution.attribution_texts import explained_node, has_sign, node_text
from convnext_studio.ui.panels.attribution.look import Look
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.measuring import add_running_controls, measuring_query
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.map_texts import Placement
from convnext_studio.ui.state.app_state import NO_MODEL, NO_PICTURE, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px
from convnext_studio.ui.widgets.thumbnail_icon import device_px, thumbnail

TILE_PX = 128
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


class ContactTiles(QListWidget):
    """A grid of pictures with lines of text below each; arrow keys and clicks choose one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWordWrap(False)
        follow_text(self, lambda: self.setIconSize(QSize(scaled_px(TILE_PX), scaled_px(TILE_PX))))
        self.setSpacing(4)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setAcceptDrops(False)  # The window handles drops.
        self.setAccessibleName("Contact sheet")
        self.setToolTip("Click a picture to select it, or use the arrow keys")
        self._items: dict[str, QListWidgetItem] = {}

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Block signals, because Qt makes the first item current on focus, which must not select it."""
        was_blocked = self.blockSignals(True)
        super().focusInEvent(event)
        self.blockSignals(was_blocked)

    def show_pictures(self, pictures: Sequence[tuple[ListedPicture, Rgb | None]]) -> None:
        """Show these pictures without maps, with the pixels that are cached."""
        was_blocked = self.blockSignals(True)
        self.clear()
        self._items = {}
        size = QSize(scaled_px(TILE_PX + 10), scaled_px(TILE_PX + 12) + LINES * self.fontMetrics().height())
        for picture, pixels in pictures:
            item = QListWidgetItem(_icon(_NOTHING if pixels is None else pixels), f"{picture.name}\n…\n")
            item.setData(Qt.ItemDataRole.UserRole, picture.key)
            item.setSizeHint(size)
            self.addItem(item)
            self._items[picture.key] = item
        self.blockSignals(was_blocked)

    def show_tile(self, key: str, colours: Rgb) -> None:
        """Set a picture's thumbnail to one with its map."""
        if key in self._items:
            self._items[key].setIcon(_icon(colours))

    def label(self, key: str, lines: Sequence[str]) -> None:
        """Set the text below a thumbnail; its tooltip also has the lines that do not fit."""
        item = self._items.get(key)
        if item is not None:
            item.setText("\n".join(lines[:LINES]))
            item.setToolTip("\n".join(lines))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(lines))

    def text_of(self, key: str) -> str:
        """Return the text below a thumbnail."""
        return self._items[key].text()

    def choose(self, key: str) -> None:
        """Make a picture the current item, without emitting signals."""
        if key in self._items:
            was_blocked = self.blockSignals(True)
            self.setCurrentItem(self._items[key])
            self.blockSignals(was_blocked)


def _icon(colours: Rgb) -> QIcon:
    """Return an icon centred in a square, so that the texts below are aligned."""
    return thumbnail(to_qimage(colours), scaled_px(TILE_PX))


MOST = 500
"""The maximum number of pictures on a sheet; further pictures are neither explained nor held in memory."""


class ContactSheetPanel(Panel):
    """A panel with a thumbnail of each picture with its map, class and probability; a click selects it."""

    title = "Contact sheet"
    save_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.query = measuring_query(self, self.question, self._show, self._dim)
        self._explanations: dict[str, Explanation] = {}
        self._failures: dict[str, str] = {}
        self._predictions: dict[str, Prediction] = {}
        self._thumbnails = ThumbnailLoader(state, bridge, device_px(scaled_px(TILE_PX)), parent=self)
        self._thumbnails.setObjectName("contact_sheet")
        # One thumbnail is coloured per event-loop turn, so that the window stays responsive.
        self._to_paint: list[str] = []
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._paint_next)
        self.look = Look(self)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the contact sheet as a PNG picture")
        self.controls.add(self.look.resolution, word="Resolution")
        self.controls.add(self.look.part, word="Part")
        self.controls.add(self.look.more)
        add_running_controls(self, self.query)
        self.controls.add(self.save)
        self.tiles = ContactTiles()
        self.bar = ColorBar()
        self._clipped: dict[str, Clipping] = {}
        self.set_body(self._beside_each_other())
        self.setFocusProxy(self.tiles)
        self._thumbnails.arrived.connect(self._paint_soon)
        state.pictures_changed.connect(self.query.schedule)
        state.framing_changed.connect(self.query.schedule)
        state.picture_selected.connect(self._mark_current)
        self.tiles.currentItemChanged.connect(self._picture_chosen)
        self.look.changed.connect(self._paint_all)
        self.look.opacity.valueChanged.connect(self._paint_all)
        self.save.clicked.connect(self.save_asked)
        self.query.asked.connect(self._show_bare)
        self.query.changed.connect(self._follow_query)
        self.query.refresh()

    def sizeHint(self) -> QSize:
        """Make room for three thumbnails side by side."""
        return QSize(500, 560)

    def _beside_each_other(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.tiles, 1)
        row.addWidget(self.bar)
        return body

    # ------------------------------------------------------------------------------------------ the engine

    @property
    def is_settled(self) -> bool:
        """Whether all thumbnails are complete, or none are expected."""
        is_painted = self._thumbnails.is_settled and not self._to_paint
        return super().is_settled and (is_painted or not self.isVisible())

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations received so far, in the order of the pictures."""
        keys = [picture.key for picture in self._pictures]
        return tuple(self._explanations[key] for key in keys if key in self._explanations)

    @property
    def _pictures(self) -> tuple[ListedPicture, ...]:
        """The pictures on the sheet."""
        return self.state.images[:MOST]

    def question(self) -> ExplainSeveral | str:
        """Return the request for the explained node's maps of the chosen or each top class, or why not."""
        state = self.state
        if not state.pictures:
            return NO_PICTURE
        if state.model is None:
            return NO_MODEL
        question = state.explaining
        if question.nodes and not question.average:
            node = explained_node(state)
            why_not = why_no_cam(state.model.node(node))
            if why_not:
                return why_not
            question = replace(question, nodes=(node,))
        return ExplainSeveral(
            images=tuple(picture.key for picture in self._pictures),
            question=replace(question, target=state.target),
            panel="contact_sheet",
        )

    def _show_bare(self) -> None:
        """Show the pictures without their maps, which have just been requested."""
        self._explanations, self._failures, self._predictions, self._clipped = {}, {}, {}, {}
        self.tiles.show_pictures([(picture, self._bare(picture.key)) for picture in self._pictures])
        self._mark_current(self.state.picture)
        self._dim(False)
        self.show_body()
        self._describe()

    def _show(self, payload: Payload) -> None:
        """Show the maps that have been computed."""
        if not isinstance(payload, Explanations):
            return
        for explanation in payload.explanations:
            if explanation.image not in self._explanations:
                self._explanations[explanation.image] = explanation
                self._paint_soon(explanation.image)
                self._ask_prediction(explanation.image)
        for key, why_not in payload.failures:
            self._failures[key] = why_not
            self._label(key)
        self._describe()

    def _dim(self, dimmed: bool) -> None:
        self.tiles.setEnabled(not dimmed)

    def _ask_prediction(self, key: str) -> None:
        """Request the probability of the class, which the engine still has cached."""
        model = self.state.model

        def receive(answer: Payload) -> None:
            if isinstance(answer, Prediction) and model is self.state.model:
                self._predictions[key] = answer
                self._label(key)

        self.bridge.ask(Predict(panel=f"contact_sheet {key}", image=key), receive, on_failure=lambda _: None)

    def _follow_query(self) -> None:
        self.save.setEnabled(bool(self._explanations) and not self.query.is_running)

    # --------------------------------------------------------------------------------------------- display

    def _bare(self, key: str) -> Rgb | None:
        """Return a picture's thumbnail without its map if it is cached."""
        preview = self.state.preview(key)
        return None if preview is None else preview.thumbnail

    def _mark_current(self, picture: ImageInfo | None) -> None:
        if picture is not None:
            self.tiles.choose(picture.key)

    def _picture_chosen(self, item: QListWidgetItem | None) -> None:
        key = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        if key is not None and self.state.row(key) is not None:
            self.state.select_picture(key)

    def _paint_all(self) -> None:
        for key in self._explanations:
            self._paint_soon(key)
        self._describe()

    def _paint_soon(self, key: str) -> None:
        if key not in self._to_paint:
            self._to_paint.append(key)
        self._next.start()

    def _paint_next(self) -> None:
        if not self._to_paint:
            return
        key = self._to_paint.pop(0)
        explanation = self._explanations.get(key)
        pixels = self._thumbnails.get(key)
        if explanation is not None and pixels is not None:
            self.look.suit(
                is_signed=has_sign(explanation.method, explanation.output),
                is_difference=explanation.output == "difference",
                is_on_pixels=INPUT in explanation.maps,
            )
            self._show_scale(key, shown_map(explanation)[1])
            colours = map_on_picture(pixels, explanation, self.look.shading)
            self.tiles.show_tile(key, colours)
            self._label(key)
        if self._to_paint:
            self._next.start()

    def _show_scale(self, key: str, values: Map) -> None:
        """Show this map's colour scale in the bar, and whether any map has values beyond its scale."""
        shading = self.look.shading
        self._clipped[key] = Clipping.of(shading.part_of(values), shading.limits_of([values]))
        clipped = self._clipped.values()
        beyond = Clipping(any(each.below for each in clipped), any(each.above for each in clipped))
        end = "max" if shading.percentile == 100 else f"p{shading.percentile:g}"
        ends = (f"-{end}" if shading.part == "signed" else "0", end)
        self.bar.set_scale(ColorScale(shading.colormap, shading.hand, ends, beyond, zero=0.0))

    def _label(self, key: str) -> None:
        """Set the text below the thumbnail: name, class and probability."""
        row = self.state.row(key)
        if row is not None and self.state.model is not None:
            name = self.state.pictures[row].name
            self.tiles.label(key, [name, *self.lines_about(key, self.state.model)])

    def lines_about(self, key: str, model: ModelInfo) -> list[str]:
        """Return a picture's class, probability and scale or map problem; or why it has no map."""
        explanation = self._explanations.get(key)
        if explanation is None:
            return [self._failures.get(key, "…")]
        prediction = self._predictions.get(key)
        chance = f"{explanation.output} {format_number(explanation.score)}"
        if prediction is not None:
            chance = format_percent(float(prediction.probabilities[explanation.target]))
        values, shading = shown_map(explanation)[1], self.look.shading
        limits = shading.limits_of([values])
        scale = f"scale from {format_number(limits.low)} to {format_number(limits.high)}"
        return [label_of(model, explanation.target), chance, why_empty(values, shading.part) or scale]

    def _describe(self) -> None:
        model, asked = self.state.model, self.question()
        if model is None or isinstance(asked, str):
            return
        question = asked.question
        target = "the top class" if question.target is None else f"“{label_of(model, question.target)}”"
        if question.output == "probability":
            target = f"the probability of {target}"
        if question.against is not None:
            target += f" and not “{label_of(model, question.against)}”"
        nodes = ", ".join(node_text(name, model).lower() for name in question.nodes)
        if question.average:
            nodes = f"the average of {nodes or 'all stages'}"
        said = [
            f"{method_named(question.method).title} for {target} of each picture"
            + (f" at {nodes}" if nodes else ""),
            self.look.shading.text,
            "each on its own scale" if self.look.shading.hand is None else "one scale for all",
            f"{len(self._explanations)} of {len(asked.images)} pictures",
            *([f"the first of {len(self.state.pictures):,}"] if len(self.state.pictures) > MOST else []),
        ]
        if self._failures:
            said.append(f"{len(self._failures)} could not be explained")
        stopped = f"{self.query.progress_text}\n" if self.query.is_stopped else ""
        self.set_caption(stopped + " · ".join(said))
