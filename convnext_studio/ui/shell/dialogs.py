"""The file dialogs of the window."""

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QMainWindow

from convnext_studio.common.recipe import RECIPE_SUFFIX
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.ui.shell.recipe_files import RecipeFiles
from convnext_studio.ui.shell.session_files import SessionFiles
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.folder_watch import FolderWatch
from convnext_studio.ui.state.opening.session_document import SUFFIX
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs

RECIPE_KIND = FileKind("Recipes", (RECIPE_SUFFIX.removeprefix("."),))
PICTURE_KIND = FileKind("Pictures", ("png",))
SESSION_KIND = FileKind("Sessions", (SUFFIX.removeprefix("."),))
_WEIGHTS = "Weights (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"
_LAYOUTS: dict[FileKind, WeightsLayout] = {
    FileKind("ConvNeXt Studio, complete", ("safetensors",)): "studio",
    FileKind("facebookresearch names, tensors only", ("pth", "pt", "bin", "ckpt")): "facebookresearch",
}


class Dialogs(QObject):
    """Opens file dialogs, and passes the chosen path to the part that reads or writes it."""

    def __init__(
        self,
        window: QMainWindow,
        state: AppState,
        controller: Controller,
        settings: SettingsFile,
        sessions: SessionFiles,
        recipes: RecipeFiles,
        folder_watch: FolderWatch,
        saving: SaveDialogs,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._controller = controller
        self._settings = settings
        self._sessions = sessions
        self._recipes = recipes
        self._folder_watch = folder_watch
        self._saving = saving

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
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Open a session", self._recent_folder(), SESSION_KIND.filter
        )
        if path:
            self._sessions.open(path)

    def open_recipe(self) -> None:
        """Ask for a recipe file, and make its changes."""
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Open changes", self._recent_folder(), RECIPE_KIND.filter
        )
        if path:
            self._recipes.open(Path(path))

    def open_weights(self) -> None:
        """Ask for a weights file, and open it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open weights", self._pictures_folder(), _WEIGHTS)
        if path:
            self._controller.models.change(source=path)

    # ----------------------------------------------------------------------------------------------- saving

    def save_session(self) -> None:
        """Ask for a file, and save the session to it."""
        recent = self._settings.values.recent_sessions
        stem = Path(recent[0]).stem if recent else "session"
        path = self._saving.ask_file(self._window, "Save the session", stem, (SESSION_KIND,))
        if path is not None:
            self._sessions.save(path)

    def save_recipe(self) -> None:
        """Ask for a file, and save all changes to it."""
        path = self._saving.ask_file(self._window, "Save the changes", "changes", (RECIPE_KIND,))
        if path is not None:
            self._recipes.save(path)

    def save_changed_picture(self) -> None:
        """Ask for a file, and save the changed picture to it at its full size."""
        picture = self._state.opened.chosen
        if picture is None:
            return
        entry = self._controller.retouched.entry_of(picture.key) or picture.key
        name = f"{Path(picture.name).stem} changed"
        path = self._saving.ask_file(self._window, "Save the changed picture", name, (PICTURE_KIND,))
        if path is not None:
            self._recipes.save_picture(entry, path)

    def save_weights(self) -> None:
        """Ask for a file, whose ending decides the layout, and save the weights of the open model."""
        model = self._state.model
        if model is None:
            return
        name = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in model.title)
        path = self._saving.ask_file(self._window, "Save weights as", name, tuple(_LAYOUTS))
        if path is not None:
            ending = path.suffix.lower().removeprefix(".")
            layout = next(layout for kind, layout in _LAYOUTS.items() if ending in kind.suffixes)
            self._controller.models.save(str(path), layout)

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
