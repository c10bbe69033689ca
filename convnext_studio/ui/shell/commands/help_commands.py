"""What the Edit and Help menus do: going back, finding, explaining, telling what went on."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMainWindow

from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.history import SelectionHistory


class HelpCommands(QObject):
    """The verbs of the Edit and Help menus.

    Attributes
    ----------
    history
        Of the selection.
    """

    palette_asked = Signal()
    keys_asked = Signal()  # the cheat sheet
    page_asked = Signal(str)  # a page of the help; empty for that of the panel that has the keyboard
    tour_asked = Signal()
    log_asked = Signal()
    report_asked = Signal()

    def __init__(self, window: QMainWindow, layout: DockLayout, state: AppState) -> None:
        super().__init__(window)
        self._layout = layout
        self.history = SelectionHistory(state, self)

    def undo(self) -> None:
        """Select what was selected before."""
        self.history.undo()

    def redo(self) -> None:
        """Select what was undone."""
        self.history.redo()

    def open_palette(self) -> None:
        """Find a command, a node, a class, a picture or a model."""
        self.palette_asked.emit()

    def show_keys(self) -> None:
        """List all shortcuts."""
        self.keys_asked.emit()

    def show_help(self) -> None:
        """Open the first page of the help."""
        self.page_asked.emit("start")

    def show_panel_help(self) -> None:
        """Open the page about the panel that has the keyboard."""
        self.page_asked.emit("")

    def take_tour(self) -> None:
        """Point at the panels, one after the other."""
        self.tour_asked.emit()

    def show_activity(self) -> None:
        """List what was computed."""
        self._layout.show_panel("activity")

    def show_log(self) -> None:
        """List what the program noted."""
        self.log_asked.emit()

    def report_problem(self) -> None:
        """Write a file for a bug report."""
        self.report_asked.emit()
