"""Copy, paste and select all, and copy as Python, for whatever has the keyboard focus."""

from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QItemSelectionModel, QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from convnext_studio.model.frame_keys import number_of
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.shell.window_part import WindowPart
from convnext_studio.ui.state.python_text import OpenedNetwork, OpenedPicture, PythonLines, script
from convnext_studio.ui.widgets.message_bar import Notice

if TYPE_CHECKING:  # The window imports this module.
    from convnext_studio.ui.shell.window import StudioWindow

_TOPIC = "clipboard"
_TextField = QLineEdit | QTextEdit | QPlainTextEdit


class Clipboard(WindowPart):
    """Copies from, pastes into and selects in the widget with the keyboard focus."""

    def copy(self) -> None:
        """Copy the selected text, rows or picture of the focused widget, or else the view of its panel."""
        focused = QApplication.focusWidget()
        text = _selected_text(focused)
        if text:
            QGuiApplication.clipboard().setText(text)
            self.noticed.emit(Notice(_TOPIC, "The selection was copied.", good=True))
            return
        view = _view_above(focused) or self._view_of_panel()
        if view is None:
            hint = "Click a map, a table or a text first."
            self.noticed.emit(Notice(_TOPIC, "There is nothing to copy here.", hint))
        else:
            view.saver.copy()

    def paste(self) -> None:
        """Insert the text of the clipboard into a text field, or open its picture or files."""
        field = _text_field(QApplication.focusWidget())
        mime = QGuiApplication.clipboard().mimeData()
        if field is not None and mime.hasText() and not mime.hasImage():
            field.paste()
        else:
            self._window.controller.open_mime(mime)

    def select_all(self) -> None:
        """Select everything in the focused text, table or list."""
        focused = QApplication.focusWidget()
        field = _text_field(focused)
        if field is not None:
            field.selectAll()
        elif isinstance(focused, QAbstractItemView):
            focused.selectAll()
        elif isinstance(focused, QLabel):
            focused.setSelection(0, len(focused.text()))

    def _view_of_panel(self) -> MapView | None:
        """Return the largest view of the active panel, or None if it shows none."""
        name = self._window.dock_layout.focus.active
        views = [] if name is None else self._window.dock_layout.docks[name].findChildren(MapView)
        shown = [view for view in views if view.isVisible() and view.contents is not None]
        return max(shown, key=lambda view: view.width() * view.height(), default=None)


def _text_field(widget: QWidget | None) -> _TextField | None:
    if isinstance(widget, QComboBox | QAbstractSpinBox):
        widget = widget.lineEdit()
    return widget if isinstance(widget, QLineEdit | QTextEdit | QPlainTextEdit) else None


def _selected_text(widget: QWidget | None) -> str:
    """Return the selected text of a widget; the selected rows of a table or list as tab-separated lines."""
    field = _text_field(widget)
    if isinstance(field, QLineEdit):
        return field.selectedText()
    if field is not None:
        return field.textCursor().selection().toPlainText()
    if isinstance(widget, QLabel):
        return widget.selectedText()
    if isinstance(widget, QAbstractItemView):
        return _selected_rows(widget.selectionModel())
    return ""


def _selected_rows(selection: QItemSelectionModel | None) -> str:
    if selection is None:
        return ""
    rows: dict[int, list[str]] = {}
    for index in sorted(selection.selectedIndexes(), key=lambda each: (each.row(), each.column())):
        rows.setdefault(index.row(), []).append(str(index.data() or ""))
    return "\n".join("\t".join(cells) for cells in rows.values())


def _view_above(widget: QWidget | None) -> MapView | None:
    while widget is not None and not isinstance(widget, MapView):
        widget = widget.parentWidget()
    return widget if isinstance(widget, MapView) and widget.contents is not None else None


_TOPIC = "clipboard"


class PythonCopy(QObject):
    """Puts the script of a view on the clipboard: the network, the pictures, and the lines for its array."""

    noticed = Signal(object)  # Notice

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        self._window = window

    def text(self, python: PythonLines) -> str:
        """Return the whole script of a view."""
        state, models = self._window.state, self._window.controller.models
        assert state.model is not None  # There are no lines without a model.
        return script(python, OpenedNetwork(state.model, models.loaded), self._picture, self._second())

    def _second(self) -> OpenedNetwork | None:
        """Return the network B, which may be A with changes inside; None if there is none."""
        state, controller = self._window.state, self._window.controller
        if state.second.model is None or state.model is None:
            return None
        if not state.second.is_changed_first:
            return OpenedNetwork(state.second.model, controller.second.loaded_second)
        recipe = state.interventions.recipe.applied
        averaged = tuple(picture.key for picture in state.opened.all) if recipe.averages_pictures else ()
        return OpenedNetwork(state.model, controller.models.loaded, recipe, averaged)

    def copy(self, python: PythonLines) -> None:
        """Copy the script of a view."""
        QGuiApplication.clipboard().setText(self.text(python))
        hint = "Paste it into a script or a notebook where convnext-studio is installed."
        self.noticed.emit(Notice(_TOPIC, "The view was copied as Python.", hint, good=True))

    def copy_recipe(self) -> None:
        """Copy a script that makes the same changes and predicts."""
        python = self._window.recipes.python
        if python is None:
            hint = "Make a change of a picture or inside the network first."
            self.noticed.emit(Notice(_TOPIC, "There are no changes to copy as Python.", hint))
        else:
            self.copy(python)

    def copy_focused(self) -> None:
        """Copy the script of the view with the keyboard focus, or else of its panel or the active one."""
        python = self._focused()
        if python is None:
            hint = "Click a map or a panel that shows results first."
            self.noticed.emit(Notice(_TOPIC, "There is nothing to copy as Python here.", hint))
        else:
            self.copy(python)

    def _focused(self) -> PythonLines | None:
        widget: QWidget | None = QApplication.focusWidget()
        while widget is not None:
            found = python_of(widget)
            if found is not None:
                return found
            widget = widget.parentWidget()
        name = self._window.dock_layout.focus.active
        panel = None if name is None else self._window.dock_layout.docks[name].panel
        return None if panel is None else _first_in(panel)

    def _picture(self, key: str) -> OpenedPicture | None:
        state = self._window.state
        row = state.opened.row(key)
        if row is None:
            return None
        frame, view = number_of(key), state.opened.framings.view_of(key)
        if frame is not None:  # Of a film that plays; a camera's frame has no file, and the script says so.
            view = replace(view, frame=frame)
        return OpenedPicture(state.opened.all[row], view)


def python_of(widget: QWidget) -> PythonLines | None:
    """Return the lines of a view or a panel, or None if it is neither or shows nothing."""
    if isinstance(widget, MapView):
        return widget.saver.python
    return widget.python if isinstance(widget, Panel) else None


def _first_in(panel: QWidget) -> PythonLines | None:
    """Return the lines of a panel, or else of the first visible view or panel in it."""
    inside = [widget for widget in panel.findChildren(QWidget) if widget.isVisible()]
    found = (python_of(widget) for widget in (panel, *inside))
    return next((python for python in found if python is not None), None)
