"""A row of small pictures with maps laid over them, which can change while a pointer moves."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import (
    QEvent,
    QLineF,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from convnext_studio.common.geometry import Box
from convnext_studio.render import Rgb
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_PICTURE_PX = 84
_GAP_PX = 6
_KEY_ROLE = Qt.ItemDataRole.UserRole
_Index = QModelIndex | QPersistentModelIndex


class GalleryOverlay(Struct, frozen=True, eq=False):
    """What lies over a small picture.

    Attributes
    ----------
    colours
        (h, w, 3 or 4): one colour for each position.
    box
        The box that it fills, in pixels of the whole picture.
    size
        Width and height of the whole picture.
    opacity
        From 0 to 1.
    smooth
        Whether it is interpolated.
    lines
        Lines (n, 2, 2) in pixels of the whole picture, by colour.
    """

    colours: NDArray[np.uint8]
    box: Box
    size: tuple[int, int]
    opacity: float = 1.0
    smooth: bool = True
    lines: Mapping[str, NDArray[np.float64]] | None = None


class _Cell(Struct, eq=False):
    """What is painted for one picture."""

    picture: QImage | None = None
    overlay: GalleryOverlay | None = None
    image: QImage | None = None


class _Painter(QStyledItemDelegate):
    """Paints the small pictures."""

    def __init__(self, gallery: "PictureGallery") -> None:
        super().__init__(gallery)
        self._gallery = gallery

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        line = self._gallery.fontMetrics().height()
        side = scaled_px(_PICTURE_PX)
        return QSize(round(1.3 * side) + _GAP_PX, side + line + _GAP_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        look, cell = theme.current(), self._gallery.cell(str(index.data(_KEY_ROLE)))
        area = QRectF(option.rect).adjusted(_GAP_PX / 2, 2, -_GAP_PX / 2, 0)
        line = option.fontMetrics.height()
        place = QRectF(area.left(), area.bottom() - line, area.width(), line)
        name = option.fontMetrics.elidedText(
            str(index.data(Qt.ItemDataRole.DisplayRole)), Qt.TextElideMode.ElideMiddle, int(place.width())
        )
        painter.save()
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.setPen(QColor(look.accent if is_selected else look.muted))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, name)
        room = area.adjusted(0, 0, 0, -line - 2)
        if cell is None or cell.picture is None:
            painter.fillRect(room, QColor(look.raised))
        else:
            _paint_cell(painter, cell, cell.picture, room)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(look.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(option.rect).adjusted(1, 1, -1, -1))
        painter.restore()


def _paint_cell(painter: QPainter, cell: _Cell, picture: QImage, room: QRectF) -> None:
    scale = min(room.width() / picture.width(), room.height() / picture.height())
    inside = QRectF(0, 0, picture.width() * scale, picture.height() * scale)
    inside.moveCenter(room.center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(inside, picture, QRectF(picture.rect()))
    overlay = cell.overlay
    if overlay is None or cell.image is None:
        return
    across, down = inside.width() / overlay.size[0], inside.height() / overlay.size[1]
    x, y, width, height = overlay.box
    place = QRectF(inside.left() + x * across, inside.top() + y * down, width * across, height * down)
    painter.setClipRect(inside)
    painter.setOpacity(overlay.opacity)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, overlay.smooth)
    painter.drawImage(place, cell.image, QRectF(cell.image.rect()))
    painter.setOpacity(1.0)
    for colour, ends in (overlay.lines or {}).items():
        moved = ends * (across, down) + (inside.left(), inside.top())
        drawn = [QLineF(*each) for each in moved.reshape(-1, 4).tolist()]
        painter.setPen(QPen(QColor(colour), 1.0))  # Without a halo, which would hide a small picture.
        painter.drawLines(drawn)
    painter.setClipping(False)


class PictureGallery(QListWidget):
    """A row of small pictures; the panel sets what lies over each."""

    chosen = Signal(str)  # the key of a picture
    scrolled = Signal()  # other pictures may be in view

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells: dict[str, _Cell] = {}
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Painter(self))
        self.setAccessibleName(name)
        self.setToolTip("Click a picture, or press Enter on it, to show it large")
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)
        self.horizontalScrollBar().valueChanged.connect(lambda _value: self.scrolled.emit())
        follow_text(self, self._fit)

    def _fit(self) -> None:
        bar = self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(scaled_px(_PICTURE_PX) + self.fontMetrics().height() + _GAP_PX + bar + 4)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the pictures, in their order."""
        return tuple(str(self.item(row).data(_KEY_ROLE)) for row in range(self.count()))

    def show_pictures(self, pictures: Sequence[tuple[str, str]]) -> None:
        """Show these pictures, given by key and name; those that stay keep what is painted."""
        if self.keys == tuple(key for key, _ in pictures):
            return
        self.clear()
        self._cells = {key: self._cells.get(key, _Cell()) for key, _ in pictures}
        for key, name in pictures:
            item = QListWidgetItem(name)
            item.setData(_KEY_ROLE, key)
            item.setToolTip(plain_tip(name))
            self.addItem(item)

    def cell(self, key: str) -> _Cell | None:
        """Return what is painted for a picture."""
        return self._cells.get(key)

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return what lies over a picture, or None."""
        cell = self._cells.get(key)
        return None if cell is None else cell.overlay

    def set_picture(self, key: str, pixels: Rgb) -> None:
        """Set the small picture itself."""
        if key in self._cells:
            self._cells[key].picture = to_qimage(pixels)
            self.viewport().update()

    def forget_pictures(self) -> None:
        """Forget the small pictures themselves, because they are shown otherwise now."""
        for cell in self._cells.values():
            cell.picture = None
        self.viewport().update()

    def has_picture(self, key: str) -> bool:
        """Whether the small picture itself is there."""
        cell = self._cells.get(key)
        return cell is not None and cell.picture is not None

    def set_overlay(self, key: str, overlay: GalleryOverlay | None) -> None:
        """Lay something over a picture, or nothing."""
        cell = self._cells.get(key)
        if cell is not None and overlay is not cell.overlay:
            cell.overlay = overlay
            cell.image = None if overlay is None else to_qimage(overlay.colours)
            self.viewport().update()

    def clear_overlays(self) -> None:
        """Lay nothing over any picture."""
        for key in self._cells:
            self.set_overlay(key, None)

    def select(self, key: str) -> None:
        """Mark the picture that is shown large, and scroll to it."""
        for row, each in enumerate(self.keys):
            if each == key:
                self.setCurrentRow(row)
                return
        self.clearSelection()

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """The keys of the pictures that are in view."""
        # They lie in one row, so the first and the last one in view say all; there may be thousands.
        area, y = self.viewport().rect(), self.viewport().height() // 2
        ends = [self.indexAt(QPoint(x, y)) for x in (area.left() + _GAP_PX, area.right() - _GAP_PX)]
        first = ends[0].row() if ends[0].isValid() else 0
        last = ends[1].row() if ends[1].isValid() else self.count() - 1
        return tuple(str(self.item(row).data(_KEY_ROLE)) for row in range(first, last + 1))

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(str(item.data(_KEY_ROLE)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell that other pictures may be in view."""
        super().resizeEvent(event)
        self.scrolled.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()
        super().changeEvent(event)
