"""The actions of the Model menu, which change the network, and of Navigate, which select in it."""

from typing import TYPE_CHECKING, Literal, cast

from PySide6.QtCore import Qt

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import BUNDLED, BUNDLED_3X3, PRESETS, bundled_is_there
from convnext_studio.ui.panels.interventions.change_menu import toggle_channel, toggle_node
from convnext_studio.ui.panels.model.model_panel import DEVICES
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, Ask, Run
from convnext_studio.ui.shell.docks.panel_specs import panel_actions
from convnext_studio.ui.state.node_texts import COST_TITLES, CostKind

if TYPE_CHECKING:  # The window imports this table.
    from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
    from convnext_studio.ui.shell.window import StudioWindow


def _has_convnext(window: "StudioWindow") -> bool:
    return window.state.model is not None and isinstance(window.state.model.config, ConvNeXtConfig)


def _loaded(window: "StudioWindow", what: Literal["device", "precision"]) -> str:
    """Return the requested device or precision of the open model; empty before there is one."""
    loaded = window.controller.models.loaded
    return "" if loaded is None else str(getattr(loaded, what))


def _opens_model(source: str) -> Run:
    return lambda window: window.controller.models.change(source=source)


def _uses_device(device: str) -> Run:
    return lambda window: window.controller.models.change(device=device)


def _is_device(device: str) -> Ask:
    return lambda window: _loaded(window, "device") == device


MODEL: tuple[ActionSpec, ...] = (
    ActionSpec(
        "model_bundled",
        "Model",
        "&Bundled model",
        "Open the trained model that comes with the program",
        _opens_model(BUNDLED),
        needs="a version with a bundled model",
        enabled=lambda _window: bundled_is_there(),
    ),
    ActionSpec(
        "model_bundled_3x3",
        "Model",
        "Bundled model with &3 × 3 kernels",
        "Open the twin of the bundled model: smaller kernels, and the same last three runs of training",
        _opens_model(BUNDLED_3X3),
        needs="a version with this model",
        enabled=lambda _window: bundled_is_there(BUNDLED_3X3),
    ),
    *(
        ActionSpec(
            f"model_preset:{name}",
            "Model/&Presets",
            name,
            f"Open the architecture “{name}” with random weights",
            _opens_model(f"preset:{name}"),
        )
        for name in PRESETS
    ),
    *panel_actions("Model"),
    ActionSpec(
        "model_file",
        "Model",
        "Open &weights…",
        "Open a weights file",
        lambda window: window.dialogs.open_weights(),
        "Ctrl+Shift+O",
    ),
    ActionSpec(
        "model_save",
        "Model",
        "&Save weights as…",
        "Save this network in ConvNeXt Studio's format, or with the tensor names of its authors",
        lambda window: window.dialogs.save_weights(),
        needs="an open ConvNeXt",
        enabled=_has_convnext,
    ),
    ActionSpec("model_1", "Model", SEPARATOR),
    *(
        ActionSpec(
            f"device_{device}",
            "Model/&Device",
            "Automatic" if device == "auto" else device,
            "Run on a GPU if there is one, otherwise on the CPU" if device == "auto" else f"Run on {device}",
            _uses_device(device),
            group="device",
            checked=_is_device(device),
        )
        for device in DEVICES
    ),
    ActionSpec(
        "precision_float32",
        "Model/&Precision",
        "float32",
        "Use 32 bits for the forward pass",
        lambda window: window.controller.models.change(precision="float32"),
        group="precision",
        checked=lambda window: _loaded(window, "precision") == "float32",
    ),
    ActionSpec(
        "precision_bfloat16",
        "Model/&Precision",
        "bfloat16",
        "Use 16 bits for the forward pass, on CUDA only; attributions still use 32 bits",
        lambda window: window.controller.models.change(precision="bfloat16"),
        group="precision",
        checked=lambda window: _loaded(window, "precision") == "bfloat16",
        needs="a model on CUDA",
        enabled=lambda window: window.state.model is not None and window.state.model.device.startswith("cuda"),
    ),
)


def _selects_stage(number: int) -> Run:
    def select(window: "StudioWindow") -> None:
        window.strip.select_stage(number)
        window.strip.setFocus(Qt.FocusReason.ShortcutFocusReason)  # So that Enter opens it.

    return select


def _shows_costs(kind: CostKind) -> Run:
    return lambda window: window.strip.choose_costs(kind)


def _are_shown(kind: CostKind) -> Ask:
    return lambda window: window.strip.cost_kind == kind


NAVIGATE: tuple[ActionSpec, ...] = (
    ActionSpec(
        "next_picture",
        "Navigate",
        "&Next picture",
        "Show the next opened picture",
        lambda window: window.state.opened.step(1),
        "Alt+Down",
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec(
        "previous_picture",
        "Navigate",
        "&Previous picture",
        "Show the previous opened picture",
        lambda window: window.state.opened.step(-1),
        "Alt+Up",
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec("navigate_1", "Navigate", SEPARATOR),
    ActionSpec(
        "next_stage",
        "Navigate",
        "N&ext stage",
        "Go to the next stage",
        lambda window: window.strip.step_stage(1),
        "Alt+Right",
    ),
    ActionSpec(
        "previous_stage",
        "Navigate",
        "P&revious stage",
        "Go to the previous stage",
        lambda window: window.strip.step_stage(-1),
        "Alt+Left",
    ),
    *(
        ActionSpec(
            f"stage_{number}",
            "Navigate",
            f"Stage &{number}",
            f"Select stage {number}; Enter then opens it",
            _selects_stage(number),
            str(number),
        )
        for number in (1, 2, 3, 4)
    ),
    ActionSpec("navigate_2", "Navigate", SEPARATOR),
    ActionSpec(
        "next_node",
        "Navigate",
        "Ne&xt node",
        "Go to the next node on the current level of the network strip",
        lambda window: window.strip.step(1),
        "Ctrl+Right",
    ),
    ActionSpec(
        "previous_node",
        "Navigate",
        "Pre&vious node",
        "Go to the previous node on the current level of the network strip",
        lambda window: window.strip.step(-1),
        "Ctrl+Left",
    ),
    ActionSpec(
        "open_node",
        "Navigate",
        "&Open node",
        "Show the blocks of a stage, or the operations of a block, in the network strip",
        lambda window: window.strip.open_selected(),
        "Ctrl+Down",
    ),
    ActionSpec(
        "go_up",
        "Navigate",
        "Go &up",
        "Go back from operations to their block, and from blocks to their stage",
        lambda window: window.strip.go_up(),
        "Ctrl+Up",
    ),
    *(
        ActionSpec(
            f"costs_{kind}",
            "Navigate/Cost &bars",
            title,
            f"{title} below the nodes of the network strip",
            _shows_costs(kind),
            f"Alt+{number}",
            group="costs",
            checked=_are_shown(kind),
        )
        for number, (kind, title) in enumerate(COST_TITLES.items())
    ),
    ActionSpec(
        "clear_unit",
        "Navigate",
        "&Clear the unit",
        "Show the picture without the field of a unit",
        lambda window: window.state.clear_unit(),
        "Ctrl+U",
        needs="a selected unit",
        enabled=lambda window: window.state.unit is not None,
    ),
    ActionSpec(
        "pin",
        "Navigate",
        "P&in",
        "Keep these maps to compare them with the next selection; choose again to stop",
        lambda window: window.state.toggle_pin(),
        "Ctrl+P",
        needs="a picture and a model",
        enabled=lambda window: window.state.picture is not None and window.state.model is not None,
        checked=lambda window: window.state.kept.pin is not None,
    ),
    ActionSpec("navigate_3", "Navigate", SEPARATOR),
    ActionSpec(
        "follow_top",
        "Navigate",
        "Explain the &top prediction",
        "Explain the top prediction, whichever class that is",
        lambda window: window.state.set_target(None),
        "Ctrl+T",
    ),
    ActionSpec(
        "search_class",
        "Navigate",
        "&Find a class…",
        "Search all classes for one to explain",
        lambda window: window.panels.predictions.search.setFocus(),
        "Ctrl+F",
    ),
    ActionSpec("navigate_4", "Navigate", SEPARATOR),
    *panel_actions("Navigate"),
    ActionSpec("navigate_5", "Navigate", SEPARATOR),
    ActionSpec(
        "cancel",
        "Navigate",
        "&Stop computing",
        "Stop all running computations, exports and hand-outs",
        lambda window: window.stop_work(),
        "Ctrl+.",
    ),
    ActionSpec(
        "go_back",
        "Navigate",
        "Go &back",
        "Close the message, restore a maximised panel, or go up in the network",
        lambda window: window.go_back(),
        "Esc",
    ),
)


if TYPE_CHECKING:  # The window imports this table.
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
