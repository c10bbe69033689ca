"""Image views whose scene is arranged for their size: a table of values, and a grid of small pictures."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QResizeEvent
from PySide6.QtWidgets import QToolTip, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.render import Limits, Rgb, colorize
from convnext_studio.ui.plots.canvas.projection import MARGIN_PX
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_texts import numbers_of
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene, Text
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip


class ArrangedView(ImageView):
    """A view of what is arranged anew whenever its size, its font or the theme changes.

    A unit of its scene is a logical pixel while everything is shown. What a user has zoomed into keeps its
    arrangement.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._room = 1.0, 1.0
        self.setAccessibleName(name)

    def arrange(self, width: float, height: float) -> Scene | None:
        """Return the scene for a room of this size; None if there is nothing to show."""
        raise NotImplementedError

    @property
    def metrics(self) -> QFontMetricsF:
        """The metrics of the texts."""
        return QFontMetricsF(self.font())

    def show_arranged(self) -> None:
        """Arrange and show what there is now."""
        if self.is_fitted:
            self._room = max(self.width() - 2.0 * MARGIN_PX, 1), max(self.height() - 2.0 * MARGIN_PX, 1)
        self.set_scene(self.arrange(*self._room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange for the new size, unless the user has zoomed."""
        super().resizeEvent(event)
        if self.is_fitted:
            self.show_arranged()

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font, and dim the view while it is disabled."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self.set_dimmed(not self.isEnabled())
        elif event.type() in (QEvent.Type.FontChange, QEvent.Type.PaletteChange):
            # Deferred, because the scene's items must not change while Qt is notifying them.
            QTimer.singleShot(0, self, self.show_arranged)


LIMITS = Limits(-1.0, 1.0)
COLORMAP = "vik"
_MOST_WIDE_PX = 72.0
_MOST_HIGH_LINES = 2.2
_NAME_GAP_PX = 8.0
_WIDEST = "−0.00 "


class MatrixView(ArrangedView):
    """A table that names and numbers its rows, numbers its columns, and shows the value of each cell."""

    pointed = Signal(str)  # the read-out under the pointer; empty if there is none

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._names: tuple[str, ...] = ()
        self._is_whole = True
        self._table: Box = (0.0, 0.0, 1.0, 1.0)
        self._values: NDArray[np.float64] = np.zeros((0, 0))
        self._colours: Rgb = np.zeros((0, 0, 3), dtype=np.uint8)
        self.setMinimumSize(200, 140)
        self.hovered.connect(self._read)
        self.hover_left.connect(partial(self.pointed.emit, ""))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rows and columns."""
        return self._names

    def show_matrix(self, names: Sequence[str], values: NDArray[np.float64], is_whole: bool = True) -> None:
        """Show (n, n) values; those that are not finite are undefined, or, unless `is_whole`, still missing."""
        self._names, self._values, self._is_whole = tuple(names), values, is_whole
        self._colours = colorize(np.nan_to_num(values), LIMITS, COLORMAP)
        self.show_arranged()

    def text_at(self, row: int, column: int) -> str:
        """Return the text of a cell."""
        value = float(self._values[row, column])
        if not np.isfinite(value):
            return "–" if self._is_whole else "…"
        return f"{value:.2f}".replace("-", "−")

    def sizeHint(self) -> QSize:
        """Return a size with room for two digits in each of fourteen columns."""
        return QSize(480, 340)

    def arrange(self, width: float, height: float) -> Scene | None:
        """Return the table: the names on the left, the numbers of the columns above, and the cells."""
        count = len(self._names)
        if not count:
            return None
        line, names = self.metrics.height(), [f"{name}  {row + 1}" for row, name in enumerate(self._names)]
        left = max(self.metrics.horizontalAdvance(name) for name in names) + _NAME_GAP_PX
        across = min((width - left) / count, _MOST_WIDE_PX)
        down = min((height - line) / count, _MOST_HIGH_LINES * line)
        self._table = left, line, across * count, down * count
        is_known = np.isfinite(self._values)
        raised = QColor(theme.current().raised)
        bitmap = Bitmap(np.where(is_known[..., None], self._colours, _rgb(raised)))
        texts = [
            Text((0.0, line + row * down, left - _NAME_GAP_PX, down), name, align=Qt.AlignmentFlag.AlignRight)
            for row, name in enumerate(names)
        ]
        texts += [
            Text((left + column * across, 0.0, across, line), str(column + 1), "muted")
            for column in range(count)
        ]
        texts += [
            Text(
                (left + column * across, line + row * down, across, down),
                self.text_at(row, column),
                _seen_on(self._colours[row, column]) if is_known[row, column] else "muted",
                least=_WIDEST,
            )
            for row, column in np.ndindex(count, count)
        ]
        layer = Layer(bitmap, self._table, numbers=numbers_of(self._values))
        return Scene(size=(width, height), layers=(layer,), texts=tuple(texts))

    def _read(self, x: float, y: float) -> None:
        """Emit a read-out of the cell under the pointer."""
        left, top, width, height = self._table
        column, row = (x - left) / width * len(self._names), (y - top) / height * len(self._names)
        if not (0 <= row < len(self._names) and 0 <= column < len(self._names)):
            self.pointed.emit("")
            return
        first, second = self._names[int(row)], self._names[int(column)]
        self.pointed.emit(f"{first} and {second} · rank correlation {self.text_at(int(row), int(column))}")


def _rgb(colour: QColor) -> Rgb:
    return np.array([colour.red(), colour.green(), colour.blue()], np.uint8)


def _seen_on(colour: Rgb) -> str:
    red, green, blue = (int(part) for part in colour)
    return QColor(theme.seen_on(red, green, blue)).name()


_GAP_PX = 6.0


class Tile(Struct, frozen=True, kw_only=True, eq=False):
    """A picture with the lines below it and its tooltip."""

    picture: Rgb
    texts: tuple[str, ...]
    tip: str


class TileGrid(ArrangedView):
    """A grid of tiles with the number of columns that makes them largest; their pixels stay sharp."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._tiles: tuple[Tile, ...] = ()
        self._bitmaps: tuple[Bitmap, ...] = ()
        self._boxes: tuple[Box, ...] = ()
        self.setMinimumSize(180, 110)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles that are shown."""
        return self._tiles

    def show_tiles(self, tiles: Sequence[Tile]) -> None:
        """Show these tiles in place of the previous ones."""
        self._tiles = tuple(tiles)
        self._bitmaps = tuple(Bitmap(tile.picture) for tile in tiles)
        self.setAccessibleDescription(". ".join(tile.tip for tile in tiles))
        self.show_arranged()

    def sizeHint(self) -> QSize:
        """Return a size for two rows of four tiles."""
        return QSize(4 * 110, 2 * 150)

    def box_of(self, index: int) -> QRectF:
        """Return the box of a tile's picture in the widget."""
        x, y, width, height = self._boxes[index]
        return QRectF(self.to_widget(x, y), self.to_widget(x + width, y + height))

    def event(self, event: QEvent) -> bool:
        """Show the tooltip of the tile under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            for index, tile in enumerate(self._tiles):
                if self.box_of(index).contains(event.pos()):
                    QToolTip.showText(event.globalPos(), plain_tip(tile.tip), self)
                    return True
            QToolTip.hideText()
            return True
        return super().event(event)

    def arrange(self, width: float, height: float) -> Scene | None:
        """Return the pictures, row by row, with their texts."""
        line = self.metrics.height()
        below = max((len(tile.texts) for tile in self._tiles), default=0) * line + _GAP_PX
        side, columns = _largest(len(self._tiles), width, height, below)
        places = [divmod(index, columns) for index in range(len(self._tiles))]
        self._boxes = tuple(
            (column * (side + _GAP_PX), row * (side + below), side, side) for row, column in places
        )
        if not self._tiles:
            return None
        texts = [
            Text((x, y + high + index * line, wide, line), text, "text" if index == 0 else "muted")
            for tile, (x, y, wide, high) in zip(self._tiles, self._boxes, strict=True)
            for index, text in enumerate(tile.texts)
        ]
        layers = [
            Layer(bitmap, _centred(bitmap, box)) for bitmap, box in zip(self._bitmaps, self._boxes, strict=True)
        ]
        return Scene(size=(width, height), layers=tuple(layers), texts=tuple(texts))


def _largest(count: int, width: float, height: float, below: float) -> tuple[float, int]:
    """Return the side of a picture and the number of columns for the largest possible pictures."""
    best = (1.0, max(1, count))
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        across = (width + _GAP_PX) / columns - _GAP_PX
        best = max(best, (max(1.0, min(across, height / rows - below)), columns))
    return best


def _centred(bitmap: Bitmap, box: Box) -> Box:
    """Return the largest box of the bitmap's shape inside another one."""
    x, y, width, height = box
    scale = min(width / bitmap.image.width(), height / bitmap.image.height())
    across, down = bitmap.image.width() * scale, bitmap.image.height() * scale
    return x + (width - across) / 2, y + (height - down) / 2, across, down
