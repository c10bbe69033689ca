"""The export panel: the one place to save what the window shows, in any format, with a preview."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontDatabase, QImage, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from convnext_studio.export import safe_stem
from convnext_studio.export.views import table_text
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.view_saver import ONE_VIEW, WIDTHS_PX, ViewContents
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.control_row import FlowLayout
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_PREVIEW_MS = 300
_MOST_PX = 560  # Of a control, for text of 9 points.
NOTHING = "There is nothing to export yet. Open a picture and a model."
ALL_VIEWS = FileKind(
    "NumPy arrays of all views (.npz)", ("npz",), "The values of all visible views in one file", is_numbers=True
)
FORMATS = (*ONE_VIEW[:4], ALL_VIEWS, *ONE_VIEW[4:])
"""The formats of a view."""
_SHOWN_ROWS, _SHOWN_COLUMNS = 12, 6
NO_VALUES = "This view has no values to save."
NO_VALUES_AT_ALL = "The visible views have no values to save."


class ExportPreview(PlainLabel):
    """A label with what a file will contain; it never asks for more room than there is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def show_sentence(self, text: str) -> None:
        """Show a title, or why there is no preview."""
        parent = self.parentWidget()
        if parent is not None:
            self.setFont(parent.font())
        self.setText(text)

    def show_picture(self, picture: QImage) -> None:
        """Show a picture as large as it fits."""
        ratio = self.devicePixelRatioF()
        fitting = picture.scaled(
            self.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitting.setDevicePixelRatio(ratio)
        self.setPixmap(QPixmap.fromImage(fitting))

    def show_arrays(self, contents: Sequence[ViewContents]) -> None:
        """List the arrays of several views by name."""
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        lines = [f"{each.name}\n    {described(each.values)}" for each in contents if each.values is not None]
        self.setText("\n".join(lines) or NO_VALUES_AT_ALL)

    def show_numbers(self, values: NDArray[Any]) -> None:
        """Show the first numbers of an array."""
        first = values.reshape(-1, *values.shape[-2:])[0] if values.ndim >= 2 else values
        corner = first[:_SHOWN_ROWS, :_SHOWN_COLUMNS] if first.ndim == 2 else first[:_SHOWN_ROWS]
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setText(table_text(corner, "   "))


def described(values: NDArray[Any]) -> str:
    """Return the shape and the type of an array in words."""
    return f"{' × '.join(map(str, values.shape))} values of {values.dtype}"


class ExportItem(Struct, frozen=True, kw_only=True):
    """Something to export that is more than one view.

    Attributes
    ----------
    key, title
        Unique key, and what the list says.
    kinds
        Formats of its file; empty if it is several files in a folder.
    stem
        Returns the suggested name of the file without an ending, or the name of the folder.
    files
        Returns the names of the files, if there are several, and what they contain.
    why_not
        Returns why it cannot be exported now; empty if it can.
    write
        Writes it to the file, or into the folder.
    python
        Returns the lines of Python that give its numbers, or None if there are none.
    """

    key: str
    title: str
    kinds: tuple[FileKind, ...] = ()
    stem: Callable[[], str]
    files: Callable[[], str]
    why_not: Callable[[], str]
    write: Callable[[Path], object]
    python: Callable[[], PythonLines | None] = lambda: None


class ExportChoices(QWidget):
    """The form in which people choose what to export, in which format, and how wide a picture is.

    Parameters
    ----------
    all_views
        Returns all views of the window; those that are visible and not empty are offered.
    items
        What else is offered.

    Attributes
    ----------
    views, formats, width_px
        The controls for what to export, the format, and the width of a PNG picture in pixels.
    kinds
        The formats that are offered; empty for several files in a folder.
    """

    def __init__(self, all_views: Callable[[], Sequence[MapView]], items: Sequence[ExportItem]) -> None:
        super().__init__()
        self._all_views = all_views
        self._items = tuple(items)
        self._shown: list[MapView] = []
        self.kinds: tuple[FileKind, ...] = ()
        self.views, self.formats, self.width_px = QComboBox(), QComboBox(), QSpinBox()
        self.width_px.setRange(100, 16000)
        self.width_px.setSingleStep(100)
        self.width_px.setValue(WIDTHS_PX[1])
        self.width_px.setSuffix(" px wide")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        for word, control, name, tip in (
            (
                "What",
                self.views,
                "What to export",
                "A visible map or picture, or everything about this picture",
            ),
            ("As", self.formats, "Format of the file", "The kind of file to write"),
            (
                "Width",
                self.width_px,
                "Width of the picture",
                "Width of a PNG picture, including the colour bar",
            ),
        ):
            control.setAccessibleName(name)
            control.setToolTip(plain_tip(tip))
            # Not `setMaximumWidth` of the panel, whose preview may use all the room.
            follow_text(control, partial(lambda each: each.setMaximumWidth(scaled_px(_MOST_PX)), control))
            self._form.addRow(word, control)

    def choose(self, what: "str | MapView | None") -> None:
        """Choose a view, or an item by its key; keep the choice if it is not offered."""
        self._list_views()
        row = -1
        if isinstance(what, str):
            row = self.views.findData(what)
        elif what in self._shown:
            row = self._shown.index(what)
        if row >= 0:
            self.views.setCurrentIndex(row)

    def refresh(self) -> None:
        """Offer what is visible now and its formats, and keep what is chosen."""
        self._list_views()
        self._list_formats()
        chosen = self.format
        is_png = self.view is not None and chosen is not None and chosen.suffix == "png"
        self._form.setRowVisible(self.width_px, is_png)
        self._form.setRowVisible(self.formats, len(self.kinds) > 1)
        self.views.setEnabled(chosen is not ALL_VIEWS)

    @property
    def view(self) -> MapView | None:
        """The chosen view, or None if an item is chosen."""
        row = self.views.currentIndex()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    @property
    def item(self) -> ExportItem | None:
        """The chosen item, or None if a view is chosen."""
        key = self.views.currentData()
        return next((item for item in self._items if item.key == key), None)

    @property
    def format(self) -> FileKind | None:
        """The chosen format; None for several files in a folder."""
        row = self.formats.currentIndex()
        return self.kinds[row] if 0 <= row < len(self.kinds) else None

    @property
    def numbered(self) -> list[ViewContents]:
        """The contents of the visible views that have values."""
        shown = (view.contents for view in self._shown)
        return [contents for contents in shown if contents is not None and contents.values is not None]

    def why_not(self) -> str:
        """Return why the choice cannot be saved; empty if it can."""
        item, chosen, view = self.item, self.format, self.view
        if item is not None:
            return item.why_not()
        if view is None or view.contents is None:
            return NOTHING
        if chosen is ALL_VIEWS:
            return "" if self.numbered else NO_VALUES_AT_ALL
        has_numbers = view.contents.values is not None
        return "" if has_numbers or chosen is None or not chosen.is_numbers else NO_VALUES

    def possible_formats(self) -> list[FileKind]:
        """Return the formats in which the chosen view, or the values of all views, can be saved."""
        view = self.view
        has_numbers = view is not None and view.contents is not None and view.contents.values is not None
        return [
            kind
            for kind in FORMATS
            if not kind.is_numbers or (self.numbered if kind is ALL_VIEWS else has_numbers)
        ]

    def _list_formats(self) -> None:
        """Offer the formats of what is chosen, and keep the chosen one if it is among them."""
        item, before = self.item, self.format
        kinds = FORMATS if item is None else item.kinds
        if kinds == self.kinds:
            return
        self.kinds = kinds
        was_blocked = self.formats.blockSignals(True)
        self.formats.clear()
        for kind in kinds:
            self.formats.addItem(kind.name)
            self.formats.setItemData(self.formats.count() - 1, plain_tip(kind.tip), Qt.ItemDataRole.ToolTipRole)
        if kinds:
            self.formats.setCurrentIndex(kinds.index(before) if before in kinds else 0)
        self.formats.blockSignals(was_blocked)

    def _list_views(self) -> None:
        """List the visible views and keep the current choice."""
        before, item = self.view, self.item
        shown = [view for view in self._all_views() if view.isVisible() and view.contents is not None]
        names = [view.contents.name for view in shown if view.contents is not None]
        was_blocked = self.views.blockSignals(True)
        names += [each.title for each in self._items]
        if shown != self._shown or names != [self.views.itemText(row) for row in range(self.views.count())]:
            self._shown = shown
            self.views.clear()
            self.views.addItems(names[: len(shown)])
            for each in self._items:
                self.views.addItem(each.title, each.key)
            kept = -1 if item is None else self.views.findData(item.key)
            self.views.setCurrentIndex(max(kept, shown.index(before) if before in shown else 0))
        self.views.blockSignals(was_blocked)


class ExportPanel(QWidget):
    """A panel to choose what to export and in which format; it says what will be written, and where.

    Parameters
    ----------
    views
        Returns all views of the window; those that are visible and not empty can be chosen.
    items
        What else can be exported.
    dialogs
        Asks for files and folders, and remembers the folder.

    Attributes
    ----------
    views, formats, width_px
        The controls for what to export, the format, and the width of a PNG picture in pixels.
    preview, facts, place
        The preview of the file's contents, what is known about it, and what will be written where.
    """

    title = "Export"
    python_asked = Signal(object)  # PythonLines: the script of what is chosen is to be copied

    def __init__(
        self,
        state: AppState,
        views: Callable[[], Sequence[MapView]],
        items: Sequence[ExportItem] = (),
        dialogs: SaveDialogs | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._dialogs = dialogs or SaveDialogs(parent=self)
        self._watched: MapView | None = None
        self._soon = QTimer(self, singleShot=True, interval=_PREVIEW_MS)
        self._soon.timeout.connect(self._refresh)
        self._choices = ExportChoices(views, items)
        self.views, self.formats = self._choices.views, self._choices.formats
        self.width_px = self._choices.width_px
        self.preview = ExportPreview(self)
        self.facts = PlainLabel()
        self.place = PlainLabel()
        self.save, self.copy = QPushButton("Save…"), QPushButton("Copy picture")
        self.numbers = QPushButton("Copy numbers")
        self.python = QPushButton("Copy as Python")
        self._lay_out()
        self.views.currentIndexChanged.connect(lambda _row: self._soon.start())
        # Bound, so that a list that is deleted with the panel asks for nothing more.
        self.formats.currentIndexChanged.connect(self._refresh)
        self.save.clicked.connect(self._save)
        self.copy.clicked.connect(self._copy)
        self.numbers.clicked.connect(self._copy_numbers)
        self.python.clicked.connect(self._copy_python)
        self._dialogs.folder_changed.connect(self._refresh)
        for changed in (state.model_loaded, state.picture_selected, state.prediction_made):
            changed.connect(lambda _changed: self._soon.start() if self.isVisible() else None)
        self._refresh()

    @property
    def is_settled(self) -> bool:
        """Whether the preview is up to date."""
        return not (self.isVisible() and self._soon.isActive())

    def sizeHint(self) -> QSize:
        """Make room for a preview."""
        return QSize(420, 520)

    def choose(self, what: "str | MapView | None") -> None:
        """Choose a view, or an item by its key; keep the choice if it is not offered."""
        self._choices.choose(what)
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Update the preview soon after the panel is shown."""
        super().showEvent(event)
        self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Update the preview soon, for its new size."""
        super().resizeEvent(event)
        self._soon.start()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Update the preview soon after the previewed view was repainted."""
        if event.type() == QEvent.Type.Paint and not self._soon.isActive() and self.isVisible():
            self._soon.start()
        return False

    # ------------------------------------------------------------------------------------------ the parts

    def _lay_out(self) -> None:
        for label in (self.facts, self.place):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts.setProperty("muted", True)
        for control, name, tip in (
            (self.preview, "Preview", "The contents of the file"),
            (self.place, "What will be written", ""),
            (self.save, "Save", "Choose where to save; the ending that you type decides the format"),
            (self.copy, "Copy the picture", "Put the picture on the clipboard"),
            (self.numbers, "Copy the numbers", "Put the numbers on the clipboard, for a spreadsheet"),
            (self.python, "Copy as Python", "Put the lines of Python that give the numbers on the clipboard"),
        ):
            control.setAccessibleName(name)
            control.setToolTip(plain_tip(tip))
        row = FlowLayout()
        for button in (self.save, self.copy, self.numbers, self.python):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self._choices)
        layout.addWidget(self.preview, 1)
        layout.addWidget(self.facts)
        layout.addWidget(self.place)
        layout.addLayout(row)
        self.setFocusProxy(self.views)

    # ---------------------------------------------------------------------------------------- the preview

    def _refresh(self, _changed: object = None) -> None:
        self._soon.stop()
        self._choices.refresh()
        self._watch_view()
        view, item, chosen = self._choices.view, self._choices.item, self._choices.format
        contents = None if view is None else view.contents
        self.copy.setEnabled(view is not None)
        self.numbers.setEnabled(contents is not None and contents.values is not None)
        self.python.setEnabled(self._python_lines is not None)
        why_not = self._choices.why_not()
        self.save.setEnabled(not why_not)
        self.place.setText(why_not or self._promise())
        if item is not None:
            self.preview.show_sentence(item.title)
            self.facts.setText("" if why_not else item.files())
        elif view is None or contents is None or chosen is None:
            self.preview.show_sentence(NOTHING)
            self.facts.clear()
        else:
            self._show_view(view, contents, chosen)

    def _watch_view(self) -> None:
        """Learn when the chosen view is repainted."""
        if self._choices.view is not self._watched:
            if self._watched is not None and isValid(self._watched.view):  # Not once the window is deleted.
                self._watched.view.removeEventFilter(self)
            self._watched = self._choices.view
            if self._watched is not None:
                self._watched.view.installEventFilter(self)

    def _promise(self) -> str:
        """Return what will be written and where, which is said before a file is asked for."""
        chosen, folder = self._choices.format, self._dialogs.folder
        if chosen is None:
            return f"Will be written to a folder that you choose, such as {folder / self._stem()}."
        return f"Will be written as {folder / self._stem()}.{chosen.suffix}, or where you choose."

    def _stem(self) -> str:
        """Return the suggested name, without an ending."""
        item, view, picture = self._choices.item, self._choices.view, self._state.picture
        if item is not None:
            return safe_stem(f"{item.stem()}.x")
        if self._choices.format is ALL_VIEWS and picture is not None:
            return safe_stem(f"{picture.name} views.x")
        return safe_stem(f"{view.contents.name}.x" if view is not None and view.contents is not None else "x")

    def _show_view(self, view: MapView, contents: ViewContents, chosen: FileKind) -> None:
        """Preview one view in the chosen format, or the values of all views."""
        if chosen is ALL_VIEWS:
            self.preview.show_arrays(self._choices.numbered)
            self.facts.setText("The arrays have these names, and the captions are under “about”.")
        elif not chosen.is_numbers:
            self.preview.show_picture(view.picture())
            self.facts.setText(contents.caption)
        elif contents.values is None:
            self.preview.show_sentence(NO_VALUES)
            self.facts.clear()
        else:
            self.preview.show_numbers(contents.values)
            self.facts.setText(f"{described(contents.values)}; the first ones are shown.")

    # -------------------------------------------------------------------------------------------- saving

    def _copy(self) -> None:
        if self._choices.view is not None:
            self._choices.view.saver.copy()

    def _copy_numbers(self) -> None:
        if self._choices.view is not None:
            self._choices.view.saver.copy_numbers()

    @property
    def _python_lines(self) -> PythonLines | None:
        """The lines of Python that give the numbers of what is chosen, or None."""
        item, view = self._choices.item, self._choices.view
        if item is not None:
            return item.python()
        return None if view is None else view.saver.python

    def _copy_python(self) -> None:
        if self._python_lines is not None:
            self.python_asked.emit(self._python_lines)

    def _save(self) -> None:
        """Ask for a file or a folder, and write what is chosen to it."""
        if self._choices.why_not():
            return
        item, chosen = self._choices.item, self._choices.format
        title = "Export the view" if item is None else f"Export: {item.title}"
        if item is not None and chosen is None:
            path = self._dialogs.ask_folder(self, title)
        else:
            kinds = self._choices.kinds if item is not None else self._choices.possible_formats()
            path = self._dialogs.ask_file(self, title, self._stem(), kinds, chosen)
        if path is not None:
            self.write(path)

    def write(self, path: Path) -> None:
        """Write what is chosen; the ending of the path decides the format.

        An ``.npz`` has the values of all visible views.
        """
        item, view = self._choices.item, self._choices.view
        if item is not None:
            item.write(path)
        elif view is not None and path.suffix.lower() == f".{ALL_VIEWS.suffix}":
            view.saver.write_npz(path, self._choices.numbered)
        elif view is not None:
            view.saver.write(path, self.width_px.value())
