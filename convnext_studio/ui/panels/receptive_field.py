"""What the middle unit of a node can see, and what it does see."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QPushButton, QSpinBox, QWidget

from convnext_studio.engine.messages import (
    THRESHOLDS,
    ModelInfo,
    Payload,
    Progress,
    Protocol,
    ReceptiveField,
    ReceptiveFieldResult,
    Request,
    Scale,
    Square,
)
from convnext_studio.geometry import Box
from convnext_studio.model.nodes import fitting_input_px
from convnext_studio.render import format_number, limits_of
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorScale, MapView
from convnext_studio.ui.panels.base import NO_MODEL, NO_PICTURE, AskingPanel, choice, colormap_choice
from convnext_studio.ui.panels.maps import map_layer
from convnext_studio.ui.scene import Mark, Scene
from convnext_studio.ui.state import AppState

_WAIT_MS = 200
_PROTOCOLS: dict[Protocol, str] = {"centred": "Centred", "replknet": "RepLKNet"}
_PROTOCOL_TEXTS: dict[Protocol, str] = {
    "centred": "centred on the unit's true field",
    "replknet": "RepLKNet's protocol as published (around the middle pixel)",
}
_SIDES_PX = (0, 224, 384, 512, 1024)


class ReceptiveFieldPanel(AskingPanel):
    """The effective receptive field, sharpening while it is averaged; its squares and the theoretical one."""

    title = "Receptive field"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._result: ReceptiveFieldResult | None = None
        self._progress = ""
        # Several things often change at once (a drop of ten pictures); the last change asks.
        self._soon = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._soon.timeout.connect(self.refresh)
        self._add_controls()
        self.map = MapView("Effective receptive field")
        self.set_body(self.map)
        self._connect()
        self.refresh()

    def _add_controls(self) -> None:
        self.scale = choice(
            "Scale",
            "Colours and squares of the field itself, or of log10(field + 1)",
            [("Linear", "linear"), ("Log", "log")],
        )
        self.colormap = colormap_choice()
        self.protocol = choice(
            "Protocol",
            "Centred: around the unit's true centre. RepLKNet: exactly as published, half a stride off it",
            [(text, name) for name, text in _PROTOCOLS.items()],
        )
        self.count = QSpinBox()
        self.count.setRange(1, 50)
        self.count.setValue(8)
        self.count.setPrefix("× ")
        self.count.setKeyboardTracking(False)
        self.count.setAccessibleName("Pictures to average")
        self.count.setToolTip("Pictures to average; noise fills up where fewer are open")
        self.side = choice(
            "Input size",
            "Side to which the pictures are squashed",
            [(_side_text(side), side) for side in _SIDES_PX],
        )
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop averaging and keep what is there, or measure again")
        self.stop.setEnabled(False)
        for control in (self.scale, self.colormap, self.protocol, self.count, self.side, self.stop):
            self.controls.addWidget(control)

    def _connect(self) -> None:
        state = self.state
        for changed in (state.model_loaded, state.pictures_changed, state.node_selected):
            changed.connect(self._schedule)
        for box in (self.protocol, self.side):
            box.currentIndexChanged.connect(self._schedule)
        self.count.valueChanged.connect(self._schedule)
        self.scale.currentIndexChanged.connect(self._paint)
        self.colormap.currentIndexChanged.connect(self._paint)
        state.model_loaded.connect(self._offer_sides)
        self.stop.clicked.connect(self._stop_or_start)
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: state.hovered.emit(""))

    # ------------------------------------------------------------------------------------------ the engine

    @property
    def is_settled(self) -> bool:
        """Whether the panel awaits nothing and is about to ask nothing."""
        return super().is_settled and not (self.isVisible() and self._soon.isActive())

    def question(self) -> Request | str:
        """The field of the selected node, over the opened pictures."""
        if not self.state.pictures:
            return NO_PICTURE
        if self.state.model is None:
            return NO_MODEL
        if self.state.model.node(self.state.node).kind not in ("stage", "block"):
            return "Receptive fields are measured for stages and blocks. Select one of them."
        count = self.count.value()
        return ReceptiveField(
            node=self.state.node,
            images=tuple(picture.key for picture in self.state.pictures[:count]),
            count=count,
            protocol=self.protocol.currentData(),
            input_px=self.side.currentData(),
            panel="receptive_field",
        )

    def _offer_sides(self, model: ModelInfo) -> None:
        """Leave the input sizes that the network takes; its own is always one."""
        rows = self.side.model()
        for index, side in enumerate(_SIDES_PX):
            if isinstance(rows, QStandardItemModel):
                rows.item(index).setEnabled(side == 0 or fitting_input_px(model.config, side) == side)
        if fitting_input_px(model.config, self.side.currentData()) != self.side.currentData():
            self.side.setCurrentIndex(0)

    def _schedule(self) -> None:
        if self.is_news():
            self.abandon()
            self._soon.start()

    def refresh(self) -> None:
        """Ask, if there is something new to ask and someone to see it."""
        self._soon.stop()
        super().refresh()
        self._label_button()

    def abandon(self) -> None:
        """Drop the average that is under way."""
        super().abandon()
        self._progress = ""
        self._label_button()

    def show_progress(self, progress: Progress) -> None:
        """Show the average so far."""
        self._progress = f"{progress.done} of {progress.total} pictures"
        if isinstance(progress.partial, ReceptiveFieldResult):
            self._result = progress.partial
            self.set_dimmed(False)
            self.show_body()
            self._paint()

    def show_answer(self, payload: Payload) -> None:
        """Show the whole average."""
        self._progress = ""
        if isinstance(payload, ReceptiveFieldResult):
            self._result = payload
            self._paint()
        self._label_button()

    def show_cancelled(self) -> None:
        """Keep the average so far, if there is one."""
        if self._progress and not self.map.view.is_dimmed:
            self._progress = f"stopped after {self._progress}"
            self._paint()
        else:
            super().show_cancelled()
        self._label_button()

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while a newer field is under way."""
        self.map.view.set_dimmed(dimmed)

    def _stop_or_start(self) -> None:
        if self._running is None:
            self.ask_again()
        else:
            # As when the person cancels in the status bar: the engine's word comes back as `show_cancelled`.
            self.bridge.cancel(self._running)

    def _label_button(self) -> None:
        self.stop.setText("Stop" if self.is_running else "Again")
        self.stop.setEnabled(self.is_running or self.shows_body)

    # --------------------------------------------------------------------------------------------- display

    @property
    def _scale(self) -> Scale:
        return "log" if self.scale.currentData() == "log" else "linear"

    def shown_field(self) -> NDArray[np.float64] | None:
        """The field as it is coloured."""
        if self._result is None:
            return None
        field = self._result.field_map
        return np.log10(field + 1) if self._scale == "log" else field

    def _paint(self) -> None:
        result, values = self._result, self.shown_field()
        if result is None or values is None:
            return
        height, width = values.shape
        colormap, limits = str(self.colormap.currentData()), limits_of(values)
        layer = map_layer(values, (0.0, 0.0, float(width), float(height)), limits, colormap)
        marks = [_square_mark(square, result) for square in reversed(result.squares[self._scale])]
        if result.theoretical.is_global or result.theoretical.has_box:
            marks.append(self._theoretical_mark(result))
        scene = Scene(size=(width, height), layers=(layer,), marks=tuple(marks), note=self._note(result))
        self.map.view.set_scene(scene)
        self.map.bar.set_scale(ColorScale(colormap, limits))
        self.set_caption(self._describe(result))
        self.map.set_contents(self.contents(f"receptive field {result.node}", values))

    @staticmethod
    def _theoretical_mark(result: ReceptiveFieldResult) -> Mark:
        height, width = result.field_map.shape
        label = f"theoretical · {result.theoretical.extent}"
        return Mark(
            _clipped(theoretical_box(result), width, height),
            label,
            theme.DARK.warning,
            dashed=True,
            beside=True,
        )

    def _note(self, result: ReceptiveFieldResult) -> str:
        pictures = f"{result.pictures} picture{'s' if result.pictures != 1 else ''}"
        noises = f" + {result.noises} × noise" if result.noises else ""
        said = [
            f"ERF of {result.node}",
            f"{_PROTOCOLS[result.protocol]} protocol",
            f"{pictures}{noises}",
            "log10(x + 1)" if self._scale == "log" else "linear",
        ]
        if result.random_weights:
            said.append("random weights")
        return "\n".join(said)

    def _describe(self, result: ReceptiveFieldResult) -> str:
        height, width = result.field_map.shape
        said = [f"Unit (y {result.unit[0]}, x {result.unit[1]}), {_PROTOCOL_TEXTS[result.protocol]}"]
        said.append(f"pictures squashed to {width} × {height} px")
        said.append(_theoretical_text(result))
        reached = {square.threshold for square in result.squares[self._scale]}
        missing = [f"{100 * share:g} %" for share in THRESHOLDS if share not in reached]
        if missing:
            said.append(f"no square within the input holds {' or '.join(missing)}")
        if result.skipped:
            said.append(f"{result.skipped} left out, because their gradient was not finite")
        if self._progress:
            said.insert(0, self._progress)
        return " · ".join(said)

    def _hover(self, x: float, y: float) -> None:
        if self._result is None:
            return
        row, column = int(y), int(x)
        value, largest = float(self._result.field_map[row, column]), float(self._result.field_map.max())
        share = f" · {format_number(value / largest)} of the largest" if largest > 0 else ""
        place = f"{self._result.node} · receptive field · input ({column}, {row})"
        self.state.hovered.emit(f"{place} · value {format_number(value)}{share}")


def theoretical_box(result: ReceptiveFieldResult) -> Box:
    """The theoretical field of the measured unit in the input; all of the input for a global node."""
    if result.theoretical.is_global:
        height, width = result.field_map.shape
        return 0.0, 0.0, float(width), float(height)
    return result.theoretical.unit_box(*result.unit)


def _clipped(box: Box, width: int, height: int) -> Box:
    x, y = max(box[0], 0.0), max(box[1], 0.0)
    return x, y, min(box[0] + box[2], width) - x, min(box[1] + box[3], height) - y


def _theoretical_text(result: ReceptiveFieldResult) -> str:
    height, width = result.field_map.shape
    x, y, box_width, box_height = theoretical_box(result)
    size = f"{result.theoretical.size_px} × {result.theoretical.size_px} px"
    if result.theoretical.is_global:
        return f"every unit sees the whole picture (by GRN, pooling or attention; its convolutions see {size})"
    if not result.theoretical.has_box:
        return "attention in windows: what a unit can see is no box around it, and none is drawn"
    if x < 0 or y < 0 or x + box_width > width or y + box_height > height:
        return f"theoretical field {size}, beyond the input and drawn clipped"
    return f"theoretical field {size}"


def _square_mark(square: Square, result: ReceptiveFieldResult) -> Mark:
    height, width = result.field_map.shape
    side, (x, y) = float(square.side_px), result.centre_px
    box = _clipped((x - side / 2, y - side / 2, side, side), width, height)
    area = format_number(100 * square.area_ratio)
    label = f"{100 * square.threshold:g} % · {square.side_px} px · area {area} %"
    return Mark(box, label, beside=True)


def _side_text(side_px: int) -> str:
    return f"{side_px} px" if side_px else "Own size"
