"""Going back, and finding."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, of_help
from convnext_studio.ui.shell.commands.help_commands import HelpCommands

EDIT: tuple[ActionSpec, ...] = (
    ActionSpec(
        "undo",
        "Edit",
        "&Undo selection",
        "Select the picture, node, channel, unit and class that were selected before",
        of_help(HelpCommands.undo),
        "Ctrl+Z",
        needs="an earlier selection",
    ),
    ActionSpec(
        "redo",
        "Edit",
        "&Redo selection",
        "Select again what was undone",
        of_help(HelpCommands.redo),
        "Ctrl+Shift+Z",
        needs="something that was undone",
    ),
    ActionSpec("edit_1", "Edit", SEPARATOR),
    ActionSpec(
        "palette",
        "Edit",
        "&Find anything…",
        "Find any command, panel, node, class, picture or model by a few letters",
        of_help(HelpCommands.open_palette),
        "Ctrl+Shift+P",
    ),
)
