"""The values of the panels' controls: those that a person wants at every launch, and those of a session."""

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.measuring.measurements import TOOLS, Ends
from convnext_studio.ui.shell.docks.dock import PanelDock
from convnext_studio.ui.shell.docks.panel_specs import PANELS
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.control_values import Value, control_values, set_controls
from convnext_studio.ui.widgets.popup import make_late_parts

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
        if chosen:
            self._remember(name, panel)
            set_controls(panel, chosen)
        else:
            # Nobody can change a control before the event loop turns, and the window is painted sooner.
            QTimer.singleShot(0, self, partial(self._remember, name, panel))

    def _remember(self, name: str, panel: QWidget) -> None:
        """Remember what the program is delivered with, unless that was done before."""
        if name not in self._delivered:
            self._delivered[name] = control_values(panel)

    def change(self, before: Defaults, after: Defaults) -> None:
        """Set the controls with other defaults to their new one, or to what the program is delivered with."""
        for name in {*before, *after}:
            if self._docks[name].is_made:
                self._remember(name, self._docks[name].panel)
                delivered = self._delivered[name]
                back = {control: delivered[control] for control in before.get(name, {}) if control in delivered}
                set_controls(self._docks[name].panel, back | dict(after.get(name, {})))


def controls_of(docks: Mapping[str, PanelDock]) -> dict[str, dict[str, Value]]:
    """Return the values of the controls of all panels that are made and kept with a session."""
    return {name: control_values(dock.panel) for name, dock in _kept(docks) if dock.is_made}


def measures_of(docks: Mapping[str, PanelDock]) -> dict[str, dict[str, Ends]]:
    """Return what is measured on the panels' views, by panel."""
    measured = {name: measures_on(dock.panel) for name, dock in _kept(docks) if dock.is_made}
    return {name: measures for name, measures in measured.items() if measures}


def restore_panels(
    docks: Mapping[str, PanelDock],
    controls: Mapping[str, Mapping[str, Value]],
    measures: Mapping[str, Mapping[str, Ends]],
) -> None:
    """Set the controls of panels, and measure on their views what was saved and nothing else."""
    for name, dock in _kept(docks):
        if values := controls.get(name):
            set_controls(dock.panel, values)
        if dock.is_made:
            set_measures(dock.panel, measures.get(name, {}))


def measures_on(panel: QWidget) -> dict[str, Ends]:
    """Return what is measured on a panel's views, by the number of the view and the tool."""
    make_late_parts(panel)  # Otherwise the views would be counted differently the next time.
    return {
        f"{number} {tool}": ends
        for number, view in enumerate(panel.findChildren(ImageView), start=1)
        for tool, ends in view.measures.items()
    }


def set_measures(panel: QWidget, measures: Mapping[str, Ends]) -> None:
    """Measure on a panel's views what was saved, and nothing else; skip what is not known."""
    make_late_parts(panel)
    for number, view in enumerate(panel.findChildren(ImageView), start=1):
        view.set_measures(
            {tool: measures[f"{number} {tool}"] for tool in TOOLS if f"{number} {tool}" in measures}
        )


def _kept(docks: Mapping[str, PanelDock]) -> list[tuple[str, PanelDock]]:
    return [(spec.name, docks[spec.name]) for spec in PANELS if spec.keeps_controls]
