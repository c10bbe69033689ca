"""The actions of the File, Live, Edit, View and Help menus, which act on what is open and on the window."""

from PySide6.QtCore import Qt

from convnext_studio.common.samples import SAMPLES
from convnext_studio.ui.plots.measuring.measurements import MEASURES, Tool
from convnext_studio.ui.shell.actions.spec import SEPARATOR, TWO_NETWORKS_KEYS, ActionSpec, Ask, Run
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName
from convnext_studio.ui.shell.docks.panel_specs import panel_actions
from convnext_studio.ui.state.selection.two_answers import Shown


def _opens_sample(name: str) -> Run:
    return lambda window: window.controller.open_sample(name)


FILE: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open",
        "File",
        "&Open pictures…",
        "Open picture files",
        lambda window: window.dialogs.open_pictures(),
        "Ctrl+O",
    ),
    ActionSpec(
        "open_folder",
        "File",
        "Open fol&der…",
        "Open all pictures in a folder and its subfolders, even thousands",
        lambda window: window.dialogs.open_folder(),
        "Ctrl+D",
    ),
    *(
        ActionSpec(
            f"sample_{name}",
            "File/&Samples",
            sample.title,
            f"Open the photograph “{sample.title}” ({sample.credit})",
            _opens_sample(name),
        )
        for name, sample in SAMPLES.items()
    ),
    ActionSpec(
        "watch_folder",
        "File",
        "&Watch folder…",
        "Open new pictures in a folder as a microscope or camera writes them; choose again to stop",
        lambda window: window.dialogs.toggle_watching(),
        "Ctrl+Shift+W",
        checked=lambda window: bool(window.folder_watch.folder),
    ),
    ActionSpec(
        "show_newest",
        "File",
        "Show the &newest picture of the watched folder",
        "Select each new picture in the watched folder; otherwise it is only added",
        lambda window: window.settings.update(shows_newest=not window.settings.values.shows_newest),
        checked=lambda window: window.settings.values.shows_newest,
    ),
    ActionSpec("file_4", "File", SEPARATOR),
    ActionSpec(
        "open_session",
        "File",
        "Open sess&ion…",
        "Open a session: the model, the pictures, the selection and the layout of the panels",
        lambda window: window.dialogs.open_session(),
        "Ctrl+Alt+O",
    ),
    ActionSpec(
        "save_session",
        "File",
        "Save session…",
        "Save which model and pictures are open, what is selected, and the layout of the panels",
        lambda window: window.dialogs.save_session(),
        "Ctrl+Alt+S",
    ),
    ActionSpec("file_5", "File", SEPARATOR),
    ActionSpec(
        "close",
        "File",
        "&Close picture",
        "Close the current picture",
        lambda window: window.controller.close_picture(),
        "Ctrl+W",
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec(
        "close_all",
        "File",
        "Close &all pictures",
        "Close all pictures; the files are not changed",
        lambda window: window.controller.close_all_pictures(),
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec("file_1", "File", SEPARATOR),
    ActionSpec(
        "open_field",
        "File",
        "Open receptive &field…",
        "Open a saved field (.npy or .npz) in the receptive-field lab; it needs no model",
        lambda window: window.panels.choose_field(),
        "Ctrl+Shift+F",
    ),
    ActionSpec("file_3", "File", SEPARATOR),
    *panel_actions("File"),
    ActionSpec("file_2", "File", SEPARATOR),
    ActionSpec("quit", "File", "&Quit", "Quit the program", lambda window: window.close(), "Ctrl+Q"),
)


EDIT: tuple[ActionSpec, ...] = (
    ActionSpec(
        "undo",
        "Edit",
        "&Undo",
        "Open the pictures that were closed last, or go back to the selection before",
        lambda window: window.undoing.undo(),
        "Ctrl+Z",
        needs="an earlier selection or closed pictures",
        enabled=lambda window: window.undoing.can_undo,
    ),
    ActionSpec(
        "redo",
        "Edit",
        "&Redo selection",
        "Go forward again to the selection that was undone",
        lambda window: window.history.redo(),
        "Ctrl+Shift+Z",
        needs="an undone selection",
        enabled=lambda window: window.history.can_redo,
    ),
    ActionSpec("edit_1", "Edit", SEPARATOR),
    ActionSpec(
        "copy",
        "Edit",
        "&Copy",
        "Copy the view, table, picture or text with the keyboard focus",
        lambda window: window.clipboard.copy(),
        "Ctrl+C",
        leaves_keys=True,
    ),
    ActionSpec(
        "copy_python",
        "Edit",
        "Copy as P&ython",
        "Copy the lines of Python that give the numbers of the view with the keyboard focus",
        lambda window: window.python.copy_focused(),
        "Ctrl+Shift+C",
        leaves_keys=True,
        needs="a picture and a model",
        enabled=lambda window: window.state.picture is not None and window.state.model is not None,
    ),
    ActionSpec(
        "paste",
        "Edit",
        "&Paste",
        "Open the picture or the files on the clipboard; in a text field, insert its text",
        lambda window: window.clipboard.paste(),
        "Ctrl+V",
    ),
    ActionSpec(
        "select_all",
        "Edit",
        "Select &all",
        "Select the whole text, table or list with the keyboard focus",
        lambda window: window.clipboard.select_all(),
        "Ctrl+A",
        leaves_keys=True,
    ),
    ActionSpec("edit_2", "Edit", SEPARATOR),
    ActionSpec(
        "palette",
        "Edit",
        "&Find anything…",
        "Find any command, panel, node, class, picture or model by a few letters",
        lambda window: window.guide.open_palette(),
        "Ctrl+Shift+P",
    ),
    ActionSpec("edit_3", "Edit", SEPARATOR),
    *panel_actions("Edit"),
)


def _arranges(name: ArrangementName) -> Run:
    return lambda window: window.dock_layout.arrange(name)


def _measures(tool: Tool) -> Run:
    return lambda window: window.zoom.measure(tool)


def _shows(shown: Shown) -> Run:
    return lambda window: window.state.second.choice.choose(shown)


def _is_shown(shown: Shown) -> Ask:
    return lambda window: window.state.second.shown == shown


_TWO_NETWORKS: dict[Shown, tuple[str, str]] = {
    "first": ("Network &A", "Show what the first network makes of the picture"),
    "second": ("Network &B", "Show what the second network makes of the picture"),
    "difference": ("&Difference A − B", "Show the difference of the two networks, about 0"),
    "curtain": ("&Curtain", "Show A left and B right of a line"),
}

VIEW: tuple[ActionSpec, ...] = (
    ActionSpec(
        "reset",
        "View",
        "&Reset layout",
        "Move all panels back to their original places",
        lambda window: window.dock_layout.reset(),
    ),
    *(
        ActionSpec(
            f"arrange_{name}",
            "View/&Layouts",
            arrangement.title,
            arrangement.tip,
            _arranges(name),
            f"F{key}",
        )
        for key, (name, arrangement) in enumerate(ARRANGEMENTS.items(), start=2)
    ),
    *(
        ActionSpec(
            f"two_networks_{shown}",
            "View/T&wo networks",
            text,
            tip,
            _shows(shown),
            key,
            group="two_networks",
            needs="a second network",
            enabled=lambda window: window.state.second.model is not None,
            checked=_is_shown(shown),
        )
        for (shown, (text, tip)), key in zip(_TWO_NETWORKS.items(), TWO_NETWORKS_KEYS, strict=True)
    ),
    ActionSpec(
        "maximise_panel",
        "View",
        "&Maximise panel",
        "Maximise the panel with the keyboard focus, or restore the layout",
        lambda window: window.dock_layout.toggle_maximised(),
        "F12",
    ),
    ActionSpec(
        "float_panel",
        "View",
        "Fl&oat panel",
        "Float the panel with the keyboard focus in its own window, or dock it again",
        lambda window: window.dock_layout.toggle_floating(),
        "Shift+F12",
    ),
    ActionSpec(
        "close_panel",
        "View",
        "&Hide panel",
        "Hide the panel with the keyboard focus",
        lambda window: window.dock_layout.close_active(),
        "Ctrl+F12",
    ),
    ActionSpec(
        "next_panel",
        "View",
        "&Next panel",
        "Move the keyboard focus to the next panel",
        lambda window: window.dock_layout.focus.step(1, (window.strip.canvas,)),
        "F6",
    ),
    ActionSpec(
        "previous_panel",
        "View",
        "&Previous panel",
        "Move the keyboard focus to the previous panel",
        lambda window: window.dock_layout.focus.step(-1, (window.strip.canvas,)),
        "Shift+F6",
    ),
    ActionSpec("view_1", "View", SEPARATOR),
    ActionSpec(
        "theme_system",
        "View/&Theme",
        "As the &system",
        "Follow the desktop's dark or light theme if it is known; otherwise dark",
        lambda window: window.appearance.use_theme("system"),
        group="theme",
        checked=lambda window: window.settings.values.theme == "system",
    ),
    ActionSpec(
        "theme_dark",
        "View/&Theme",
        "&Dark",
        "A dark window, for work at the screen",
        lambda window: window.appearance.use_theme("dark"),
        group="theme",
        checked=lambda window: window.settings.values.theme == "dark",
    ),
    ActionSpec(
        "theme_light",
        "View/&Theme",
        "&Light",
        "A light window, for projectors",
        lambda window: window.appearance.use_theme("light"),
        group="theme",
        checked=lambda window: window.settings.values.theme == "light",
    ),
    ActionSpec(
        "present",
        "View",
        "L&ecture…",
        "Give the lecture full screen, with this network and picture",
        lambda window: window.lecture.present(),
        "F5",
    ),
    ActionSpec(
        "text_larger",
        "View/Te&xt size",
        "&Larger",
        "Make text and controls larger, up to 28 points",
        lambda window: window.appearance.larger_text(),
        "Ctrl++",
    ),
    ActionSpec(
        "text_smaller",
        "View/Te&xt size",
        "&Smaller",
        "Make text and controls smaller, down to 9 points",
        lambda window: window.appearance.smaller_text(),
        "Ctrl+-",
    ),
    ActionSpec(
        "text_system",
        "View/Te&xt size",
        "&As the system",
        "Use the text size of the desktop",
        lambda window: window.appearance.systems_text(),
        "Ctrl+0",
    ),
    ActionSpec(
        "zoom_fit",
        "View/&Zoom",
        "&Fit",
        "Fit the view with the keyboard focus, or under the pointer",
        lambda window: window.zoom.fit_active(),
        "F7",
    ),
    ActionSpec(
        "zoom_pixels",
        "View/&Zoom",
        "&1:1",
        "Show one pixel per screen pixel in the view with the keyboard focus, or under the pointer",
        lambda window: window.zoom.show_pixels(),
        "F8",
    ),
    ActionSpec(
        "zoom_reset",
        "View/&Zoom",
        "&Reset all",
        "Fit all views",
        lambda window: window.zoom.reset(),
        "F9",
    ),
    ActionSpec(
        "zoom_linked",
        "View/&Zoom",
        "&Linked",
        "Show the same part of the picture in all views",
        lambda window: window.zoom.toggle_link(),
        "Shift+F9",
        checked=lambda window: window.state.views.zoom_is_linked,
    ),
    *(
        ActionSpec(
            f"measure_{tool}",
            "View/Meas&ure",
            text,
            tip,
            _measures(tool),
            shortcut,
        )
        for tool, (text, tip, shortcut) in MEASURES.items()
    ),
    ActionSpec(
        "measure_clear",
        "View/Meas&ure",
        "&Clear all",
        "Remove everything that is measured",
        lambda window: window.zoom.clear_measures(),
    ),
    ActionSpec(
        "adjust_levels",
        "View/Meas&ure",
        "&Levels",
        "Change the levels of the colour bar with the arrow keys",
        lambda window: window.zoom.adjust_levels(),
        "Ctrl+F8",
    ),
    ActionSpec(
        "full_screen",
        "View",
        "&Full screen",
        "Show the window full screen",
        lambda window: window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen),
        "F11",
        checked=lambda window: window.isFullScreen(),
    ),
)


HELP: tuple[ActionSpec, ...] = (
    ActionSpec(
        "help",
        "Help",
        "&Help",
        "What each panel shows, how it is defined, and what it does not mean",
        lambda window: window.guide.show_page("start"),
        "F1",
    ),
    ActionSpec(
        "panel_help",
        "Help",
        "Help on this &panel",
        "Help on the panel with the keyboard focus",
        lambda window: window.guide.show_page(),
        "Shift+F1",
    ),
    ActionSpec(
        "shortcuts",
        "Help",
        "&Keyboard shortcuts",
        "All keyboard shortcuts, to search and to print",
        lambda window: window.guide.open_keys(),
        "Ctrl+/",
    ),
    ActionSpec(
        "tour", "Help", "&Tour", "A tour of the window in six steps", lambda window: window.guide.start_tour()
    ),
    ActionSpec("help_1", "Help", SEPARATOR),
    *panel_actions("Help"),
    ActionSpec(
        "log", "Help", "&Log", "What the window and the engine recorded", lambda window: window.guide.show_log()
    ),
    ActionSpec(
        "report",
        "Help",
        "&Report a problem…",
        "Write a text file with versions, device and log, without private paths, for a problem report",
        lambda window: window.guide.choose_report(),
    ),
    ActionSpec("help_2", "Help", SEPARATOR),
    ActionSpec("about", "Help", "A&bout", "About this program", lambda window: window.guide.show_about()),
)


LIVE: tuple[ActionSpec, ...] = (
    *panel_actions("Live"),
    ActionSpec("live_1", "Live", SEPARATOR),
    ActionSpec(
        "live_camera",
        "Live",
        "&Camera",
        "Switch a camera on; what it sees is the picture, frame by frame",
        lambda window: window.live.open_camera(),
    ),
    ActionSpec(
        "live_film",
        "Live",
        "&Film…",
        "Play a film, or an animated GIF or WebP, as the picture",
        lambda window: window.live.choose_film(),
    ),
    ActionSpec(
        "live_screen",
        "Live",
        "&Part of the screen",
        "Show a frame on the screen; what is inside is the picture",
        lambda window: window.live.open_screen(),
    ),
    ActionSpec("live_2", "Live", SEPARATOR),
    ActionSpec(
        "live_freeze",
        "Live",
        "Free&ze",
        "Stop at the frame that is shown, which then is a picture like any other; choose again to go on",
        lambda window: window.live.toggle(),
        "Space",
        needs="a live source",
        enabled=lambda window: window.live.is_on,
        checked=lambda window: window.live.is_on and not window.live.is_running,
    ),
    ActionSpec(
        "live_back",
        "Live",
        "One frame &back",
        "Freeze, and show the frame before",
        lambda window: window.live.step(-1),
        "Left",
        needs="a live source",
        enabled=lambda window: window.live.takes_arrows,
    ),
    ActionSpec(
        "live_on",
        "Live",
        "One frame &on",
        "Freeze, and show the next frame",
        lambda window: window.live.step(1),
        "Right",
        needs="a live source",
        enabled=lambda window: window.live.takes_arrows,
    ),
    ActionSpec("live_3", "Live", SEPARATOR),
    ActionSpec(
        "live_record",
        "Live",
        "&Record frames…",
        "Save every frame that is shown to a folder; choose again to stop",
        lambda window: window.live.toggle_recording(),
        "R",
        needs="a live source",
        enabled=lambda window: window.live.is_on,
        checked=lambda window: window.live.is_recording,
    ),
    ActionSpec(
        "live_views",
        "Live",
        "Film of the &views…",
        "Save a film of this window's views as MP4 or GIF; choose again to finish it",
        lambda window: window.live.toggle_filming(),
        needs="a live source",
        enabled=lambda window: window.live.is_on,
        checked=lambda window: window.live.is_filming,
    ),
    ActionSpec(
        "live_leave",
        "Live",
        "Leave the so&urce",
        "Switch the camera off, or close the film; the picture stays",
        lambda window: window.live.leave(),
        needs="a live source",
        enabled=lambda window: window.live.is_on,
    ),
)
