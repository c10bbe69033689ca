"""A lecture view of the road from ResNet-50 to ConvNeXt-T: accuracy against cost, and each step's changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QComboBox, QSizePolicy

from convnext_studio.lecture.setting import OneOf
from convnext_studio.model.road.steps import ROAD, SWIN_T_ACCURACY, SWIN_T_GMACS, RoadStep
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import Limits, format_ticks, nice_ticks
from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView
from convnext_studio.ui.lecture.views.road.road_block import paint_network
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

STEPS = tuple(ROAD.values())
_COST, _ACCURACY = Limits(2.1, 5.5), Limits(75.6, 82.5)
_LIST_PART = 0.46  # Largest fraction of the width.
_DIGITS, _FIGURE = "000 ", "00.00  "  # Texts as wide as a number and an accuracy in the list.
_DOT = 0.24  # Radius of a point in text heights.
_DIRECTIONS, _RINGS = 16, (1.0, 1.5, 2.1, 2.8, 3.6)
_NEAR = 1.2  # Distance in text heights within which a click selects the nearest point.

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadPlot:
    """The layout of the plot and the list of steps.

    Attributes
    ----------
    room
        The whole rectangle.
    px
        Height of the small text.
    list_width
        Width of the list of names beside the plot.
    """

    room: QRectF
    px: float
    list_width: float

    @property
    def area(self) -> QRectF:
        """The area between the axes."""
        left, below = self.px * 4.0, self.px * 2.9
        width = self.room.width() - self.list_width - left - self.px * 1.2
        return QRectF(
            self.room.left() + left, self.room.top() + self.px * 0.4, width, self.room.height() - below
        )

    def place(self, gmacs: float, accuracy: float) -> QPointF:
        """Return the position of a network of this cost and accuracy."""
        area = self.area
        return QPointF(
            Ink.along(area, _COST, gmacs),
            area.bottom() - (accuracy - _ACCURACY.low) / (_ACCURACY.high - _ACCURACY.low) * area.height(),
        )

    def point(self, step: RoadStep) -> QPointF:
        """Return the position of a step by its published figures."""
        return self.place(step.gmacs, step.accuracy)

    def row(self, step: RoadStep) -> QRectF:
        """Return the step's row in the list."""
        height = self.room.height() / len(STEPS)
        left = self.room.right() - self.list_width
        return QRectF(left, self.room.top() + (step.number - 1) * height, self.list_width, height)

    def step_at(self, x: float, y: float) -> RoadStep | None:
        """Return the step whose row contains the position or whose point is near it, or None."""
        for step in STEPS:
            if self.row(step).contains(x, y):
                return step
        away, nearest = min((QLineF(self.point(step), QPointF(x, y)).length(), step.number) for step in STEPS)
        return STEPS[nearest - 1] if away < _NEAR * self.px else None


def paint_road(ink: Ink, room: QRectF, current: RoadStep) -> RoadPlot:
    """Paint the axes, the reference, the road with its points, and the list with the current step marked."""
    plot = RoadPlot(room=room, px=ink.small, list_width=_list_width(ink, room))
    _paint_axes(ink, plot)
    _paint_reference(ink, plot)
    _paint_road(ink, plot)
    _paint_legend(ink, plot, current)
    if current.remark:
        _paint_count(ink, plot, current)
    _paint_points(ink, plot, current)
    for step in STEPS:
        _paint_row(ink, plot, step, is_current=step is current)
    return plot


def _paint_axes(ink: Ink, plot: RoadPlot) -> None:
    area, line = plot.area, ink.line(ink.small)
    ink.axis(area, _COST, "10⁹ multiply-accumulates (GMACs), as published")
    ticks = nice_ticks(_ACCURACY)
    for value, text in zip(ticks, format_ticks(ticks), strict=True):
        y = plot.place(_COST.low, value).y()
        ink.painter.setPen(QPen(QColor(ink.look.border), 1))
        ink.painter.drawLine(QLineF(area.left(), y, area.right(), y))
        place = QRectF(plot.room.left(), y - line / 2, area.left() - plot.room.left() - ink.small * 0.3, line)
        ink.text(place, text, align="right", px=ink.small, colour=ink.look.muted)
    ink.painter.save()
    ink.painter.translate(plot.room.left(), area.bottom())
    ink.painter.rotate(-90)
    ink.text(QRectF(0, 0, area.height(), line), "ImageNet top-1, %", align="centre", px=ink.small)
    ink.painter.restore()


def _paint_reference(ink: Ink, plot: RoadPlot) -> None:
    """Paint Swin-T as a dashed line at its accuracy and a square at its position."""
    area, at = plot.area, plot.place(SWIN_T_GMACS, SWIN_T_ACCURACY)
    ink.painter.setPen(QPen(QColor(ink.look.warning), 2, Qt.PenStyle.DashLine))
    ink.painter.drawLine(QLineF(area.left(), at.y(), area.right(), at.y()))
    side = ink.small * _DOT * 2
    ink.painter.fillRect(QRectF(at.x() - side / 2, at.y() - side / 2, side, side), QColor(ink.look.warning))
    line = ink.line(ink.small)
    place = QRectF(area.left() + ink.small * 0.4, at.y() - line, area.width(), line)
    ink.text(place, f"■ Swin-T {SWIN_T_ACCURACY:.2f}", px=ink.small, colour=ink.look.warning)


def _paint_road(ink: Ink, plot: RoadPlot) -> None:
    """Paint a line from each network to those that build on it, dotted if that was tried but not kept."""
    for step in STEPS[1:]:
        style = Qt.PenStyle.SolidLine if step.is_adopted else Qt.PenStyle.DotLine
        ink.painter.setPen(QPen(QColor(ink.look.outline), 1.5, style))
        ink.painter.drawLine(QLineF(plot.point(ROAD[step.builds_on]), plot.point(step)))


def _paint_legend(ink: Ink, plot: RoadPlot, current: RoadStep) -> None:
    """Paint the legend of empty points and diamonds in the empty corner of the plot."""
    lines = ["○ tried, not kept", *(["◇ counted here"] if current.remark else [])]
    height = ink.line(ink.small)
    top = plot.area.bottom() - height * (len(lines) + 0.2)
    for index, text in enumerate(lines):
        place = QRectF(plot.area.left() + ink.small * 0.4, top + index * height, plot.area.width(), height)
        ink.text(place, text, px=ink.small * 0.92, colour=ink.look.muted)


def _paint_count(ink: Ink, plot: RoadPlot, step: RoadStep) -> None:
    """Paint our own count, which differs from the published one, as a diamond joined to the published point."""
    at, half = plot.place(step.macs / 1e9, step.accuracy), ink.small * 0.42
    ink.painter.setPen(QPen(QColor(ink.look.accent), 2, Qt.PenStyle.DotLine))
    ink.painter.drawLine(QLineF(at, plot.point(step)))
    ink.painter.setPen(QPen(QColor(ink.look.accent), 2))
    ink.painter.setBrush(QColor(ink.look.surface))
    corners = (QPointF(0, -half), QPointF(half, 0), QPointF(0, half), QPointF(-half, 0))
    ink.painter.drawPolygon(QPolygonF([at + corner for corner in corners]))


def _paint_points(ink: Ink, plot: RoadPlot, current: RoadStep) -> None:
    size = QSizeF(ink.width("17", ink.small) + 2, ink.line(ink.small) * 0.75)
    area = plot.area
    centres = tuple((plot.point(step).x(), plot.point(step).y()) for step in STEPS)
    radius = ink.small * _DOT
    boxes = labels_beside(centres, (size.width(), size.height()), _corners(area), radius, current.number - 1)
    for step, box in zip(STEPS, boxes, strict=True):
        number, at = QRectF(QPointF(*box[:2]), QPointF(*box[2:])), plot.point(step)
        if QLineF(number.center(), at).length() > size.height() * 1.3:
            ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
            ink.painter.drawLine(QLineF(number.center(), at))
        if step is current:
            _paint_current(ink, number, at)
        ink.painter.setPen(QPen(QColor(ink.look.accent if step is current else ink.look.text), 2))
        filled = ink.look.accent if step is current else ink.look.text
        ink.painter.setBrush(QColor(filled if step.is_adopted else ink.look.surface))
        ink.painter.drawEllipse(at, radius, radius)
    for step, box in zip(STEPS, boxes, strict=True):
        number = QRectF(QPointF(*box[:2]), QPointF(*box[2:]))
        colour = ink.look.on_accent if step is current else ink.look.text
        ink.text(
            number, str(step.number), align="centre", px=ink.small * 0.9, colour=colour, bold=step is current
        )


def _paint_current(ink: Ink, number: QRectF, at: QPointF) -> None:
    """Paint a ring around the point, and a plate under its number."""
    ring = ink.small * _DOT * 2
    ink.painter.setBrush(Qt.BrushStyle.NoBrush)
    ink.painter.setPen(QPen(QColor(ink.look.accent), 3))
    ink.painter.drawEllipse(at, ring, ring)
    plate = QPainterPath()
    plate.addRoundedRect(number.adjusted(-4, -2, 4, 2), 4, 4)
    ink.painter.fillPath(plate, QColor(ink.look.accent))


def _paint_row(ink: Ink, plot: RoadPlot, step: RoadStep, *, is_current: bool) -> None:
    row = plot.row(step)
    px = _row_px(ink, plot.room)
    colour = ink.look.on_accent if is_current else ink.look.text if step.is_adopted else ink.look.muted
    if is_current:
        plate = QPainterPath()
        plate.addRoundedRect(row.adjusted(0, 1, 0, -1), 4, 4)
        ink.painter.fillPath(plate, QColor(ink.look.accent))
    digits, figure = ink.width(_DIGITS, px), ink.width(_FIGURE, px)
    inner = row.adjusted(px * 0.4, 0, -px * 0.3, 0)
    number = QRectF(inner.left(), inner.top(), digits * 0.75, inner.height())
    ink.text(number, str(step.number), align="right", px=px, colour=colour, bold=is_current)
    name = inner.adjusted(digits, 0, -figure, 0)
    ink.text(name, _listed(step), px=px, colour=colour, bold=is_current)
    ink.text(inner, f"{step.accuracy:.2f}", align="right", px=px, colour=colour, bold=is_current)


def _listed(step: RoadStep) -> str:
    return step.title if step.is_adopted else f"{step.title} (tried)"


def _row_px(ink: Ink, room: QRectF) -> float:
    return min(ink.small, room.height() / len(STEPS) * 0.84)


def _list_width(ink: Ink, room: QRectF) -> float:
    """Return the width that the longest name needs, limited to a fraction of the room."""
    px = _row_px(ink, room)
    longest = max(ink.width(_listed(step), px, bold=True) for step in STEPS)
    return min(longest + ink.width(_DIGITS + _FIGURE, px) + px * 0.8, room.width() * _LIST_PART)


# ------------------------------------------------------------------------------------ placement of numbers


@lru_cache(maxsize=16)  # It takes a few milliseconds, and the result stays valid until the size changes.
def labels_beside(
    centres: Sequence[tuple[float, float]],
    size: tuple[float, float],
    area: Box,
    radius: float,
    first: int,
) -> tuple[Box, ...]:
    """Find a free place for a label near each point, so that it overlaps no other label and no point.

    A label that fits nowhere is placed above its point.

    Parameters
    ----------
    centres
        Centres of the points.
    size
        Width and height of a label.
    area
        Box that must contain the labels.
    radius
        Radius of the points.
    first
        Index of the point whose label is placed first.
    """
    points = [(x - radius, y - radius, x + radius, y + radius) for x, y in centres]
    found: dict[int, Box] = {}
    for index in (first, *(other for other in range(len(centres)) if other != first)):
        taken = [*points, *found.values()]
        candidates = list(_around(centres[index], size, radius))
        free = (box for box in candidates if _is_within(box, area) and not _meets(box, taken))
        found[index] = next(free, candidates[0])
    return tuple(found[index] for index in range(len(centres)))


def _around(centre: tuple[float, float], size: tuple[float, float], radius: float) -> Iterator[Box]:
    """Yield places around a point, nearest first, each ring clockwise from the top."""
    width, height = size
    for ring in _RINGS:
        for turn in range(_DIRECTIONS):
            angle = 2 * pi * turn / _DIRECTIONS - pi / 2
            x = centre[0] + cos(angle) * (ring * (width / 2 + radius) + radius)
            y = centre[1] + sin(angle) * (ring * (height / 2 + radius) + radius)
            yield x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _meets(box: Box, others: Iterable[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in others
    )


def _is_within(box: Box, area: Box) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and box[2] <= area[2] and box[3] <= area[3]


def _corners(place: QRectF) -> Box:
    return place.left(), place.top(), place.right(), place.bottom()


_PLOT_PART = 0.5  # Fraction of the height.
_FIGURES_PART = 0.29  # Fraction of the width.
OPEN_TIP = "Build this network with random weights and open it in place of the open model"
HOW_TO_READ = (
    "This is the second block of stage 1. Wider boxes have more channels: input at the top, output at "
    "the bottom. From the next step on, dashed frames mark what is removed, solid ones what is new."
)
BACK_TIP = "Open the previous model again, or the bundled one"


class RoadView(PaintedView):
    """A view with a plot and list of all steps, and below it the current step's network and its predecessor's.

    Attributes
    ----------
    step
        The current step.
    steps
        Combo box that chooses the step, as does a click on a point or a name.
    opens, goes_back
        Buttons that open the step's network, and the model that was open before.
    """

    name = "The road from ResNet-50 to ConvNeXt-T"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._plot: RoadPlot | None = None  # The last painted layout, for mapping clicks to steps.
        titles = [(f"{step.number}  {step.title}", key) for key, step in ROAD.items()]
        self.steps = self.add_choice("Step", "The step to show", titles, settings["step"], self._choose)
        self.opens = self.add_button("Open this network", OPEN_TIP, self._open)
        self.goes_back = self.add_button("Back", BACK_TIP, self.network_left.emit)
        # Let the combo box shrink, so that all three fit in one row; its popup is as wide as its texts.
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
        """Paint the plot above and the change below."""
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
        self.canvas.setToolTip("" if step is None else f"{step.number} {step.title}: {_published(step)}")

    def _step_at(self, x: float, y: float) -> RoadStep | None:
        return None if self._plot is None else self._plot.step_at(x, y)


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


def signed(difference: float, decimals: int) -> str:
    """Format a difference with its sign, such as "+0.31" or "−1.23", or as "same" if it rounds to 0."""
    text = f"{difference:+.{decimals}f}"
    return "same" if float(text) == 0 else text.replace("-", "−")


def _published(step: RoadStep) -> str:
    deviation = "" if step.deviation is None else f" ± {step.deviation:.2f}"
    return f"{step.accuracy:.2f}{deviation} % at {step.gmacs:.2f} GMACs"


def _paint_figures(ink: Ink, room: QRectF, step: RoadStep) -> None:
    """Paint the published and counted figures, and how the step changed them."""
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
            help="The step to show first",
            default="resnet50",
            values=tuple(ROAD),
        )
    },
)
