"""The actions that change the network: a submenu of the Model menu."""

from typing import TYPE_CHECKING, cast

from convnext_studio.ui.panels.interventions.change_menu import toggle_channel, toggle_node
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec

if TYPE_CHECKING:  # The window imports this table.
    from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
    from convnext_studio.ui.shell.window import StudioWindow

_MENU = "Model/Chan&ge"


def _has_model(window: "StudioWindow") -> bool:
    return window.state.model is not None


def _has_changes(window: "StudioWindow") -> bool:
    return not window.state.interventions.recipe.is_empty


def _toggle_brush(window: "StudioWindow") -> None:
    window.dock_layout.show_panel("picture")
    retoucher = cast("PicturePanel", window.dock_layout.docks["picture"].panel).retoucher
    retoucher.activate(not retoucher.is_active)


INTERVENE: tuple[ActionSpec, ...] = (
    ActionSpec(
        "change_node",
        _MENU,
        "Switch the selected &node off or on",
        "Set the output of the selected node to 0, of a block that of its branch, or undo that",
        lambda window: toggle_node(window.state, window.state.node),
        "Ctrl+Alt+N",
        needs="a model",
        enabled=_has_model,
    ),
    ActionSpec(
        "change_channel",
        _MENU,
        "Switch the selected &channel off or on",
        "Set the selected channel of the selected node to 0, or undo that",
        lambda window: toggle_channel(window.state),
        "Ctrl+Alt+C",
        needs="a model",
        enabled=_has_model,
    ),
    ActionSpec(
        "change_picture",
        _MENU,
        "Change the &picture with a brush",
        "Blur or fill places of the picture, and watch the prediction; again to stop",
        _toggle_brush,
        "Ctrl+Alt+B",
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec("change_1", _MENU, SEPARATOR),
    ActionSpec(
        "change_undo",
        _MENU,
        "&Undo the last change",
        "Undo the last change of the network or of a picture",
        lambda window: window.state.interventions.undo(),
        "Ctrl+Alt+Z",
        needs="a change",
        enabled=lambda window: window.state.interventions.can_undo,
    ),
    ActionSpec(
        "change_redo",
        _MENU,
        "&Redo the change",
        "Make the change again that was undone last",
        lambda window: window.state.interventions.redo(),
        "Ctrl+Alt+Shift+Z",
        needs="an undone change",
        enabled=lambda window: window.state.interventions.can_redo,
    ),
    ActionSpec(
        "recipe_save",
        _MENU,
        "&Save the changes…",
        "Save all changes as a recipe, which opens here again, in scripts and on the command line",
        lambda window: window.dialogs.save_recipe(),
        needs="a change",
        enabled=_has_changes,
    ),
    ActionSpec(
        "recipe_open",
        _MENU,
        "&Open changes…",
        "Make the changes of a recipe in place of those that are there",
        lambda window: window.dialogs.open_recipe(),
        needs="a model",
        enabled=_has_model,
    ),
    ActionSpec(
        "change_clear",
        _MENU,
        "Remove &all changes",
        "Remove all changes of the network and of pictures",
        lambda window: window.state.interventions.clear(),
        "Ctrl+Alt+X",
        needs="a change",
        enabled=_has_changes,
    ),
)
