"""The road from ResNet-50 to ConvNeXt-T: accuracy against cost, what each step changes, its network to open."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QComboBox, QSizePolicy

from convnext_studio.engine.messages import ModelInfo
from convnext_studio.lecture.setting import OneOf
from convnext_studio.model.road.steps import ROAD, RoadStep
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.lecture.ink import Ink
from convnext_studio.ui.lecture.painted import PaintedView
from convnext_studio.ui.lecture.view import ViewSpec
from convnext_studio.ui.lecture.views.road_block import paint_network
from convnext_studio.ui.lecture.views.road_plot import RoadPlot, paint_road
from convnext_studio.ui.state import AppState

_PLOT_PART = 0.5  # Of the height.
_FIGURES_PART = 0.29  # Of the width.
OPEN_TIP = "Build this network with random weights and open it in the program, in place of the open model"
HOW_TO_READ = (
    "Drawn is the second block of stage 1. The wider a box, the more channels: above those that go in, below "
    "those that come out. From the next step on, a dashed frame is around what goes, a solid one around what "
    "comes."
)
BACK_TIP = "Open again what was open before, or the model that comes with the program"


class RoadView(PaintedView):
    """Plot and list of all steps; below, the current step's network beside the one that it builds on.

    Attributes
    ----------
    step
        The current one.
    steps
        Box that chooses it, as a click on a point or a name does.
    opens, goes_back
        Buttons that open its network, and the model that was open before.
    """

    name = "The road from ResNet-50 to ConvNeXt-T"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._plot: RoadPlot | None = None  # As it was painted last: what a click means.
        titles = [(f"{step.number}  {step.title}", key) for key, step in ROAD.items()]
        self.steps = self.add_choice("Step", "The step that is shown", titles, settings["step"], self._choose)
        self.opens = self.add_button("Open this network", OPEN_TIP, self._open)
        self.goes_back = self.add_button("Back", BACK_TIP, lambda: state.model_wanted.emit(""))
        # All three find room beside each other; the box's list is as wide as its texts.
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
        """The current one."""
        return ROAD[str(self.steps.currentData())]

    def caption(self) -> str:
        """Whose figures these are."""
        return (
            f"{self.step.full_title} · accuracies and GMACs as published (Liu et al. 2022, Table 10) · "
            "counted here: convolutions and classifier at 224 × 224 px"
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """The plot above, the change below."""
        above = QRectF(room.left(), room.top(), room.width(), room.height() * _PLOT_PART)
        self._plot = paint_road(ink, above, self.step)
        top = above.bottom() + ink.small * 0.6
        change = QRectF(room.left(), top, room.width(), room.bottom() - top)
        used = ink.paragraph(change, self.step.change, px=ink.small * 1.08)
        below = QRectF(room.left(), top + used + ink.small * 0.4, room.width(), 0)
        below.setBottom(room.bottom())
        self._paint_change(ink, below)

    def _paint_change(self, ink: Ink, room: QRectF) -> None:
        step, gap = self.step, ink.small
        figures = room.width() * _FIGURES_PART
        column = (room.width() - figures - 2 * gap) / 2
        left = QRectF(room.left(), room.top(), column, room.height())
        right = left.translated(column + gap, 0)
        if step.builds_on:
            before = ROAD[step.builds_on]
            paint_network(ink, left, f"Before: step {before.number}", before.config, step.config, is_new=False)
            paint_network(ink, right, f"Now: step {step.number}", step.config, before.config, is_new=True)
        else:
            paint_network(ink, left, step.title, step.config, None, is_new=True)
            ink.paragraph(right, HOW_TO_READ, px=ink.small * 0.92, colour=ink.look.muted)
        place = QRectF(right.right() + gap, room.top(), figures, room.height())
        _paint_figures(ink, place, step)

    def _choose(self) -> None:
        self._offer()
        self.canvas.setAccessibleDescription(spoken(self.step))
        self.canvas.update()

    def _offer(self, _model: ModelInfo | None = None) -> None:
        """Open what is not open; go back from what is no model of one's own."""
        source = "" if self.state.model is None else self.state.model.source
        self.opens.setEnabled(source != self.step.source)
        self.goes_back.setVisible(source in {step.source for step in ROAD.values()})

    def _open(self) -> None:
        self.state.model_wanted.emit(self.step.source)

    def _click(self, x: float, y: float) -> None:
        step = self._step_at(x, y)
        if step is not None:
            self.steps.setCurrentIndex(step.number - 1)

    def _point(self, x: float, y: float) -> None:
        step = self._step_at(x, y)
        shape = Qt.CursorShape.ArrowCursor if step is None else Qt.CursorShape.PointingHandCursor
        self.canvas.setCursor(shape)
        self.canvas.setToolTip("" if step is None else f"{step.number} {step.title}: {_published(step)}")

    def _step_at(self, x: float, y: float) -> RoadStep | None:
        return None if self._plot is None else self._plot.step_at(x, y)


def spoken(step: RoadStep) -> str:
    """All that is shown of a step, in sentences."""
    sentences = [
        f"{step.full_title}.",
        step.change,
        f"{_published(step)}.",
        f"Counted here: {step.macs / 1e9:.3f} GMACs, {step.parameters / 1e6:.1f} million parameters.",
        step.remark,
    ]
    return " ".join(filter(None, sentences))


def signed(difference: float, decimals: int) -> str:
    """A difference with its sign: "+0.31", "−1.23"; or that there is none."""
    text = f"{difference:+.{decimals}f}"
    return "same" if float(text) == 0 else text.replace("-", "−")


def _published(step: RoadStep) -> str:
    deviation = "" if step.deviation is None else f" ± {step.deviation:.2f}"
    return f"{step.accuracy:.2f}{deviation} % at {step.gmacs:.2f} GMACs"


def _paint_figures(ink: Ink, room: QRectF, step: RoadStep) -> None:
    """Published and counted, with what the step added or saved."""
    before = ROAD.get(step.builds_on)
    deviation = "" if step.deviation is None else f" ± {step.deviation:.2f}"
    rows = [
        ("Top-1, published", f"{step.accuracy:.2f}{deviation} %"),
        ("GMACs, published", f"{step.gmacs:.2f}"),
        ("GMACs, counted", f"{step.macs / 1e9:.3f}"),
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
    y = room.top()
    for (title, value), gain in zip(rows, gains, strict=True):
        ink.text(QRectF(room.left(), y, room.width(), small), title, px=ink.small * 0.92, colour=ink.look.muted)
        y += small * 0.9
        beside = ink.width(f"  {gain}", ink.small) if gain else 0.0
        ink.text(QRectF(room.left(), y, room.width() - beside, line), value, bold=True)
        ink.text(QRectF(room.left(), y, room.width(), line), gain, align="right", px=ink.small)
        y += line * 1.02
    if step.remark:
        rest = QRectF(room.left(), y, room.width(), max(room.bottom() - y, 1))
        ink.paragraph(rest, step.remark, px=ink.small * 0.88)


SPEC = ViewSpec(
    name="road",
    title="The road from ResNet-50 to ConvNeXt-T: accuracy against cost, and what each step changes",
    make=RoadView,
    settings={
        "step": OneOf(
            help="The step that is shown first",
            default="resnet50",
            values=tuple(ROAD),
        )
    },
)
