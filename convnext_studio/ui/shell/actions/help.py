"""The actions of the Help menu."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.docks.panel_specs import panel_actions

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
