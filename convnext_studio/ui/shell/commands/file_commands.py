"""What the File menu does with many pictures, folders and sessions."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMainWindow

from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.session_files import SessionFiles
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.folder_watch import FolderWatch
from convnext_studio.ui.state.session_document import SUFFIX
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.save_dialog import ask_path

_SESSIONS = f"Sessions (*{SUFFIX})"


class FileCommands(QObject):
    """The verbs about folders and sessions.

    Attributes
    ----------
    watch
        Opens what comes into a folder.
    sessions
        Writes and follows session files.
    """

    noticed = Signal(object)  # Notice

    def __init__(
        self,
        window: QMainWindow,
        layout: DockLayout,
        state: AppState,
        bridge: EngineBridge,
        controller: Controller,
        settings: SettingsFile,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._layout = layout
        self._controller = controller
        self._settings = settings
        self.watch = FolderWatch(bridge, controller.pictures, settings, self)
        self.sessions = SessionFiles(state, bridge, controller, layout, settings, self)
        self.watch.noticed.connect(self.noticed)
        # A session may come from the command line, which waits for what the controller says.
        self.sessions.noticed.connect(controller.noticed)
        controller.session_asked.connect(self.sessions.open)

    def open_folder(self) -> None:
        """Choose a folder and open all pictures in it and its sub-folders."""
        folder = self._choose_folder("Open the pictures of a folder")
        if folder:
            self._controller.open_paths([folder])

    def toggle_watching(self) -> None:
        """Choose a folder and open what comes into it, or stop doing so."""
        if self.watch.folder:
            self.watch.stop()
            return
        folder = self._choose_folder("Watch a folder for new pictures")
        if folder:
            self.watch.start(folder)
        else:
            self.watch.changed.emit("")  # The menu has ticked the action already.

    def toggle_newest(self) -> None:
        """Show what comes into the watched folder, or only add it."""
        self._settings.update(shows_newest=not self._settings.values.shows_newest)

    def show_export(self) -> None:
        """Choose a view and a format, and look at what will be written."""
        self._layout.show_panel("export")

    def close_all(self) -> None:
        """Close all pictures."""
        self._controller.close_all_pictures()

    def save_session(self) -> None:
        """Choose a file and write what is open into it."""
        recent = self._settings.values.recent_sessions
        suggested = Path(recent[0]) if recent else Path(self._folder(), f"session{SUFFIX}")
        path = ask_path(self._window, "Save the session", suggested, _SESSIONS)
        if path is not None:
            self.sessions.save(path)

    def open_session(self) -> None:
        """Choose a session file and open what it names."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a session", self._folder(), _SESSIONS)
        if path:
            self.sessions.open(path)

    def _choose_folder(self, title: str) -> str:
        return QFileDialog.getExistingDirectory(self._window, title, self._folder())

    def _folder(self) -> str:
        values = self._settings.values
        if values.recent_folders:
            return values.recent_folders[0]
        recent = values.recent_sessions or values.recent_pictures
        return str(Path(recent[0]).parent) if recent else str(Path.home())
