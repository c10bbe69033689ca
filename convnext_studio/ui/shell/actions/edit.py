"""The actions of the Edit menu."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.docks.panel_specs import panel_actions

EDIT: tuple[ActionSpec, ...] = (
    ActionSpec(
        "undo",
        "Edit",
        "&Undo",
        "Open the pictures that were closed last, or go back to the selection before",
        lambda window: window.undo(),
        "Ctrl+Z",
        needs="an earlier selection or closed pictures",
        enabled=lambda window: window.can_undo,
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
