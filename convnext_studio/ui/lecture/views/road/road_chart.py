"""Charts of the whole road, in which every step has a column or a row of its own.

Several steps have nearly the same cost and accuracy, so in a plot of one over the other their points would
lie on one another.
"""

from msgspec import Struct
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen, QPolygonF

from convnext_studio.model.road.steps import ROAD, SWIN_T_ACCURACY, SWIN_T_GMACS, RoadStep
from convnext_studio.render import Limits
from convnext_studio.ui.plots.ink import Ink

STEPS = tuple(ROAD.values())
_ACCURACY = Limits(75.6, 82.6)
_MARKS = (76, 78, 80, 82)
_DOT = 0.26  # Radius of a point in text heights.
_COST_PART = 0.16  # Of the width of the table, for the bars of the costs.


class RoadChart(Struct, frozen=True, kw_only=True):
    """The places of the steps in a chart.

    Attributes
    ----------
    area
        Where the points are.
    cells
        The column or row of each step; a click into it chooses the step.
    upright
        Whether the accuracy grows upwards, with steps from left to right; otherwise it grows to the right, with
        steps from top to bottom.
    """

    area: QRectF
    cells: tuple[QRectF, ...]
    upright: bool

    def point(self, step: RoadStep) -> QPointF:
        """Return the place of a step's point."""
        centre = self.cells[step.number - 1].center()
        along = self.along(step.accuracy)
        return QPointF(centre.x(), along) if self.upright else QPointF(along, centre.y())

    def along(self, accuracy: float) -> float:
        """Return where an accuracy is on its axis."""
        share = (accuracy - _ACCURACY.low) / (_ACCURACY.high - _ACCURACY.low)
        if self.upright:
            return self.area.bottom() - share * self.area.height()
        return self.area.left() + share * self.area.width()

    def step_at(self, x: float, y: float) -> RoadStep | None:
        """Return the step whose column or row contains the position, or None."""
        return next((step for step, cell in zip(STEPS, self.cells, strict=True) if cell.contains(x, y)), None)


# ------------------------------------------------------------------------------------------------ the profile


def paint_profile(ink: Ink, room: QRectF, current: RoadStep) -> RoadChart:
    """Paint the accuracy from step to step, from left to right."""
    line, small = ink.line(ink.small), ink.small
    left = ink.width("82 ", small)
    area = room.adjusted(left, line * 1.2, -0.4 * small, -1.3 * line)
    pitch = area.width() / len(STEPS)
    cells = tuple(
        QRectF(area.left() + index * pitch, room.top(), pitch, room.height()) for index in range(len(STEPS))
    )
    chart = RoadChart(area=area, cells=cells, upright=True)
    ink.text(QRectF(room.left(), room.top(), room.width(), line), "ImageNet top-1, %", px=small)
    for mark in _MARKS:
        y = chart.along(mark)
        ink.painter.setPen(QPen(QColor(ink.look.border), 1))
        ink.painter.drawLine(QLineF(area.left(), y, area.right(), y))
        place = QRectF(room.left(), y - line / 2, left - 0.3 * small, line)
        ink.text(place, str(mark), align="right", px=small, colour=ink.look.muted)
    _paint_swin(ink, chart)
    _paint_way(ink, chart, current)
    for step, cell in zip(STEPS, cells, strict=True):
        number = QRectF(cell.left(), area.bottom() + 0.2 * line, pitch, line)
        _paint_number(ink, number, step, is_current=step is current)
    return chart


def _paint_swin(ink: Ink, chart: RoadChart) -> None:
    """Paint the accuracy of Swin-T as a dashed line with its name."""
    at, area, line = chart.along(SWIN_T_ACCURACY), chart.area, ink.line(ink.small)
    ink.painter.setPen(QPen(QColor(ink.look.warning), 2, Qt.PenStyle.DashLine))
    if chart.upright:
        ink.painter.drawLine(QLineF(area.left(), at, area.right(), at))
        place = QRectF(area.left() + 0.3 * ink.small, at - line, area.width() / 2, line)
        ink.text(place, f"Swin-T {SWIN_T_ACCURACY:.2f}", px=ink.small, colour=ink.look.warning)
    else:
        ink.painter.drawLine(QLineF(at, area.top(), at, area.bottom()))


def _paint_way(ink: Ink, chart: RoadChart, current: RoadStep) -> None:
    """Paint lines between the networks that build on one another, and their points."""
    for step in STEPS[1:]:
        style = Qt.PenStyle.SolidLine if step.is_adopted else Qt.PenStyle.DotLine
        is_behind = step.number <= current.number
        colour = ink.look.accent if is_behind else ink.look.outline
        ink.painter.setPen(QPen(QColor(colour), 3 if is_behind else 1.5, style))
        ink.painter.drawLine(QLineF(chart.point(ROAD[step.builds_on]), chart.point(step)))
    radius = ink.small * _DOT
    for step in STEPS:
        at = chart.point(step)
        colour = ink.look.accent if step.number <= current.number else ink.look.text
        if step is current and not chart.upright:
            colour = ink.look.on_accent  # Its row has the accent's colour.
        ink.painter.setPen(QPen(QColor(colour), 2))
        ink.painter.setBrush(QColor(colour if step.is_adopted else ink.look.surface))
        ink.painter.drawEllipse(at, radius, radius)
        if step is current and chart.upright:
            ink.painter.setBrush(Qt.BrushStyle.NoBrush)
            ink.painter.setPen(QPen(QColor(ink.look.accent), 3))
            ink.painter.drawEllipse(at, 2 * radius, 2 * radius)


def _paint_number(ink: Ink, place: QRectF, step: RoadStep, *, is_current: bool) -> None:
    if is_current:
        wide = ink.width("17", ink.small, bold=True) + 0.8 * ink.small
        _paint_plate(ink, QRectF(place.center().x() - wide / 2, place.top(), wide, place.height()))
    colour = ink.look.on_accent if is_current else ink.look.text if step.is_adopted else ink.look.muted
    ink.text(place, str(step.number), align="centre", px=ink.small, colour=colour, bold=is_current)


def _paint_plate(ink: Ink, place: QRectF) -> None:
    plate = QPainterPath()
    plate.addRoundedRect(place, 4, 4)
    ink.painter.fillPath(plate, QColor(ink.look.accent))


# -------------------------------------------------------------------------------------------------- the table


class _Columns(Struct, frozen=True, kw_only=True):
    """The left edges and widths of the columns of the table, for a size of text."""

    px: float
    number: float
    name: float
    plot: float
    accuracy: float
    cost: float
    gmacs: float


def _columns(ink: Ink, width: float, row: float) -> _Columns:
    px = min(ink.small, max(row * 0.8, ink.least))
    number, accuracy, gmacs = (ink.width(text, px, bold=True) for text in ("00  ", "  +0.00  00.00", " 0.00"))
    name = max(ink.width(f"{listed(step)}  ", px, bold=True) for step in STEPS)
    cost = _COST_PART * width
    plot = max(width - number - name - accuracy - cost - gmacs, 0.1 * width)
    return _Columns(px=px, number=number, name=name, plot=plot, accuracy=accuracy, cost=cost, gmacs=gmacs)


def paint_table(ink: Ink, room: QRectF, current: RoadStep) -> RoadChart:
    """Paint a row for each step: its name, its accuracy as a point, and its cost as a bar."""
    row = room.height() / (len(STEPS) + 2.4)
    columns = _columns(ink, room.width(), row)
    top = room.top() + 1.2 * row
    cells = tuple(QRectF(room.left(), top + index * row, room.width(), row) for index in range(len(STEPS)))
    area = QRectF(room.left() + columns.number + columns.name, top, columns.plot, row * len(STEPS))
    chart = RoadChart(area=area, cells=cells, upright=False)
    for cell, step in zip(cells, STEPS, strict=True):
        if step is current:
            _paint_plate(ink, cell.adjusted(0, 1, 0, -1))
    _paint_table_axis(ink, chart, row, columns.px)
    _paint_swin(ink, chart)
    _paint_way(ink, chart, current)
    costs = area.right() + columns.accuracy + 0.5 * columns.px
    heading = QRectF(costs, room.top(), room.right() - costs, row)
    ink.text(heading, "GMACs", align="right", px=columns.px, colour=ink.look.muted)
    for cell, step in zip(cells, STEPS, strict=True):
        _paint_row(ink, cell, columns, step, is_current=step is current)
    foot = QRectF(room.left(), cells[-1].bottom() + 0.2 * row, room.width(), row)
    swin = f"Swin-T: {SWIN_T_ACCURACY:.2f} % at {SWIN_T_GMACS:.1f} GMACs"
    ink.text(foot, "○ tried, not kept", px=columns.px, colour=ink.look.muted)
    place = QRectF(area.left(), foot.top(), foot.right() - area.left(), row)
    ink.text(place, f"- - -  {swin}", px=columns.px, colour=ink.look.warning)
    return chart


def _paint_table_axis(ink: Ink, chart: RoadChart, row: float, px: float) -> None:
    area = chart.area
    for mark in _MARKS:
        x = chart.along(mark)
        ink.painter.setPen(QPen(QColor(ink.look.border), 1))
        ink.painter.drawLine(QLineF(x, area.top(), x, area.bottom()))
        place = QRectF(x - 3 * px, area.top() - 1.2 * row, 6 * px, row)
        text = f"{mark} %" if mark == _MARKS[-1] else str(mark)
        ink.text(place, text, align="centre", px=px, colour=ink.look.muted)
    first = chart.along(_MARKS[0]) - 2 * px
    left = QRectF(chart.cells[0].left(), area.top() - 1.2 * row, first - chart.cells[0].left(), row)
    ink.text(left, "ImageNet top-1", align="right", px=px, colour=ink.look.muted)


def _paint_row(ink: Ink, cell: QRectF, columns: _Columns, step: RoadStep, *, is_current: bool) -> None:
    look, px = ink.look, columns.px
    colour = look.on_accent if is_current else look.text if step.is_adopted else look.muted
    x, y, height = cell.left(), cell.top(), cell.height()
    number = QRectF(x, y, columns.number - 0.5 * px, height)
    ink.text(number, str(step.number), align="right", px=px, colour=colour, bold=is_current)
    x += columns.number
    ink.text(QRectF(x, y, columns.name, height), listed(step), px=px, colour=colour, bold=is_current)
    x += columns.name + columns.plot
    place = QRectF(x, y, columns.accuracy, height)
    ink.text(place, f"{step.accuracy:.2f}", align="right", px=px, colour=colour, bold=is_current)
    gain = QRectF(x, y, columns.accuracy - ink.width("  00.00", px, bold=True), height)
    loses = step.builds_on != "" and step.accuracy < ROAD[step.builds_on].accuracy
    words = gain_text(step)
    faint = look.on_accent if is_current else look.warning if loses else look.muted
    ink.text(gain, words, align="right", px=px, colour=faint)
    x += columns.accuracy + 0.5 * px
    most = max(each.gmacs for each in STEPS)
    bar = QRectF(x, y + 0.25 * height, (columns.cost - 0.5 * px) * step.gmacs / most, 0.5 * height)
    ink.painter.fillRect(bar, QColor(look.on_accent if is_current else look.outline))
    place = QRectF(x + columns.cost - 0.5 * px, y, columns.gmacs, height)
    ink.text(place, f"{step.gmacs:.2f}", align="right", px=px, colour=colour, bold=is_current)


def listed(step: RoadStep) -> str:
    """Return the name of a step in a list, which says whether it was only tried."""
    return step.title if step.is_adopted else f"{step.title} (tried)"


def gain_text(step: RoadStep) -> str:
    """Return how many points a step gains over the network that it builds on; empty for the first."""
    return signed(step.accuracy - ROAD[step.builds_on].accuracy, 2) if step.builds_on else ""


def signed(difference: float, decimals: int) -> str:
    """Format a difference with its sign, such as "+0.31" or "−1.23", or as "same" if it rounds to 0."""
    text = f"{difference:+.{decimals}f}"
    return "same" if float(text) == 0 else text.replace("-", "−")


# -------------------------------------------------------------------------------------------------- the gains


def paint_gains(ink: Ink, room: QRectF, current: RoadStep) -> None:
    """Paint what each step gains or loses as a bar, so that the steps can be compared."""
    later = STEPS[1:]
    row = room.height() / len(later)
    px = min(ink.small, max(row * 0.85, ink.least))
    gains = [step.accuracy - ROAD[step.builds_on].accuracy for step in later]
    names = max(ink.width(f"00  {listed(step)}  ", px, bold=True) for step in later)
    number = ink.width(" +0.00", px, bold=True)
    least, most = min(gains), max(gains)
    per_point = (room.width() - names - 2 * number) / (most - least)
    zero = room.left() + names + number - least * per_point
    for index, (step, gain) in enumerate(zip(later, gains, strict=True)):
        y, is_current = room.top() + index * row, step is current
        colour = ink.look.accent if is_current else ink.look.text if step.is_adopted else ink.look.muted
        name = QRectF(room.left(), y, names, row)
        ink.text(name, f"{step.number}  {listed(step)}", px=px, colour=colour, bold=is_current)
        bar = QRectF(QPointF(zero, y + 0.2 * row), QPointF(zero + gain * per_point, y + 0.8 * row)).normalized()
        fill = ink.look.accent if is_current else ink.look.outline if gain >= 0 else ink.look.warning
        ink.painter.fillRect(bar, QColor(fill))
        at = QRectF(bar.right(), y, number, row) if gain >= 0 else QRectF(bar.left() - number, y, number, row)
        words = f" {signed(gain, 2)}" if gain >= 0 else f"{signed(gain, 2)} "
        ink.text(at, words, align="left" if gain >= 0 else "right", px=px, bold=is_current)
    ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
    ink.painter.drawPolyline(QPolygonF([QPointF(zero, room.top()), QPointF(zero, room.bottom())]))
