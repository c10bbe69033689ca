"""Copy the Python that gives what a view shows, for whatever has the keyboard focus."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.state.python_text import OpenedNetwork, OpenedPicture, PythonLines, script
from convnext_studio.ui.widgets.message_bar import Notice

if TYPE_CHECKING:  # The window imports this module.
    from convnext_studio.ui.shell.window import StudioWindow

_TOPIC = "clipboard"


class PythonCopy(QObject):
    """Puts the script of a view on the clipboard: the network, the pictures, and the lines for its array."""

    noticed = Signal(object)  # Notice

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        self._window = window

    def text(self, python: PythonLines) -> str:
        """Return the whole script of a view."""
        state = self._window.state
        assert state.model is not None  # There are no lines without a model.
        controller, other = self._window.controller, state.second.model
        first = OpenedNetwork(state.model, controller.loaded)
        second = None if other is None else OpenedNetwork(other, controller.second.loaded_second)
        return script(python, first, self._picture, second)

    def copy(self, python: PythonLines) -> None:
        """Copy the script of a view."""
        QGuiApplication.clipboard().setText(self.text(python))
        hint = "Paste it into a script or a notebook where convnext-studio is installed."
        self.noticed.emit(Notice(_TOPIC, "The view was copied as Python.", hint, good=True))

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
        row = state.row(key)
        return None if row is None else OpenedPicture(state.pictures[row], state.view_of(key))


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
