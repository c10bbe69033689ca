"""The actions of the View menu."""

from PySide6.QtCore import Qt

from convnext_studio.ui.plots.measuring.measurements import MEASURES, Tool
from convnext_studio.ui.shell.actions.spec import SEPARATOR, TWO_NETWORKS_KEYS, ActionSpec, Ask, Run
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName
from convnext_studio.ui.state.two_answers import Shown


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
        checked=lambda window: window.state.zoom_is_linked,
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
        for (tool, (text, tip)), shortcut in zip(
            MEASURES.items(), ("Shift+F7", "Shift+F8", "Ctrl+F7"), strict=True
        )
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
