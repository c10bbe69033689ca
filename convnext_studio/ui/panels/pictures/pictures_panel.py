"""The opened pictures as thumbnails to step through, however many there are."""

from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.panels.pictures.pictures_model import ICON_PX, KEY_ROLE, PicturesModel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

EMPTY = (
    "No picture is open. Drop pictures or a folder anywhere on the window, paste one, or open "
    "a sample from the File menu."
)


class PicturesPanel(QWidget):
    """A panel with thumbnails of the opened pictures; arrow keys step through them, Delete closes one.

    Attributes
    ----------
    list
        The list of thumbnails.
    count
        A label such as “3 of 12 pictures”.
    """

    title = "Pictures"
    close_asked = Signal()
    found_broken = Signal(object)  # PictureFailure

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._watched = ""
        self._empty = QLabel(EMPTY)
        self._empty.setWordWrap(True)
        self._empty.setProperty("muted", True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setMargin(8)
        self.count = QLabel()
        self.count.setProperty("muted", True)
        self.count.setContentsMargins(8, 2, 8, 0)
        self.count.setAccessibleName("The current picture, and the number of opened pictures")
        self._model = PicturesModel(state, bridge)
        self._model.setParent(self)
        self._model.thumbnails.found_broken.connect(self.found_broken)
        self.list = _ThumbnailList(self._model)
        self.list.delete_pressed.connect(self.close_asked)
        self.list.selectionModel().currentChanged.connect(self._select)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._empty)
        layout.addWidget(self.count)
        layout.addWidget(self.list, 1)
        state.pictures_changed.connect(self._show_all)
        state.picture_chosen.connect(self._mark_chosen)
        self._show_all(state.pictures)

    @property
    def is_settled(self) -> bool:
        """Whether all visible thumbnails have arrived or failed."""
        return not self.isVisible() or self._model.thumbnails.is_settled

    def show_watched(self, folder: str) -> None:
        """Say which folder is watched; an empty text means none."""
        self._watched = Path(folder).name if folder else ""
        self.count.setToolTip(f"New pictures in {folder} are opened as they appear" if folder else "")
        self._mark_chosen(self._state.chosen)

    def _select(self, current: QModelIndex) -> None:
        key, chosen = current.data(KEY_ROLE), self._state.chosen
        if isinstance(key, str) and (chosen is None or chosen.key != key):
            self._state.select_picture(key)

    def _show_all(self, pictures: tuple[ListedPicture, ...]) -> None:
        self._empty.setVisible(not pictures)
        self.list.setVisible(bool(pictures))
        selection = self.list.selectionModel()
        was_blocked = selection.blockSignals(True)  # Qt's changes with the rows are not the user's choice.
        self._model.show(pictures)
        selection.blockSignals(was_blocked)
        self._mark_chosen(self._state.chosen)

    def _mark_chosen(self, picture: ListedPicture | None) -> None:
        row = None if picture is None else self._state.row(picture.key)
        total = len(self._state.pictures)
        said = [f"{total:,} pictures" if row is None else f"{row + 1:,} of {total:,} pictures"]
        if self._watched:
            said.append(f"watching {self._watched}")
        self.count.setVisible(total > 1 or bool(self._watched))
        self.count.setText(" · ".join(said))
        if row is None:
            return
        index = self._model.index(row)
        # Selecting the chosen picture again changes nothing.
        self.list.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.list.scrollTo(index)


class _WholeCell(QStyledItemDelegate):
    """A delegate whose cells fill the grid; otherwise every name would get only the width of the first."""

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the cell's width, and the height of icon and name."""
        return QSize(self._view.gridSize().width() - 2, super().sizeHint(option, index).height())


class _ThumbnailList(QListView):
    delete_pressed = Signal()

    def __init__(self, model: PicturesModel) -> None:
        super().__init__()
        self._icons = model
        self.setModel(model)
        self.setItemDelegate(_WholeCell(self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAcceptDrops(False)  # The window handles drops.
        self.setAccessibleName("Opened pictures")
        self.setToolTip(
            "Choose a picture with the arrow keys; Delete closes it; drag it out to give its "
            "file to another program"
        )
        follow_text(self, self._size)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close the current picture with Delete; leave other keys to the list."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)

    def _size(self) -> None:
        """Fit thumbnails and names to the text size; one whole row is always visible."""
        self._icons.forget_icons()
        icon = scaled_px(ICON_PX)
        cell = QSize(icon + scaled_px(17), icon + self.fontMetrics().height() + scaled_px(10))
        self.setIconSize(QSize(icon, icon))
        self.setGridSize(cell)
        self.setMinimumHeight(cell.height() + scaled_px(4))
