"""The picture as it was opened, with the part that the network sees and what the selected unit sees."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.common.geometry import Box, CropGeometry
from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.panels.base import Panel, choice, opacity_slider
from convnext_studio.ui.panels.interventions.retouch_bar import RetouchBar
from convnext_studio.ui.panels.interventions.retoucher import Retoucher
from convnext_studio.ui.panels.picture.unit_field import (
    RESULT_TEXTS,
    ChannelUnits,
    HeatLook,
    SelectedUnit,
    UnitFields,
    UnitLookButton,
)
from convnext_studio.ui.panels.picture.view_controls import FramingControls, ViewControls, picture_facts
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.dragging import BoxTool, CurtainDrag
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import (
    padding_layers,
    padding_margin,
    picture_layer,
    point_text,
)
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Layer, Mark, Scene, line_mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.state.selection.awaited import NO_PICTURE
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import HintLabel

FRAME_WORDS = "what the network sees"
LINES_FOR_WORDS = 14
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
"""Row and column steps of the unit for each arrow key."""


class PicturePanel(Panel):
    """A panel that shows the picture with the network's crop on it, in the coordinates of the full picture.

    A click selects the unit there, in the selected node and channel; arrow keys move it. Its theoretical field
    is drawn at once, its effective field when the engine has computed it.
    """

    title = "Picture"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._shown: ImageInfo | None = None  # The picture, or an earlier frame of a live source.
        self._layer: Layer | None = None
        self._field = UnitFields(state, bridge, self)
        self._units = ChannelUnits(state, bridge, self)
        self._add_controls()
        self.map = MapView("Picture")
        self.view = self.map.view
        self.retouch_bar = RetouchBar(state)
        self.set_body(_below(self.retouch_bar, self.map))
        LinkedCrosshair(state, self.view)
        LinkedZoom(state, self.view)
        CurtainDrag(state.second.choice, self.view, self._has_line)
        self.box = BoxTool(self.view)
        self.retoucher = Retoucher(state, bridge, self.view, self.retouch_bar)
        self._connect()
        self._show_picture(state.picture)
        self._show_crop(state.prediction)

    def _add_controls(self) -> None:
        self.scale = choice(
            "Scale of the effective field",
            "The colours of the effective field show its values, or their logarithm",
            [("Linear", False), ("Log", True)],
        )
        # Linear, most fields are a few bright pixels that nobody finds on a photograph.
        self.scale.setCurrentIndex(self.scale.findData(True))
        self.look = UnitLookButton()
        self.opacity = opacity_slider()
        self.no_unit = QPushButton("Clear the unit")
        self.no_unit.setToolTip("Show the picture without the field of a unit")
        self._unit_controls = (self.scale, self.look, self.opacity, self.no_unit)
        self.hint = HintLabel(
            "Click the picture to see what a unit sees there.",
            "Click to see what a unit sees.",
            "Click a unit.",
        )
        self.hint.setProperty("muted", True)
        self.hint.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )  # The controls go first.
        self.controls.add(self.hint, 1)
        self.controls.add(self.scale, word="Field", kept=True)
        self.framing = FramingControls(self.state, self.controls)
        self.shown_view = ViewControls(self.state, self.bridge, self.controls)
        self.retouch = QPushButton("Change")
        self.retouch.setCheckable(True)
        self.retouch.setToolTip("Blur or fill places of the picture, and watch the prediction (Ctrl+Alt+B)")
        self.retouch.setAccessibleName("Change the picture")
        self.controls.add(self.retouch, kept=True)
        self.controls.add(self.no_unit)
        self.controls.add(self.look)
        self.controls.add(self.opacity, word="Opacity")

    def _connect(self) -> None:
        state = self.state
        self.view.hovered.connect(self._hover)
        self.view.hover_left.connect(lambda: state.hovered.emit(""))
        self.view.clicked.connect(self._select_unit)
        self.map.explain_values(self._units.asked_at)
        self.retouch.clicked.connect(self.retoucher.activate)
        self.retoucher.toggled.connect(self.retouch.setChecked)
        self.retoucher.changed.connect(self._paint)
        self.box.dragged.connect(self._paint)
        self.box.changed.connect(self.framing.set_box)
        self.scale.currentIndexChanged.connect(self._colour)
        self.look.changed.connect(self._colour)
        self.map.bar.adjust(self.look.range)
        self.opacity.valueChanged.connect(self._paint)
        self.no_unit.clicked.connect(state.clear_unit)
        state.second.prediction_made.connect(self._refresh)
        state.picture_selected.connect(self._show_picture)
        state.awaited.changed.connect(self._show_invitation)
        state.turns.connect_slot(state.prediction_made, self._show_crop, self)
        state.model_loaded.connect(self._forget_crop)
        self._field.changed.connect(self._show_field)
        state.second.shown_changed.connect(self._colour)
        state.second.choice.curtain_moved.connect(self._paint)
        for signal in (state.node_selected, state.channel_selected, state.unit_selected):
            signal.connect(self._refresh)

    def _has_line(self) -> bool:
        return self._field.has_line or self.retoucher.has_curtain

    @property
    def is_of_networks(self) -> bool:
        """Whether the field of a unit is shown; the picture alone is that of no network."""
        return super().is_of_networks and self.unit is not None

    @property
    def is_settled(self) -> bool:
        """Whether the unit's field has arrived, if one is to be shown."""
        return not (self.isVisible() and self._field.is_running) and self.shown_view.is_settled

    # --------------------------------------------------------------------------------- what the state says

    @property
    def unit(self) -> SelectedUnit | None:
        """The selected unit if it has a position in this picture, otherwise None."""
        return self._units.selected

    def _show_picture(self, picture: ImageInfo | None) -> None:
        if self._field.holds(self.unit, picture):
            return  # The frame before stays, with its field, until that of a newer one is known.
        self._units.crop = None
        self._put(picture)
        if picture is None:
            self.view.set_scene(None)
            self._show_invitation()
        else:
            self.show_body()
        if not self.state.live.is_on:  # Frames come with their prediction, of which it is told next.
            self._refresh()

    def _show_invitation(self) -> None:
        """Say which picture is being opened, or how to open one, while there is none."""
        if self.state.picture is None:
            self.show_notice(self.state.awaited.picture or f"{NO_PICTURE[:-1]} (Ctrl+O).")

    def _put(self, picture: ImageInfo | None) -> None:
        """Paint this picture from now on."""
        self._shown, self._layer = picture, None if picture is None else picture_layer(picture)
        self.frame_label.count(None if picture is None else number_of(picture.key))

    def _show_field(self) -> None:
        """Show a field over the frame that it is of."""
        if self._field.frame is not None:
            self._put(self._field.frame)
        self._colour()

    def _show_crop(self, prediction: Prediction | None) -> None:
        # Without a prediction, the crop of the last one stays: for another class it is the same.
        if prediction is not None and self.state.picture is not None:
            self._units.crop = prediction.geometry
        self._refresh()

    def _forget_crop(self, _model: ModelInfo) -> None:
        """Draw no box until the new network's prediction says what that network sees."""
        self._units.crop = None
        self._refresh()

    def _refresh(self, _changed: object = None) -> None:
        """Ask for what is to be shown now, and show what is already known."""
        unit, picture = self.unit, self.state.picture
        self._field.forget_all_but(unit, picture)
        if self._shown is not picture and not self._field.holds(unit, picture):
            self._put(picture)
        self._ask(unit, picture)
        for control in self._unit_controls:
            control.setVisible(unit is not None)
        self.hint.setVisible(unit is None)
        self._colour()

    def _ask(self, unit: SelectedUnit | None, picture: ImageInfo | None) -> None:
        # The prediction goes first: it determines the crop, and it is what the user waits for.
        if picture is None or self.state.prediction is None or not self.isVisible():
            self._field.forget()
            self._units.forget()
            return
        self._field.ask(unit, picture)
        self._units.ask(picture)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    # --------------------------------------------------------------------------------------------- display

    @property
    def _is_log(self) -> bool:
        return bool(self.scale.currentData())

    def _colour(self, _changed: object = None) -> None:
        colormap = str(self.look.colormap.currentData())
        heat = self._field.colour(self.unit, HeatLook(self._is_log, colormap, self.look.range.value))
        if heat is None:
            self.map.bar.set_scale(None)
        else:
            scale = ColorScale(heat.colormap, heat.limits, clipping=heat.clipping, zero=heat.zero)
            self.map.bar.set_scale(scale)
            self.look.range.propose(heat.limits)
        self._paint()

    def _paint(self) -> None:
        picture, crop, unit = self._shown, self._units.crop, self.unit
        if picture is None or self._layer is None:
            return
        opacity = self.opacity.value() / 100
        layers = [*self.retoucher.layers(self._layer), *self._field.layers(picture.size, opacity)]
        crop, unit = self._field.shown_place(crop, unit)
        has_room = _has_room_for_words(self.view)
        # The label would take room that the unit's field needs.
        words = FRAME_WORDS if unit is None and has_room else ""
        if not self.box.is_moving:
            self.box.box = self.state.framing.box
            if crop is not None and self.box.box is None:
                x, y, width, height = (round(number) for number in crop.seen_box)
                self.box.box = x, y, width, height
        framed = self._framed_box(crop)
        is_changing = self.retoucher.is_active
        if is_changing:
            self.box.box = None  # A drag is a stroke then.
        marks = () if framed is None else (Mark(framed, words, theme.DARK.accent, has_handles=not is_changing),)
        if unit is not None:
            marks = (*marks, *unit.marks(has_room))
        if self._has_line():
            line = self.state.second.choice.curtain * picture.size[0]
            marks = (*marks, line_mark(line, picture.size[1]))
        model = self.state.model
        if crop is not None and model is not None:
            layers += padding_layers(crop, model.mean_colour)
        scene = Scene(
            size=picture.size,
            layers=tuple(layers),
            marks=marks,
            bright_box=framed,
            lines=self.retoucher.lines,
            spots=() if unit is None else (unit.spot(),),
            margin=(0.0, 0.0, 0.0, 0.0) if crop is None else padding_margin(crop),
        )
        self.view.set_scene(scene)
        self._keep_caption_room(picture, crop)
        self.set_caption(" · ".join(self._facts(picture, crop) if unit is None else self._field.facts(unit)))
        values = None if unit is None else self._field.shown_values
        self.map.set_contents(self.contents(picture.name, values, self.python))

    def _framed_box(self, crop: CropGeometry | None) -> Box | None:
        """Return the part of the picture that the network sees, or will see; None while it is not known."""
        box = self.box.box if self.box.is_moving else self.state.framing.box
        if box is not None and (crop is None or self.box.is_moving):
            return float(box[0]), float(box[1]), float(box[2]), float(box[3])
        return None if crop is None else crop.seen_box

    def _keep_caption_room(self, picture: ImageInfo, crop: CropGeometry | None) -> None:
        """Keep room for what is said of a unit, so that selecting one does not move the photograph."""
        texts = [" · ".join(self._facts(picture, crop))]
        node = self._units.node
        if node is not None and crop is not None:
            _, height, width = node.shape
            unit = SelectedUnit(node, self._units.channel_of(node), height - 1, width - 1, crop)
            texts.append(f"{unit.describe()} · value -0.0000123 · {RESULT_TEXTS[self._is_log]}")
        self.keep_caption_room(*texts)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep room for the captions at this width."""
        super().resizeEvent(event)
        self._paint()

    def _facts(self, picture: ImageInfo, crop: CropGeometry | None) -> list[str]:
        return picture_facts(picture, self.shown_view.text, self.state.framing, crop)

    # -------------------------------------------------------------------------------------------- pointing

    def _select_unit(self, x: float, y: float) -> None:
        unit = self._units.unit_at(x, y)
        if unit is not None:
            self.state.set_unit(*unit)

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the field of the unit; without one, the picture's preview."""
        unit, picture = self.unit, self._shown
        if picture is None or self.state.model is None:
            return None
        if unit is None or self._field.result is None:
            return PythonLines(("values = picture.info.preview",), (picture.key,))
        if self._field.shown_values is None:
            return None
        return self.python_of(unit.question(picture.key), self._field.share)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the unit with the arrow keys; the first key selects the one in the middle."""
        step = _STEPS.get(Qt.Key(event.key()))
        unit = None if step is None else self._units.moved(*step)
        if unit is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        else:
            self.state.set_unit(*unit)

    def _hover(self, x: float, y: float) -> None:
        said = [point_text(x, y)]
        if self._units.crop is not None:
            in_x, in_y = self._units.crop.to_input(x, y)
            width, height = self._units.crop.input_size
            is_inside = 0 <= in_x < width and 0 <= in_y < height
            said.append(f"network input ({int(in_x)}, {int(in_y)})" if is_inside else "outside the crop")
        said += self._units.texts(self._units.unit_at(x, y))
        self.state.hovered.emit(" · ".join(said))


def _below(controls: QWidget, content: QWidget) -> QWidget:
    """Return a widget with a row of controls above the content."""
    body = QWidget()
    layout = QVBoxLayout(body)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(controls)
    layout.addWidget(content, 1)
    return body


def _has_room_for_words(view: QWidget) -> bool:
    """Return whether words on the photograph hide little of it."""
    return view.height() >= LINES_FOR_WORDS * view.fontMetrics().lineSpacing()
