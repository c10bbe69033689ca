"""The Qt list model of the opened pictures; it keeps nothing for pictures that are not visible."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QIcon, QImage
from PySide6.QtWidgets import QApplication, QStyle

from convnext_studio.common.caches import ByteCache
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.export.export_contents import label_of
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.protocol.predictions import Classes, Classify, Prediction, TopClass
from convnext_studio.render import format_percent
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.qimage import thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import scaled_px

ICON_PX = 56
KEY_ROLE = Qt.ItemDataRole.UserRole
Order = Literal["opened", "name", "class", "confidence"]
_RANK_ROLE = int(KEY_ROLE) + 1
_ICON_BYTES = 16 << 20
_ROOT = QModelIndex()
_Index = QModelIndex | QPersistentModelIndex
MOST = 500
"""Of more pictures than this, only those that were looked at have a class."""


class PictureClasses(QObject):
    """Knows the top class of the opened pictures with the open model, as far as it was found."""

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._known: dict[str, TopClass] = {}
        self._is_wanted = False
        self._query = Query(bridge, self._receive, lambda _reason: None, self._advance, parent=self)
        state.model_loaded.connect(self._forget)
        state.turns.connect_slot(state.prediction_made, self._learn, self)
        state.opened.changed.connect(self._forget_closed)

    @property
    def is_settled(self) -> bool:
        """Whether no class is being found."""
        return not self._query.is_running

    def want(self, is_wanted: bool) -> None:
        """Find the classes of all opened pictures from now on, or no longer."""
        self._is_wanted = is_wanted
        self._ask()

    def of(self, key: str) -> TopClass | None:
        """Return the top class of a picture; None while it is not known."""
        return self._known.get(self._state.opened.framings.image_of(key))

    def name_of(self, key: str) -> str:
        """Return the name of a picture's class; empty while it is not known."""
        top, model = self.of(key), self._state.model
        return "" if top is None or model is None else label_of(model, top.target)

    def _ask(self) -> None:
        """Ask for the pictures without a class, after the prediction of the current one, which goes first."""
        pictures = self._state.opened.images
        missing = tuple(each.key for each in pictures if each.key not in self._known)
        is_possible = self._state.prediction is not None and 1 < len(pictures) <= MOST
        if self._is_wanted and is_possible and missing and not self._query.is_running:
            self._query.ask(Classify(panel="pictures", images=missing), of=self._state.model)

    def _learn(self, prediction: Prediction | None) -> None:
        # A frame of a live source is no picture of the list, and there will be thousands.
        if prediction is not None and number_of(prediction.image) is None:
            target = prediction.top(1)[0]
            share = float(prediction.probabilities[target])
            self._take((TopClass(image=prediction.image, target=target, probability=share),))
            self._ask()

    def _advance(self, progress: Progress) -> None:
        if isinstance(progress.partial, Classes):
            self._take(progress.partial.classes)

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, Classes):
            self._take(payload.classes)
            self._ask()  # Pictures that were opened meanwhile.

    def _take(self, classes: tuple[TopClass, ...]) -> None:
        new = {each.image: each for each in classes if self._known.get(each.image) != each}
        if new:
            self._known.update(new)
            self.changed.emit()

    def _forget(self, _model: ModelInfo) -> None:
        self._query.drop()
        self._known.clear()
        self.changed.emit()

    def _forget_closed(self, pictures: tuple[ListedPicture, ...]) -> None:
        there = {picture.key for picture in pictures}
        self._known = {key: top for key, top in self._known.items() if picture_of(key) in there}
        self._ask()


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
        state.cache_sizes.add(self._icons)
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
                return plain_tip("\n".join(self._facts(picture)))
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
