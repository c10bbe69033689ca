"""The tiles of a wall of maps."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFocusEvent, QIcon
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from convnext_studio.render import Rgb
from convnext_studio.ui.widgets.qimage import thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

TILE_PX = 128
LINES = 3
_NOTHING = np.full((1, 1, 3), 127, dtype=np.uint8)


class WallTiles(QListWidget):
    """A grid of pictures with lines of text below each; arrow keys and clicks choose one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWordWrap(False)
        follow_text(self, lambda: self.setIconSize(QSize(scaled_px(TILE_PX), scaled_px(TILE_PX))))
        self.setSpacing(4)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setAcceptDrops(False)  # The window handles drops.
        self.setAccessibleName("Wall of maps")
        self.setToolTip("Click a map to see it large, or use the arrow keys")
        self._items: dict[str, QListWidgetItem] = {}

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Block signals, because Qt makes the first item current on focus, which must not select it."""
        was_blocked = self.blockSignals(True)
        super().focusInEvent(event)
        self.blockSignals(was_blocked)

    def show_tiles(self, tiles: Sequence[tuple[str, str, Rgb | None]]) -> None:
        """Show tiles without maps: the key, the title, and the pixels of the picture if they are cached."""
        was_blocked = self.blockSignals(True)
        self.clear()
        self._items = {}
        size = QSize(scaled_px(TILE_PX + 10), scaled_px(TILE_PX + 12) + LINES * self.fontMetrics().height())
        for key, title, pixels in tiles:
            item = QListWidgetItem(_icon(_NOTHING if pixels is None else pixels), f"{title}\n…\n")
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setSizeHint(size)
            self.addItem(item)
            self._items[key] = item
        self.blockSignals(was_blocked)

    def show_tile(self, key: str, colours: Rgb) -> None:
        """Set a picture's thumbnail to one with its map."""
        if key in self._items:
            self._items[key].setIcon(_icon(colours))

    def label(self, key: str, lines: Sequence[str]) -> None:
        """Set the text below a thumbnail; its tooltip also has the lines that do not fit."""
        item = self._items.get(key)
        if item is not None:
            item.setText("\n".join(lines[:LINES]))
            item.setToolTip("\n".join(lines))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(lines))

    def text_of(self, key: str) -> str:
        """Return the text below a thumbnail."""
        return self._items[key].text()

    def put_in_order(self, keys: Sequence[str]) -> None:
        """Arrange the tiles in this order, without emitting signals."""
        was_blocked = self.blockSignals(True)
        current = self.currentItem()
        for row, key in enumerate(keys):
            if self.item(row) is not self._items[key]:
                self.insertItem(row, self.takeItem(self.row(self._items[key])))
        if current is not None:
            self.setCurrentItem(current)
        self.blockSignals(was_blocked)

    @property
    def order(self) -> list[str]:
        """The keys of the tiles in their order."""
        return [str(self.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(self.count())]

    def choose(self, key: str) -> None:
        """Make a tile the current one, without emitting signals."""
        if key in self._items:
            was_blocked = self.blockSignals(True)
            self.setCurrentItem(self._items[key])
            self.blockSignals(was_blocked)


def _icon(colours: Rgb) -> QIcon:
    """Return an icon centred in a square, so that the texts below are aligned."""
    return thumbnail(to_qimage(colours), scaled_px(TILE_PX))
