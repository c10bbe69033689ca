"""The picture as it was opened, with the part that the network sees and what the selected unit sees."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.common.geometry import Box, CropGeometry
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.channels import ChannelMap, ChannelMapResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import UnitFieldResult
from convnext_studio.ui.panels.base import Panel, choice, opacity_slider
from convnext_studio.ui.panels.interventions.retouch_bar import RetouchBar
from convnext_studio.ui.panels.interventions.retoucher import Retoucher
from convnext_studio.ui.panels.picture.unit_field import (
    RESULT_TEXTS,
    Heat,
    HeatLook,
    SelectedUnit,
    UnitLookButton,
    compared_heat,
    result_text,
    values_text,
)
from convnext_studio.ui.panels.picture.view_controls import FramingControls, ViewControls, framing_facts
from convnext_studio.ui.panels.second_answer import SecondAnswer
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.dragging import BoxTool, CurtainDrag
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import (
    Placement,
    padding_layers,
    padding_margin,
    picture_layer,
    point_text,
    value_text,
)
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Layer, Mark, Scene, line_mark
from convnext_studio.ui.state.app_state import NO_PICTURE, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import ElidedLabel

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
        self._layer: Layer | None = None
        self._crop: CropGeometry | None = None
        self._result: UnitFieldResult | None = None
        self._heat: Heat | None = None
        self._heat_beyond: Layer | None = None  # That of B, right of the curtain's line.
        self._failure = ""
        self._channel: ChannelMapResult | None = None
        self._field_question = Query(bridge, self._receive_field, self._fail_field, parent=self)
        self._second = SecondAnswer(state, bridge, self)
        self._channel_question = Query(bridge, self._receive_channel, lambda _: None, parent=self)
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
        self.look = UnitLookButton()
        self.opacity = opacity_slider()
        self.no_unit = QPushButton("No unit")
        self.no_unit.setToolTip("Show the picture without the field of a unit")
        self._unit_controls = (self.scale, self.look, self.opacity, self.no_unit)
        self.hint = ElidedLabel()
        self.hint.setText("Click the picture to see what a unit sees there.")
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
        self.map.explain_values(self._value_at)
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
        state.prediction_made.connect(self._show_crop)
        state.model_loaded.connect(self._forget_crop)
        self._second.changed.connect(self._colour)
        state.second.shown_changed.connect(self._colour)
        state.second.choice.curtain_moved.connect(self._paint)
        for signal in (
            state.node_selected,
            state.channel_selected,
            state.unit_selected,
        ):
            signal.connect(self._refresh)

    def _has_line(self) -> bool:
        return self._heat_beyond is not None or self.retoucher.has_curtain

    @property
    def is_of_networks(self) -> bool:
        """Whether the field of a unit is shown; the picture alone is that of no network."""
        return super().is_of_networks and self.unit is not None

    @property
    def is_settled(self) -> bool:
        """Whether the unit's field has arrived, if one is to be shown."""
        is_awaited = self._field_question.is_running or self._second.is_running
        return not (self.isVisible() and is_awaited) and self.shown_view.is_settled

    # --------------------------------------------------------------------------------- what the state says

    @property
    def _node(self) -> NodeInfo | None:
        """The selected node if its units have positions in the picture, otherwise None."""
        model = self.state.model
        node = None if model is None else self.state.sized(model.node(self.state.node))
        return node if node is not None and node.has_positions else None

    @property
    def unit(self) -> SelectedUnit | None:
        """The selected unit if it has a position in this picture, otherwise None."""
        node, unit, crop = self._node, self.state.unit, self._crop
        if node is None or unit is None or crop is None:
            return None
        _, height, width = node.shape
        if unit[0] >= height or unit[1] >= width:
            return None
        return SelectedUnit(node, self._channel_of(node), *unit, crop)

    def _channel_of(self, node: NodeInfo) -> int:
        """Return the channel shown: the selected one, or the last one if the node has fewer."""
        return min(self.state.channel, node.shape[0] - 1)

    def _show_picture(self, picture: ImageInfo | None) -> None:
        self._crop = None
        self._layer = None if picture is None else picture_layer(picture)
        if picture is None:
            self.view.set_scene(None)
            self.show_notice(f"{NO_PICTURE[:-1]} (Ctrl+O).")
        else:
            self.show_body()
        self._refresh()

    def _show_crop(self, prediction: Prediction | None) -> None:
        # Without a prediction, the crop of the last one stays: for another class it is the same.
        if prediction is not None and self.state.picture is not None:
            self._crop = prediction.geometry
        self._refresh()

    def _forget_crop(self, _model: ModelInfo) -> None:
        """Draw no box until the new network's prediction says what that network sees."""
        self._crop = None
        self._refresh()

    def _refresh(self, _changed: object = None) -> None:
        """Ask for what is to be shown now, and show what is already known."""
        unit, picture, result = self.unit, self.state.picture, self._result
        if unit is None or picture is None or result is None or not unit.answers(result, picture.key):
            self._result = None
        self._ask(unit, picture)
        for control in self._unit_controls:
            control.setVisible(unit is not None)
        self.hint.setVisible(unit is None)
        self._colour()

    def _ask(self, unit: SelectedUnit | None, picture: ImageInfo | None) -> None:
        # The prediction goes first: it determines the crop, and it is what the user waits for.
        if picture is None or self.state.prediction is None or not self.isVisible():
            self._field_question.drop()
            self._second.drop()
            self._channel_question.drop()
            self._result, self._channel, self._failure = None, None, ""
            return
        if unit is None:
            self._field_question.drop()
            self._second.drop()
        else:
            self._field_question.ask(unit.question(picture.key))
            # Where that unit is in B depends on the part of the picture that B sees.
            if self.state.second.prediction is not None:
                self._second.ask(unit.question(picture.key))
        node = self._node
        if node is not None:
            channel = self._channel_of(node)
            question = ChannelMap(image=picture.key, node=node.name, channel=channel, panel="picture")
            self._channel_question.ask(question)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    # ------------------------------------------------------------------------------------------ the engine

    def _receive_field(self, payload: Payload) -> None:
        if isinstance(payload, UnitFieldResult):
            self._result = payload
            self._colour()

    def _fail_field(self, reason: str) -> None:
        self._failure = reason
        self._paint()

    def _receive_channel(self, payload: Payload) -> None:
        if isinstance(payload, ChannelMapResult):
            self._channel = payload

    # --------------------------------------------------------------------------------------------- display

    @property
    def _is_log(self) -> bool:
        return bool(self.scale.currentData())

    @property
    def _seen_by_b(self) -> tuple[SelectedUnit, UnitFieldResult] | None:
        """The unit of B that corresponds to the selected one, with its field; None until it is known."""
        result, model = self._second.answer, self.state.second.model
        if not isinstance(result, UnitFieldResult) or model is None:
            return None
        node = self.state.second.sized(model.node(result.node))
        return SelectedUnit(node, result.channel, result.y, result.x, result.geometry), result

    def _colour(self, _changed: object = None) -> None:
        unit = self.unit
        self._heat, self._heat_beyond = None, None
        if unit is not None and self._result is not None:
            colormap = str(self.look.colormap.currentData())
            heats = compared_heat(
                (unit, self._result),
                self._seen_by_b,
                self.state.second.shown,
                HeatLook(self._is_log, colormap, self.look.range.value),
            )
            self._heat, self._heat_beyond = heats
        if self._heat is None:
            self.map.bar.set_scale(None)
        else:
            heat = self._heat
            scale = ColorScale(heat.colormap, heat.limits, clipping=heat.clipping, zero=heat.zero)
            self.map.bar.set_scale(scale)
            self.look.range.propose(heat.limits)
        self._paint()

    def _paint(self) -> None:
        picture, crop, unit = self.state.picture, self._crop, self.unit
        if picture is None or self._layer is None:
            return
        layers = self.retoucher.layers(self._layer)
        layers += self._heat_layers(picture.size)
        crop, unit = self._shown_place(crop, unit)
        # The label would take room that the unit's field needs.
        words = FRAME_WORDS if unit is None and self._has_room_for_words else ""
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
            marks = (*marks, *unit.marks())
        if self._heat_beyond is not None or self.retoucher.has_curtain:
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
        self.set_caption(" · ".join(self._facts(picture, crop) if unit is None else self._unit_facts(unit)))
        effective = None if unit is None or self._result is None else self._result.effective
        self.map.set_contents(self.contents(picture.name, effective, self.python))

    def _heat_layers(self, size: tuple[int, int]) -> list[Layer]:
        """Return the field over the picture, on both sides of the curtain's line if there is one."""
        if self._heat is None:
            return []
        opacity = self.opacity.value() / 100
        if self._heat_beyond is None:
            return [replace(self._heat.layer, opacity=opacity)]
        width, height = float(size[0]), float(size[1])
        line = self.state.second.choice.curtain * width
        return [
            replace(self._heat.layer, opacity=opacity, clip=(0.0, 0.0, line, height)),
            replace(self._heat_beyond, opacity=opacity, clip=(line, 0.0, width - line, height)),
        ]

    def _shown_place(
        self, crop: CropGeometry | None, unit: SelectedUnit | None
    ) -> tuple[CropGeometry | None, SelectedUnit | None]:
        """Return the crop and the unit to draw: those of B where B alone is shown."""
        second = self.state.second
        if second.shown != "second":
            return crop, unit
        seen = self._seen_by_b
        crop_b = None if second.prediction is None else second.prediction.geometry
        return crop_b, None if unit is None or seen is None else seen[0]

    def _framed_box(self, crop: CropGeometry | None) -> Box | None:
        """Return the part of the picture that the network sees, or will see; None while it is not known."""
        box = self.box.box if self.box.is_moving else self.state.framing.box
        if box is not None and (crop is None or self.box.is_moving):
            return float(box[0]), float(box[1]), float(box[2]), float(box[3])
        return None if crop is None else crop.seen_box

    @property
    def _has_room_for_words(self) -> bool:
        """Whether words on the photograph hide little of it."""
        return self.view.height() >= LINES_FOR_WORDS * self.fontMetrics().lineSpacing()

    def _keep_caption_room(self, picture: ImageInfo, crop: CropGeometry | None) -> None:
        """Keep room for what is said of a unit, so that selecting one does not move the photograph."""
        texts = [" · ".join(self._facts(picture, crop))]
        node = self._node
        if node is not None and crop is not None:
            _, height, width = node.shape
            unit = SelectedUnit(node, self._channel_of(node), height - 1, width - 1, crop)
            texts.append(f"{unit.describe()} · value -0.0000123 · {RESULT_TEXTS[self._is_log]}")
        self.keep_caption_room(*texts)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep room for the captions at this width."""
        super().resizeEvent(event)
        self._paint()

    def _unit_facts(self, unit: SelectedUnit) -> list[str]:
        if self.state.second.shown != "first" and self._seen_by_b is None:
            return [unit.describe(), self._second.lacking_text]
        if self._result is not None:
            said = [unit.describe(), *self._value_texts(self._result), self.look.range.value.text]
            return [text for text in (*said, *self._second.notes) if text]
        is_awaited = self._field_question.is_running
        return [unit.describe(), "computing its effective field …" if is_awaited else self._failure]

    def _value_texts(self, result: UnitFieldResult) -> list[str]:
        """Describe the field that is shown, and the values of the unit in both networks."""
        seen, shown = self._seen_by_b, self.state.second.shown
        if seen is None or shown == "first":
            return [result_text(result, self._is_log)]
        if shown == "second":
            return [result_text(seen[1], self._is_log)]
        return [values_text(result, seen[1], shown)]

    def _facts(self, picture: ImageInfo, crop: CropGeometry | None) -> list[str]:
        facts = [f"{picture.name}: {picture.size[0]} × {picture.size[1]} px"]
        if self.shown_view.text:
            facts.append(self.shown_view.text)
        if crop is not None:
            facts.append(framing_facts(self.state.framing, crop))
        if picture.preview.shape[1] != picture.size[0]:
            facts.append("shown at a reduced size")
        return [*facts, *picture.notes]

    # -------------------------------------------------------------------------------------------- pointing

    def _unit_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return row and column of the selected node's unit at a point of the picture, or None."""
        node, crop = self._node, self._crop
        if node is None or crop is None:
            return None
        return Placement(node.field, crop).unit_at(x, y, *node.shape[1:])

    def _select_unit(self, x: float, y: float) -> None:
        unit = self._unit_at(x, y)
        if unit is not None:
            self.state.set_unit(*unit)

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the field of the unit; without one, the picture's preview."""
        unit, picture, model = self.unit, self.state.picture, self.state.model
        if picture is None or model is None:
            return None
        if unit is None or self._result is None:
            return PythonLines(("values = picture.info.preview",), (picture.key,))
        return lines_of(unit.question(picture.key), model)

    def _value_at(self, x: float, y: float) -> ValuePlace | None:
        """Return the place of the selected channel's value at a point of the picture, or None."""
        node, unit = self._node, self._unit_at(x, y)
        if self.state.second.shown != "first":  # The sum would be that of A.
            return None
        return None if node is None or unit is None else ValuePlace(node.name, self._channel_of(node), *unit)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the unit with the arrow keys; the first key selects the one in the middle."""
        step, node = _STEPS.get(Qt.Key(event.key())), self._node
        if step is None or node is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
            return
        _, height, width = node.shape
        if self.state.unit is None:
            self.state.set_unit(height // 2, width // 2)
            return
        y, x = self.state.unit[0] + step[0], self.state.unit[1] + step[1]
        self.state.set_unit(min(max(y, 0), height - 1), min(max(x, 0), width - 1))

    def _hover(self, x: float, y: float) -> None:
        said = [point_text(x, y)]
        if self._crop is not None:
            in_x, in_y = self._crop.to_input(x, y)
            width, height = self._crop.input_size
            is_inside = 0 <= in_x < width and 0 <= in_y < height
            said.append(f"network input ({int(in_x)}, {int(in_y)})" if is_inside else "outside the crop")
        said += self._unit_texts(self._unit_at(x, y))
        self.state.hovered.emit(" · ".join(said))

    def _unit_texts(self, unit: tuple[int, int] | None) -> list[str]:
        """Describe node, channel and unit, with its value if known."""
        node, known, picture = self._node, self._channel, self.state.picture
        if unit is None or node is None or picture is None:
            return []
        channel = self._channel_of(node)
        said = [node.name, f"channel {channel}", f"unit (y {unit[0]}, x {unit[1]})"]
        if known is not None and (known.image, known.node, known.channel) == (picture.key, node.name, channel):
            said.append(value_text(float(known.map[unit])))
        return said


def _below(controls: QWidget, content: QWidget) -> QWidget:
    """Return a widget with a row of controls above the content."""
    body = QWidget()
    layout = QVBoxLayout(body)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(controls)
    layout.addWidget(content, 1)
    return body
