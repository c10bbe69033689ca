"""What painted views are made of: a canvas, and an ink for text, legends, maps with colour bars, and bars."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.render import (
    UNCLIPPED,
    Clipping,
    Limits,
    bar_labels,
    colorize,
    format_number,
    format_percent,
    limits_of,
    robust_limits,
)
from convnext_studio.ui.plots.color_bar import ColorScale, paint_upright
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.widgets import theme

Align = Literal["left", "centre", "right"]

SMALL = 0.75
"""Size of captions and axis numbers relative to the text that the audience must read."""
LEAST = 0.64
"""The smallest text relative to that: at least 18 pixels on a screen 1080 pixels high, whatever its width."""
_DIMMED = 0.4

_ALIGNED = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "centre": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}
_BAR_WIDTH = 0.6  # Width of a colour bar in text heights.
_TICK = 0.2
_USUAL_NUMBER = "-0.000"  # Reserved width for numbers, so that adjacent maps have the same size.


class MapPicture(Struct, frozen=True, eq=False):
    """A coloured map with the values of its colour bar.

    Attributes
    ----------
    clipping
        At which ends of the scale there are values beyond: they have the colour of that end.
    """

    bitmap: Bitmap
    limits: Limits
    colormap: str
    shape: tuple[int, int]
    clipping: Clipping = UNCLIPPED

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the ends of the colour bar."""
        return self.limits.low, self.limits.high

    def end_texts(self, significant: int = 3) -> tuple[str, str]:
        """The texts at the ends of the colour bar, such as "≥ 2.41" if there are values beyond."""
        return self.clipping.end_texts(*(format_number(value, significant) for value in self.ends))


def map_picture(
    values: NDArray[np.float32],
    *,
    symmetric: bool = False,
    limits: Limits | None = None,
    colormap: str | None = None,
) -> MapPicture:
    """Colour values (height, width) with viridis, or with the diverging map about 0 if `symmetric`.

    The scale ends at percentiles unless limits are given; the colour bar says where there are values beyond.
    """
    limits = limits or robust_limits(values, symmetric)
    colormap = colormap or ("vik" if symmetric else "viridis")
    rgb = colorize(values, limits, colormap)
    shape = values.shape[0], values.shape[1]
    return MapPicture(Bitmap(rgb), limits, colormap, shape, Clipping.of(values, limits))


class Ink:
    """A painter with the text sizes and colours of the lecture.

    Parameters
    ----------
    text_px
        Height of the text that the audience must read; numbers at axes are `SMALL` of it, and no text is
        smaller than `LEAST` of it.
    small_share
        Size of the smaller text relative to it.
    """

    def __init__(self, painter: QPainter, text_px: int, small_share: float = SMALL) -> None:
        self.painter = painter
        self.px = float(text_px)
        self.small = text_px * small_share
        self.least = math.ceil(text_px * LEAST)
        self.look = theme.current()
        self._font = QFont(painter.font())

    # -------------------------------------------------------------------------------------------- text

    def line(self, px: float | None = None) -> float:
        """Return the height of a line of text."""
        return QFontMetricsF(self._sized(px)).height()

    def width(self, text: str, px: float | None = None, *, bold: bool = False) -> float:
        """Return the width of a text."""
        font = self._sized(px)
        font.setBold(bold)
        return QFontMetricsF(font).horizontalAdvance(text)

    def text(
        self,
        place: QRectF,
        text: str,
        *,
        align: Align = "left",
        px: float | None = None,
        colour: str = "",
        bold: bool = False,
    ) -> None:
        """Paint one line, vertically centred; long texts are reduced first, then elided."""
        font = self._sized(px)
        font.setBold(bold)
        while QFontMetricsF(font).horizontalAdvance(text) > place.width() and font.pixelSize() > self.least:
            font.setPixelSize(font.pixelSize() - 1)
        self.painter.setFont(font)
        self.painter.setPen(QColor(colour or self.look.text))
        fitted = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width() + 0.5)
        flags = _ALIGNED[align] | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip
        self.painter.drawText(place, int(flags), fitted)

    def paragraph(
        self, place: QRectF, text: str, *, px: float | None = None, colour: str = "", align: Align = "left"
    ) -> float:
        """Paint wrapped text from the top of the box, and return its height."""
        self.painter.setFont(self._sized(px))
        self.painter.setPen(QColor(colour or self.look.text))
        flags = int(_ALIGNED[align] | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
        return self.painter.drawText(place, flags, text).height()

    def paragraph_height(self, width: float, text: str, px: float | None = None) -> float:
        """Return the height of wrapped text at that width."""
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
        return QFontMetricsF(self._sized(px)).boundingRect(QRectF(0, 0, width, 1e5), flags, text).height()

    def _sized(self, px: float | None) -> QFont:
        font = QFont(self._font)
        font.setPixelSize(max(self.least, round(px or self.px)))
        return font

    # -------------------------------------------------------------------------------------------- maps

    def map(self, room: QRectF, shown: MapPicture, title: str = "", below: str = "") -> QRectF:
        """Paint a map with colour bar, title and caption, and return the box of the map."""
        line = self.line()
        small_line = self.line(self.small)
        texts = [_USUAL_NUMBER, *shown.end_texts()]
        numbers = max(self.width(text, self.small) for text in texts)
        beside = self.small * (_BAR_WIDTH + 0.9) + numbers
        top = line * 1.15 if title else small_line / 2
        bottom = small_line * 1.1 if below else small_line / 2
        space = room.adjusted(0, top, -beside, -bottom)
        height, width = shown.shape
        scale = max(min(space.width() / width, space.height() / height), 0.01)
        box = QRectF(0, 0, width * scale, height * scale)
        box.moveCenter(QPointF(room.center().x() - beside / 2, space.center().y()))
        if title:
            self.text(_around(room, box, box.top() - line * 1.1, line), title, align="centre")
        if below:
            place = _around(room, box, box.bottom() + small_line * 0.1, small_line)
            self.text(place, below, align="centre", px=self.small, colour=self.look.muted)
        self.image(box, shown)
        self.colour_bar(
            QRectF(box.right() + self.small * 0.5, box.top(), self.small * _BAR_WIDTH, box.height()), shown
        )
        return box

    def image(self, box: QRectF, shown: MapPicture) -> None:
        """Paint only a map, if there is room for it; enlarged pixels stay sharp."""
        if box.isEmpty():
            return
        device = self.painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        level = shown.bitmap.level(box.width() * ratio / shown.shape[1])
        self.painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform, on=level.width() > box.width() * ratio
        )
        self.painter.drawImage(box, level, QRectF(level.rect()))

    def frame(self, box: QRectF) -> None:
        """Paint a frame that is visible on any map, in both themes."""
        width = max(2.0, self.px / 10)
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, factor in (("#000000", 1.9), (theme.DARK.warning, 1.0)):
            pen = QPen(QColor(colour), width * factor)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            self.painter.setPen(pen)
            self.painter.drawRect(box)

    def colour_bar(self, bar: QRectF, shown: MapPicture) -> None:
        """Paint a vertical colour bar like that of the window, with as many numbers as have room."""
        line = self.line(self.small)
        scale = ColorScale(shown.colormap, shown.limits, clipping=shown.clipping)
        room = QRectF(bar.right() + self.small * 0.3, 0, 400, line)

        def write(place: QRectF, text: str, is_end: bool, _align: Qt.AlignmentFlag) -> None:
            self.text(place, text, px=self.small, colour=self.look.text if is_end else self.look.muted)

        labels = bar_labels(shown.limits, shown.clipping)
        paint_upright(self.painter, bar, scale, labels, room, self.small * _TICK, write)

    def legend(self, place: QRectF, entries: Sequence[tuple[str, str]], *, align: Align = "left") -> None:
        """Paint a line of coloured squares with their names, smaller if they are too long.

        Parameters
        ----------
        place
            A line of small text.
        entries
            Colours and names.
        """
        px = self.small
        while self._legend_width(entries, px) > place.width() and px > self.least:
            px -= 1
        spare = place.width() - self._legend_width(entries, px)
        left = place.left() + {"left": 0.0, "centre": spare / 2, "right": spare}[align]
        side = 0.75 * px
        for colour, name in entries:
            swatch = QRectF(left, place.center().y() - side / 2, side, side)
            self.painter.fillRect(swatch, QColor(colour))
            width = self.width(name, px)
            self.text(QRectF(left + 1.1 * px, place.top(), width + 1, place.height()), name, px=px)
            left += width + 2.6 * px

    def _legend_width(self, entries: Sequence[tuple[str, str]], px: float) -> float:
        return sum(self.width(name, px) for _, name in entries) + (2.6 * len(entries) - 1.5) * px

    def arrow(self, start: QPointF, end: QPointF, colour: str = "") -> None:
        """Paint a horizontal or vertical arrow."""
        self.painter.setPen(QPen(QColor(colour or self.look.muted), max(2.0, self.px / 12)))
        self.painter.drawLine(start, end)
        along = QLineF(start, end).unitVector()
        head = QPointF(along.dx(), along.dy()) * 0.3 * self.px
        across = QPointF(-head.y(), head.x())
        for side in (across, -across):
            self.painter.drawLine(end, end - head + side)

    def bars(self, room: QRectF, rows: Sequence[tuple[str, float]], colour: str) -> None:
        """Paint rows of name and fraction (0 to 1), each with a bar below.

        The fraction is beside its name, or, where a name would have to be cut off for that, beside its bar.
        """
        line = self.line()
        texts = [format_percent(share) for _, share in rows]
        number = max((self.width(f"{text}  ") for text in texts), default=0.0)
        names = max((self.width(name, self.least) for name, _ in rows), default=0.0)
        is_narrow = names + number > room.width()
        step = min(line * (2.4 if is_narrow else 2.0), room.height() / max(len(rows), 1))
        y = room.top()
        for (name, share), text in zip(rows, texts, strict=True):
            self.text(QRectF(room.left(), y, room.width() - (0.0 if is_narrow else number), line), name)
            beside = QRectF(room.left(), y + (line if is_narrow else 0.0), room.width(), line)
            self.text(beside, text, align="right")
            bar = QRectF(room.left(), y + line * 1.05, room.width(), max(line * 0.35, 3))
            if is_narrow:
                bar.setWidth(max(room.width() - number, 1.0))
                bar.moveTop(beside.center().y() - bar.height() / 2)
            self.painter.fillRect(bar, QColor(self.look.border))
            if math.isfinite(share):
                bar.setWidth(bar.width() * share)
                self.painter.fillRect(bar, QColor(colour))
            y += step


def _around(room: QRectF, box: QRectF, top: float, height: float) -> QRectF:
    """Return the box for a line that is as wide as possible and centred on another box."""
    middle = box.center().x()
    half = max(min(middle - room.left(), room.right() - middle), 1)
    return QRectF(middle - half, top, 2 * half, height)


def common_limits(*values: NDArray[np.float32]) -> Limits:
    """Return the limits of several maps together."""
    return limits_of(np.concatenate([each.ravel() for each in values]))


def is_wide(room: QRectF) -> bool:
    """Return whether the space is wide enough for a row instead of a column."""
    return room.width() > 2.1 * room.height()


def grid(room: QRectF, count: int, columns: int, gap: float) -> list[QRectF]:
    """Divide a box into cells of equal size, row by row."""
    rows = -(-count // columns)
    height = (room.height() - gap * (rows - 1)) / rows
    return [
        QRectF(place.left(), room.top() + row * (height + gap), place.width(), height)
        for row in range(rows)
        for place in shared_columns(room, columns, gap)
    ][:count]


def shared_columns(room: QRectF, count: int, gap: float) -> list[QRectF]:
    """Divide a box into columns of equal width."""
    width = (room.width() - gap * (count - 1)) / count
    return [
        QRectF(room.left() + index * (width + gap), room.top(), width, room.height()) for index in range(count)
    ]


class InkCanvas(QWidget):
    """The canvas of a view, which forwards mouse and keys to the view.

    Parameters
    ----------
    paint
        Gets the ink and the room.
    """

    dragged = Signal(float, float)  # The distance in pixels to the right and downwards
    clicked = Signal(float, float)
    pointed = Signal(float, float)
    key_pressed = Signal(QKeyEvent)

    def __init__(self, paint: Callable[[Ink, QRectF], None], name: str) -> None:
        super().__init__()
        self._paint = paint
        self._is_dimmed = False
        self._dragged_from: tuple[float, float] | None = None
        self.takes_keys = False
        self.small_share = SMALL
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the contents while a newer request is running."""
        if dimmed != self._is_dimmed:
            self._is_dimmed = dimmed
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Let the view paint."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._is_dimmed:
                painter.setOpacity(_DIMMED)
            px = QFontInfo(self.font()).pixelSize()
            self._paint(Ink(painter, px, self.small_share), QRectF(self.rect()))
            if self.hasFocus():
                painter.setPen(QColor(theme.current().accent))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start dragging."""
        self._dragged_from = event.position().x(), event.position().y()
        self.clicked.emit(*self._dragged_from)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Continue dragging."""
        here = event.position().x(), event.position().y()
        if self._dragged_from is not None and event.buttons() & Qt.MouseButton.LeftButton:
            x, y = self._dragged_from
            self._dragged_from = here
            self.dragged.emit(here[0] - x, here[1] - y)
        else:
            self.pointed.emit(*here)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pass the key to the view; keys that it ignores go to the presenter."""
        event.ignore()
        if self.takes_keys:
            self.key_pressed.emit(event)
