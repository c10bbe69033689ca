"""The numbers beside a map: which value has which colour."""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from convnext_studio.render import Limits, format_number, format_ticks, lut, nice_ticks
from convnext_studio.ui import theme
from convnext_studio.ui.imageview import ImageView
from convnext_studio.ui.scene import Bitmap

_BAR_PX = 12
_TICK_PX = 4


@dataclass(frozen=True, slots=True)
class ColorScale:
    """What a colour bar says.

    Attributes
    ----------
    colormap
        Name, as `convnext_studio.render` knows it.
    limits
        Values at the ends; None where each tile has its own, and `ends` says so in words.
    ends
        Words for the lower and the upper end, in place of numbers.
    """

    colormap: str
    limits: Limits | None
    ends: tuple[str, str] = ("min", "max")


class ColorBar(QWidget):
    """An upright bar, lowest value at the bottom, with the limits and round numbers between them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale: ColorScale | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Colour scale")

    @property
    def scale(self) -> ColorScale | None:
        """What the bar says."""
        return self._scale

    def set_scale(self, scale: ColorScale | None) -> None:
        """Say something else; None leaves the place empty."""
        if scale != self._scale:
            self._scale = scale
            texts = [text for _, text in self.labels()]
            self.setAccessibleDescription(f"From {texts[0]} to {texts[-1]}" if texts else "")
            self.update()

    def labels(self) -> list[tuple[float, str]]:
        """Height in the bar (0 at the bottom, 1 at the top) and text of each number, both ends included."""
        if self._scale is None:
            return []
        limits = self._scale.limits
        if limits is None:
            return [(0.0, self._scale.ends[0]), (1.0, self._scale.ends[1])]
        ticks = nice_ticks(limits)
        inner = [
            ((tick - limits.low) / (limits.high - limits.low), text)
            for tick, text in zip(ticks, format_ticks(ticks), strict=True)
            if limits.low < tick < limits.high
        ]
        return [(0.0, format_number(limits.low)), *inner, (1.0, format_number(limits.high))]

    def sizeHint(self) -> QSize:
        """Room for the bar and a number with sign and exponent."""
        return QSize(_BAR_PX + _TICK_PX + 6 + self.fontMetrics().horizontalAdvance("-1.23e-05"), 120)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the bar, then as many numbers as are readable."""
        if self._scale is not None:
            with QPainter(self) as painter:
                self._paint(painter, self._scale)

    def _paint(self, painter: QPainter, scale: ColorScale) -> None:
        look = theme.current()
        line = self.fontMetrics().height()
        bar = QRectF(2, line / 2, _BAR_PX, self.height() - line)
        gradient = Bitmap(lut(scale.colormap)[::-1, None, :]).image
        painter.drawImage(bar, gradient, QRectF(gradient.rect()))
        painter.setPen(QPen(QColor(look.outline), 1))
        painter.drawRect(bar)
        labels = self.labels()
        last_y = bar.top() - 2 * line
        # The ends first in importance: inner numbers give way to them.
        for height, text in reversed(labels):
            y = bar.bottom() - height * bar.height()
            is_end = height in (0.0, 1.0)
            if not is_end and (y - last_y < line or bar.bottom() - y < line):
                continue
            last_y = y
            painter.setPen(QColor(look.outline))
            painter.drawLine(
                QRectF(bar.right(), y, _TICK_PX, 0).topLeft(), QRectF(bar.right(), y, _TICK_PX, 0).topRight()
            )
            painter.setPen(QColor(look.text if is_end else look.muted))
            place = QRectF(bar.right() + _TICK_PX + 2, y - line / 2, self.width(), line)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


class MapView(QWidget):
    """A view with its colour bar."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = ImageView()
        self.view.setAccessibleName(name)
        self.bar = ColorBar()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.bar)
