"""What the program says about itself."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, of_help
from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.shell.commands.help_commands import HelpCommands

HELP: tuple[ActionSpec, ...] = (
    ActionSpec(
        "help",
        "Help",
        "&Help",
        "What each panel shows, by which definition, and what it does not mean",
        of_help(HelpCommands.show_help),
        "F1",
    ),
    ActionSpec(
        "panel_help",
        "Help",
        "Help on this &panel",
        "What the panel that has the keyboard shows",
        of_help(HelpCommands.show_panel_help),
        "Shift+F1",
    ),
    ActionSpec(
        "shortcuts",
        "Help",
        "&Keyboard shortcuts",
        "All keys at a glance, to search and to print",
        of_help(HelpCommands.show_keys),
        "Ctrl+/",
    ),
    ActionSpec("tour", "Help", "&Tour", "Six steps through the window", of_help(HelpCommands.take_tour)),
    ActionSpec("help_1", "Help", SEPARATOR),
    ActionSpec(
        "activity",
        "Help",
        "&Activity",
        "What is being computed and what was, how long it took, and where",
        of_help(HelpCommands.show_activity),
        "Ctrl+Shift+A",
    ),
    ActionSpec("log", "Help", "&Log", "What the window and the engine noted", of_help(HelpCommands.show_log)),
    ActionSpec(
        "report",
        "Help",
        "&Report a problem…",
        "Write a text file with versions, device and log, without private paths, to send with a report",
        of_help(HelpCommands.report_problem),
    ),
    ActionSpec("help_2", "Help", SEPARATOR),
    ActionSpec("about", "Help", "A&bout", "What this program is", Commands.show_about),
)
