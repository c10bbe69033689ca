"""The menus whose entries change: what was recently opened, and the GPUs of this computer."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.model.presets import BUNDLED_RANDOM, BUNDLED_TRAINED
from convnext_studio.protocol.models import BUILT, Device, ModelInfo
from convnext_studio.ui.panels.model.model_panel import DEVICES
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.opening.model_opener import ModelOpener
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.elided_label import plain_tip

_PREFIXES = ("preset:", "timm:", "timm-random:", SAMPLE_PREFIX)
_GONE = "It no longer exists"


class RecentMenu(QObject):
    """Fills a menu with recently opened pictures, folders, sessions and models; missing ones are greyed out.

    Parameters
    ----------
    menu
        The menu, which is filled when it is about to be shown.
    background
        Checks in the background whether the files exist, because a sleeping drive can be slow.
    """

    path_chosen = Signal(str)  # picture, folder or session
    model_chosen = Signal(str)  # source

    def __init__(self, menu: QMenu, settings: SettingsFile, background: Background) -> None:
        super().__init__(menu)
        self._menu = menu
        self._settings = settings
        self._background = background
        self._files: dict[str, QAction] = {}
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._fill)

    def clear(self) -> None:
        """Clear the lists of recently opened files."""
        self._settings.clear_recent()

    def _fill(self) -> None:
        self._menu.clear()
        self._files = {}
        values = self._settings.values
        choose_path, choose_model = self.path_chosen.emit, self.model_chosen.emit
        self._add_section("Pictures", values.recent_pictures, choose_path)
        self._add_section("Folders", values.recent_folders, choose_path)
        self._add_section("Sessions", values.recent_sessions, choose_path)
        self._add_section("Models", values.recent_models, choose_model)
        if not self._menu.actions():
            self._menu.addAction("Nothing has been opened yet").setEnabled(False)
            return
        self._menu.addSeparator()
        clear = self._menu.addAction("&Clear this list")
        clear.setToolTip("Clear the list of opened files; the files themselves are kept")
        clear.triggered.connect(self.clear)
        self._background.read(partial(_gone, tuple(self._files)), self._grey)

    def _add_section(self, title: str, entries: Iterable[str], choose: Callable[[str], None]) -> None:
        entries = tuple(entries)
        if entries:
            self._menu.addSection(title)
        for entry in entries:
            action = self._menu.addAction(entry.replace("&", "&&"))
            action.setToolTip(plain_tip(entry))
            action.triggered.connect(partial(_call, choose, entry))
            if is_file(entry):
                self._files[entry] = action

    def _grey(self, gone: tuple[str, ...]) -> None:
        for path in gone:
            action = self._files.get(path)
            if action is not None:
                action.setEnabled(False)
                action.setToolTip(plain_tip(f"{path}\n{_GONE}"))


def is_file(source: str) -> bool:
    """Whether the path of a picture or the source of a model is that of a file or folder."""
    return not source.startswith(_PREFIXES) and source not in (*BUNDLED_TRAINED, BUNDLED_RANDOM, BUILT)


def _call(choose: Callable[[str], None], entry: str, _checked: bool = False) -> None:
    choose(entry)


def _gone(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that do not exist."""
    return tuple(path for path in paths if not _is_there(path))


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


class DeviceMenu(QObject):
    """Adds every GPU of this computer to the menu of devices, and checks the one that is used.

    Parameters
    ----------
    menu
        The menu, which has the devices that every computer has.
    group
        Group of the actions, of which one is checked.
    """

    def __init__(self, menu: QMenu, group: QActionGroup, state: AppState, models: ModelOpener) -> None:
        super().__init__(menu)
        self._models = models
        state.model_loaded.connect(self._show_model)
        self._menu = menu
        self._group = group
        self.actions: dict[str, QAction] = {}

    def _show_model(self, model: ModelInfo) -> None:
        """Offer the devices that were found with a model, and check the one that was asked for."""
        asked = "auto" if self._models.loaded is None else self._models.loaded.device
        for action in self.actions.values():
            self._menu.removeAction(action)
            self._group.removeAction(action)
            action.deleteLater()
        others = [device for device in model.devices if device.name not in DEVICES]
        self.actions = {device.name: self._offer(device) for device in others}
        for name in (asked, f"{asked}:0"):
            if name in self.actions:
                self.actions[name].setChecked(True)

    def _offer(self, device: Device) -> QAction:
        memory = f", {device.memory_bytes / 1e9:.0f} GB" if device.memory_bytes else ""
        action = QAction(f"{device.name}: {device.title}{memory}".replace("&", "&&"), self._menu)
        action.setToolTip(plain_tip(f"Run on {device.title}"))
        action.setCheckable(True)
        self._group.addAction(action)
        action.triggered.connect(partial(self._choose, device.name))
        self._menu.addAction(action)
        return action

    def _choose(self, name: str, _checked: bool = False) -> None:
        self._models.change(device=name)
