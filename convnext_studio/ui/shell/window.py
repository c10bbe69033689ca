"""The main window, which creates the parts of the user interface and connects them."""

import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu

from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.shell.actions.table import action_of_unused, build_actions, build_menus, update_actions
from convnext_studio.ui.shell.appearance import Appearance
from convnext_studio.ui.shell.changing_menus import DeviceMenu, RecentMenu
from convnext_studio.ui.shell.clipboard import Clipboard, PythonCopy
from convnext_studio.ui.shell.dialogs import Dialogs
from convnext_studio.ui.shell.docks.layout import DockLayout, WindowPlace, close_aside
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, TITLES
from convnext_studio.ui.shell.exports import Exports
from convnext_studio.ui.shell.find.guide import Guide
from convnext_studio.ui.shell.live.live_part import Live
from convnext_studio.ui.shell.network_bar import NetworkBar
from convnext_studio.ui.shell.panel_controls import PanelDefaults
from convnext_studio.ui.shell.panel_views import MapZoom, Panels, ViewRequests
from convnext_studio.ui.shell.recipe_files import RecipeFiles
from convnext_studio.ui.shell.session_files import SessionFiles
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.state.activity import ActivityLog, LogStore
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.dropped import describe_drop
from convnext_studio.ui.state.opening.folder_watch import FolderWatch
from convnext_studio.ui.state.selection.history import SelectionHistory, Undo
from convnext_studio.ui.state.settings import Settings, SettingsFile
from convnext_studio.ui.widgets.drop_target import DropTarget
from convnext_studio.ui.widgets.focus_ring import FocusRings
from convnext_studio.ui.widgets.message_bar import MessageBar, Notice
from convnext_studio.ui.widgets.save_dialog import SaveDialogs

PROGRAM = "ConvNeXt Studio"


class StudioWindow(QMainWindow):
    """The main window: all panels around one state, one bridge to the engine and one controller.

    The tables of actions and panels refer to its public attributes.

    Attributes
    ----------
    state, bridge, controller, settings
        What is open and selected, the connection to the engine, the controller that opens files and sends
        requests, and the saved settings.
    network_bar, strip
        The bar above the panels, and the network strip in it.
    messages
        The message bar, which reports problems and successes.
    dock_layout, panels
        The layout of the panels' docks, and the panels by name.
    appearance, zoom
        Theme and text size, and the zoom of the views.
    history, undoing
        The selections before and after the present one, and undo for these and for closing pictures.
    log_store, activity_log
        The lines of the log, and the running and finished jobs.
    folder_watch, sessions, recipes, dialogs
        The parts that open new pictures of a watched folder, read and write sessions and recipes, and ask for
        files and folders to open.
    saving, exports, clipboard, python
        The dialogs for files to save to, what the export panel offers, copying and pasting, and copying as
        Python.
    view_requests
        The part that does what views ask for: a place in the figure, or how a value was made.
    live
        The part that plays cameras, films and the screen.
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
    network_bar: NetworkBar
    strip: NetworkStrip
    messages: MessageBar
    dock_layout: DockLayout
    panels: Panels
    appearance: Appearance
    zoom: MapZoom
    history: SelectionHistory
    undoing: Undo
    log_store: LogStore
    activity_log: ActivityLog
    folder_watch: FolderWatch
    sessions: SessionFiles
    recipes: RecipeFiles
    dialogs: Dialogs
    saving: SaveDialogs
    exports: Exports
    clipboard: Clipboard
    python: PythonCopy
    view_requests: ViewRequests
    live: Live
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
        self.setWindowTitle(_title(state))
        if settings.problem:
            self.messages.tell(Notice("settings", settings.problem))

    def _make_parts(self) -> None:
        state, bridge, controller, settings = self.state, self.bridge, self.controller, self.settings
        self.messages = MessageBar(self)
        self.network_bar = NetworkBar(self, state, bridge, controller.second)
        self.strip = self.network_bar.strip
        controller.changed_network.told.connect(self.network_bar.chips.say)
        self.log_store = LogStore(self)
        self.activity_log = ActivityLog(state, bridge, controller.background, TITLES, self)
        status = StatusBar(state, bridge, self)
        status.cancel.clicked.connect(self.stop_work)
        self.setStatusBar(status)
        self.messages.width_for = status.message_width
        status.rearranged.connect(self.messages.follow)
        self.lecture = LateLecture(self, state, bridge, controller)
        self.appearance = Appearance(state, settings, self)
        self.history = SelectionHistory(state, self)
        self.undoing = Undo(self.history, controller.pictures)
        self.folder_watch = FolderWatch(bridge, controller.pictures, settings, self)
        self.saving = SaveDialogs(Path(settings.values.save_folder or Path.home()), self)
        self.saving.folder_changed.connect(lambda folder: settings.update(save_folder=folder))
        self.exports = Exports(self)
        self.dock_layout = DockLayout(self)
        self.panels = Panels(self.dock_layout)
        self._panel_defaults = PanelDefaults(self.dock_layout.docks, settings, self)
        self.zoom = MapZoom(self, state, settings)
        self.sessions = SessionFiles(state, bridge, controller, self.dock_layout, settings, self)
        self.recipes = RecipeFiles(state, bridge, controller, self)
        self.dialogs = Dialogs(
            self, state, controller, settings, self.sessions, self.recipes, self.folder_watch, self.saving
        )
        self.clipboard = Clipboard(self)
        self.python = PythonCopy(self)
        self.live = Live(self, status)
        self.view_requests = ViewRequests(self, status)

    def _make_menus(self) -> None:
        self.actions_by_id = build_actions(self)
        menus = build_menus(self.menuBar(), self.actions_by_id)
        self._recent_menu = QMenu("Open &recent", menus["File"])
        menus["File"].insertMenu(menus["File/Samples"].menuAction(), self._recent_menu)
        recent = RecentMenu(self._recent_menu, self.settings, self.controller.background)
        recent.path_chosen.connect(lambda path: self.controller.open_paths([path]))
        recent.model_chosen.connect(lambda source: self.controller.models.change(source=source))
        _list_panels(menus["View"], self.dock_layout, self.actions_by_id["reset"])
        group = self.actions_by_id["device_auto"].actionGroup()
        self.device_menu = DeviceMenu(menus["Model/Device"], group, self.state, self.controller.models)
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
        drops.dropped.connect(controller.open_dropped)
        for widget in (self, *docks):
            drops.watch(widget)
        FocusRings(self)
        for source in (
            controller,
            self.saving,
            self.exports,
            self.clipboard,
            self.python,
            self.view_requests,
            self.folder_watch,
            self.guide,
            self.lecture,
        ):
            source.noticed.connect(self.messages.tell)
        self.messages.offer_taken.connect(controller.take_offer)
        for source in (controller, self.lecture):
            source.succeeded.connect(self.messages.withdraw)
        self.view_requests.listen_to(docks)
        # Sent through the controller, because a launch that only saves a screenshot listens to its notices.
        self.sessions.noticed.connect(controller.noticed)
        self.recipes.noticed.connect(controller.noticed)
        self.network_bar.chips.save_asked.connect(self.dialogs.save_recipe)
        self.network_bar.chips.open_asked.connect(self.dialogs.open_recipe)
        self.network_bar.chips.python_asked.connect(self.python.copy_recipe)
        state.views.value_asked.connect(lambda _place: self.dock_layout.show_panel("number"))
        controller.session_asked.connect(self.sessions.open)
        controller.field_asked.connect(self.panels.open_field)
        self.folder_watch.changed.connect(self.panels.pictures.show_watched)
        self.appearance.text_size_chosen.connect(self.dock_layout.keep_sizes)
        self.appearance.text_resized.connect(self.network_bar.fit_window)
        self.appearance.text_resized.connect(self.dock_layout.text_changed)
        for signal in (state.model_loaded, state.picture_selected, state.second.model_changed):
            signal.connect(lambda _changed: self.setWindowTitle(_title(state)))
        for signal in (
            state.second.shown_changed,
            state.model_loaded,
            state.unit_selected,
            state.kept.pinned,
            controller.models.refused,
            self.strip.costs_changed,
            self.history.changed,
            state.interventions.changed,
            self.folder_watch.changed,
            self.live.changed,
        ):
            signal.connect(self._update_actions)
        state.picture_selected.connect(lambda _: None if state.live.is_on else self._update_actions())

    # --------------------------------------------------------------------------------------------- panels

    @property
    def is_settled(self) -> bool:
        """Whether all visible panels show their results, and nothing is being computed."""
        return (
            not self.bridge.pending
            and not self.state.turns.is_waiting
            and not self.controller.background.is_busy
            and self.controller.changed_network.is_settled
            and self.controller.retouched.is_settled
            and all(panel.is_settled for panel in self.dock_layout.visible_panels)
        )

    # ---------------------------------------------------------------------------------- commands across parts

    def go_back(self) -> None:
        """Close a list, a message or an aside, restore a maximised panel, or go up; stop no work."""
        popup = QApplication.activePopupWidget()
        if popup is not None:  # Such as the names that complete what is typed.
            popup.close()
            return
        if self.messages.dismiss_latest():
            return
        if self.dock_layout.maximised is not None:
            self.dock_layout.leave_maximised()
        elif not close_aside(self.dock_layout):
            self.strip.go_up()

    def stop_work(self) -> None:
        """Stop all computations, exports and hand-outs."""
        self.lecture.stop_saving()
        self.controller.exporter.stop()
        self.bridge.cancel_all()

    def _update_actions(self) -> None:
        update_actions(self, self.actions_by_id)

    # --------------------------------------------------------------------------------- opening and closing

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the strip take less room in a low window."""
        super().resizeEvent(event)
        self.network_bar.fit_window()

    def showEvent(self, event: QShowEvent) -> None:
        """Share out the window among the panels, now that its size is known."""
        super().showEvent(event)
        if not event.spontaneous():
            self.dock_layout.fit_window()  # The layout of before may be that of a window of another size.
        if self._shares_out_at_first:
            self._shares_out_at_first = False
            self.dock_layout.share_out()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run the action of a shortcut such as Ctrl+C that the widget with the keyboard focus has not used."""
        keys = QKeySequence(event.keyCombination())
        action = action_of_unused(keys, self.actions_by_id)
        if action is not None:
            action.trigger()
        else:
            super().keyPressEvent(event)

    def use_settings(self, values: Settings) -> None:
        """Replace all settings, and let the window follow them at once."""
        before = self.settings.values
        self.settings.values = values
        self.appearance.use(values)
        self.state.views.link_zoom(values.linked_zoom)
        self._panel_defaults.change(before.panel_defaults, values.panel_defaults)
        if (before.device, before.precision) != (values.device, values.precision):
            self.controller.models.change(device=values.device, precision=values.precision)
        if before.kept_share != values.kept_share:
            self.controller.keep_within(values.kept_share)
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
        self.live.close()
        self.lecture.stop_saving()
        self.bridge.close()
        self.controller.close()
        self.log_store.close()
        super().closeEvent(event)


def _title(state: AppState) -> str:
    """Return the title of a window: the picture, the networks and the program."""
    parts = [state.picture.name] if state.picture is not None else []
    second = state.second
    if state.model is not None and not second.is_changed_first:
        parts.append(_named(state.model))
    if second.model is not None:
        parts.append(_named(second.model) if second.is_changed_first else f"B: {_named(second.model)}")
    return " – ".join((*parts, PROGRAM))


def _named(model: ModelInfo) -> str:
    """Return the title of a network, and that its weights are random if they are."""
    return f"{model.title} (random weights)" if model.random_weights else model.title


def _list_panels(menu: QMenu, layout: DockLayout, before: QAction) -> None:
    """Offer to show and hide each panel; all of them in one column would be higher than a small screen."""
    more = QMenu("More &panels", menu)
    for name, dock in layout.docks.items():
        if name in ASIDES:
            more.addAction(dock.toggleViewAction())
        else:
            menu.insertAction(before, dock.toggleViewAction())
    menu.insertMenu(before, more)
    menu.insertSeparator(before)
    menu.aboutToShow.connect(layout.asides.prepare_all)
