"""How the window looks."""

from PySide6.QtCore import Qt

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, Run
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName


def _arranges(name: ArrangementName) -> Run:
    return lambda window: window.dock_layout.arrange(name)


VIEW: tuple[ActionSpec, ...] = (
    ActionSpec(
        "reset",
        "View",
        "&Reset layout",
        "Put all panels back in their places",
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
    ActionSpec(
        "maximise_panel",
        "View",
        "&Maximise panel",
        "Let the panel with the keyboard fill the window, or put all back",
        lambda window: window.dock_layout.toggle_maximised(),
        "F12",
    ),
    ActionSpec(
        "float_panel",
        "View",
        "Fl&oat panel",
        "Let the panel with the keyboard float beside the window, or put it back",
        lambda window: window.dock_layout.toggle_floating(),
        "Shift+F12",
    ),
    ActionSpec(
        "close_panel",
        "View",
        "&Hide panel",
        "Hide the panel with the keyboard",
        lambda window: window.dock_layout.close_active(),
        "Ctrl+F12",
    ),
    ActionSpec(
        "next_panel",
        "View",
        "&Next panel",
        "Give the keyboard to the next panel",
        lambda window: window.dock_layout.step(1, (window.strip.canvas,)),
        "F6",
    ),
    ActionSpec(
        "previous_panel",
        "View",
        "&Previous panel",
        "Give the keyboard to the panel before",
        lambda window: window.dock_layout.step(-1, (window.strip.canvas,)),
        "Shift+F6",
    ),
    ActionSpec("view_1", "View", SEPARATOR),
    ActionSpec(
        "theme_system",
        "View/&Theme",
        "As the &system",
        "Dark or light as the desktop is, where that is known, and dark elsewhere",
        lambda window: window.appearance.use_theme("system"),
        group="theme",
        checked=lambda window: window.settings.values.theme == "system",
    ),
    ActionSpec(
        "theme_dark",
        "View/&Theme",
        "&Dark",
        "A dark window, for the eye at the microscope",
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
        "Pr&esent…",
        "Teach from this network and picture, full screen",
        lambda window: window.lecture.present(),
        "F5",
    ),
    ActionSpec(
        "text_larger",
        "View/Te&xt size",
        "&Larger",
        "Larger text, and everything beside it, up to 28 points",
        lambda window: window.appearance.larger_text(),
        "Ctrl++",
    ),
    ActionSpec(
        "text_smaller",
        "View/Te&xt size",
        "&Smaller",
        "Smaller text, and everything beside it, down to 9 points",
        lambda window: window.appearance.smaller_text(),
        "Ctrl+-",
    ),
    ActionSpec(
        "text_system",
        "View/Te&xt size",
        "&As the system",
        "Text as large as the desktop has it",
        lambda window: window.appearance.systems_text(),
        "Ctrl+0",
    ),
    ActionSpec(
        "zoom_fit",
        "View/&Zoom",
        "&Fit",
        "All of the view with the keyboard or under the pointer, as large as it goes",
        lambda window: window.zoom.fit_active(),
        "F7",
    ),
    ActionSpec(
        "zoom_pixels",
        "View/&Zoom",
        "&1:1",
        "One pixel on one of the screen, in the view with the keyboard or under the pointer",
        lambda window: window.zoom.show_pixels(),
        "F8",
    ),
    ActionSpec(
        "zoom_reset",
        "View/&Zoom",
        "&Reset all",
        "Show all in every view",
        lambda window: window.zoom.reset(),
        "F9",
    ),
    ActionSpec(
        "zoom_linked",
        "View/&Zoom",
        "&Linked",
        "All views of the picture show the same part of it",
        lambda window: window.zoom.toggle_link(),
        "Shift+F9",
        checked=lambda window: window.state.zoom_is_linked,
    ),
    ActionSpec(
        "full_screen",
        "View",
        "&Full screen",
        "Fill the screen with the window",
        lambda window: window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen),
        "F11",
        checked=lambda window: window.isFullScreen(),
    ),
)
