"""The thumbnails of a contact sheet."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFocusEvent, QIcon
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from convnext_studio.engine.messages import Explanation, ListedPicture
from convnext_studio.geometry import Box
from convnext_studio.render import Rgb, overlay
from convnext_studio.ui.panels.attribution_shading import Shading, why_empty
from convnext_studio.ui.panels.maps import Map, Placement
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.textsize import follow_text, scaled_px
from convnext_studio.ui.thumbnail import thumbnail

TILE_PX = 128
LINES = 3
_NOTHING = np.full((1, 1, 3), 127, dtype=np.uint8)


def shown_map(explanation: Explanation) -> tuple[str, Map]:
    """The map of an answer that a thumbnail shows, with its name: the last."""
    return list(explanation.maps.items())[-1]


def map_on_picture(picture: Rgb, explanation: Explanation, shading: Shading, opacity: float) -> Rgb:
    """The map over the picture, which may be a reduced one; the picture alone where the map shows nothing."""
    name, values = shown_map(explanation)
    if why_empty(values, shading.part):
        return picture
    placement = Placement(explanation.fields[name], explanation.geometry)
    width, height = explanation.geometry.picture_size
    box = _scaled(placement.box(*values.shape), picture.shape[1] / width, picture.shape[0] / height)
    shown = shading.part_of(values)
    limits = shading.limits_of([values])
    return overlay(picture, shown, box, limits, shading.colormap, opacity, smooth=shading.smooth)


def _scaled(box: Box, across: float, down: float) -> Box:
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


class ContactTiles(QListWidget):
    """Pictures in rows, each with lines of text below; arrow keys and clicks choose one."""

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
        self.setAcceptDrops(False)  # The window takes them.
        self.setAccessibleName("Contact sheet")
        self.setToolTip("A click selects the picture; arrow keys step through them")
        self._items: dict[str, QListWidgetItem] = {}

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt marks the first where none is; it is not selected for that."""
        was_blocked = self.blockSignals(True)
        super().focusInEvent(event)
        self.blockSignals(was_blocked)

    def show_pictures(self, pictures: Sequence[tuple[ListedPicture, Rgb | None]]) -> None:
        """Show these, bare, with the pixels that are at hand."""
        was_blocked = self.blockSignals(True)
        self.clear()
        self._items = {}
        size = QSize(scaled_px(TILE_PX + 10), scaled_px(TILE_PX + 12) + LINES * self.fontMetrics().height())
        for picture, pixels in pictures:
            item = QListWidgetItem(_icon(_NOTHING if pixels is None else pixels), f"{picture.name}\n…\n")
            item.setData(Qt.ItemDataRole.UserRole, picture.key)
            item.setSizeHint(size)
            self.addItem(item)
            self._items[picture.key] = item
        self.blockSignals(was_blocked)

    def show_tile(self, key: str, colours: Rgb) -> None:
        """Give a picture's thumbnail its map."""
        if key in self._items:
            self._items[key].setIcon(_icon(colours))

    def label(self, key: str, lines: Sequence[str]) -> None:
        """Say something below a thumbnail; what has no room is in its tooltip."""
        item = self._items.get(key)
        if item is not None:
            item.setText("\n".join(lines[:LINES]))
            item.setToolTip("\n".join(lines))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(lines))

    def text_of(self, key: str) -> str:
        """What stands below a thumbnail."""
        return self._items[key].text()

    def choose(self, key: str) -> None:
        """Mark the current picture; emits nothing."""
        if key in self._items:
            was_blocked = self.blockSignals(True)
            self.setCurrentItem(self._items[key])
            self.blockSignals(was_blocked)


def _icon(colours: Rgb) -> QIcon:
    """In the middle of a square, so that the texts below stand in line."""
    return thumbnail(to_qimage(colours), scaled_px(TILE_PX))
