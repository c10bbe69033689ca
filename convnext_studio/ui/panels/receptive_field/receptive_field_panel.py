"""The quick view of what a unit of the selected node can see, and of what it does see."""

from typing import cast

import numpy as np
from PySide6.QtWidgets import QComboBox, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.erf import DECADES, ShownScale, scaled_field, usual_scale
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldNetwork, FieldView, ReceptiveFieldResult
from convnext_studio.render import limits_of
from convnext_studio.ui.panels.base import Panel, choice, colormap_choice
from convnext_studio.ui.panels.receptive_field.field_controls import FieldControls
from convnext_studio.ui.panels.receptive_field.measured_field import (
    SIGNED,
    MeasuredField,
    areas_text,
    common_limits,
    common_window,
    difference,
    difference_limits,
    difference_scene,
)
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.dragging import CurtainDrag
from convnext_studio.ui.plots.field_scene import (
    MEANING,
    Colours,
    Labels,
    describe,
    field_layer,
    field_scene,
    figure_note,
    marked_scene,
    nearest_unit,
    point_text,
    shown_clipping,
    shown_limits,
    squares_text,
    why_no_figure,
    window_around,
)
from convnext_studio.ui.plots.scene import Layer, Scene, split_scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.range_choice import RangeChoice

SCALES: tuple[tuple[str, ShownScale], ...] = (
    ("Logarithmic", "decades"),
    ("Linear", "linear"),
    ("log10(x + 1)", "log"),
)
SCALE_TIP = (
    f"Logarithmic colours show {DECADES} powers of ten below the largest value, with the squares of the "
    "protocol; linear ones the field itself, log10(x + 1) what RepLKNet publishes, each with its own squares"
)
_BESIDE: tuple[tuple[Labels, bool], ...] = (("full", True), ("short", True), ("short", False), ("one", False))
"""What is written beside the map: of the squares, and whether the note is. The rest is in the caption."""
NO_FIELD_HERE = (
    "The head is pooled over the whole picture: it has no receptive field. Select a stage or a block."
)


def scale_choice(fields: FieldControls) -> QComboBox:
    """Return the choice of scale for colours and squares; choosing a protocol sets the scale of its squares."""
    scale = choice("Scale", SCALE_TIP, SCALES)

    def take_protocols() -> None:
        scale.setCurrentIndex(scale.findData(usual_scale(fields.settings.protocol)))

    fields.protocol.currentIndexChanged.connect(take_protocols)
    return scale


class ReceptiveFieldPanel(Panel):
    """A panel that shows the effective field while it is averaged, its squares and the theoretical field."""

    title = "Receptive field"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._tried: list[Scene] = []
        self.measured = MeasuredField(self, self.question, self.paint, self.point_text)
        self.map = self.measured.map
        self.fields = FieldControls()
        self.scale = scale_choice(self.fields)
        self.colormap = colormap_choice()
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.zoom = Switch(
            "Part of the input",
            (
                ("99 % square", "square", "Zoom to the square that holds 99 % of the field"),
                ("Whole input", "whole", "Show the whole input of the network"),
            ),
        )
        self._window: Box | None = None
        self.fields.add(self.zoom, kept=True)
        self.fields.add(self.measured.stop)
        for control in (self.scale, self.colormap, self.range):
            self.fields.add(control, rare=True)
        self.controls.add(self.fields, 1)
        self.set_body(self.map)
        self._connect()
        self.measured.query.refresh()

    def _connect(self) -> None:
        state = self.state
        self.fields.follow_unit(state)
        self.measured.smaller_chosen.connect(self.fields.side.setValue)
        for changed in (state.model_loaded, state.opened.changed, state.node_selected, self.fields.changed):
            changed.connect(self.measured.query.schedule)
        state.framing_changed.connect(self.measured.query.schedule)
        state.picture_selected.connect(self._follow_frame)
        for changed in (
            self.scale.currentIndexChanged,
            self.colormap.currentIndexChanged,
            self.range.changed,
            self.zoom.changed,
            self.measured.changed,
        ):
            changed.connect(self.measured.repaint)
        choice = state.second.choice
        choice.curtain_moved.connect(lambda _share: self.measured.repaint())
        CurtainDrag(choice, self.map.view, lambda: state.second.shown == "curtain" and self._other is not None)
        self.map.bar.adjust(self.range)
        self.map.view.clicked.connect(self._choose_unit)
        self.map.view.resized.connect(self._follow_size)

    def _follow_frame(self, _picture: object) -> None:
        """Average over the latest frames of a live source; of pictures, over all that are open."""
        if self.state.live.is_on:
            self.measured.query.schedule()

    def question(self) -> Request | str:
        """Return the request for the selected node's field over the chosen inputs, or why there is none."""
        settings, model = self.fields.settings, self.state.model
        if sentence := settings.why_not(self.state):
            return sentence
        if model is None:
            return self.state.awaited.why_no_model
        if not model.node(self.state.node).has_positions:
            return NO_FIELD_HERE
        return settings.field_request(self.state, "receptive_field", FieldNetwork())

    @property
    def _other(self) -> FieldView | None:
        """The field of B, if there is a figure of it on an input of the same size."""
        second, view = self.measured.query.second, self.measured.view
        other = None if second is None else second.answer
        if not isinstance(other, FieldView) or view is None or why_no_figure(other):
            return None
        return other if other.field_map.shape == view.field_map.shape else None

    def paint(self, view: FieldView) -> None:
        """Show the field of A or B, their difference, or both, on one scale."""
        other, shown = self._other, self.state.second.shown
        if other is None:
            second = self.measured.query.second
            if shown == "first" or second is None:
                self._paint_one(view, None)
            else:
                is_there = second.answer is not None
                no_figure = "The two fields cannot be compared."
                self.show_notice(no_figure if is_there else second.lacking_text)
        elif shown == "difference":
            self._paint_difference(view, other)
        else:
            self._paint_one(*((other, view) if shown == "second" else (view, other)))

    def _paint_difference(self, view: FieldView, other: FieldView) -> None:
        values = difference(view, other)
        limits = difference_limits(values)
        window = common_window(view, other, self._scale) if self.zoom.value == "square" else None
        self._window, self._tried = window, []
        self.map.view.set_scene(difference_scene(values, limits, window))
        self.map.bar.set_scale(ColorScale(SIGNED, limits))
        choice = self.state.second.choice
        said = f"Each field as shares of its sum, {choice.first} minus {choice.second}"
        self.set_caption(" · ".join((said, areas_text(view, other, self._scale, choice), *self._notes)))
        name = f"receptive field {self.state.node} difference"
        self.map.set_contents(self.contents(name, values, self.python))

    @property
    def _notes(self) -> tuple[str, ...]:
        second = self.measured.query.second
        return () if second is None else second.notes

    def _paint_one(self, view: FieldView, other: FieldView | None) -> None:
        """Show a field, its squares and the theoretical field; beyond the curtain's line, that of `other`."""
        scale, colormap = self._scale, str(self.colormap.currentData())
        values = scaled_field(view.field_map, scale)
        self.range.propose(limits_of(values))
        limits = shown_limits(view, scale, self.range.value)
        if other is not None:
            limits = common_limits(view, other, scale, self.range.value)
        colours = Colours(scale=scale, colormap=colormap, limits=limits)
        self._window = window_around(view, scale) if self.zoom.value == "square" else None
        if other is not None and self._window is not None:
            self._window = common_window(view, other, scale)
        layer = field_layer(view, colours, values, self._window)
        scene, said = self._scene_and_caption(view, layer, scale)
        if other is not None and self.state.second.shown == "curtain":
            beyond = field_scene(other, colours, labels="one", window=self._window)
            scene = split_scene(scene, beyond, self.state.second.choice.curtain)
        self.map.view.set_scene(scene)
        clipping = shown_clipping(view, scale, values, limits)
        self.map.bar.set_scale(ColorScale(colormap, limits, clipping=clipping))
        if other is not None:
            of_both = (view, other) if self.state.second.shown != "second" else (other, view)
            said = " · ".join((said, areas_text(*of_both, scale, self.state.second.choice), *self._notes))
        self.set_caption(said)
        self._caption.setToolTip(plain_tip(f"{view.protocol_text}\n\n{MEANING}"))
        values, python = view.field_map, self.python
        if other is not None and self.state.second.shown == "curtain":
            share = self._share_in_field(view)
            columns = np.arange(values.shape[1]) < round(share * values.shape[1])
            values = np.where(columns, values, other.field_map)
            question = self.measured.query.shown_question
            python = None if question is None else self.python_of(question, share)
        self.map.set_contents(self.contents(f"receptive field {self.state.node}", values, python))
        if isinstance(view, ReceptiveFieldResult):
            self.fields.show_unit(view.unit)

    def _scene_and_caption(self, view: FieldView, layer: Layer, scale: ShownScale) -> tuple[Scene, str]:
        """Return the field with what there is room for written beside it, and a caption with the rest."""
        progress = self.measured.progress
        note, said = figure_note(view, scale, progress), describe(view, scale, progress)
        self._tried = []
        for labels, has_note in _BESIDE:
            beside = note if has_note else ""
            scene = marked_scene(view, layer, scale, note=beside, labels=labels, window=self._window)
            self._tried.append(scene)
            if self.map.view.has_room_beside(scene):
                break
        if not has_note:
            brief = figure_note(view, scale, has_count=False)
            said = f"{' · '.join(brief.splitlines())}. {said}"
        if labels == "one":
            said = f"{said} Squares: {squares_text(view, scale)}."
        return scene, said

    def _share_in_field(self, view: FieldView) -> float:
        """Where the curtain's line is in the field, of which a part may be shown, as a share of its width."""
        width = int(view.field_map.shape[1])
        left, _, across, _ = self._window or (0.0, 0.0, float(width), 0.0)
        return (left + self.state.second.choice.curtain * across) / width

    def _follow_size(self) -> None:
        """Paint again if the labels that are shown do not fit any more, or longer ones do."""
        if not self._tried:
            return
        has_room, (*longer, shown) = self.map.view.has_room_beside, self._tried
        if not has_room(shown) or any(has_room(scene) for scene in longer):
            self.measured.repaint()

    def point_text(self, view: FieldView, x: float, y: float) -> str:
        """Describe what is under the pointer, at a point of the scene."""
        return point_text(view, *self._in_input(x, y))

    def _in_input(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point of the scene to the input's coordinates."""
        left, top = (0.0, 0.0) if self._window is None else self._window[:2]
        return x + left, y + top

    @property
    def _scale(self) -> ShownScale:
        return cast("ShownScale", self.scale.currentData())

    def _choose_unit(self, x: float, y: float) -> None:
        """Choose the unit whose field is centred nearest to a point of the input."""
        view = self.measured.view
        if isinstance(view, ReceptiveFieldResult):
            self.fields.choose_unit(nearest_unit(view, *self._in_input(x, y)), self.state)
