"""What the program says about itself."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.docks.panel_specs import panel_actions

HELP: tuple[ActionSpec, ...] = (
    ActionSpec(
        "help",
        "Help",
        "&Help",
        "What each panel shows, by which definition, and what it does not mean",
        lambda window: window.guide.show_page("start"),
        "F1",
    ),
    ActionSpec(
        "panel_help",
        "Help",
        "Help on this &panel",
        "What the panel that has the keyboard shows",
        lambda window: window.guide.show_page(),
        "Shift+F1",
    ),
    ActionSpec(
        "shortcuts",
        "Help",
        "&Keyboard shortcuts",
        "All keys at a glance, to search and to print",
        lambda window: window.guide.open_keys(),
        "Ctrl+/",
    ),
    ActionSpec(
        "tour", "Help", "&Tour", "Six steps through the window", lambda window: window.guide.start_tour()
    ),
    ActionSpec("help_1", "Help", SEPARATOR),
    *panel_actions("Help"),
    ActionSpec(
        "log", "Help", "&Log", "What the window and the engine noted", lambda window: window.guide.show_log()
    ),
    ActionSpec(
        "report",
        "Help",
        "&Report a problem…",
        "Write a text file with versions, device and log, without private paths, to send with a report",
        lambda window: window.guide.choose_report(),
    ),
    ActionSpec("help_2", "Help", SEPARATOR),
    ActionSpec("about", "Help", "A&bout", "What this program is", lambda window: window.guide.show_about()),
)
