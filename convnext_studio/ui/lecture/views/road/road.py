"""A lecture view of the road from ResNet-50 to ConvNeXt-T, as a whole and step by step."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QComboBox, QSizePolicy

from convnext_studio.lecture.setting import OneOf
from convnext_studio.model.road.steps import ROAD, RoadStep
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.lecture.views.controls import toggle
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView
from convnext_studio.ui.lecture.views.road.road_changes import lively_part, paint_change
from convnext_studio.ui.lecture.views.road.road_chart import RoadChart, paint_profile, paint_table, signed
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import plain_tip

_PROFILE_PART = 0.26  # Fraction of the height.
OPEN_TIP = "Build this network with random weights and open it in place of the open model"
BACK_TIP = "Open the previous model again, or the bundled one"


class RoadView(PaintedView):
    """A view of one step with what it changes and its place on the road, or of the whole road as a table.

    Attributes
    ----------
    step
        The current step.
    steps
        Combo box that chooses the step, as does a click on its column or row.
    whole
        Whether the whole road is shown.
    opens, goes_back
        Buttons that open the step's network, and the model that was open before.
    """

    name = "The road from ResNet-50 to ConvNeXt-T"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._chart: RoadChart | None = None  # The last painted one, for mapping clicks to steps.
        self._part: tuple[str, QImage] | None = None
        titles = [(f"{step.number}  {step.title}", key) for key, step in ROAD.items()]
        self.steps = self.add_choice("Step", "The step to show", titles, settings["step"], self._choose)
        self.whole = toggle("Whole road", "Show all steps in one table, or what this step changes")
        self.whole.setChecked(settings["show"] == "road")
        self.whole.toggled.connect(self.canvas.update)
        self.controls.addWidget(self.whole)
        self.opens = self.add_button("Open", OPEN_TIP, self._open)
        self.goes_back = self.add_button("Back", BACK_TIP, self.network_left.emit)
        # Let the combo box shrink, so that all controls fit in one row; its popup is as wide as its texts.
        self.steps.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.steps.setMinimumContentsLength(10)
        self.steps.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.canvas.clicked.connect(self._click)
        self.canvas.pointed.connect(self._point)
        self.canvas.setMouseTracking(True)
        state.model_loaded.connect(self._offer)
        self._choose()

    @property
    def step(self) -> RoadStep:
        """The current step."""
        return ROAD[str(self.steps.currentData())]

    def caption(self) -> str:
        """Return the step's title and the sources of the figures."""
        return (
            f"{self.step.full_title} · accuracies and GMACs as published (Liu et al. 2022, "
            "Table 10) · our count: convolutions and classifier at 224 × 224 px"
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the whole road, or the place of the step on it and what the step changes."""
        step = self.step
        if self.whole.isChecked():
            used = ink.paragraph(room, f"{step.number}  {step.title}: {step.change}", px=ink.small * 1.08)
            self._chart = paint_table(ink, room.adjusted(0, used + 0.5 * ink.small, 0, 0), step)
            return
        above = QRectF(room.left(), room.top(), room.width(), room.height() * _PROFILE_PART)
        self._chart = paint_profile(ink, above, step)
        below = room.adjusted(0, above.height() + 0.4 * ink.px, 0, 0)
        below.setTop(below.top() + ink.paragraph(below, step.change) + 0.4 * ink.px)
        below.setTop(below.top() + _paint_figures(ink, below, step) + 0.7 * ink.px)
        paint_change(ink, below, step, self._lively_part())

    def _lively_part(self) -> QImage | None:
        """Return a part of the open picture, which is chosen once."""
        picture = self.state.picture
        if picture is None:
            return None
        if self._part is None or self._part[0] != picture.key:
            self._part = picture.key, lively_part(picture.preview)
        return self._part[1]

    def _choose(self) -> None:
        self._offer()
        self.canvas.setAccessibleDescription(spoken(self.step))
        self.canvas.update()

    def _offer(self, _model: ModelInfo | None = None) -> None:
        """Enable opening unless the network is open, and show "Back" while a network of the road is open."""
        source = "" if self.state.model is None else self.state.model.source
        self.opens.setEnabled(source != self.step.source)
        self.goes_back.setVisible(source in {step.source for step in ROAD.values()})

    def _open(self) -> None:
        self.network_chosen.emit(self.step.source)

    def _click(self, x: float, y: float) -> None:
        step = self._step_at(x, y)
        if step is not None:
            self.steps.setCurrentIndex(step.number - 1)

    def _point(self, x: float, y: float) -> None:
        step = self._step_at(x, y)
        shape = Qt.CursorShape.ArrowCursor if step is None else Qt.CursorShape.PointingHandCursor
        self.canvas.setCursor(shape)
        tip = "" if step is None else f"{step.number} {step.title}: {_published(step)}"
        self.canvas.setToolTip(plain_tip(tip))

    def _step_at(self, x: float, y: float) -> RoadStep | None:
        return None if self._chart is None else self._chart.step_at(x, y)


def spoken(step: RoadStep) -> str:
    """Describe in sentences everything that is shown of a step."""
    sentences = [
        f"{step.full_title}.",
        step.change,
        f"{_published(step)}.",
        f"Counted here: {step.macs / 1e9:.3f} GMACs, {step.parameters / 1e6:.1f} million parameters.",
        step.remark,
    ]
    return " ".join(filter(None, sentences))


def _published(step: RoadStep) -> str:
    deviation = "" if step.deviation is None else f" ± {step.deviation:.2f}"
    return f"{step.accuracy:.2f}{deviation} % at {step.gmacs:.2f} GMACs"


def _paint_figures(ink: Ink, room: QRectF, step: RoadStep) -> float:
    """Paint the published and counted figures with how the step changed them, and return their height."""
    before = ROAD.get(step.builds_on)
    deviation = "" if step.deviation is None else f" ± {step.deviation:.2f}"
    rows = [
        ("Top-1, paper", f"{step.accuracy:.2f}{deviation} %"),
        ("GMACs, paper", f"{step.gmacs:.2f}"),
        ("GMACs, ours", f"{step.macs / 1e9:.3f}"),
        ("Parameters", f"{step.parameters / 1e6:.2f} M"),
    ]
    gains = ["", "", "", ""]
    if before is not None:
        gains = [
            signed(step.accuracy - before.accuracy, 2),
            signed(step.gmacs - before.gmacs, 2),
            signed((step.macs - before.macs) / 1e9, 3),
            signed((step.parameters - before.parameters) / 1e6, 2),
        ]
    small, line = ink.line(ink.small), ink.line()
    for place, (title, value), gain in zip(shared_columns(room, 4, 0.8 * ink.px), rows, gains, strict=True):
        ink.text(QRectF(place.left(), room.top(), place.width(), line), value, bold=True)
        below = QRectF(place.left(), room.top() + line, place.width(), small)
        beside = ink.width(f"  {gain}", ink.small) if gain else 0.0
        title_place = below.adjusted(0, 0, -beside, 0)
        ink.text(title_place, title, px=ink.small, colour=ink.look.muted)
        ink.text(below, gain, align="right", px=ink.small)
    height = line + small
    if step.remark:
        rest = QRectF(room.left(), room.top() + height, room.width(), max(room.height() - height, 1))
        height += ink.paragraph(rest, step.remark, px=ink.small, colour=ink.look.muted)
    return height


SPEC = ViewSpec(
    name="road",
    title="The road from ResNet-50 to ConvNeXt-T: what each step changes, and what it gains and costs",
    make=RoadView,
    settings={
        "step": OneOf(
            help="The step to show first",
            default="resnet50",
            values=tuple(ROAD),
        ),
        "show": OneOf(
            help="Whether to show first what the step changes, or the whole road as a table",
            default="change",
            values=("change", "road"),
        ),
    },
)
