"""The colour bar beside a map, and a view that combines the two."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from convnext_studio.render import (
    DIVERGING,
    UNCLIPPED,
    Clipping,
    Limits,
    Rgba,
    bar_colours,
    blended,
    format_number,
    lut,
    number_ticks,
)
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.plots.view_saver import Contents, DragOut, ViewSaver
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.text_size import scaled_px

_BAR_PX = 12
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


class ColorBar(QWidget):
    """A vertical colour bar with the lowest value at the bottom, labelled with its limits and round numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale: ColorScale | None = None
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
            self.setToolTip(f"There are {beyond}, shown in the colour of that end" if beyond else "")
            self.update()

    def labels(self, in_file: bool = False) -> list[tuple[float, str]]:
        """Return height in the bar (0 at the bottom, 1 at the top) and text of each label, ends included.

        In a file, which has no tooltip, the label of an end with values beyond it says so: "≥ 2.41".
        """
        if self._scale is None:
            return []
        limits = self._scale.limits
        if limits is None:
            return [(0.0, self._scale.ends[0]), (1.0, self._scale.ends[1])]
        low, high = (
            self._scale.end_texts if in_file else (format_number(limits.low), format_number(limits.high))
        )
        inner = [
            ((tick - limits.low) / (limits.high - limits.low), text)
            for tick, text in number_ticks(limits)
            if limits.low < tick < limits.high
        ]
        return [(0.0, low), *inner, (1.0, high)]

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

    def _paint(self, painter: QPainter, scale: ColorScale, labels: list[tuple[float, str]]) -> None:
        look = theme.current()
        line = self.fontMetrics().height()
        bar = QRectF(2, line / 2, scaled_px(_BAR_PX), self.height() - line)
        gradient = Bitmap(scale.colours[::-1, None, :]).image
        painter.drawImage(bar, gradient, QRectF(gradient.rect()))
        painter.setPen(QPen(QColor(look.outline), 1))
        painter.drawRect(bar)
        self._paint_clipping(painter, bar, scale)
        last_y = bar.top() - 2 * line
        # The ends always have their numbers; inner numbers too close to them are left out.
        for height, text in reversed(labels):
            y = bar.bottom() - height * bar.height()
            is_end = height in (0.0, 1.0)
            if not is_end and (y - last_y < line or bar.bottom() - y < line):
                continue
            last_y = y
            if not is_end:
                painter.setPen(_seen_on(scale, height))
                painter.drawLine(QPointF(bar.right() - scaled_px(_TICK_PX), y), QPointF(bar.right() - 1, y))
            painter.setPen(QColor(look.text if is_end else look.muted))
            place = QRectF(bar.right() + _GAP_PX, y - line / 2, self.width_in_file(), line)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_clipping(self, painter: QPainter, bar: QRectF, scale: ColorScale) -> None:
        """Paint a triangle at each end with values beyond it, in the colour of those values."""
        colours, look = lut(scale.colormap), theme.current()
        high = self.fontMetrics().height() / 2 - 1
        for is_beyond, colour, y, direction in (
            (scale.clipping.above, colours[-1], bar.top(), -1),
            (scale.clipping.below, colours[0], bar.bottom(), 1),
        ):
            if is_beyond:
                tip = QPointF(bar.center().x(), y + direction * high)
                painter.setPen(QPen(QColor(look.text), 1))
                painter.setBrush(QColor(*(int(part) for part in colour)))
                painter.drawPolygon(QPolygonF([QPointF(bar.left(), y), tip, QPointF(bar.right(), y)]))
                painter.setBrush(Qt.BrushStyle.NoBrush)


def _seen_on(scale: ColorScale, height: float) -> QColor:
    """Return black or white, whichever contrasts with the bar's colour at a height."""
    colours = scale.colours
    colour = colours[round(height * (len(colours) - 1))]
    below = QColor(theme.current().surface)
    under = np.array([below.red(), below.green(), below.blue()], np.uint8)
    red, green, blue = (int(part) for part in blended(under, colour))
    return theme.seen_on(red, green, blue)


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

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
        self.save = self.save_button(name)
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self.bar, 1)
        beside.addWidget(self.save)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.view, 1)
        layout.addLayout(beside)

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

    def _place_hidden_bar(self) -> None:
        """Give a hidden colour bar a geometry, so that saved pictures include it."""
        if self.bar.isHidden():
            beside, width = self.view.geometry(), self.bar.sizeHint().width()
            self.bar.setGeometry(beside.right() + 3, beside.top(), width, beside.height())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu to copy and save."""
        self.saver.menu.popup(event.globalPos())
