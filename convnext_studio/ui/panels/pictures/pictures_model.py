"""The Qt list model of the opened pictures; it keeps nothing for pictures that are not visible."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    QUrl,
)
from PySide6.QtGui import QIcon, QImage
from PySide6.QtWidgets import QApplication, QStyle

from convnext_studio.common.caches import ByteCache
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.text_size import scaled_px
from convnext_studio.ui.widgets.thumbnail_icon import thumbnail

ICON_PX = 56
KEY_ROLE = Qt.ItemDataRole.UserRole
_ICON_BYTES = 16 << 20
_ROOT = QModelIndex()
_Index = QModelIndex | QPersistentModelIndex


def short_name(picture: ListedPicture) -> str:
    """Return the name without its suffix, so that its end, which tells it from its neighbours, fits."""
    return Path(picture.name).stem if picture.path else picture.name


class PicturesModel(QAbstractListModel):
    """A list model with one row per opened picture; a thumbnail is requested when it is first painted."""

    def __init__(self, state: AppState, bridge: EngineBridge) -> None:
        super().__init__()
        self._state = state
        self._pictures: tuple[ListedPicture, ...] = ()
        self._icons: ByteCache[QIcon] = ByteCache(_ICON_BYTES, lambda _: 4 * scaled_px(ICON_PX) ** 2)
        self.thumbnails = ThumbnailLoader(state, bridge, parent=self)
        self.thumbnails.setObjectName("pictures")
        self.thumbnails.arrived.connect(self._thumbnail_arrived)

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return the number of opened pictures."""
        return 0 if parent.isValid() else len(self._pictures)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return name, thumbnail or facts of a row's picture."""
        if not index.isValid() or index.row() >= len(self._pictures):
            return None
        picture = self._pictures[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return short_name(picture)
            case Qt.ItemDataRole.DecorationRole:
                return self._icon(picture.key)
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(self._facts(picture))
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join(self._facts(picture))
            case Qt.ItemDataRole.UserRole:
                return picture.key
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Make rows selectable, and draggable if they are files."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if self._is_file(index) else flags

    def mimeTypes(self) -> list[str]:
        """Return the type of dragged data, which is a list of file URLs."""
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Return the URLs of these rows' files, for dropping into another program."""
        mime = QMimeData()
        mime.setUrls(
            [QUrl.fromLocalFile(self._pictures[each.row()].path) for each in indexes if self._is_file(each)]
        )
        return mime

    def show(self, pictures: tuple[ListedPicture, ...]) -> None:
        """Show these pictures; if rows were only appended or one removed, the view keeps its position."""
        before, count = self._pictures, len(self._pictures)
        if len(pictures) > count and pictures[:count] == before:
            self.beginInsertRows(QModelIndex(), count, len(pictures) - 1)
            self._pictures = pictures
            self.endInsertRows()
        elif len(pictures) == count - 1:
            gone = next(
                (row for row, (old, new) in enumerate(zip(before, pictures, strict=False)) if old != new),
                count - 1,
            )
            self.beginRemoveRows(QModelIndex(), gone, gone)
            self._pictures = pictures
            self.endRemoveRows()
        else:
            self.beginResetModel()
            self._pictures = pictures
            self.endResetModel()
        self._icons.forget_where(lambda key, _: self._state.row(str(key)) is None)

    def forget_icons(self) -> None:
        """Drop all icons, which have to be drawn in another size."""
        self._icons.clear()

    def _is_file(self, index: _Index) -> bool:
        path = self._pictures[index.row()].path if index.isValid() else ""
        return bool(path) and not path.startswith(SAMPLE_PREFIX)

    def _facts(self, picture: ListedPicture) -> list[str]:
        facts = [picture.path or picture.name]
        shown = self._state.preview(picture.key)
        if shown is not None:
            facts += [f"{shown.size[0]} × {shown.size[1]} px", *shown.notes]
        why_not = self.thumbnails.why_not(picture.key)
        return [*facts, why_not] if why_not else facts

    def _icon(self, key: str) -> QIcon:
        icon = self._icons.get(key)
        if icon is None:
            pixels = self.thumbnails.get(key)
            side = scaled_px(ICON_PX)
            if pixels is None:
                return self._stand_in(key, side)
            icon = thumbnail(to_qimage(pixels), side)
            self._icons.put(key, icon)
        return icon

    def _stand_in(self, key: str, side: int) -> QIcon:
        """Return an empty icon of a thumbnail's size, or a warning sign if no thumbnail will come."""
        if self.thumbnails.why_not(key):
            return QApplication.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        empty = QImage(QSize(1, 1), QImage.Format.Format_ARGB32_Premultiplied)
        empty.fill(Qt.GlobalColor.transparent)
        return thumbnail(empty, side)

    def _thumbnail_arrived(self, key: str) -> None:
        row = self._state.row(key)
        if row is not None and row < len(self._pictures):
            self.dataChanged.emit(self.index(row), self.index(row), [Qt.ItemDataRole.DecorationRole])
