"""The guide, which opens the command palette, cheat sheet, help, tour, log and problem report."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from convnext_studio import __version__
from convnext_studio.common.errors import StudioError
from convnext_studio.export.safe_files import write_file
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.find.palette_entries import PaletteEntries, spoken
from convnext_studio.ui.state.activity import LogStore
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile, latest_first
from convnext_studio.ui.widgets.message_bar import MessageBar, Notice
from convnext_studio.ui.widgets.popup import make_late_part
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs

if TYPE_CHECKING:  # Imported when needed: they would delay the window.
    from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
    from convnext_studio.ui.panels.help.help_panel import HelpPanel
    from convnext_studio.ui.shell.find.cheat_sheet import CheatSheet
    from convnext_studio.ui.shell.find.palette import Palette
    from convnext_studio.ui.shell.find.tour import Tour

_LOG = logging.getLogger(__name__)
ABOUT = f"""<p><b>ConvNeXt Studio {__version__}</b></p>
<p>A desktop microscope for ConvNeXt: what every stage makes of a picture, what each unit can see, and why
the network decided.</p>
<p>Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, “A ConvNet for the 2020s”, CVPR 2022.</p>
<p>MIT licence.</p>"""
NETWORK, MENUS = "network", "menus"
_MAKE_MS = 30  # Between two panels that are created while the palette is open, so that typing is not held up.
_TOUR_AFTER_MS = 250  # The panels show the first prediction by then; both at once would block the window.
_TOUR_MADE_AFTER_MS = 220  # Making the tour and showing it at once would block the window, too.


class Guide(QObject):
    """Finds and explains what the window offers. Its sheets are created when they are first opened.

    Parameters
    ----------
    strip
        The network strip, which has a help page although it has no dock.

    Attributes
    ----------
    entries
        The entries of the command palette.
    """

    noticed = Signal(object)  # Notice

    def __init__(
        self,
        window: QMainWindow,
        strip: QWidget,
        layout: DockLayout,
        actions: Mapping[str, QAction],
        state: AppState,
        controller: Controller,
        settings: SettingsFile,
        log_store: LogStore,
        saving: SaveDialogs,
        lecture: LateLecture,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._strip = strip
        self._layout = layout
        self._actions = actions
        self._state = state
        self._settings = settings
        self._log_store = log_store
        self._saving = saving
        self.entries = PaletteEntries(actions, layout, state, controller, settings, lecture, self.show_page)
        self._make_next = QTimer(self, interval=_MAKE_MS)
        self._make_next.timeout.connect(self._make_next_part)
        self._palette: Palette | None = None
        self._keys: CheatSheet | None = None
        self._tour: Tour | None = None
        controller.noticed.connect(lambda notice: _LOG.info("told: %s", notice.text))
        for name, dock in layout.docks.items():
            dock.help_asked.connect(partial(self.show_page, name))

    # ------------------------------------------------------------------------------------- help and the tour

    @property
    def help_panel(self) -> "HelpPanel":
        """The panel that shows the help pages."""
        return cast("HelpPanel", self._layout.docks["help"].panel)

    def show_page(self, name: str = "") -> None:
        """Show a help page; without a name, that of the strip or the active panel."""
        focused = QApplication.focusWidget()
        is_strip = focused is not None and self._strip.isAncestorOf(focused)
        here = NETWORK if is_strip else self._layout.focus.active or "start"
        self.help_panel.show_page(name or here)
        self._layout.show_panel("help")

    def offer_tour(self) -> None:
        """Start the tour after the first prediction, unless the user has already ended it once."""
        if not self._settings.values.is_tour_over:
            self._state.prediction_made.connect(self._start_first_tour, Qt.ConnectionType.SingleShotConnection)

    def _start_first_tour(self, prediction: object) -> None:
        if prediction is None:
            self.offer_tour()
        else:
            QTimer.singleShot(_TOUR_MADE_AFTER_MS, self, self._made_tour)
            QTimer.singleShot(_TOUR_AFTER_MS, self, self.start_tour)

    def start_tour(self) -> None:
        """Start the tour of the window."""
        self._made_tour().start()

    def _made_tour(self) -> "Tour":
        """Return the tour, which is made when it is first needed."""
        if self._tour is None:
            from convnext_studio.ui.shell.find.tour import Tour

            messages = self._window.findChild(MessageBar)
            assert messages is not None  # The window creates it before the guide.
            self._tour = Tour(self._window, self._locate, messages)
            self._tour.ended.connect(lambda: self._settings.update(is_tour_over=True))
        return self._tour

    @property
    def tour(self) -> "Tour | None":
        """The tour, or None before it was first started."""
        return self._tour

    def _locate(self, target: str) -> QWidget | None:
        widget: QWidget
        if target == NETWORK:
            widget = self._strip
        elif target == MENUS:
            widget = self._window.menuBar()
        else:
            widget = dock = self._layout.docks[target]
            if not dock.isHidden() and not dock.isFloating():
                dock.come_to_front()  # It may lie behind another tab.
        return widget if widget.isVisible() and widget.window() is self._window else None

    # ------------------------------------------------------------------------------------------- the sheets

    def open_palette(self) -> None:
        """Open the command palette, or close it if it is open."""
        if self._palette is None:
            from convnext_studio.ui.shell.find.palette import Palette

            self._palette = Palette(self._window, self.entries.gather)
            self._palette.chosen.connect(self._remember)
        if self._palette.isVisible():
            self._palette.close_sheet()
        else:
            self._palette.is_gathering = True
            self._palette.open_with(self._settings.values.recent_choices)
            self._make_next.start()

    def _make_next_part(self) -> None:
        """Create one more part or panel while the palette is open, so that all options are found."""
        palette = self._palette
        if palette is None or not palette.isVisible():
            self._make_next.stop()
        elif not (make_late_part(self._window) or self._layout.make_one()):
            self._make_next.stop()
            palette.is_gathering = False
            palette.refresh()

    @property
    def palette(self) -> "Palette | None":
        """The command palette, or None before it was first opened."""
        return self._palette

    def _remember(self, key: str) -> None:
        self._settings.update(recent_choices=latest_first(key, self._settings.values.recent_choices))

    def open_keys(self) -> None:
        """Open the list of all shortcuts, or close it if it is open."""
        if self._keys is None:
            from convnext_studio.ui.shell.find.cheat_sheet import CheatSheet, groups_of

            self._keys = CheatSheet(self._window, groups_of(self._shortcuts()), self._saving)
            self._keys.noticed.connect(self.noticed)
        if self._keys.isVisible():
            self._keys.close_sheet()
        else:
            self._keys.open()

    @property
    def cheat_sheet(self) -> "CheatSheet | None":
        """The list of shortcuts, or None before it was first opened."""
        return self._keys

    def _shortcuts(self) -> dict[str, list[tuple[str, str]]]:
        """Return, by menu, the shortcuts in the desktop's notation and what they do."""
        found: dict[str, list[tuple[str, str]]] = {}
        for spec in ACTIONS:
            keys = self._actions[spec.id].shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            if keys:
                found.setdefault(spec.menu.partition("/")[0], []).append((keys, spoken(spec)))
        return found

    # -------------------------------------------------------------------------------- the log and the report

    @property
    def activity_panel(self) -> "ActivityPanel":
        """The panel with the activities and the log."""
        return cast("ActivityPanel", self._layout.docks["activity"].panel)

    def show_log(self) -> None:
        """Show the log in the activity panel."""
        self._layout.show_panel("activity")
        self.activity_panel.tabs.setCurrentWidget(self.activity_panel.log)

    def choose_report(self) -> None:
        """Ask for a file, and write the problem report to it."""
        kinds = (FileKind("Text", ("txt",)),)
        path = self._saving.ask_file(self._window, "Save the report", "convnext-studio-report", kinds)
        if path is not None:
            self.write_report(path)

    def write_report(self, path: Path) -> None:
        """Write the problem report, and notify the user of success or failure."""
        from convnext_studio.ui.shell.problem_report import problem_report

        names = [picture.name for picture in self._state.opened.all if picture.path]
        text = problem_report(self._state.model, self._settings.values, self._log_store.lines, names)
        try:
            write_file(path, lambda file: file.write(text.encode()))
        except StudioError as error:
            self.noticed.emit(Notice("report", error.message, error.hint))
        else:
            message = f"The report was saved as {path}."
            hint = "Read it before you send it."
            self.noticed.emit(Notice("report", message, hint, good=True, path=str(path)))

    def show_about(self) -> None:
        """Show the About dialog."""
        from PySide6.QtWidgets import QMessageBox  # Imported here, so that it does not delay the window.

        title, close = "About ConvNeXt Studio", QMessageBox.StandardButton.Close
        box = QMessageBox(QMessageBox.Icon.NoIcon, title, ABOUT, close, self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setTextFormat(Qt.TextFormat.RichText)
        box.open()
