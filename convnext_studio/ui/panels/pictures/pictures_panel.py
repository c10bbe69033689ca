"""The opened pictures as thumbnails to step through, however many there are."""

from pathlib import Path

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.pictures.pictures_model import ICON_PX, KEY_ROLE, PicturesModel, ShownPictures
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.message_bar import show_in_folder
from convnext_studio.ui.widgets.text_size import follow_text, keep_room, scaled_px

_ICON_SIZES_PX = (128, 112, 96, 80, 68)  # At most as large as the thumbnails that the engine makes.
_SPARE_PX = 8
_NAME_CHARACTERS = 17
_RESIZED_MS = 60
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
        A label such as “Picture 3 of 12”.
    """

    title = "Pictures"
    close_asked = Signal()
    pictures_closed = Signal(object)  # tuple[ListedPicture, ...]: the pictures that the user wants closed
    found_broken = Signal(object)  # PictureFailure

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._watched = ""
        self._empty = PlainLabel(EMPTY)
        self._empty.setWordWrap(True)
        self._empty.setProperty("muted", True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setMargin(8)
        self.count = PlainLabel()
        self.count.setProperty("muted", True)
        self.count.setContentsMargins(8, 2, 8, 0)
        self.count.setAccessibleName("The current picture, and the number of opened pictures")
        self._model = PicturesModel(state, bridge)
        self._model.setParent(self)
        self._model.thumbnails.found_broken.connect(self.found_broken)
        self.shown = ShownPictures(self._model)
        self.list = _ThumbnailList(self._model, self.shown)
        self.list.delete_pressed.connect(self.close_asked)
        self.list.selectionModel().currentChanged.connect(self._select)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self._make_controls()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._empty)
        row = QVBoxLayout()
        row.setContentsMargins(8, 2, 4, 2)
        row.addWidget(self.controls)
        layout.addLayout(row)
        layout.addWidget(self.count)
        layout.addWidget(self.list, 1)
        state.opened.changed.connect(self._show_all)
        state.opened.picture_chosen.connect(self._mark_chosen)
        state.awaited.changed.connect(lambda: self._empty.setText(state.awaited.picture or EMPTY))
        self._show_all(state.opened.all)

    def _make_controls(self) -> None:
        self.order = choice(
            "Order of the pictures",
            "As they were opened, by name, by predicted class, or the surest prediction first",
            [
                ("As opened", "opened"),
                ("By name", "name"),
                ("By class", "class"),
                ("By confidence", "confidence"),
            ],
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText("Name or class")
        self.search.setAccessibleName("Name or class of the pictures to list")
        self.search.setToolTip("List only the pictures with this text in their name or predicted class")
        self.search.setClearButtonEnabled(True)
        keep_room(self.search, self.search.placeholderText(), beside_px=40)
        self.confidence = choice(
            "Confidence of the pictures to list",
            "List only the pictures whose prediction is this sure",
            [
                ("Any", (0.0, 1.0)),
                ("Over 90 %", (0.9, 1.0)),
                ("Under 90 %", (0.0, 0.9)),
                ("Under 50 %", (0.0, 0.5)),
            ],
        )
        self.controls = ControlRow("Sort and filter the pictures")
        self.controls.add(self.order, word="Sort")
        self.controls.add(self.search, 1)
        self.controls.add(self.confidence, word="Confidence")
        self.order.currentIndexChanged.connect(lambda _: self.shown.sort_by(self.order.currentData()))
        self.search.textChanged.connect(self._filter)
        self.confidence.currentIndexChanged.connect(self._filter)

    def _filter(self, _changed: object = None) -> None:
        least, most = self.confidence.currentData()
        self.shown.show_matching(self.search.text(), least, most)
        self._mark_chosen(self._state.opened.chosen)

    @property
    def is_settled(self) -> bool:
        """Whether all visible thumbnails and all classes have arrived or failed."""
        return not self.isVisible() or (self._model.thumbnails.is_settled and self._model.classes.is_settled)

    def showEvent(self, event: QShowEvent) -> None:
        """Find the classes of the pictures while they can be seen."""
        super().showEvent(event)
        self._model.classes.want(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Find no classes while nobody sees them."""
        super().hideEvent(event)
        self._model.classes.want(False)

    def menu_about(self, key: str) -> QMenu:
        """Return the context menu of a picture."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        row = self._state.opened.row(key)
        if row is None:
            return menu
        picture = self._state.opened.all[row]
        is_file = bool(picture.path) and not picture.path.startswith(SAMPLE_PREFIX)
        menu.addAction("&Show").triggered.connect(lambda: self._state.opened.select(key))
        folder = menu.addAction("Show in &folder")
        folder.triggered.connect(lambda: show_in_folder(picture.path))
        copy = menu.addAction("&Copy path")
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(picture.path))
        for action in (folder, copy):
            action.setEnabled(is_file)
        menu.addAction("Copy &name").triggered.connect(
            lambda: QGuiApplication.clipboard().setText(picture.name)
        )
        menu.addSeparator()
        others = tuple(each for each in self._state.opened.all if each.key != key)
        for text, closed in (
            ("C&lose", (picture,)),
            ("Close all &others", others),
            ("Close &all", self._state.opened.all),
        ):
            action = menu.addAction(text)
            action.setEnabled(bool(closed))
            action.triggered.connect(lambda _checked=False, closed=closed: self.pictures_closed.emit(closed))
        return menu

    def _open_menu(self, place: QPoint) -> None:
        key = self.list.indexAt(place).data(KEY_ROLE)
        if isinstance(key, str):
            self.menu_about(key).popup(self.list.viewport().mapToGlobal(place))

    def show_watched(self, folder: str) -> None:
        """Say which folder is watched; an empty text means none."""
        self._watched = Path(folder).name if folder else ""
        tip = f"New pictures in {folder} are opened as they appear" if folder else ""
        self.count.setToolTip(plain_tip(tip))
        self._mark_chosen(self._state.opened.chosen)

    def _select(self, current: QModelIndex) -> None:
        key, chosen = current.data(KEY_ROLE), self._state.opened.chosen
        if isinstance(key, str) and (chosen is None or chosen.key != key):
            self._state.opened.select(key)

    def _show_all(self, pictures: tuple[ListedPicture, ...]) -> None:
        self._empty.setVisible(not pictures)
        self.list.setVisible(bool(pictures))
        self.controls.setVisible(len(pictures) > 1)
        selection = self.list.selectionModel()
        was_blocked = selection.blockSignals(True)  # Qt's changes with the rows are not the user's choice.
        self._model.show(pictures)
        selection.blockSignals(was_blocked)
        self._mark_chosen(self._state.opened.chosen)

    def _mark_chosen(self, picture: ListedPicture | None) -> None:
        row = None if picture is None else self._state.opened.row(picture.key)
        total = len(self._state.opened.all)
        said = [f"{total:,} pictures" if row is None else f"Picture {row + 1:,} of {total:,}"]
        if self._watched:
            said.append(f"watching {self._watched}")
        self.count.setVisible(total > 1 or bool(self._watched))
        self.count.setText(" · ".join(said))
        if row is None:
            return
        index = self.shown.mapFromSource(self._model.index(row))
        if not index.isValid():
            return  # It is not listed just now.
        # Selecting the chosen picture again changes nothing.
        self.list.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.list.scrollTo(index)


class _WholeCell(QStyledItemDelegate):
    """A delegate whose cells fill the grid; otherwise every name would get only the room of the first.

    Names in some scripts are higher than in others, and would push the class out of the cell.
    """

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of the cell, with a gap to the next."""
        return self._view.gridSize() - QSize(2, 2)


class _ThumbnailList(QListView):
    delete_pressed = Signal()

    def __init__(self, pictures: PicturesModel, shown: ShownPictures) -> None:
        super().__init__()
        self._icons = pictures
        self._is_resized = False
        self.setModel(shown)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._resized = QTimer(self, singleShot=True, interval=_RESIZED_MS)
        self._resized.timeout.connect(self._use_room)
        for changed in (shown.rowsInserted, shown.rowsRemoved, shown.modelReset):
            changed.connect(lambda *_rows: self._resized.start())
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room for larger thumbnails, and keep the current one in sight."""
        super().resizeEvent(event)
        self._is_resized = True
        self._resized.start()

    def _use_room(self) -> None:
        """Make the thumbnails as large as all of them fit, within limits."""
        icon_px = next((size for size in _ICON_SIZES_PX if self._fits(size)), ICON_PX)
        if icon_px != self._icons.icon_px:
            self._icons.use_icons(icon_px)
            self._size()
        if self._is_resized:  # New pictures leave the list where it was scrolled to.
            self._is_resized = False
            self.scrollTo(self.currentIndex())

    def _fits(self, icon_px: int) -> bool:
        """Return whether all cells fit; with room to spare if larger, so that a pixel changes nothing."""
        room, cell = self.viewport().size(), self._cell(icon_px)
        columns = max(room.width() // cell.width(), 1)
        height = -(-self.model().rowCount() // columns) * cell.height()
        return height + (_SPARE_PX if icon_px > self._icons.icon_px else 0) <= room.height()

    def _cell(self, icon_px: int) -> QSize:
        side = scaled_px(icon_px)
        width = max(side + scaled_px(17), self.fontMetrics().averageCharWidth() * _NAME_CHARACTERS)
        return QSize(width, side + 2 * self.fontMetrics().height() + scaled_px(10))

    def _size(self) -> None:
        """Fit thumbnails and names to the text size; one row is always visible."""
        self._icons.use_icons(self._icons.icon_px)
        icon, cell = scaled_px(self._icons.icon_px), self._cell(self._icons.icon_px)
        self.setIconSize(QSize(icon, icon))
        self.setGridSize(cell)
        self.setMinimumHeight(self._cell(ICON_PX).height() - self.fontMetrics().height())
