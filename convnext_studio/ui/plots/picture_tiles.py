"""A grid of small pictures, each with a few lines of text below it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from convnext_studio.render import Rgb
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.widgets import theme

_GAP_PX = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """A picture with the lines below it and its tooltip."""

    picture: Rgb
    texts: tuple[str, ...]
    tip: str


class TileGrid(QWidget):
    """A grid of tiles with the number of columns that makes them largest; their pixels stay sharp."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: tuple[Tile, ...] = ()
        self._bitmaps: tuple[Bitmap, ...] = ()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
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
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size for two rows of four tiles."""
        return QSize(4 * 110, 2 * 150)

    def box_of(self, index: int) -> QRectF:
        """Return the box of a tile's picture in the widget."""
        side, columns = self._layout()
        row, column = divmod(index, columns)
        return QRectF(column * (side + _GAP_PX) + _GAP_PX, row * (side + self._text_px) + 2, side, side)

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

    @property
    def _text_px(self) -> int:
        lines = max((len(tile.texts) for tile in self._tiles), default=0)
        return lines * self.fontMetrics().height() + _GAP_PX

    def _layout(self) -> tuple[float, int]:
        """Return the side of a picture and the number of columns for the largest possible pictures."""
        count = max(1, len(self._tiles))
        best = (1.0, count)
        for columns in range(1, count + 1):
            rows = -(-count // columns)
            across = (self.width() - _GAP_PX) / columns - _GAP_PX
            down = self.height() / rows - self._text_px - 2
            best = max(best, (max(1.0, min(across, down)), columns))
        return best

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the pictures and the lines below them."""
        look = theme.current()
        height = self.fontMetrics().height()
        with QPainter(self) as painter:
            painter.setOpacity(1.0 if self.isEnabled() else 0.4)
            for index, (tile, bitmap) in enumerate(zip(self._tiles, self._bitmaps, strict=True)):
                box = self.box_of(index)
                image = bitmap.image
                scale = min(box.width() / image.width(), box.height() / image.height())
                inside = QRectF(0, 0, image.width() * scale, image.height() * scale)
                inside.moveCenter(box.center())
                painter.drawImage(inside, image, QRectF(image.rect()))
                for line, text in enumerate(tile.texts):
                    painter.setPen(QColor(look.text if line == 0 else look.muted))
                    place = QRectF(box.left(), box.bottom() + line * height, box.width(), height)
                    short = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
                    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, short)
