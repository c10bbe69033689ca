"""All channels of a node side by side, and one of them large, on its own or on the picture."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QSpinBox, QSplitter, QWidget

from convnext_studio.engine.messages import FeatureMaps, FeatureMapsResult, Payload, Request
from convnext_studio.geometry import Box
from convnext_studio.render import Limits, Mosaic, assemble, channel_limits, limits_of
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorScale, MapView
from convnext_studio.ui.panels.base import (
    NO_MODEL,
    NO_PICTURE,
    AskingPanel,
    choice,
    colormap_choice,
    opacity_slider,
)
from convnext_studio.ui.panels.maps import (
    Map,
    Placement,
    is_signed,
    map_layer,
    picture_layer,
    point_text,
    scale_of,
    statistics,
    value_text,
)
from convnext_studio.ui.scene import Bitmap, Layer, Mark, Scene
from convnext_studio.ui.state import AppState

_REARRANGE_MS = 120
PER_CHANNEL, PER_LAYER = "channel", "layer"
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
"""Rows and columns of the mosaic that a key walks."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """An answer, with what was selected when it was asked for: it stays, dimmed, when something else is."""

    result: FeatureMapsResult
    title: str
    picture: Layer
    placement: Placement

    def read_out(self, channel: int, row: int, column: int, where: str = "") -> str:
        """A unit in words; `where` in the picture, the centre of its field if not given."""
        value = float(self.result.maps[channel, row, column])
        return " · ".join(
            (
                self.result.node,
                f"channel {channel}",
                f"unit (y {row}, x {column})",
                value_text(value),
                where or point_text(*self.placement.centre(row, column)),
            )
        )


class FeatureMapsPanel(AskingPanel):
    """The mosaic on the left, the selected channel on the right. Arrow keys walk the channels."""

    title = "Feature maps"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._shown: _Shown | None = None
        self._mosaic: Mosaic | None = None
        self._layer_limits: Limits | None = None
        self._map_layer: Layer | None = None
        self._mosaic_layer: Layer | None = None
        self._rearrange_soon = QTimer(self, singleShot=True, interval=_REARRANGE_MS)
        self._rearrange_soon.timeout.connect(self._rearrange)
        self._add_controls()
        self.mosaic_map = MapView("All channels")
        self.channel_map = MapView("Selected channel")
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.mosaic_map)
        splitter.addWidget(self.channel_map)
        splitter.setStretchFactor(0, 5)
        splitter.setStretchFactor(1, 4)
        splitter.setChildrenCollapsible(False)
        self.set_body(splitter)
        self._connect()
        self.refresh()

    def _add_controls(self) -> None:
        self.channel_box = QSpinBox()
        self.channel_box.setPrefix("ch ")
        self.channel_box.setAccessibleName("Channel")
        self.channel_box.setToolTip("Channel shown large; a click in the mosaic or arrow keys select it, too")
        self.channel_box.setKeyboardTracking(False)
        self.scaling = choice(
            "Scaling",
            "Each channel has its own colour scale, or all of the layer share one",
            [("Per channel", PER_CHANNEL), ("Per layer", PER_LAYER)],
        )
        self.colormap = colormap_choice()
        self.on_picture = QCheckBox("On picture")
        self.on_picture.setToolTip("Lay the selected channel over the picture, at its exact place")
        self.opacity = opacity_slider()
        self.opacity.setEnabled(False)
        for control in (self.channel_box, self.scaling, self.colormap, self.on_picture, self.opacity):
            self.controls.addWidget(control)

    def _connect(self) -> None:
        state = self.state
        state.model_loaded.connect(self.refresh)
        state.picture_selected.connect(self.refresh)
        state.node_selected.connect(self.refresh)
        state.channel_selected.connect(self._show_channel)
        self.channel_box.valueChanged.connect(state.set_channel)
        self.scaling.currentIndexChanged.connect(self._paint_all)
        self.colormap.currentIndexChanged.connect(self._paint_all)
        self.on_picture.toggled.connect(self.opacity.setEnabled)
        self.on_picture.toggled.connect(self._paint_channel)
        self.opacity.valueChanged.connect(self._compose_channel)
        self.mosaic_map.view.hovered.connect(self._hover_mosaic)
        self.mosaic_map.view.clicked.connect(self._click_mosaic)
        self.mosaic_map.view.resized.connect(self._rearrange_soon.start)
        self.channel_map.view.hovered.connect(self._hover_channel)
        for view in (self.mosaic_map.view, self.channel_map.view):
            view.hover_left.connect(lambda: state.hovered.emit(""))

    # ------------------------------------------------------------------------------------------ the engine

    def question(self) -> Request | str:
        """The maps of the selected node on the selected picture."""
        if self.state.picture is None:
            return NO_PICTURE
        if self.state.model is None:
            return NO_MODEL
        return FeatureMaps(image=self.state.picture.key, node=self.state.node, panel="feature_maps")

    def show_answer(self, payload: Payload) -> None:
        """Paint the maps."""
        picture, model = self.state.picture, self.state.model
        if not isinstance(payload, FeatureMapsResult) or picture is None or model is None:
            return
        self._shown = _Shown(
            payload,
            model.node(payload.node).title,
            picture_layer(picture),
            Placement(payload.field, payload.geometry),
        )
        self._mosaic = self._fitting_mosaic(payload.maps)
        # The selected channel stays selected, for a later node that has it.
        with QSignalBlocker(self.channel_box):
            self.channel_box.setRange(0, len(payload.maps) - 1)
            self.channel_box.setValue(self.channel)
        self._paint_all()

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while newer maps are under way."""
        self.mosaic_map.view.set_dimmed(dimmed)
        self.channel_map.view.set_dimmed(dimmed)

    @property
    def is_settled(self) -> bool:
        """Whether the maps are there and arranged for the panel's size."""
        return super().is_settled and not (self.isVisible() and self._rearrange_soon.isActive())

    def _fitting_mosaic(self, maps: NDArray[np.float32]) -> Mosaic:
        view, (channels, height, width) = self.mosaic_map.view, maps.shape
        # Gaps that are seen also where large tiles are shown reduced.
        gap_px = max(1, round(max(height, width) / 40))
        return Mosaic.fitting((channels, height, width), view.width() / max(view.height(), 1), gap_px)

    def _rearrange(self) -> None:
        """Use the panel's new shape well, unless the person has zoomed into the old arrangement."""
        if self._shown is None or not self.mosaic_map.view.is_fitted:
            return
        mosaic = self._fitting_mosaic(self._shown.result.maps)
        if mosaic != self._mosaic:
            self._mosaic = mosaic
            self._paint_mosaic()

    # --------------------------------------------------------------------------------------------- display

    @property
    def channel(self) -> int:
        """The channel shown: the selected one, or the last where the node has fewer."""
        last = len(self._shown.result.maps) - 1 if self._shown is not None else 0
        return min(self.state.channel, last)

    def _limits(self, maps: NDArray[np.float32]) -> Limits | tuple[Limits, ...]:
        """For the mosaic, as the scaling asks."""
        signed = is_signed(self._colormap)
        if self.scaling.currentData() == PER_CHANNEL:
            return channel_limits(maps, signed)
        return limits_of(maps, signed)

    @property
    def _colormap(self) -> str:
        return str(self.colormap.currentData())

    def _paint_all(self) -> None:
        self._paint_mosaic()
        self._paint_channel()

    def _paint_mosaic(self) -> None:
        if self._shown is None or self._mosaic is None:
            return
        maps = self._shown.result.maps
        limits = self._limits(maps)
        width, height = self._mosaic.size_px
        rgb = assemble(maps, self._mosaic, limits, self._colormap, self._gap_colour())
        self._mosaic_layer = Layer(Bitmap(rgb), (0.0, 0.0, float(width), float(height)))
        shared = limits if isinstance(limits, Limits) else None
        ends = ("-max", "max") if is_signed(self._colormap) else ("min", "max")
        self.mosaic_map.bar.set_scale(ColorScale(self._colormap, shared, ends))
        self._layer_limits = shared
        self._frame_channel()

    @staticmethod
    def _gap_colour() -> tuple[int, int, int]:
        surface = theme.current().surface
        return int(surface[1:3], 16), int(surface[3:5], 16), int(surface[5:7], 16)

    def _frame_channel(self) -> None:
        """Mark the selected channel in the mosaic."""
        if self._mosaic is None or self._mosaic_layer is None:
            return
        mark = Mark(self._mosaic.tile_box(self.channel), colour=theme.DARK.accent)
        size = self._mosaic_layer.box[2:]
        self.mosaic_map.view.set_scene(Scene(size=size, layers=(self._mosaic_layer,), marks=(mark,)))

    def _show_channel(self, _channel: int) -> None:
        with QSignalBlocker(self.channel_box):
            self.channel_box.setValue(self.channel)
        self._frame_channel()
        self._paint_channel()

    def _paint_channel(self) -> None:
        """Colour the selected channel, and say what is seen."""
        shown = self._shown
        if shown is None:
            return
        values = shown.result.maps[self.channel]
        height, width = values.shape
        limits = self._layer_limits or scale_of(values, self._colormap)
        box: Box = (0.0, 0.0, float(width), float(height))
        if self.on_picture.isChecked():
            box = shown.placement.box(height, width)
        self._map_layer = map_layer(values, box, limits, self._colormap)
        self.channel_map.bar.set_scale(ColorScale(self._colormap, limits))
        self._compose_channel()
        self.set_caption(self._describe(shown, values))

    def _compose_channel(self) -> None:
        """Put the coloured channel on the picture, or alone; nothing is coloured again."""
        layer, shown = self._map_layer, self._shown
        if layer is None or shown is None:
            return
        if not self.on_picture.isChecked():
            self.channel_map.view.set_scene(Scene(size=layer.box[2:], layers=(layer,)))
            return
        overlay = replace(layer, opacity=self.opacity.value() / 100)
        self.channel_map.view.set_scene(Scene(size=shown.picture.box[2:], layers=(shown.picture, overlay)))

    def _describe(self, shown: _Shown, values: Map) -> str:
        channels, height, width = shown.result.maps.shape
        scale = "each channel has its own scale" if self._layer_limits is None else "one scale for the layer"
        stride = shown.result.field.stride_px
        return (
            f"{shown.title}: {channels} × {height} × {width}, one unit per {stride} px of the input; {scale}. "
            f"Channel {self.channel}: {statistics(values)}."
        )

    # -------------------------------------------------------------------------------------------- pointing

    def _hover_mosaic(self, x: float, y: float) -> None:
        shown, mosaic = self._shown, self._mosaic
        unit = None if mosaic is None else mosaic.unit_at(x, y)
        if shown is None or mosaic is None or unit is None:
            self.mosaic_map.view.set_highlight(None)
            self.state.hovered.emit("")
            return
        self.mosaic_map.view.set_highlight(mosaic.tile_box(unit[0]))
        self.state.hovered.emit(shown.read_out(*unit))

    def _click_mosaic(self, x: float, y: float) -> None:
        channel = None if self._mosaic is None else self._mosaic.channel_at(x, y)
        if channel is not None:
            self.state.set_channel(channel)

    def _hover_channel(self, x: float, y: float) -> None:
        shown = self._shown
        if shown is None:
            return
        _, height, width = shown.result.maps.shape
        if not self.on_picture.isChecked():
            row, column = int(y), int(x)
            self.channel_map.view.set_highlight((float(column), float(row), 1.0, 1.0))
            self.state.hovered.emit(shown.read_out(self.channel, row, column))
            return
        unit = shown.placement.unit_at(x, y, height, width)
        self.channel_map.view.set_highlight(None if unit is None else shown.placement.unit_box(*unit))
        here = point_text(x, y)
        self.state.hovered.emit(here if unit is None else shown.read_out(self.channel, *unit, here))

    def changeEvent(self, event: QEvent) -> None:
        """Paint the gaps in the new theme's colour."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint_mosaic()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk the channels."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or self._mosaic is None:
            super().keyPressEvent(event)
            return
        channel = self.channel + step[0] * self._mosaic.columns + step[1]
        if 0 <= channel < self._mosaic.count:
            self.state.set_channel(channel)
