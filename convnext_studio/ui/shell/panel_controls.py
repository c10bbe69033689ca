"""The values of controls that a person wants at every launch."""

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.shell.docks.dock import PanelDock
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.control_values import Value, control_values, set_controls

Defaults = Mapping[str, Mapping[str, Value]]


class PanelDefaults(QObject):
    """Sets the controls of each new panel to the defaults in the settings."""

    def __init__(self, docks: Mapping[str, PanelDock], settings: SettingsFile, parent: QObject) -> None:
        super().__init__(parent)
        self._docks = docks
        self._settings = settings
        self._delivered: dict[str, dict[str, Value]] = {}
        for name, dock in docks.items():
            if dock.is_made:
                self._begin(name, dock.panel)
            dock.made.connect(lambda panel, name=name: self._begin(name, panel))

    def _begin(self, name: str, panel: QWidget) -> None:
        chosen = self._settings.values.panel_defaults.get(name, {})
        self._delivered[name] = control_values(panel)
        set_controls(panel, chosen)

    def change(self, before: Defaults, after: Defaults) -> None:
        """Set the controls with other defaults to their new one, or to what the program is delivered with."""
        for name in {*before, *after}:
            if self._docks[name].is_made:
                delivered = self._delivered[name]
                back = {control: delivered[control] for control in before.get(name, {}) if control in delivered}
                set_controls(self._docks[name].panel, back | dict(after.get(name, {})))
