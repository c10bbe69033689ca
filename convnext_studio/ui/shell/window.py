"""The main window, which creates the parts of the user interface and connects them."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QToolBar, QVBoxLayout, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_sums import PROBABILITIES, ValuePlace
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.value_sums import MapValue
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.interventions.chips_bar import ChipsBar
from convnext_studio.ui.panels.model.model_panel import ModelPanel
from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.shell.actions.spec import TWO_NETWORKS_KEYS
from convnext_studio.ui.shell.actions.table import ACTIONS, build_actions, build_menus, update_actions
from convnext_studio.ui.shell.appearance import Appearance
from convnext_studio.ui.shell.clipboard import Clipboard
from convnext_studio.ui.shell.device_menu import DeviceMenu
from convnext_studio.ui.shell.dialogs import Dialogs
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.docks.panel_specs import TITLES
from convnext_studio.ui.shell.exports import Exports
from convnext_studio.ui.shell.find.guide import Guide
from convnext_studio.ui.shell.map_zoom import MapZoom
from convnext_studio.ui.shell.panel_defaults import PanelDefaults
from convnext_studio.ui.shell.python_copy import PythonCopy
from convnext_studio.ui.shell.recent_menu import RecentMenu
from convnext_studio.ui.shell.session_files import SessionFiles
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.shell.window_place import WindowPlace
from convnext_studio.ui.state.activity import ActivityLog
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.dropped import describe_drop
from convnext_studio.ui.state.folder_watch import FolderWatch
from convnext_studio.ui.state.history import SelectionHistory
from convnext_studio.ui.state.log_store import LogStore
from convnext_studio.ui.state.settings import Settings, SettingsFile
from convnext_studio.ui.widgets.drop_target import DropTarget
from convnext_studio.ui.widgets.focus_ring import FocusRings
from convnext_studio.ui.widgets.message_bar import MessageBar, Notice
from convnext_studio.ui.widgets.save_dialog import SaveDialogs
from convnext_studio.ui.widgets.text_size import scaled
from convnext_studio.ui.widgets.two_answers_choice import TwoAnswersChoice

if TYPE_CHECKING:  # Imported only when the panels are first shown.
    from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
    from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel
    from convnext_studio.ui.panels.figure.figure_panel import FigurePanel
    from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab

PROGRAM = "ConvNeXt Studio"
_LOW_PX = 520  # For text of 9 points.


class StudioWindow(QMainWindow):
    """The main window: all panels around one state, one bridge to the engine and one controller.

    The tables of actions and panels refer to its public attributes.

    Attributes
    ----------
    state, bridge, controller, settings
        What is open and selected, the connection to the engine, the controller that opens files and sends
        requests, and the saved settings.
    strip
        The network strip, above the panels.
    two_networks
        The choice between two open networks, their difference and a curtain, below the strip.
    chips
        The changes inside the network and on pictures, over the strip; hidden while there are none.
    messages
        The message bar, which reports problems and successes.
    dock_layout
        The layout of the panels' docks.
    appearance, zoom, history
        Theme and text size, the zoom of the views, and undo for the selection.
    log_store, activity_log
        The lines of the log, and the running and finished jobs.
    folder_watch, sessions, dialogs
        The parts that open new pictures of a watched folder, read and write sessions, and ask for files and
        folders to open.
    saving, exports, clipboard, python
        The dialogs for files to save to, what the export panel offers, copying and pasting, and copying as
        Python.
    lecture
        The part that presents lectures and writes hand-outs.
    guide
        Command palette, cheat sheet, help, tour, log and problem report.
    actions_by_id
        The actions of the menus, by id.
    """

    state: AppState
    bridge: EngineBridge
    controller: Controller
    settings: SettingsFile
    strip: NetworkStrip
    two_networks: TwoAnswersChoice
    chips: ChipsBar
    messages: MessageBar
    dock_layout: DockLayout
    appearance: Appearance
    zoom: MapZoom
    history: SelectionHistory
    log_store: LogStore
    activity_log: ActivityLog
    folder_watch: FolderWatch
    sessions: SessionFiles
    dialogs: Dialogs
    saving: SaveDialogs
    exports: Exports
    clipboard: Clipboard
    python: PythonCopy
    lecture: LateLecture
    guide: Guide
    actions_by_id: dict[str, QAction]

    def __init__(
        self, state: AppState, bridge: EngineBridge, controller: Controller, settings: SettingsFile
    ) -> None:
        super().__init__()
        self.setObjectName("studio_window")
        self.state = state
        self.bridge = bridge
        self.controller = controller
        self.settings = settings
        self.setDockNestingEnabled(True)
        self.setAnimated(False)  # A restored layout then has its sizes at once.
        # Qt's own context menu could hide the strip for good.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._make_parts()
        self._make_menus()
        self._connect()
        self._place = WindowPlace(self, self.dock_layout, settings)
        self._shares_out_at_first = not self._place.restore()
        self._show_title()
        if settings.problem:
            self.messages.tell(Notice("settings", settings.problem))

    def _make_parts(self) -> None:
        state, bridge, controller, settings = self.state, self.bridge, self.controller, self.settings
        self.strip = NetworkStrip(state, bridge)
        self.messages = MessageBar(self)
        self.two_networks = TwoAnswersChoice("A", "B", TWO_NETWORKS_KEYS)
        self.two_networks.hide()
        self.chips = ChipsBar(state)
        _top_bar(self, "network_bar", "Network", _stacked(self.chips, self.strip, self.two_networks))
        self.log_store = LogStore(self)
        self.activity_log = ActivityLog(state, bridge, controller.background, TITLES, self)
        status = StatusBar(state, bridge, self)
        status.cancel.clicked.connect(self.stop_work)
        self.setStatusBar(status)
        self.messages.width_for = status.message_width
        status.rearranged.connect(self.messages.follow)
        self._status = status
        self.lecture = LateLecture(self, state, bridge, controller)
        self.appearance = Appearance(state, settings, self)
        self.history = SelectionHistory(state, self)
        self.folder_watch = FolderWatch(bridge, controller.pictures, settings, self)
        self.saving = SaveDialogs(Path(settings.values.save_folder or Path.home()), self)
        self.saving.folder_changed.connect(lambda folder: settings.update(save_folder=folder))
        self.exports = Exports(self)
        self.dock_layout = DockLayout(self)
        self._panel_defaults = PanelDefaults(self.dock_layout.docks, settings, self)
        self.zoom = MapZoom(self, state, settings)
        self.sessions = SessionFiles(state, bridge, controller, self.dock_layout, settings, self)
        self.dialogs = Dialogs(self, state, controller, settings, self.sessions, self.folder_watch, self.saving)
        self.clipboard = Clipboard(self)
        self.python = PythonCopy(self)

    def _make_menus(self) -> None:
        self.actions_by_id = build_actions(self)
        menus = build_menus(self.menuBar(), self.actions_by_id)
        self._recent_menu = QMenu("Open &recent", menus["File"])
        menus["File"].insertMenu(menus["File/Samples"].menuAction(), self._recent_menu)
        recent = RecentMenu(self._recent_menu, self.settings, self.controller.background)
        recent.path_chosen.connect(lambda path: self.controller.open_paths([path]))
        recent.model_chosen.connect(lambda source: self.controller.change_model(source=source))
        for dock in self.dock_layout.docks.values():
            menus["View"].insertAction(self.actions_by_id["reset"], dock.toggleViewAction())
        menus["View"].insertSeparator(self.actions_by_id["reset"])
        menus["View"].aboutToShow.connect(self.dock_layout.asides.prepare_all)
        group = self.actions_by_id["device_auto"].actionGroup()
        self.device_menu = DeviceMenu(menus["Model/Device"], group)
        self.device_menu.device_chosen.connect(lambda device: self.controller.change_model(device=device))
        self.guide = Guide(
            self,
            self.strip,
            self.dock_layout,
            self.actions_by_id,
            self.state,
            self.controller,
            self.settings,
            self.log_store,
            self.saving,
            self.lecture,
        )
        self._update_actions()

    def _connect(self) -> None:
        controller, state, docks = self.controller, self.state, self.dock_layout.docks.values()
        drops = DropTarget(self, describe_drop)
        drops.dropped.connect(controller.open_mime)
        for widget in (self, *docks):
            drops.watch(widget)
        FocusRings(self)
        for source in (
            controller,
            self.saving,
            self.exports,
            self.clipboard,
            self.python,
            self.folder_watch,
            self.guide,
            self.lecture,
        ):
            source.noticed.connect(self.messages.tell)
        self.messages.offer_taken.connect(controller.take_offer)
        for source in (controller, self.lecture):
            source.succeeded.connect(self.messages.withdraw)
        for dock in docks:
            dock.made.connect(self._listen_to_views)
            if dock.is_made:
                self._listen_to_views(dock.panel)
        # Sent through the controller, because a launch that only saves a screenshot listens to its notices.
        self.sessions.noticed.connect(controller.noticed)
        state.value_asked.connect(lambda _place: self.dock_layout.show_panel("number"))
        controller.session_asked.connect(self.sessions.open)
        controller.field_asked.connect(self._show_field)
        self.folder_watch.changed.connect(self.pictures_panel.show_watched)
        self.appearance.text_size_chosen.connect(self.dock_layout.keep_sizes)
        self.appearance.text_resized.connect(self._fit_strip)
        self.appearance.text_resized.connect(self.dock_layout.text_changed)
        for signal in (state.model_loaded, state.picture_selected):
            signal.connect(self._show_title)
        state.model_loaded.connect(self._show_devices)
        choice = state.second.choice
        self.two_networks.chosen.connect(choice.choose)
        self.two_networks.curtain_moved.connect(choice.move_curtain)
        self.two_networks.closed.connect(controller.second.close)
        choice.chosen.connect(self.two_networks.show_choice)
        choice.renamed.connect(lambda: self.two_networks.rename(choice.first, choice.second))
        controller.changed_network.told.connect(self.chips.say)
        for signal in (state.model_loaded, state.second.model_changed):
            signal.connect(self._show_two_networks)
        for signal in (
            state.second.shown_changed,
            state.model_loaded,
            state.picture_selected,
            state.prediction_made,
            state.unit_selected,
            state.pinned,
            controller.model_refused,
            self.strip.costs_changed,
            self.history.changed,
            state.interventions.changed,
            self.folder_watch.changed,
        ):
            signal.connect(self._update_actions)

    def _listen_to_views(self, panel: QWidget) -> None:
        for inside in (panel, *panel.findChildren(Panel)):
            if isinstance(inside, Panel):
                inside.python_asked.connect(self.python.copy)
        for view in panel.findChildren(MapView):
            view.noticed.connect(self.messages.tell)
            view.measured.connect(self._status.show_measured)
            view.value_asked.connect(self._ask_value)
            view.saver.python_asked.connect(self.python.copy)
            view.saver.figure_asked.connect(partial(self._add_to_figure, view))
            view.saver.use(self.controller.background, self.saving)

    def _ask_value(self, place: object) -> None:
        """Show how a value was made; those of a second network, or of a difference, are not taken apart."""
        if self.state.second.shown != "first":
            hint = "Choose A in the panel of the two networks, then ask again."
            self.messages.tell(Notice("number", "How a number was made is shown for network A.", hint))
        elif isinstance(place, ValuePlace | MapValue):
            self.state.ask_value(place)

    def _add_to_figure(self, view: MapView) -> None:
        """Add a view to the figure, and show the figure."""
        cast("FigurePanel", self.dock_layout.docks["figure"].panel).add_view(view)
        self.dock_layout.show_panel("figure")

    # --------------------------------------------------------------------------------------------- panels

    @property
    def model_panel(self) -> ModelPanel:
        """The panel that shows the open model."""
        return cast(ModelPanel, self.dock_layout.docks["model"].panel)

    @property
    def pictures_panel(self) -> PicturesPanel:
        """The panel that lists the open pictures."""
        return cast(PicturesPanel, self.dock_layout.docks["pictures"].panel)

    @property
    def predictions_panel(self) -> PredictionsPanel:
        """The panel that shows the predictions."""
        return cast(PredictionsPanel, self.dock_layout.docks["predictions"].panel)

    @property
    def receptive_field_panel(self) -> ReceptiveFieldPanel:
        """The panel that shows the receptive field of the selected unit."""
        return cast(ReceptiveFieldPanel, self.dock_layout.docks["receptive_field"].panel)

    @property
    def attribution_panel(self) -> AttributionPanel:
        """The panel that shows the attribution map of a class."""
        return cast(AttributionPanel, self.dock_layout.docks["attribution"].panel)

    @property
    def activity_panel(self) -> "ActivityPanel":
        """The panel that lists running and finished jobs, and the log."""
        return cast("ActivityPanel", self.dock_layout.docks["activity"].panel)

    @property
    def field_lab(self) -> "ReceptiveFieldLab":
        """The panel of the receptive-field lab."""
        return cast("ReceptiveFieldLab", self.dock_layout.docks["field_lab"].panel)

    @property
    def is_settled(self) -> bool:
        """Whether all visible panels show their results, and nothing is being computed."""
        panels = self.dock_layout.visible_panels
        return (
            not self.bridge.pending
            and not self.controller.background.is_busy
            and self.controller.changed_network.is_settled
            and self.controller.retouched.is_settled
            and all(panel.is_settled for panel in panels)
        )

    # ---------------------------------------------------------------------------------- commands across parts

    def go_back(self) -> None:
        """Close a list or a message, restore a maximised panel, or go up in the network; stop no work."""
        popup = QApplication.activePopupWidget()
        if popup is not None:  # Such as the names that complete what is typed.
            popup.close()
            return
        if self.messages.dismiss_latest():
            return
        if self.dock_layout.maximised is not None:
            self.dock_layout.leave_maximised()
        else:
            self.strip.go_up()

    @property
    def can_undo(self) -> bool:
        """Whether closed pictures can be brought back, or an earlier selection."""
        return self.controller.pictures.can_reopen or self.history.can_undo

    def undo(self) -> None:
        """Bring back the pictures that were closed last, or else return to the selection before."""
        if self.controller.pictures.can_reopen:
            self.controller.pictures.reopen()
        else:
            self.history.undo()

    def explain_value(self) -> None:
        """Show how the value of the selected unit was made; without one, the explained class's probability."""
        state, place = self.state, None
        node = None if state.model is None else state.model.node(state.node)
        if node is not None and state.unit is not None:
            place = ValuePlace(node.name, min(state.channel, node.shape[0] - 1), *state.unit)
        elif state.explained_class is not None:
            place = ValuePlace(PROBABILITIES, state.explained_class)
        if place is None:
            self.dock_layout.show_panel("number")
        else:
            state.ask_value(place)

    def stop_work(self) -> None:
        """Stop all computations, exports and hand-outs."""
        self.lecture.stop_saving()
        self.controller.exporter.stop()
        self.bridge.cancel_all()

    def choose_field(self) -> None:
        """Ask for a file of saved receptive fields, and show it in the lab."""
        self.dock_layout.show_panel("field_lab")
        self.field_lab.choose_field()

    def _show_field(self, path: str) -> None:
        """Show a saved receptive field that was dropped or named on the command line."""
        self.dock_layout.show_panel("field_lab")
        self.field_lab.open_field(path)

    def _show_title(self) -> None:
        model, picture = self.state.model, self.state.picture
        parts = [picture.name] if picture is not None else []
        if model is not None:
            parts.append(_named(model))
        if self.state.second.model is not None:
            parts.append(f"{self.state.second.choice.second}: {_named(self.state.second.model)}")
        self.setWindowTitle(" – ".join((*parts, PROGRAM)))

    def _show_two_networks(self) -> None:
        """Offer the choice between two networks as long as there are two."""
        second = self.state.second
        self.two_networks.show_names(second.title_of_both)
        self.two_networks.setVisible(second.model is not None)
        self.two_networks.close_button.setVisible(not second.is_changed_first)
        self._show_title()

    def _show_devices(self, model: ModelInfo) -> None:
        loaded = self.controller.loaded
        self.device_menu.show_model(model, "auto" if loaded is None else loaded.device)

    def _update_actions(self) -> None:
        update_actions(self, self.actions_by_id)

    # --------------------------------------------------------------------------------- opening and closing

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the strip take less room in a low window."""
        super().resizeEvent(event)
        self._fit_strip()

    def _fit_strip(self) -> None:
        self.strip.set_low(self.height() / scaled(1) < _LOW_PX)

    def showEvent(self, event: QShowEvent) -> None:
        """Share out the window among the panels, now that its size is known."""
        super().showEvent(event)
        if self._shares_out_at_first:
            self._shares_out_at_first = False
            self.dock_layout.fit_window()
            self.dock_layout.share_out()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the action of a shortcut such as Ctrl+C that the widget with the keyboard focus has not used."""
        keys = QKeySequence(event.keyCombination())
        for spec in ACTIONS:
            if spec.leaves_keys and self.actions_by_id[spec.id].shortcut() == keys:
                self.actions_by_id[spec.id].trigger()
                return
        super().keyPressEvent(event)

    def search_published(self, text: str) -> None:
        """Show the list of published weights, with what has these words."""
        self.dock_layout.show_panel("catalogue")
        cast("CataloguePanel", self.dock_layout.docks["catalogue"].panel).search_for(text)

    def use_settings(self, values: Settings) -> None:
        """Replace all settings, and let the window follow them at once."""
        before = self.settings.values
        self.settings.values = values
        self.appearance.use(values)
        self.state.link_zoom(values.linked_zoom)
        self._panel_defaults.change(before.panel_defaults, values.panel_defaults)
        if (before.device, before.precision) != (values.device, values.precision):
            self.controller.change_model(device=values.device, precision=values.precision)
        self._update_actions()

    def remember(self) -> None:
        """Save the settings, including the place of the window and the layout of the docks."""
        self._place.remember()
        try:
            self.settings.save()
        except StudioError as error:
            sys.stderr.write(f"{error}\n")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the settings, and stop the engine and all threads."""
        self.remember()
        self.folder_watch.stop()
        self.lecture.stop_saving()
        self.bridge.close()
        self.controller.close()
        self.log_store.close()
        super().closeEvent(event)


def _stacked(*widgets: QWidget) -> QWidget:
    """Return a widget with others below one another."""
    stack = QWidget()
    layout = QVBoxLayout(stack)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for widget in widgets:
        layout.addWidget(widget)
    return stack


def _named(model: ModelInfo) -> str:
    """Return the title of a network, and that its weights are random if they are."""
    return f"{model.title} (random weights)" if model.random_weights else model.title


def _top_bar(window: QMainWindow, name: str, title: str, widget: QWidget) -> QToolBar:
    """Add a fixed toolbar in a row of its own below the menu bar."""
    bar = QToolBar(title, window)
    bar.setObjectName(name)
    bar.setMovable(False)
    bar.setFloatable(False)
    bar.addWidget(widget)
    window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
    window.addToolBarBreak(Qt.ToolBarArea.TopToolBarArea)
    return bar
