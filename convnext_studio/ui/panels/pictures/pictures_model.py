"""The Qt list model of the opened pictures; it keeps nothing for pictures that are not visible."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    QUrl,
)
from PySide6.QtGui import QIcon, QImage
from PySide6.QtWidgets import QApplication, QStyle

from convnext_studio.common.caches import ByteCache
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.render import format_percent
from convnext_studio.ui.panels.pictures.picture_classes import PictureClasses
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.qimage import thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import scaled_px

ICON_PX = 56
KEY_ROLE = Qt.ItemDataRole.UserRole
Order = Literal["opened", "name", "class", "confidence"]
_RANK_ROLE = int(KEY_ROLE) + 1
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
        self._icon_px = ICON_PX
        self._ranks: dict[int, int] = {}
        self.classes = PictureClasses(state, bridge, parent=self)
        self.classes.changed.connect(self._classes_changed)
        self._pictures: tuple[ListedPicture, ...] = ()
        self._icons: ByteCache[QIcon] = ByteCache(_ICON_BYTES, lambda _: 4 * scaled_px(self._icon_px) ** 2)
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
                return f"{short_name(picture)}\n{self._class_text(picture.key)}"
            case Qt.ItemDataRole.DecorationRole:
                return self._icon(picture.key)
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(self._facts(picture))
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join(self._facts(picture))
            case Qt.ItemDataRole.UserRole:
                return picture.key
        if role == _RANK_ROLE:
            return self._ranks.get(index.row(), index.row())
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
        self._icons.forget_where(lambda key, _: self._state.opened.row(str(key)) is None)

    @property
    def icon_px(self) -> int:
        """The side of a thumbnail, in pixels for text of 9 points."""
        return self._icon_px

    def use_icons(self, icon_px: int) -> None:
        """Draw the icons anew, because they have another size."""
        self._icon_px = icon_px
        self._icons.clear()

    def picture(self, row: int) -> ListedPicture:
        """Return the picture of a row."""
        return self._pictures[row]

    def rank(self, row: int, order: Order) -> tuple[float, str]:
        """Return what a row is sorted by."""
        picture = self._pictures[row]
        top = self.classes.of(picture.key)
        match order:
            case "name":
                return 0.0, short_name(picture).casefold()
            case "class":
                name = self.classes.name_of(picture.key)
                return float(not name), f"{name.casefold()} {short_name(picture).casefold()}"
            case "confidence":
                return (1.0 if top is None else -top.probability), ""
        return float(row), ""

    def set_ranks(self, ranks: dict[int, int]) -> None:
        """Set the place of each row in a sorted list."""
        self._ranks = ranks

    def _class_text(self, key: str) -> str:
        top = self.classes.of(key)
        return "" if top is None else f"{self.classes.name_of(key)} {format_percent(top.probability)}"

    def _classes_changed(self) -> None:
        if self._pictures:
            self.dataChanged.emit(self.index(0), self.index(len(self._pictures) - 1), [])

    def _is_file(self, index: _Index) -> bool:
        path = self._pictures[index.row()].path if index.isValid() else ""
        return bool(path) and not path.startswith(SAMPLE_PREFIX)

    def _facts(self, picture: ListedPicture) -> list[str]:
        facts = [picture.path or picture.name]
        shown = self._state.opened.preview(picture.key)
        if shown is not None:
            facts += [f"{shown.size[0]} × {shown.size[1]} px", *shown.notes]
        if said := self._class_text(picture.key):
            facts.append(f"Predicted: {said}")
        why_not = self.thumbnails.why_not(picture.key)
        return [*facts, why_not] if why_not else facts

    def _icon(self, key: str) -> QIcon:
        icon = self._icons.get(key)
        if icon is None:
            pixels = self.thumbnails.get(key)
            side = scaled_px(self._icon_px)
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
        row = self._state.opened.row(key)
        if row is not None and row < len(self._pictures):
            self.dataChanged.emit(self.index(row), self.index(row), [Qt.ItemDataRole.DecorationRole])


class ShownPictures(QSortFilterProxyModel):
    """The pictures that are listed, in the order in which they are listed."""

    def __init__(self, pictures: PicturesModel) -> None:
        super().__init__(pictures)
        self._pictures = pictures
        self._text = ""
        self._least, self._most = 0.0, 1.0
        self._order: Order = "opened"
        self.setSourceModel(pictures)
        self.setSortRole(_RANK_ROLE)
        pictures.classes.changed.connect(self._follow)

    def show_matching(self, text: str, least: float = 0.0, most: float = 1.0) -> None:
        """List only pictures with this text in their name or class, and a confidence between the two."""
        self._text, self._least, self._most = text.casefold().strip(), least, most
        self.invalidate()

    def sort_by(self, order: Order) -> None:
        """List the pictures in another order."""
        self._order = order
        self._follow()

    def rows(self) -> list[str]:
        """Return the keys of the listed pictures, in their order."""
        return [str(self.index(row, 0).data(KEY_ROLE)) for row in range(self.rowCount())]

    def filterAcceptsRow(self, row: int, _parent: _Index) -> bool:
        """Whether a row is listed."""
        picture = self._pictures.picture(row)
        top = self._pictures.classes.of(picture.key)
        words = f"{short_name(picture)} {self._pictures.classes.name_of(picture.key)}".casefold()
        is_any = (self._least, self._most) == (0.0, 1.0)
        is_within = top is not None and self._least <= top.probability <= self._most
        return self._text in words and (is_any or is_within)

    def _follow(self, *_changed: object) -> None:
        pictures, is_sorted = self._pictures, self._order != "opened"
        if is_sorted:
            ranked = sorted(range(pictures.rowCount()), key=lambda row: pictures.rank(row, self._order))
            pictures.set_ranks({row: place for place, row in enumerate(ranked)})
        if is_sorted or self._text or (self._least, self._most) != (0.0, 1.0):
            self.invalidate()
        self.sort(0 if is_sorted else -1)
