"""The quick view of what a unit of the selected node can see, and of what it does see."""

from PySide6.QtWidgets import QComboBox, QWidget

from convnext_studio.erf import DEFINITIONS
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldView, ReceptiveFieldResult, Scale, Subject
from convnext_studio.render import Clipping, limits_of
from convnext_studio.ui.panels.base import Panel, choice, colormap_choice
from convnext_studio.ui.panels.receptive_field.field_controls import FieldControls
from convnext_studio.ui.panels.receptive_field.measured_field import MeasuredField
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.field_scene import (
    MEANING,
    Colours,
    describe,
    field_scene,
    figure_note,
    nearest_unit,
    shown_values,
)
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.range_choice import RangeChoice

SCALES = (("Linear", "linear"), ("Log", "log"))
SCALE_TIP = "Whether colours and squares show the field itself or log10(field + 1)"
LINES_BESIDE = 11  # Five labels, a note of five lines, and some spacing.
NO_FIELD_HERE = (
    "The head is pooled over the whole picture: it has no receptive field. Select a stage or a block."
)


def scale_choice(fields: FieldControls) -> QComboBox:
    """Return the choice of scale for colours and squares; choosing a protocol sets the scale of its squares."""
    scale = choice("Scale", SCALE_TIP, SCALES)

    def take_protocols() -> None:
        scale.setCurrentIndex(scale.findData(DEFINITIONS[fields.settings.protocol].scale))

    fields.protocol.currentIndexChanged.connect(take_protocols)
    return scale


class ReceptiveFieldPanel(Panel):
    """A panel that shows the effective field while it is averaged, its squares and the theoretical field."""

    title = "Receptive field"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._is_small = False
        self.measured = MeasuredField(self, self.question, self.paint)
        self.map = self.measured.map
        self.fields = FieldControls()
        self.scale = scale_choice(self.fields)
        self.colormap = colormap_choice()
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.fields.add_before_more(self.measured.stop)
        for control in (self.scale, self.colormap, self.range):
            self.fields.rest_row.addWidget(control)
        self.controls.add(self.fields, 1)
        self.set_body(self.map)
        self._connect()
        self.measured.query.refresh()

    def _connect(self) -> None:
        state = self.state
        self.fields.follow_unit(state)
        self.measured.smaller_chosen.connect(self.fields.side.setValue)
        for changed in (state.model_loaded, state.pictures_changed, state.node_selected, self.fields.changed):
            changed.connect(self.measured.query.schedule)
        for changed in (
            self.scale.currentIndexChanged,
            self.colormap.currentIndexChanged,
            self.range.changed,
            self.measured.changed,
        ):
            changed.connect(self.measured.repaint)
        self.map.bar.adjust(self.range)
        self.map.view.clicked.connect(self._choose_unit)
        self.map.view.resized.connect(self._follow_size)

    def question(self) -> Request | str:
        """Return the request for the selected node's field over the chosen inputs, or why there is none."""
        settings, model = self.fields.settings, self.state.model
        if sentence := settings.why_not(self.state):
            return sentence
        if model is None:
            return NO_MODEL
        if not model.node(self.state.node).has_positions:
            return NO_FIELD_HERE
        return settings.field_request(self.state, "receptive_field", Subject())

    def paint(self, view: FieldView) -> None:
        """Show the field, its squares and the theoretical field."""
        scale, colormap = self._scale, str(self.colormap.currentData())
        values = shown_values(view, scale)
        self.range.propose(limits_of(values))
        limits = self.range.value.limits(values)
        colours = Colours(scale=scale, colormap=colormap, limits=limits)
        note = figure_note(view, scale, self.measured.progress)
        self._is_small = self._has_little_room
        if self._is_small:
            self.map.view.set_scene(field_scene(view, colours, is_small=True))
        else:
            self.map.view.set_scene(field_scene(view, colours, note=note))
        self.map.bar.set_scale(ColorScale(colormap, limits, clipping=Clipping.of(values, limits)))
        said = describe(view, scale, self.measured.progress)
        self.set_caption(f"{' · '.join(note.splitlines())}. {said}" if self._is_small else said)
        self._caption.setToolTip(f"{view.protocol_text}\n\n{MEANING}")
        self.map.set_contents(self.contents(f"receptive field {self.state.node}", view.field_map))
        if isinstance(view, ReceptiveFieldResult):
            self.fields.show_unit(view.unit)

    @property
    def _has_little_room(self) -> bool:
        """Whether the labels and the note do not fit beside the map, one below the other."""
        return self.map.view.height() < LINES_BESIDE * self.fontMetrics().lineSpacing()

    def _follow_size(self) -> None:
        if self._is_small != self._has_little_room:
            self.measured.repaint()

    @property
    def _scale(self) -> Scale:
        return "log" if self.scale.currentData() == "log" else "linear"

    def _choose_unit(self, x: float, y: float) -> None:
        """Choose the unit whose field is centred nearest to a point of the input."""
        view = self.measured.view
        if isinstance(view, ReceptiveFieldResult):
            self.fields.choose_unit(nearest_unit(view, x, y), self.state)
