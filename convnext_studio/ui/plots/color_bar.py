"""The colour bar of a map: its scale, how it is painted in the window and in the lecture, and its widget.

Exported figures draw theirs with matplotlib, because they are made without Qt, too; the labels are the same.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import (
    DIVERGING,
    UNCLIPPED,
    Clipping,
    Limits,
    Rgba,
    bar_colours,
    bar_labels,
    blended,
    format_number,
    labels_with_room,
    lut,
)
from convnext_studio.ui.plots.image_view import asks_for_escape
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.range_choice import RangeChoice
from convnext_studio.ui.widgets.text_size import scaled_px

_BAR_PX = 12
_LYING_PX = 7
_TIP_PX = 4
_TICK_PX = 4  # Inside the bar, because a tick in front of a number reads as a minus sign.
_GAP_PX = 5


class ColorScale(Struct, frozen=True):
    """The scale that a colour bar shows.

    Attributes
    ----------
    colormap
        Name of the colour map in `convnext_studio.render`.
    limits
        Values at the ends; None if each tile has its own limits, in which case `ends` is shown.
    ends
        Words for the lower and the upper end in place of numbers.
    clipping
        Which of the limits are exceeded by values.
    zero
        The value at which the colours fade out, because they are laid over a picture; None if they are opaque.
    """

    colormap: str
    limits: Limits | None
    ends: tuple[str, str] = ("min", "max")
    clipping: Clipping = UNCLIPPED
    zero: float | None = None

    @property
    def colours(self) -> Rgba:
        """The colours (256, 4) from the lower to the upper end."""
        limits = self.limits
        if limits is None:
            limits = Limits(-1.0 if self.colormap in DIVERGING else 0.0, 1.0)
        return bar_colours(self.colormap, limits, self.zero)

    @property
    def end_texts(self) -> tuple[str, str]:
        """The texts for the lower and the upper end, such as "≥ 2.41" if there are values beyond it."""
        if self.limits is None:
            return self.ends
        return self.clipping.end_texts(format_number(self.limits.low), format_number(self.limits.high))


_LEAST_SPAN = 0.01
"""The smallest range that a drag leaves, as a share of the range at its beginning."""
_KEY_STEP = 0.02
_UPRIGHT_STEPS = {Qt.Key.Key_Up: _KEY_STEP, Qt.Key.Key_Down: -_KEY_STEP}
_LYING_STEPS = {Qt.Key.Key_Right: _KEY_STEP, Qt.Key.Key_Left: -_KEY_STEP}
_ADJUST_TIP = "Drag an end to change the levels, or use the arrow keys (with Shift for the lower end)"


class _Drag(Struct, frozen=True):
    """The end of a scale that is dragged, the limits before, and where the pointer was on the bar."""

    is_upper: bool
    limits: Limits
    place: float


class ColorBar(QWidget):
    """A colour bar, labelled with its limits and round numbers.

    If it is adjustable, its ends can be dragged; the panel is told and shows the new scale.

    Parameters
    ----------
    orientation
        An upright bar has the lowest value at the bottom and its labels to the right. A lying one, for a map
        with no room beside it, has the lowest value on the left and its labels below.
    """

    levels_dragged = Signal(object)  # Limits
    levels_released = Signal()  # the drag is over
    levels_restored = Signal()

    def __init__(
        self, orientation: Qt.Orientation = Qt.Orientation.Vertical, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._is_upright = orientation == Qt.Orientation.Vertical
        self._scale: ColorScale | None = None
        self._is_adjustable = self._is_adjusted = False
        self._first: Callable[[], Limits | None] = lambda: None
        self._drag: _Drag | None = None
        long, short = QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        self.setSizePolicy(*((short, long) if self._is_upright else (long, short)))
        self.setAccessibleName("Colour scale")

    @property
    def scale(self) -> ColorScale | None:
        """The scale that is shown, or None."""
        return self._scale

    def set_scale(self, scale: ColorScale | None) -> None:
        """Show another scale; None leaves the bar empty."""
        if scale != self._scale:
            self._scale = scale
            # The labels of a lying bar say themselves where values lie beyond.
            texts = [text for _, text in self.labels()] if self._is_upright else list(self.ends or ())
            beyond = "" if scale is None or not self._is_upright else scale.clipping.text
            said = [f"From {texts[0]} to {texts[-1]}", beyond] if texts else []
            self.setAccessibleDescription(", ".join(text for text in said if text))
            self._show_tip()
            self.update()

    def _show_tip(self) -> None:
        """Say in the tooltip what lies beyond the scale, and how to change its levels."""
        beyond = "" if self._scale is None else self._scale.clipping.text
        tips = [f"There are {beyond}, shown in the colour of that end" if beyond else ""]
        tips.append(_ADJUST_TIP if self._is_adjustable else "")
        self.setToolTip(plain_tip(". ".join(tip for tip in tips if tip)))
        if self._can_adjust:
            upright, lying = Qt.CursorShape.SizeVerCursor, Qt.CursorShape.SizeHorCursor
            self.setCursor(upright if self._is_upright else lying)
        else:
            self.unsetCursor()

    # ------------------------------------------------------------------------------------------- levels

    def adjust(self, control: RangeChoice) -> None:
        """Let the ends be dragged, which sets a range by hand, and a double click or Escape restore it."""
        self.levels_dragged.connect(control.take)
        self.levels_restored.connect(control.restore)
        self.set_adjustable()

    def set_adjustable(self, first: Callable[[], Limits | None] = lambda: None) -> None:
        """Let the ends be dragged from now on.

        Parameters
        ----------
        first
            Returns the levels from which a drag begins while the scale has no numbers.
        """
        self._is_adjustable, self._first = True, first
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._show_tip()

    @property
    def is_adjusted(self) -> bool:
        """Whether the levels were dragged and not restored since."""
        return self._is_adjusted

    def restore(self) -> None:
        """Restore the levels as they were before they were dragged."""
        self._drag, self._is_adjusted = None, False
        self.levels_restored.emit()

    @property
    def _can_adjust(self) -> bool:
        return self._is_adjustable and self._levels is not None

    @property
    def _levels(self) -> Limits | None:
        """The levels from which a drag begins; None if there is no scale."""
        if self._scale is None:
            return None
        return self._scale.limits if self._scale.limits is not None else self._first()

    def _move(self, limits: Limits, is_upper: bool, share: float) -> None:
        """Move an end of the limits by a share of their range; a scale that is symmetric about 0 stays so."""
        span = limits.high - limits.low
        low, high = limits.low, limits.high
        is_symmetric = self._scale is not None and self._scale.colormap in DIVERGING and low == -high
        if is_symmetric:
            high = max(high + (share if is_upper else -share) * span, _LEAST_SPAN * span)
            low = -high
        elif is_upper:
            high = max(high + share * span, low + _LEAST_SPAN * span)
        else:
            low = min(low + share * span, high - _LEAST_SPAN * span)
        self._is_adjusted = True
        self.levels_dragged.emit(Limits(low, high))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the end that is nearer to the pointer."""
        levels = self._levels if self._is_adjustable else None
        if levels is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        place = self._place_of(event.position())
        self._drag = _Drag(place > 0.5, levels, place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the end that was taken; its value changes by the part of the bar that the pointer moves."""
        if self._drag is not None:
            moved = self._place_of(event.position()) - self._drag.place
            self._move(self._drag.limits, self._drag.is_upper, moved)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Leave the end where it is."""
        if self._drag is not None:
            self._drag = None
            self.levels_released.emit()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Restore the levels."""
        if self._can_adjust:
            self.restore()

    def event(self, event: QEvent) -> bool:
        """Receive Escape before the window's actions do, as long as there are levels to restore."""
        if asks_for_escape(event) and self._is_adjusted:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the upper end with the arrow keys, the lower end with Shift, and restore with Escape."""
        levels = self._levels if self._is_adjustable else None
        step = (_UPRIGHT_STEPS if self._is_upright else _LYING_STEPS).get(Qt.Key(event.key()))
        if step is not None and levels is not None:
            self._move(levels, not event.modifiers() & Qt.KeyboardModifier.ShiftModifier, step)
            self.levels_released.emit()
        elif event.key() == Qt.Key.Key_Escape and self._is_adjusted:
            self.restore()
        else:
            event.ignore()

    # ------------------------------------------------------------------------------------------- labels

    def labels(self, in_file: bool = False) -> list[tuple[float, str]]:
        """Return height in the bar (0 at the bottom, 1 at the top) and text of each label, ends included.

        In a file, which has no tooltip, the label of an end with values beyond it says so: "≥ 2.41".
        """
        if self._scale is None:
            return []
        limits = self._scale.limits
        if limits is None:
            return [(0.0, self._scale.ends[0]), (1.0, self._scale.ends[1])]
        return bar_labels(limits, self._scale.clipping if in_file else UNCLIPPED)

    def width_in_file(self) -> int:
        """Return the width on the screen, or more if the texts of `labels` need it."""
        texts = [text for _, text in self.labels(in_file=True)]
        widest = max((self.fontMetrics().horizontalAdvance(text) for text in texts), default=0)
        return max(self.width(), 2 + scaled_px(_BAR_PX) + 2 * _GAP_PX + widest)

    @property
    def ends(self) -> tuple[str, str] | None:
        """The labels of the two ends as they are in a file, such as "≥ 2.41"; None without numbers."""
        return None if self._scale is None or self._scale.limits is None else self._scale.end_texts

    def sizeHint(self) -> QSize:
        """Return a size for the bar and a number with sign and exponent."""
        if not self._is_upright:
            return QSize(80, scaled_px(_LYING_PX) + 2 + self.fontMetrics().height())
        return QSize(scaled_px(_BAR_PX) + 2 * _GAP_PX + self.fontMetrics().horizontalAdvance("-1.23e-05"), 120)

    def minimumSizeHint(self) -> QSize:
        """Return a size for the numbers at both ends and a bar between them."""
        if not self._is_upright:
            return QSize(3 * self.fontMetrics().height(), self.sizeHint().height())
        return QSize(self.sizeHint().width(), 3 * self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the bar and as many numbers as are readable."""
        with QPainter(self) as painter:
            self.draw(painter)

    def draw(self, painter: QPainter, in_file: bool = False) -> None:
        """Draw the scale at the size of the bar; the painter may be scaled."""
        if self._scale is not None:
            self._paint(painter, self._scale, self.labels(in_file))

    @property
    def _bar(self) -> QRectF:
        """The colours without the tips."""
        if self._is_upright:
            line = self.fontMetrics().height()
            return QRectF(2, line / 2, scaled_px(_BAR_PX), max(self.height() - line, 1))
        bar = QRectF(0.5, 0.5, max(self.width() - 1, 1), scaled_px(_LYING_PX) - 1)
        beyond = UNCLIPPED if self._scale is None else self._scale.clipping
        return bar.adjusted(_TIP_PX * beyond.below, 0, -_TIP_PX * beyond.above, 0)

    def _place_of(self, point: QPointF) -> float:
        """Return a place along the bar, from 0 at the lower end to 1 at the upper end."""
        bar = self._bar
        if self._is_upright:
            return (bar.bottom() - point.y()) / bar.height()
        return (point.x() - bar.left()) / bar.width()

    def _paint(self, painter: QPainter, scale: ColorScale, labels: list[tuple[float, str]]) -> None:
        look, line = theme.current(), self.fontMetrics().height()

        def write(place: QRectF, text: str, is_end: bool, align: Qt.AlignmentFlag) -> None:
            painter.setPen(QColor(look.text if is_end else look.muted))
            painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, text)

        if self._is_upright:
            room = QRectF(self._bar.right() + _GAP_PX, 0, self.width_in_file(), line)
            paint_upright(painter, self._bar, scale, labels, room, scaled_px(_TICK_PX), write)
        else:
            paint_lying(painter, self._bar, scale, QRectF(self.rect()), write)


Write = Callable[[QRectF, str, bool, Qt.AlignmentFlag], None]
"""Paints a label into a box: its text, whether it is that of an end, and how it is aligned."""


def paint_upright(
    painter: QPainter,
    bar: QRectF,
    scale: ColorScale,
    labels: list[tuple[float, str]],
    room: QRectF,
    tick_px: float,
    write: Write,
) -> None:
    """Paint an upright colour bar with as many labels on its right as are readable.

    Parameters
    ----------
    labels
        Height in the bar and text of each, from the lowest.
    room
        Left edge, width and height of the labels.
    """
    _paint_colours(painter, bar, scale, room.height() / 2 - 1, is_upright=True)
    colours = scale.colours
    for height, text in labels_with_room(labels, bar.height(), room.height()):
        y = bar.bottom() - height * bar.height()
        is_end = height in (0.0, 1.0)
        if not is_end:
            painter.setPen(_seen_on(colours, height))
            painter.drawLine(QPointF(bar.right() - tick_px, y), QPointF(bar.right() - 1, y))
        place = QRectF(room.left(), y - room.height() / 2, room.width(), room.height())
        write(place, text, is_end, Qt.AlignmentFlag.AlignLeft)


def paint_lying(painter: QPainter, bar: QRectF, scale: ColorScale, area: QRectF, write: Write) -> None:
    """Paint a lying colour bar with its two ends below it, as one number if they are equal and have no room."""
    _paint_colours(painter, bar, scale, _TIP_PX, is_upright=False)
    low, high = scale.end_texts
    below = QRectF(area.left(), bar.bottom() + 1, area.width(), area.bottom() - bar.bottom() - 1)
    if low == f"-{high}" and painter.fontMetrics().horizontalAdvance(f"{low}  {high}") > area.width():
        write(below, f"±{high}", True, Qt.AlignmentFlag.AlignHCenter)
        return
    write(below, low, True, Qt.AlignmentFlag.AlignLeft)
    write(below, high, True, Qt.AlignmentFlag.AlignRight)


def _paint_colours(
    painter: QPainter, bar: QRectF, scale: ColorScale, tip_px: float, *, is_upright: bool
) -> None:
    """Paint the colours, their frame, and a tip outside each end with values beyond it, in their colour."""
    colours, look = scale.colours, theme.current()
    gradient = Bitmap(colours[::-1, None, :] if is_upright else colours[None]).image
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawImage(bar, gradient, QRectF(gradient.rect()))
    painter.setPen(QPen(QColor(look.outline), 1))
    painter.drawRect(bar)
    if is_upright:
        upper, lower = (bar.topLeft(), bar.topRight()), (bar.bottomLeft(), bar.bottomRight())
        outwards = QPointF(0, -tip_px)
    else:
        upper, lower = (bar.topRight(), bar.bottomRight()), (bar.topLeft(), bar.bottomLeft())
        outwards = QPointF(tip_px, 0)
    ends = lut(scale.colormap)
    for is_beyond, colour, (first, second), tip in (
        (scale.clipping.above, ends[-1], upper, outwards),
        (scale.clipping.below, ends[0], lower, -outwards),
    ):
        if is_beyond:
            painter.setPen(QPen(QColor(look.text), 1))
            painter.setBrush(QColor(*(int(part) for part in colour)))
            painter.drawPolygon(QPolygonF([first, (first + second) / 2 + tip, second]))
            painter.setBrush(Qt.BrushStyle.NoBrush)


def _seen_on(colours: Rgba, height: float) -> QColor:
    """Return black or white, whichever contrasts with a bar's colour at a height."""
    colour = colours[round(height * (len(colours) - 1))]
    below = QColor(theme.current().surface)
    under = np.array([below.red(), below.green(), below.blue()], np.uint8)
    red, green, blue = (int(part) for part in blended(under, colour))
    return theme.seen_on(red, green, blue)
