"""The file dialogs of the window."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMainWindow

from convnext_studio.common.errors import StudioError
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.shell.screenshot import save_picture_of
from convnext_studio.ui.shell.session_files import SessionFiles
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.folder_watch import FolderWatch
from convnext_studio.ui.state.session_document import SUFFIX
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.save_dialog import ask_file, ask_path

_SESSIONS = f"Sessions (*{SUFFIX})"
_WEIGHTS = "Weights (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"
_LAYOUTS: dict[str, WeightsLayout] = {
    "ConvNeXt Studio, complete (*.safetensors)": "studio",
    "facebookresearch names, tensors only (*.pth *.pt *.bin)": "facebookresearch",
}


class Dialogs(QObject):
    """Opens file dialogs, and passes the chosen path to the part that reads or writes it."""

    noticed = Signal(object)  # Notice

    def __init__(
        self,
        window: QMainWindow,
        state: AppState,
        controller: Controller,
        settings: SettingsFile,
        sessions: SessionFiles,
        folder_watch: FolderWatch,
        lecture: LateLecture,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._controller = controller
        self._settings = settings
        self._sessions = sessions
        self._folder_watch = folder_watch
        self._lecture = lecture

    # ---------------------------------------------------------------------------------------------- opening

    def open_pictures(self) -> None:
        """Ask for picture files, and open them."""
        paths, _ = QFileDialog.getOpenFileNames(self._window, "Open pictures", self._pictures_folder())
        self._controller.open_paths(paths)

    def open_folder(self) -> None:
        """Ask for a folder, and open all pictures in it and its subfolders."""
        folder = self._choose_folder("Open the pictures of a folder", self._recent_folder())
        if folder:
            self._controller.open_paths([folder])

    def toggle_watching(self) -> None:
        """Ask for a folder and watch it for new pictures, or stop watching."""
        if self._folder_watch.folder:
            self._folder_watch.stop()
            return
        folder = self._choose_folder("Watch a folder for new pictures", self._recent_folder())
        if folder:
            self._folder_watch.start(folder)
        else:
            self._folder_watch.changed.emit("")  # Untick the action, which the menu has already ticked.

    def open_session(self) -> None:
        """Ask for a session file, and open it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a session", self._recent_folder(), _SESSIONS)
        if path:
            self._sessions.open(path)

    def open_weights(self) -> None:
        """Ask for a weights file, and open it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open weights", self._pictures_folder(), _WEIGHTS)
        if path:
            self._controller.change_model(source=path)

    # ----------------------------------------------------------------------------------------------- saving

    def save_session(self) -> None:
        """Ask for a file, and save the session to it."""
        recent = self._settings.values.recent_sessions
        suggested = Path(recent[0]) if recent else Path(self._recent_folder(), f"session{SUFFIX}")
        path = ask_path(self._window, "Save the session", suggested, _SESSIONS)
        if path is not None:
            self._sessions.save(path)

    def save_weights(self) -> None:
        """Ask for a file and a format, and save the weights of the open model."""
        model = self._state.model
        if model is None:
            return
        name = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in model.title)
        suggested = Path(self._pictures_folder(), f"{name}.safetensors")
        chosen = ask_file(self._window, "Save weights as", suggested, ";;".join(_LAYOUTS))
        if chosen is not None:
            path, kind = chosen
            self._controller.save_model(str(path), _LAYOUTS[kind])

    def export(self) -> None:
        """Ask for a folder, and export all figures and numbers about the current picture to it."""
        if not self._controller.exporter.is_possible:
            message = "There is nothing to export yet: an export needs a picture and its prediction."
            self.noticed.emit(Notice("export", message))
            return
        folder = self._choose_folder("Export to a folder", self._pictures_folder())
        if folder:
            self._controller.exporter.export(Path(folder))

    def save_map(self) -> None:
        """Ask for a folder, and save the current attribution map and its numbers in it."""
        if self._state.explanation is None:
            self.noticed.emit(Notice("export", "There is no map to save yet."))
            return
        folder = self._choose_folder("Save the map to a folder", self._pictures_folder())
        if folder:
            self._controller.exporter.export_map(Path(folder))

    def save_contact_sheet(self, explanations: tuple[Explanation, ...]) -> None:
        """Ask for a file, and save the maps of all pictures to it."""
        suggested = Path(self._pictures_folder(), "contact-sheet.png")
        path = ask_path(self._window, "Save the contact sheet", suggested, "PNG (*.png)")
        if path is not None:
            self._controller.exporter.export_sheet(path, explanations)

    def save_screenshot(self) -> None:
        """Ask for a file, and save a screenshot of the window to it."""
        suggested = Path(self._pictures_folder(), "convnext-studio.png")
        path = ask_path(self._window, "Save screenshot", suggested, "PNG (*.png)")
        if path is None:
            return
        try:
            save_picture_of(self._window, path)
        except StudioError as error:
            self.noticed.emit(Notice("screenshot", error.message, error.hint))
        else:
            message = f"The screenshot was saved as {path}."
            self.noticed.emit(Notice("screenshot", message, good=True, path=str(path)))

    def save_handout(self) -> None:
        """Ask for a file, and save the whole lecture to it, with the current model and picture."""
        suggested = Path(self._pictures_folder(), "lecture.pdf")
        kinds = "PDF (*.pdf);;HTML, one file (*.html *.htm)"
        path = ask_path(self._window, "Save the lecture hand-out", suggested, kinds)
        if path is not None:
            self._lecture.save_handout(str(path))

    # ---------------------------------------------------------------------------------------------- folders

    def _choose_folder(self, title: str, first: str) -> str:
        return QFileDialog.getExistingDirectory(self._window, title, first)

    def _pictures_folder(self) -> str:
        """Return the folder of the picture that was opened last."""
        recent = self._settings.values.recent_pictures
        return str(Path(recent[0]).parent) if recent else str(Path.home())

    def _recent_folder(self) -> str:
        """Return the folder that was opened last, or else that of the last session or picture."""
        values = self._settings.values
        if values.recent_folders:
            return values.recent_folders[0]
        recent = values.recent_sessions or values.recent_pictures
        return str(Path(recent[0]).parent) if recent else str(Path.home())
