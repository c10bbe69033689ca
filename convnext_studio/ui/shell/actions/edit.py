"""The actions of the Edit menu."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec

EDIT: tuple[ActionSpec, ...] = (
    ActionSpec(
        "undo",
        "Edit",
        "&Undo selection",
        "Go back to the previous selection of picture, node, channel, unit and class",
        lambda window: window.history.undo(),
        "Ctrl+Z",
        needs="an earlier selection",
        enabled=lambda window: window.history.can_undo,
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
        "palette",
        "Edit",
        "&Find anything…",
        "Find any command, panel, node, class, picture or model by a few letters",
        lambda window: window.guide.open_palette(),
        "Ctrl+Shift+P",
    ),
)
