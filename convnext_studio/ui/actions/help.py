"""What the program says about itself."""

from convnext_studio.ui.actions.spec import ActionSpec
from convnext_studio.ui.commands import Commands

HELP: tuple[ActionSpec, ...] = (
    ActionSpec("shortcuts", "Help", "&Shortcuts", "List all keys", Commands.show_shortcuts, "F1"),
    ActionSpec("about", "Help", "&About", "What this program is", Commands.show_about),
)
