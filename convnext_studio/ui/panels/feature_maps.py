"""All channels of a node side by side, and one of them large, on its own or on the picture."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QSpinBox, QSplitter, QWidget

from convnext_studio.engine.messages import FeatureMaps, FeatureMapsResult, Payload, Request
from convnext_studio.geometry import Box
from convnext_studio.render import Limits, Mosaic, assemble, channel_limits, limits_of
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorScale, MapView
from convnext_studio.ui.imageview import Bitmap, Layer, Mark, Scene
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
from convnext_studio.ui.state import AppState

_REARRANGE_MS = 120
PER_CHANNEL, PER_LAYER = "channel", "layer"
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
"""Rows and columns of the mosaic that a key walks."""


class FeatureMapsPanel(AskingPanel):
    """The mosaic on the left, the selected channel on the right. Arrow keys walk the channels."""

    title = "Feature maps"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._result: FeatureMapsResult | None = None
        self._mosaic: Mosaic | None = None
        self._layer_limits: Limits | None = None
        self._picture_layer: Layer | None = None
        self._map_layer: Layer | None = None
        self._mosaic_layer: Layer | None = None
        self._rearrange_soon = QTimer(self, singleShot=True, interval=_REARRANGE_MS)
        self._rearrange_soon.timeout.connect(self._rearrange)
        self._add_controls()
        self.mosaic_map = MapView("All channels")
        self.mosaic_map.view.setToolTip("Click a channel to see it large; arrow keys walk the channels")
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
        self.channel_box.setToolTip("Channel shown large (arrow keys in the maps walk)")
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
        picture = self.state.picture
        if not isinstance(payload, FeatureMapsResult) or picture is None:
            return
        self._result = payload
        self._picture_layer = picture_layer(picture)
        self._mosaic = self._fitting_mosaic(payload.maps)
        self.channel_box.blockSignals(True)
        self.channel_box.setRange(0, len(payload.maps) - 1)
        self.channel_box.setValue(self.channel)
        self.channel_box.blockSignals(False)
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
        if self._result is None or not self.mosaic_map.view.is_fitted:
            return
        mosaic = self._fitting_mosaic(self._result.maps)
        if mosaic != self._mosaic:
            self._mosaic = mosaic
            self._paint_mosaic()

    # --------------------------------------------------------------------------------------------- display

    @property
    def channel(self) -> int:
        """The channel shown: the selected one, or the last where the node has fewer."""
        last = len(self._result.maps) - 1 if self._result is not None else 0
        return min(self.state.channel, last)

    @property
    def _placement(self) -> Placement | None:
        return None if self._result is None else Placement(self._result.field, self._result.geometry)

    def _limits(self) -> Limits | tuple[Limits, ...]:
        """For the mosaic, as the scaling asks."""
        assert self._result is not None
        signed = is_signed(self._colormap)
        if self.scaling.currentData() == PER_CHANNEL:
            return channel_limits(self._result.maps, signed)
        return limits_of(self._result.maps, signed)

    @property
    def _colormap(self) -> str:
        return str(self.colormap.currentData())

    def _paint_all(self) -> None:
        self._paint_mosaic()
        self._paint_channel()

    def _paint_mosaic(self) -> None:
        if self._result is None or self._mosaic is None:
            return
        limits = self._limits()
        width, height = self._mosaic.size_px
        rgb = assemble(self._result.maps, self._mosaic, limits, self._colormap, self._gap_colour())
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
        self.channel_box.setValue(self.channel)
        self._frame_channel()
        self._paint_channel()

    def _paint_channel(self) -> None:
        """Colour the selected channel, and say what is seen."""
        result, placement = self._result, self._placement
        if result is None or placement is None:
            return
        values = result.maps[self.channel]
        height, width = values.shape
        limits = self._layer_limits or scale_of(values, self._colormap)
        box: Box = (0.0, 0.0, float(width), float(height))
        if self.on_picture.isChecked():
            box = placement.box(height, width)
        self._map_layer = map_layer(values, box, limits, self._colormap)
        self.channel_map.bar.set_scale(ColorScale(self._colormap, limits))
        self._compose_channel()
        self.set_caption(self._describe(values))

    def _compose_channel(self) -> None:
        """Put the coloured channel on the picture, or alone; nothing is coloured again."""
        layer, picture = self._map_layer, self.state.picture
        if layer is None or picture is None or self._picture_layer is None:
            return
        if not self.on_picture.isChecked():
            self.channel_map.view.set_scene(Scene(size=layer.box[2:], layers=(layer,)))
            return
        overlay = Layer(layer.bitmap, layer.box, self.opacity.value() / 100)
        self.channel_map.view.set_scene(Scene(size=picture.size, layers=(self._picture_layer, overlay)))

    def _describe(self, values: Map) -> str:
        assert self._result is not None
        result, model = self._result, self.state.model
        channels, height, width = result.maps.shape
        title = model.node(result.node).title if model is not None else result.node
        scale = "each channel has its own scale" if self._layer_limits is None else "one scale for the layer"
        stride = result.field.stride_px
        return (
            f"{title}: {channels} × {height} × {width}, one unit per {stride} px of the input; {scale}. "
            f"Channel {self.channel}: {statistics(values)}."
        )

    # -------------------------------------------------------------------------------------------- pointing

    def _hover_mosaic(self, x: float, y: float) -> None:
        unit = None if self._mosaic is None else self._mosaic.unit_at(x, y)
        if unit is None or self._mosaic is None:
            self.mosaic_map.view.set_highlight(None)
            self.state.hovered.emit("")
            return
        channel, row, column = unit
        self.mosaic_map.view.set_highlight(self._mosaic.tile_box(channel))
        self.state.hovered.emit(self._read_out(channel, row, column))

    def _click_mosaic(self, x: float, y: float) -> None:
        channel = None if self._mosaic is None else self._mosaic.channel_at(x, y)
        if channel is not None:
            self.state.set_channel(channel)

    def _hover_channel(self, x: float, y: float) -> None:
        result, placement = self._result, self._placement
        if result is None or placement is None:
            return
        _, height, width = result.maps.shape
        if not self.on_picture.isChecked():
            row, column = int(y), int(x)
            self.channel_map.view.set_highlight((float(column), float(row), 1.0, 1.0))
            self.state.hovered.emit(self._read_out(self.channel, row, column))
            return
        unit = placement.unit_at(x, y, height, width)
        self.channel_map.view.set_highlight(None if unit is None else placement.unit_box(*unit))
        here = point_text(x, y)
        self.state.hovered.emit(here if unit is None else self._read_out(self.channel, *unit, here))

    def _read_out(self, channel: int, row: int, column: int, where: str = "") -> str:
        assert self._result is not None
        placement = Placement(self._result.field, self._result.geometry)
        value = float(self._result.maps[channel, row, column])
        return " · ".join(
            (
                self._result.node,
                f"channel {channel}",
                f"unit (y {row}, x {column})",
                value_text(value),
                where or point_text(*placement.centre(row, column)),
            )
        )

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
