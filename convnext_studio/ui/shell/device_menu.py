"""The GPUs in the menu of devices, which are known only once a model is open."""

from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from convnext_studio.protocol.models import Device, ModelInfo
from convnext_studio.ui.panels.model.model_panel import DEVICES


class DeviceMenu(QObject):
    """Adds every GPU of this computer to the menu of devices, and checks the one that is used.

    Parameters
    ----------
    menu
        The menu, which has the devices that every computer has.
    group
        Group of the actions, of which one is checked.
    """

    device_chosen = Signal(str)

    def __init__(self, menu: QMenu, group: QActionGroup) -> None:
        super().__init__(menu)
        self._menu = menu
        self._group = group
        self.actions: dict[str, QAction] = {}

    def show_model(self, model: ModelInfo, asked: str) -> None:
        """Offer the devices that were found with a model that was asked for on a device."""
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
        action.setToolTip(f"Run on {device.title}")
        action.setCheckable(True)
        self._group.addAction(action)
        action.triggered.connect(partial(self._choose, device.name))
        self._menu.addAction(action)
        return action

    def _choose(self, name: str, _checked: bool = False) -> None:
        self.device_chosen.emit(name)
