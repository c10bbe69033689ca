"""The strip of opened pictures."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QLabel, QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from convnext_studio.engine.messages import ImageInfo
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.state import AppState

THUMBNAIL_PX = 56
_ITEM_SIZE = QSize(THUMBNAIL_PX + 12, THUMBNAIL_PX + 20)
EMPTY = "No picture is open. Drop one anywhere on the window, paste one, or open a sample from the File menu."


class PicturesPanel(QWidget):
    """Thumbnails of the opened pictures: arrow keys step through them, Delete closes one."""

    title = "Pictures"
    close_asked = Signal()

    def __init__(self, state: AppState, _bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._empty = QLabel(EMPTY)
        self._empty.setWordWrap(True)
        self._empty.setProperty("muted", True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setMargin(8)
        self.list = _ThumbnailList()
        self.list.delete_pressed.connect(self.close_asked)
        self.list.currentItemChanged.connect(self._select)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._empty)
        layout.addWidget(self.list)
        state.pictures_changed.connect(self._show_all)
        state.picture_selected.connect(self._show_current)
        self._show_all(state.pictures)

    @property
    def is_settled(self) -> bool:
        """The thumbnails come with the pictures: nothing is waited for."""
        return True

    def _select(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._state.select_picture(item.data(Qt.ItemDataRole.UserRole))

    def _show_all(self, pictures: tuple[ImageInfo, ...]) -> None:
        self._empty.setVisible(not pictures)
        self.list.setVisible(bool(pictures))
        was_blocked = self.list.blockSignals(True)
        self.list.clear()
        for picture in pictures:
            self.list.addItem(_item(picture))
        self.list.blockSignals(was_blocked)
        self._show_current(self._state.picture)

    def _show_current(self, picture: ImageInfo | None) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            if picture is not None and item.data(Qt.ItemDataRole.UserRole) == picture.key:
                was_blocked = self.list.blockSignals(True)
                self.list.setCurrentItem(item)
                self.list.blockSignals(was_blocked)


class _ThumbnailList(QListWidget):
    delete_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(THUMBNAIL_PX, THUMBNAIL_PX))
        self.setSpacing(2)
        self.setMinimumHeight(_ITEM_SIZE.height() + 6)  # One row is always seen whole.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(False)  # The window takes them.
        self.setAccessibleName("Opened pictures")
        self.setToolTip("Arrow keys step through the pictures; Delete closes one")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


def _item(picture: ImageInfo) -> QListWidgetItem:
    item = QListWidgetItem(QIcon(_thumbnail(picture)), picture.name)
    item.setData(Qt.ItemDataRole.UserRole, picture.key)
    item.setSizeHint(_ITEM_SIZE)
    width, height = picture.size
    facts = (picture.path or picture.name, f"{width} × {height} px", *picture.notes)
    item.setToolTip("\n".join(facts))
    item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(facts))
    return item


def _thumbnail(picture: ImageInfo) -> QPixmap:
    """The thumbnail in the middle of a square, so that the names below stand in line."""
    image = to_qimage(picture.thumbnail)
    side = max(image.width(), image.height())
    square = QPixmap(side, side)
    square.fill(Qt.GlobalColor.transparent)
    painter = QPainter(square)
    painter.drawImage((side - image.width()) // 2, (side - image.height()) // 2, image)
    painter.end()
    return square
