"""The colour bar beside a map, and a view that combines the two."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from convnext_studio.common.value_sums import ValuePlace
from convnext_studio.protocol.value_sums import MapValue
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
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.plots.curves import Axes, Curve
from convnext_studio.ui.plots.image_view import ImageView, asks_for_escape
from convnext_studio.ui.plots.measuring import MEASURES, Profile, profile_of
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.plots.view_saver import Contents, DragOut, ViewSaver
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.range_choice import RangeChoice
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_BAR_PX = 12
_PROFILE_PX = 130
_TICK_PX = 4  # Inside the bar, because a tick in front of a number reads as a minus sign.
_GAP_PX = 5


@dataclass(frozen=True, slots=True)
class ColorScale:
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
_ADJUST_TIP = "Drag an end to change the levels, or use the arrow keys (with Shift for the lower end)"


@dataclass(frozen=True, slots=True)
class _Drag:
    """The end of a scale that is dragged, the limits before, and where the pointer was."""

    is_upper: bool
    limits: Limits
    y: float


class ColorBar(QWidget):
    """A vertical colour bar with the lowest value at the bottom, labelled with its limits and round numbers.

    If it is adjustable, its ends can be dragged; the panel is told and shows the new scale.
    """

    levels_dragged = Signal(object)  # Limits
    levels_released = Signal()  # the drag is over
    levels_restored = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale: ColorScale | None = None
        self._is_adjustable = self._is_adjusted = False
        self._first: Callable[[], Limits | None] = lambda: None
        self._drag: _Drag | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Colour scale")

    @property
    def scale(self) -> ColorScale | None:
        """The scale that is shown, or None."""
        return self._scale

    def set_scale(self, scale: ColorScale | None) -> None:
        """Show another scale; None leaves the bar empty."""
        if scale != self._scale:
            self._scale = scale
            texts = [text for _, text in self.labels()]
            beyond = "" if scale is None else scale.clipping.text
            said = [f"From {texts[0]} to {texts[-1]}", beyond] if texts else []
            self.setAccessibleDescription(", ".join(text for text in said if text))
            self._show_tip()
            self.update()

    def _show_tip(self) -> None:
        """Say in the tooltip what lies beyond the scale, and how to change its levels."""
        beyond = "" if self._scale is None else self._scale.clipping.text
        tips = [f"There are {beyond}, shown in the colour of that end" if beyond else ""]
        tips.append(_ADJUST_TIP if self._is_adjustable else "")
        self.setToolTip(". ".join(tip for tip in tips if tip))
        if self._can_adjust:
            self.setCursor(Qt.CursorShape.SizeVerCursor)
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
        y = event.position().y()
        self._drag = _Drag(y < self.height() / 2, levels, y)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the end that was taken; its value changes by the part of the bar that the pointer moves."""
        if self._drag is not None:
            moved = (self._drag.y - event.position().y()) / self._bar.height()
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
        step = {Qt.Key.Key_Up: _KEY_STEP, Qt.Key.Key_Down: -_KEY_STEP}.get(Qt.Key(event.key()))
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

    def sizeHint(self) -> QSize:
        """Return a size for the bar and a number with sign and exponent."""
        return QSize(scaled_px(_BAR_PX) + 2 * _GAP_PX + self.fontMetrics().horizontalAdvance("-1.23e-05"), 120)

    def minimumSizeHint(self) -> QSize:
        """Return a size for the numbers at both ends and a bar between them."""
        return QSize(self.sizeHint().width(), 3 * self.fontMetrics().height())

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        elif event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
        super().changeEvent(event)

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
        line = self.fontMetrics().height()
        return QRectF(2, line / 2, scaled_px(_BAR_PX), max(self.height() - line, 1))

    def _paint(self, painter: QPainter, scale: ColorScale, labels: list[tuple[float, str]]) -> None:
        look = theme.current()
        line = self.fontMetrics().height()
        bar, colours, width = self._bar, scale.colours, self.width_in_file()
        kept = labels_with_room(labels, bar.height(), line)
        paint_bar(painter, bar, scale, line / 2 - 1)
        for height, text in kept:
            y = bar.bottom() - height * bar.height()
            is_end = height in (0.0, 1.0)
            if not is_end:
                painter.setPen(_seen_on(colours, height))
                painter.drawLine(QPointF(bar.right() - scaled_px(_TICK_PX), y), QPointF(bar.right() - 1, y))
            painter.setPen(QColor(look.text if is_end else look.muted))
            place = QRectF(bar.right() + _GAP_PX, y - line / 2, width, line)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def paint_bar(painter: QPainter, bar: QRectF, scale: ColorScale, tip_px: float) -> None:
    """Paint the colours of an upright colour bar, its frame, and a tip at each end with values beyond it.

    The tips are `tip_px` high, outside the bar, in the colour of those values.
    """
    colours, look = scale.colours, theme.current()
    gradient = Bitmap(colours[::-1, None, :]).image
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawImage(bar, gradient, QRectF(gradient.rect()))
    painter.setPen(QPen(QColor(look.outline), 1))
    painter.drawRect(bar)
    ends = lut(scale.colormap)
    for is_beyond, colour, y, direction in (
        (scale.clipping.above, ends[-1], bar.top(), -1),
        (scale.clipping.below, ends[0], bar.bottom(), 1),
    ):
        if is_beyond:
            tip = QPointF(bar.center().x(), y + direction * tip_px)
            painter.setPen(QPen(QColor(look.text), 1))
            painter.setBrush(QColor(*(int(part) for part in colour)))
            painter.drawPolygon(QPolygonF([QPointF(bar.left(), y), tip, QPointF(bar.right(), y)]))
            painter.setBrush(Qt.BrushStyle.NoBrush)


def _seen_on(colours: Rgba, height: float) -> QColor:
    """Return black or white, whichever contrasts with a bar's colour at a height."""
    colour = colours[round(height * (len(colours) - 1))]
    below = QColor(theme.current().surface)
    under = np.array([below.red(), below.green(), below.blue()], np.uint8)
    red, green, blue = (int(part) for part in blended(under, colour))
    return theme.seen_on(red, green, blue)


AskedValue = ValuePlace | MapValue
FindValue = Callable[[float, float], AskedValue | None]
"""Returns the place of the value that is shown at a point of the scene, or None."""


def _no_value(_x: float, _y: float) -> ValuePlace | None:
    return None


class MapView(QWidget):
    """A view with its colour bar, and a menu that copies and saves both.

    Attributes
    ----------
    view, bar
        The map and its colour bar.
    save
        Button with the menu, below the colour bar.
    saver
        Saver with the menu, which is also the context menu of this widget.
    """

    noticed = Signal(object)  # Notice: a file was written, or could not be written
    value_asked = Signal(object)  # ValuePlace | MapValue: how was this value made?
    measured = Signal(str)  # a sentence on what is measured, or is under the pointer in the profile

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._profile: CurvePlot | None = None
        self.view = ImageView()
        self.view.setAccessibleName(name)
        self.bar = ColorBar()
        self._contents: Contents | None = None
        self.saver = ViewSaver(self, self)
        DragOut(self.view, self.picture, lambda: name if self._contents is None else self._contents.name)
        self.saver.noticed.connect(self.noticed)
        self.saver.menu.addSeparator()
        for text, tip, handler in (
            ("&Fit (F7)", "Show everything, as large as possible", self.view.show_all),
            ("&1:1 (F8)", "Show one pixel per screen pixel", self.view.show_pixels),
        ):
            action = self.saver.menu.addAction(text)
            action.setToolTip(tip)
            action.triggered.connect(handler)
        self._offer_measures()
        self.view.measured.connect(self._show_measures)
        self._find_value: FindValue = _no_value
        self.view.asked.connect(self._ask_value)
        self.save = self.save_button(name)
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self.bar, 1)
        beside.addWidget(self.save)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._column = QVBoxLayout()
        self._column.setSpacing(2)
        self._column.addWidget(self.view, 1)
        layout.addLayout(self._column, 1)
        layout.addLayout(beside)

    def _offer_measures(self) -> None:
        self.saver.menu.addSeparator()
        for tool, (text, tip) in MEASURES.items():
            action = self.saver.menu.addAction(text)
            action.setToolTip(tip)
            action.triggered.connect(partial(self.view.toggle_measure, tool))

    def _show_measures(self, sentence: str) -> None:
        """Say what is measured, and plot the profile below the map."""
        scene, ends = self.view.scene, self.view.measures.get("profile")
        measured = None if scene is None else scene.measured
        if ends is not None and measured is not None and scene is not None:
            self._plot(profile_of(*measured, ends), scene.unit)
        elif self._profile is not None:
            self._profile.hide()
        self.measured.emit(sentence)

    def _plot(self, profile: Profile, unit: str) -> None:
        if self._profile is None:
            axes = Axes(x=f"Distance ({unit})", y="Value", has_legend=False)
            plot = CurvePlot("Profile along the line", axes)
            plot.pointed.connect(lambda said: self.measured.emit(said or self.view.sentence))
            follow_text(plot, lambda: plot.setFixedHeight(scaled_px(_PROFILE_PX)))
            self._column.addWidget(plot)
            self._profile = plot
        curve = Curve(label="Value", x=profile.distance, y=profile.values)
        is_seen = bool(np.isfinite(profile.values).any())
        self._profile.show_curves([curve] if is_seen else [], "There are no values along this line.")
        self._profile.show()

    @property
    def profile(self) -> CurvePlot | None:
        """The plot of the profile; None until there is one."""
        return self._profile

    def event(self, event: QEvent) -> bool:
        """Receive Escape before the window's actions do, as long as there are levels to restore."""
        if asks_for_escape(event) and self.bar.is_adjusted:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Restore the levels with Escape."""
        if event.key() == Qt.Key.Key_Escape and self.bar.is_adjusted:
            self.bar.restore()
        else:
            super().keyPressEvent(event)

    def save_button(self, name: str, text: str = "Save ▾") -> QToolButton:
        """Return a button with the menu of `saver`."""
        button = QToolButton()
        button.setText(text)
        button.setAutoRaise(True)
        button.setAccessibleName(f"Copy or save: {name}")
        button.setToolTip(
            "Copy or save this view (Ctrl+C, Ctrl+S); drag with Ctrl to move its picture to another program"
        )
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(self.saver.menu)
        button.setStyleSheet(MENU_BUTTON_STYLE)
        return button

    @property
    def contents(self) -> Contents | None:
        """The contents to copy and save, or None."""
        return self._contents

    def set_contents(self, contents: Contents | None) -> None:
        """Set the contents to copy and save: file name, caption and numbers."""
        self._contents = contents

    def hide_scale(self) -> None:
        """Leave all the room to the map, because its scale and the save button are shown elsewhere."""
        self.bar.hide()
        self.save.hide()

    def picture(self, width_px: int | None = None) -> QImage:
        """Return an image of view and colour bar of this width; as on the screen if None."""
        size = self.painted_size()
        factor = self.devicePixelRatioF() if width_px is None else width_px / size.width()
        image = QImage(
            max(1, round(size.width() * factor)),
            max(1, round(size.height() * factor)),
            QImage.Format.Format_RGB32,
        )
        image.fill(QColor(theme.current().surface))
        with QPainter(image) as painter:
            painter.scale(factor, factor)
            self.paint_on(painter)
        return image

    def painted_size(self) -> QSize:
        """Return the size of view and colour bar in logical pixels."""
        self._place_hidden_bar()
        return QSize(self.bar.x() + self.bar.width_in_file(), self.height())

    def paint_on(self, painter: QPainter) -> None:
        """Paint view and colour bar with any painter, in logical pixels."""
        self._place_hidden_bar()
        bar = self.bar
        for part, width, draw in (
            (self.view, self.view.width(), self.view.draw),
            (bar, bar.width_in_file(), lambda painter: bar.draw(painter, in_file=True)),
        ):
            painter.save()
            painter.translate(part.pos())
            painter.setClipRect(0, 0, width, part.height())
            painter.setFont(part.font())
            draw(painter)
            painter.restore()
        if self._profile is not None and self._profile.isVisible():
            painter.save()
            painter.translate(self._profile.pos())
            self._profile.render(painter, QPoint())
            painter.restore()

    def _place_hidden_bar(self) -> None:
        """Give a hidden colour bar a geometry, so that saved pictures include it."""
        if self.bar.isHidden():
            beside, width = self.view.geometry(), self.bar.sizeHint().width()
            self.bar.setGeometry(beside.right() + 3, beside.top(), width, beside.height())

    def explain_values(self, find: FindValue) -> None:
        """Offer how a value was made, by Alt+click and in the context menu, wherever `find` finds one."""
        self._find_value = find

    def _ask_value(self, x: float, y: float) -> None:
        place = self._find_value(x, y)
        if place is not None:
            self.value_asked.emit(place)

    def value_under(self, point: QPoint) -> AskedValue | None:
        """Return the place of the value under a point of this widget, or None."""
        return self._find_value(*self.view.to_scene(QPointF(self.view.mapFrom(self, point))))

    def offer_value(self, menu: QMenu, place: AskedValue | None) -> None:
        """Add the entry that asks how a value was made, if there is one."""
        if place is not None:
            action = menu.addAction("&How was this number made? (Alt+click)")
            action.setToolTip("Show the sum that made this value, with its numbers")
            action.triggered.connect(lambda: self.value_asked.emit(place))
            menu.addSeparator()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu to copy and save, with the value under the pointer if there is one."""
        place = self.value_under(event.pos())
        if place is None:
            self.saver.menu.popup(event.globalPos())
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self.offer_value(menu, place)
        self.saver.show_possible()
        menu.addActions(self.saver.menu.actions())
        menu.popup(event.globalPos())
