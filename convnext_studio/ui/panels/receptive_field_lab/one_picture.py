"""Show what in one photograph decides about a unit, or about the score of a class."""

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.erf import ShownScale, scaled_field
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldView, ReceptiveField, ReceptiveFieldResult
from convnext_studio.render import OVER_PICTURE, limits_of
from convnext_studio.ui.panels.base import Panel, choice, colormap_choice, opacity_slider
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.panels.receptive_field.field_controls import FieldSettings
from convnext_studio.ui.panels.receptive_field.measured_field import MeasuredField
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import NO_FIELD_HERE, SCALE_TIP, SCALES
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.field_scene import (
    PROTOCOLS,
    clipped,
    describe,
    nearest_unit,
    point_text,
    shown_clipping,
    shown_limits,
    square_box,
    squares_on,
    theoretical_box,
    theoretical_text,
)
from convnext_studio.ui.plots.map_texts import picture_layer, veil_layer
from convnext_studio.ui.plots.scene import Mark, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.range_choice import RangeChoice


class OnePicturePage(Panel):
    """A page that shows the gradient for the current picture, laid over it.

    Parameters
    ----------
    settings
        Returns the protocol and the unit at the time of the request.
    """

    unit_chosen = Signal(object)  # (row, column)
    follows_changes = True

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: Callable[[], FieldSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(state, bridge, parent)
        self._settings = settings
        self._photographs = Photographs(state)
        # The input size is that of the picture and cannot be chosen.
        self.measured = MeasuredField(self, self.question, self.paint, self.point_text, offers_smaller=False)
        self.map = self.measured.map
        self.what = choice(
            "Measured output",
            (
                "The output whose gradient is measured: one unit of the selected node, or the "
                "score of the explained class"
            ),
            (("A unit of the node", "unit"), ("The class's score", "score")),
            word="Measured",
        )
        self.scale = choice("Scale", SCALE_TIP, SCALES)
        self.colormap = colormap_choice()
        self.colormap.setCurrentIndex(self.colormap.findData(OVER_PICTURE))
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.opacity = opacity_slider()
        for control in (self.what, self.scale, self.colormap, self.range):
            self.controls.add(control)
        self.controls.add(self.opacity, word="Opacity")
        self.controls.add(self.measured.stop)
        self.set_body(self.map)
        self._connect()

    def _connect(self) -> None:
        state, schedule = self.state, self.measured.query.schedule
        for changed in (state.model_loaded, state.picture_selected, state.node_selected, state.target_selected):
            changed.connect(schedule)
        state.prediction_made.connect(schedule)
        self.what.currentIndexChanged.connect(schedule)
        for box in (self.scale, self.colormap):
            box.currentIndexChanged.connect(self.measured.repaint)
        self.range.changed.connect(self.measured.repaint)
        self.opacity.valueChanged.connect(self.measured.repaint)
        self.measured.changed.connect(self.measured.repaint)
        self.map.view.clicked.connect(self._choose_unit)

    def question(self) -> Request | str:
        """Return the request for this picture's field, in the crop the network sees, or why there is none."""
        state, settings = self.state, self._settings()
        if state.picture is None:
            return state.awaited.invitation
        if state.model is None:
            return state.awaited.why_no_model
        if settings.protocol == "luo":
            return "Luo et al. measure on noise, not on photographs. Choose another protocol."
        is_score = self.what.currentData() == "score"
        if not is_score and not state.model.node(state.node).has_positions:
            return NO_FIELD_HERE
        target = state.explained_class if is_score else None
        if is_score and target is None:
            return "The score can be measured when the prediction has arrived."
        return ReceptiveField(
            panel="one_picture",
            network=self.network,
            node=state.model.config.stages[-1] if is_score else state.node,
            images=(state.picture.key,),
            count=1,
            protocol=settings.protocol,
            framing="own",
            unit=None if is_score else settings.unit,
            target=target,
        )

    def paint(self, view: FieldView) -> None:
        """Show the photograph with the field on it, its squares and the theoretical field."""
        picture = self.state.picture
        if picture is None or not isinstance(view, ReceptiveFieldResult) or view.geometry is None:
            return
        scale = self._scale
        values = scaled_field(view.field_map, scale)
        self.range.propose(limits_of(values))
        limits, colormap = shown_limits(view, scale, self.range.value), str(self.colormap.currentData())
        zero = limits.low if scale == "decades" else 0.0
        to_picture = view.geometry.box_to_picture
        height, width = values.shape
        whole: Box = (0.0, 0.0, float(width), float(height))
        over = veil_layer(values, to_picture(whole), limits, colormap, zero, measured=view.field_map)
        layer = replace(over, opacity=self.opacity.value() / 100)
        marks = [
            Mark(to_picture(square_box(view, square)), f"{100 * square.threshold:g} %", beside=True)
            for square in reversed(squares_on(view, scale))
        ]
        box = theoretical_box(view)
        if box is not None:
            inside = to_picture(clipped(box, width, height))
            label = f"theoretical · {theoretical_text(view, box)}"
            marks.append(Mark(inside, label, theme.DARK.warning, dashed=True, beside=True))
        below = self._photographs.shown(picture) if self.network == "B" else picture
        scene = Scene(
            size=picture.size,
            layers=(picture_layer(below), layer),
            marks=tuple(marks),
            note=f"{self._what(view)}\n{PROTOCOLS[view.protocol]} protocol\n{picture.name}",
        )
        self.map.view.set_scene(scene)
        clipping = shown_clipping(view, scale, values, limits)
        self.map.bar.set_scale(ColorScale(colormap, limits, clipping=clipping, zero=zero))
        self.set_caption(f"{describe(view, scale, self.measured.progress)} {view.protocol_text}")
        self.map.set_contents(self.contents(f"{picture.name} receptive field", view.field_map, self.python))

    def point_text(self, view: FieldView, x: float, y: float) -> str:
        """Describe what is under the pointer, in the coordinates of the network's input."""
        if not isinstance(view, ReceptiveFieldResult) or view.geometry is None:
            return ""
        in_x, in_y = view.geometry.to_input(x, y)
        height, width = view.field_map.shape
        is_inside = 0 <= in_x < width and 0 <= in_y < height
        return point_text(view, in_x, in_y) if is_inside else "outside what the network sees"

    @property
    def _scale(self) -> ShownScale:
        return cast("ShownScale", self.scale.currentData())

    def _what(self, view: ReceptiveFieldResult) -> str:
        model = self.state.model
        if view.target is None or model is None:
            return f"Unit (y {view.unit[0]}, x {view.unit[1]}) of {view.node}"
        return f"Score of “{model.labels[view.target]}”"

    def _choose_unit(self, x: float, y: float) -> None:
        view = self.measured.view
        if isinstance(view, ReceptiveFieldResult) and view.geometry is not None and view.target is None:
            self.unit_chosen.emit(nearest_unit(view, *view.geometry.to_input(x, y)))
