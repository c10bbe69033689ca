"""The window: puts the parts together, and passes on what they say."""

import sys
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import bundled_is_there
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.model.model_panel import ModelPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.plots.color_bar import MapView
from convnext_studio.ui.shell.actions import build_actions, build_menus
from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.shell.docks.layout import MESSAGES_BAR, DockLayout, from_text, screens_text, to_text
from convnext_studio.ui.shell.docks.panel_specs import Asides
from convnext_studio.ui.shell.find.guide import Guide
from convnext_studio.ui.shell.recent_menu import RecentMenu
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import Place, SettingsFile, place_on, remember_place
from convnext_studio.ui.widgets.drop_target import DropTarget
from convnext_studio.ui.widgets.focus_ring import FocusRings
from convnext_studio.ui.widgets.keep_size import keep_size
from convnext_studio.ui.widgets.message_bar import MessageBar, Notice

if TYPE_CHECKING:  # Not imported before the lab is wanted.
    from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab

PROGRAM = "ConvNeXt Studio"
LARGEST_FIRST_SIZE = QSize(1760, 1040)


class StudioWindow(QMainWindow):
    """All panels around one state, one bridge to the engine and one controller.

    Attributes
    ----------
    messages
        The bar that says what went wrong.
    dock_layout
        The panels' docks.
    lecture
        Presents, and makes hand-outs.
    """

    def __init__(
        self, state: AppState, bridge: EngineBridge, controller: Controller, settings: SettingsFile
    ) -> None:
        super().__init__()
        self.setObjectName("studio_window")
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._settings = settings
        self._shares_out_at_first = True
        self.setDockNestingEnabled(True)
        self.setAnimated(False)  # A layout that is restored has its sizes at once.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # Qt's would hide the strip for good.

        self.strip = NetworkStrip(state, bridge)
        self.messages = MessageBar()
        _top_bar(self, "network_bar", "Network", self.strip)
        self._message_bar = _top_bar(self, MESSAGES_BAR, "Messages", self.messages)
        self._message_bar.hide()
        self.messages.shown.connect(self._show_messages)
        self.model_panel = ModelPanel(state, bridge)
        self.pictures_panel = PicturesPanel(state, bridge)
        self.predictions_panel = PredictionsPanel(state, bridge)
        self.receptive_field_panel = ReceptiveFieldPanel(state, bridge)
        self.attribution_panel = AttributionPanel(state, bridge)
        self.activity_panel = ActivityPanel(state, bridge, controller.background)
        asides = Asides(
            state, bridge, controller, lambda: self._commands, lambda: self.findChildren(MapView)
        ).panels()
        self.dock_layout = DockLayout(
            self,
            {
                "model": self.model_panel,
                "pictures": self.pictures_panel,
                "predictions": self.predictions_panel,
                "picture": PicturePanel(state, bridge),
                "receptive_field": self.receptive_field_panel,
                "feature_maps": FeatureMapsPanel(state, bridge),
                "attribution": self.attribution_panel,
                **asides,
                "activity": self.activity_panel,
            },
        )
        self.setStatusBar(StatusBar(state, bridge, self))
        self.lecture = LateLecture(self, state, bridge, controller)
        self._commands = Commands(self, self.dock_layout, state, bridge, controller, settings)
        self._build_menus()
        FocusRings(self)
        self.guide = Guide(
            self,
            self.strip,
            self.dock_layout,
            self.actions_by_id,
            self._commands.help,
            state,
            controller,
            settings,
        )
        self._connect()
        self._restore()
        self._show_title()
        if settings.problem:
            self.messages.tell(Notice("settings", settings.problem))

    @property
    def field_lab(self) -> "ReceptiveFieldLab":
        """The receptive-field lab."""
        return cast("ReceptiveFieldLab", self.dock_layout.docks["field_lab"].panel)

    @property
    def is_settled(self) -> bool:
        """Whether all that can be seen shows its answer, and nothing is being computed."""
        panels = self.dock_layout.visible_panels
        return (
            not self._bridge.pending
            and not self._controller.background.is_busy
            and all(panel.is_settled for panel in panels)
        )

    def _build_menus(self) -> None:
        self.actions_by_id = build_actions(self, self._commands)
        menus = build_menus(self.menuBar(), self.actions_by_id)
        self._recent_menu = menus["File"].addMenu("Open &recent")
        menus["File"].insertMenu(self.actions_by_id["paste"], self._recent_menu)
        recent = RecentMenu(self._recent_menu, self._settings, self._controller.background)
        recent.path_chosen.connect(self._commands.open_path)
        recent.model_chosen.connect(self._commands.open_model)
        self._commands.files.watch.changed.connect(self._show_watched)
        self.actions_by_id["show_newest"].setChecked(self._settings.values.shows_newest)
        for dock in self.dock_layout.docks.values():
            menus["View"].insertAction(self.actions_by_id["reset"], dock.toggleViewAction())
        menus["View"].insertSeparator(self.actions_by_id["reset"])
        menus["View"].aboutToShow.connect(self.dock_layout.prepare_asides)
        self.actions_by_id[f"theme_{self._settings.values.theme}"].setChecked(True)
        self.actions_by_id["zoom_linked"].setChecked(self._state.zoom_is_linked)
        self.actions_by_id["model_bundled"].setEnabled(bundled_is_there())
        self._sync_actions()

    def _connect(self) -> None:
        controller, state = self._controller, self._state
        drops = DropTarget(self)
        drops.dropped.connect(controller.open_mime)
        for widget in (self, *self.dock_layout.docks.values()):
            drops.watch(widget)
        for source in (controller, self._commands, self.guide, self.lecture):
            source.noticed.connect(self.messages.tell)
        self._listen_to_views(self)
        for dock in self.dock_layout.docks.values():
            dock.made.connect(self._listen_to_views)
        controller.succeeded.connect(self.messages.withdraw)
        self.lecture.succeeded.connect(self.messages.withdraw)
        controller.model_asked.connect(self.model_panel.show_asked)
        controller.model_refused.connect(self._model_refused)
        self.model_panel.source_chosen.connect(lambda source: controller.change_model(source=source))
        self.model_panel.device_chosen.connect(lambda device: controller.change_model(device=device))
        self.model_panel.stem_chosen.connect(controller.change_stem)
        controller.field_asked.connect(self._show_field)
        self._commands.field_open_asked.connect(lambda: self.field_lab.choose_field())
        self._commands.field_save_asked.connect(
            lambda: self.field_lab.save_field(self.receptive_field_panel.measured.view)
        )
        self.pictures_panel.close_asked.connect(controller.close_picture)
        self.pictures_panel.found_broken.connect(controller.pictures.refuse)
        self.predictions_panel.again_asked.connect(controller.predict)
        self._commands.present_asked.connect(self.lecture.present)
        self._commands.handout_asked.connect(self.lecture.save_handout)
        self._commands.stop_asked.connect(self.lecture.stop_saving)
        self._commands.stop_asked.connect(controller.exporter.stop)
        self._commands.search_asked.connect(self.predictions_panel.search.setFocus)
        self.attribution_panel.evidence_asked.connect(self._commands.show_evidence)
        self.attribution_panel.sheet_asked.connect(self._commands.show_contact_sheet)
        self.attribution_panel.save_asked.connect(self._commands.save_map)
        self._commands.node_step_asked.connect(self.strip.step)
        self._commands.open_node_asked.connect(self.strip.open_selected)
        self._commands.go_up_asked.connect(self.strip.go_up)
        self._commands.costs_asked.connect(self.strip.choose_costs)
        self.strip.costs_changed.connect(self._follow_state)
        for signal in (
            state.model_loaded,
            state.picture_selected,
            state.prediction_made,
            state.unit_selected,
            state.pinned,
        ):
            signal.connect(self._follow_state)
        self.model_panel.offer(self._settings.values.recent_models)

    def _show_messages(self, are_shown: bool) -> None:
        if are_shown == self._message_bar.isHidden():
            keep_size(self)
            self._message_bar.setVisible(are_shown)

    def _listen_to_views(self, widget: QWidget) -> None:
        for view in widget.findChildren(MapView):
            view.noticed.connect(self.messages.tell)
            view.saver.use(self._controller.background)

    # -------------------------------------------------------------------------------- what follows the state

    def _follow_state(self, _changed: object) -> None:
        self._show_title()
        self._sync_actions()

    def _show_title(self) -> None:
        model, picture = self._state.model, self._state.picture
        parts = [picture.name] if picture is not None else []
        if model is not None:
            parts.append(f"{model.title} (random weights)" if model.random_weights else model.title)
        self.setWindowTitle(" – ".join((*parts, PROGRAM)))

    def _sync_actions(self) -> None:
        model, asked = self._state.model, self._controller.loaded
        actions = self.actions_by_id
        has_picture = self._state.picture is not None
        for name in ("close", "close_all", "next_picture", "previous_picture"):
            actions[name].setEnabled(has_picture)
        actions["clear_unit"].setEnabled(self._state.unit is not None)
        actions["pin"].setEnabled(has_picture and model is not None)
        actions["pin"].setChecked(self._state.pin is not None)
        actions[f"costs_{self.strip.cost_kind}"].setChecked(True)
        actions["export"].setEnabled(self._controller.exporter.is_possible)
        actions["model_save"].setEnabled(model is not None and isinstance(model.config, ConvNeXtConfig))
        actions["precision_bfloat16"].setEnabled(model is not None and model.device.startswith("cuda"))
        if asked is not None:
            actions[f"precision_{asked.precision}"].setChecked(True)
            if f"device_{asked.device}" in actions:
                actions[f"device_{asked.device}"].setChecked(True)
            if asked.config is None:  # What was built is nowhere to be opened from.
                self.model_panel.offer((asked.source,))

    def _model_refused(self) -> None:
        self.model_panel.show_refused(self._controller.loaded)
        self._sync_actions()

    def _show_field(self, path: str) -> None:
        """A saved field was dropped or named on the command line."""
        self.dock_layout.show_panel("field_lab")
        self.field_lab.open_field(path)

    def _show_watched(self, folder: str) -> None:
        self.actions_by_id["watch_folder"].setChecked(bool(folder))
        self.pictures_panel.show_watched(folder)

    # --------------------------------------------------------------------------------- opening and closing

    def _restore(self) -> None:
        geometry, layout = place_on(self._settings.values, screens_text())
        if not (geometry and self.restoreGeometry(from_text(geometry))):
            room = self.screen().availableSize()
            self.resize((room * 0.92).boundedTo(LARGEST_FIRST_SIZE))
        self._shares_out_at_first = not self.dock_layout.restore(layout)

    def showEvent(self, event: QShowEvent) -> None:
        """Only now the window has the size that the panels share."""
        super().showEvent(event)
        if self._shares_out_at_first:
            self._shares_out_at_first = False
            self.dock_layout.share_out()

    def remember(self) -> None:
        """Write the settings of this launch, the place of window and docks among them."""
        place = Place(
            screens=screens_text(), geometry=to_text(self.saveGeometry()), layout=self.dock_layout.save()
        )
        places = remember_place(self._settings.values, place)
        self._settings.update(geometry=place.geometry, layout=place.layout, places=places)
        try:
            self._settings.save()
        except StudioError as error:
            sys.stderr.write(f"{error}\n")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember, end the engine, leave no thread."""
        self.remember()
        self._commands.files.watch.stop()
        self.lecture.stop_saving()
        self._bridge.close()
        self._controller.close()
        self.activity_panel.log_store.close()
        super().closeEvent(event)


def _top_bar(window: QMainWindow, name: str, title: str, widget: QWidget) -> QToolBar:
    """A row of its own under the menus, which stays where it is."""
    bar = QToolBar(title, window)
    bar.setObjectName(name)
    bar.setMovable(False)
    bar.setFloatable(False)
    bar.addWidget(widget)
    window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
    window.addToolBarBreak(Qt.ToolBarArea.TopToolBarArea)
    return bar
