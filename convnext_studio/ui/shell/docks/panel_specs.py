"""The panels that are hidden at first, made when they are first wanted.

Importing and making them all would keep the window 150 ms from appearing, and most launches want none.
"""

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from convnext_studio.ui.plots.color_bar import MapView
from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.shell.docks.dock import LatePanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller


class Asides:
    """Makes the asides, and connects what they ask for.

    Parameters
    ----------
    commands, views
        The window's commands, and all views in it; asked for when a panel is made.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        controller: Controller,
        commands: Callable[[], Commands],
        views: Callable[[], list[MapView]],
    ) -> None:
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._commands = commands
        self._views = views

    def panels(self) -> dict[str, LatePanel]:
        """All of them, by name."""
        return {
            "build": LatePanel("Build a network", self._build),
            "catalogue": LatePanel("Pretrained", self._catalogue),
            "field_lab": LatePanel("Receptive-field lab", self._field_lab),
            "evidence": LatePanel("Evidence", self._evidence),
            "contact_sheet": LatePanel("Contact sheet", self._contact_sheet),
            "export": LatePanel("Export", self._export),
            "help": LatePanel("Help", self._help),
        }

    def _build(self) -> QWidget:
        from convnext_studio.ui.panels.build.build_panel import BuildPanel

        panel = BuildPanel(self._state, self._bridge)
        panel.build_asked.connect(self._controller.build_model)
        return panel

    def _catalogue(self) -> QWidget:
        from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel

        panel = CataloguePanel(self._state, self._bridge, self._controller.is_offline)
        panel.open_asked.connect(lambda name: self._controller.change_model(source=f"timm:{name}"))
        return panel

    def _field_lab(self) -> QWidget:
        from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab

        lab = ReceptiveFieldLab(
            self._state, self._bridge, self._controller.background, self._controller.is_offline
        )
        lab.noticed.connect(self._commands().noticed)
        return lab

    def _evidence(self) -> QWidget:
        from convnext_studio.ui.panels.evidence.evidence_panel import EvidencePanels

        return EvidencePanels(self._state, self._bridge)

    def _contact_sheet(self) -> QWidget:
        from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel

        panel = ContactSheetPanel(self._state, self._bridge)
        panel.save_asked.connect(lambda: self._commands().save_contact_sheet(panel.explanations))
        return panel

    def _export(self) -> QWidget:
        from convnext_studio.ui.panels.export.export_panel import ExportPanel

        panel = ExportPanel(self._state, self._views)
        panel.report_asked.connect(self._commands().export)
        return panel

    def _help(self) -> QWidget:
        from convnext_studio.ui.panels.help.help_panel import HelpPanel

        return HelpPanel()
