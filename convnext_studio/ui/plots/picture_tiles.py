"""A grid of small pictures, each with a few lines of text below it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QToolTip

from convnext_studio.common.geometry import Box
from convnext_studio.render import Rgb
from convnext_studio.ui.plots.arranged_view import ArrangedView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene, Text

_GAP_PX = 6.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
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
                    QToolTip.showText(event.globalPos(), tile.tip, self)
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
