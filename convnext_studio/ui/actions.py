"""One table of all actions, from which menus, shortcuts and tooltips are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QMenuBar

from convnext_studio.model.presets import PRESETS
from convnext_studio.samples import SAMPLES
from convnext_studio.ui.commands import Commands
from convnext_studio.ui.panels.model import DEVICES
from convnext_studio.ui.panels.strip_costs import COST_TITLES

Argument = TypeVar("Argument")
SEPARATOR = "-"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action.

    Attributes
    ----------
    id
        Unique; the QAction's object name.
    menu
        Path of the menu it is in: ``File``, ``File/Samples``.
    text
        In the menu; with an ampersand before the access key. `SEPARATOR` draws a line there.
    tip
        What it does, in a sentence.
    handler
        What is called.
    shortcut
        Portable key sequence; empty for none.
    checkable
        It is on or off.
    group
        Of the actions of a group, one is on.
    """

    id: str
    menu: str
    text: str
    tip: str = ""
    handler: Callable[[Commands], None] = lambda _: None
    shortcut: str = ""
    checkable: bool = False
    group: str = ""


def _with(handler: Callable[[Commands, Argument], None], argument: Argument) -> Callable[[Commands], None]:
    return lambda commands: handler(commands, argument)


_FILE = (
    ActionSpec("open", "File", "&Open pictures…", "Open picture files", Commands.open_pictures, "Ctrl+O"),
    ActionSpec("paste", "File", "&Paste", "Open what is on the clipboard", Commands.paste, "Ctrl+V"),
    *(
        ActionSpec(
            f"sample_{name}",
            "File/&Samples",
            sample.title,
            f"Open the photograph “{sample.title}” ({sample.credit})",
            _with(Commands.open_sample, name),
        )
        for name, sample in SAMPLES.items()
    ),
    ActionSpec(
        "close", "File", "&Close picture", "Close the current picture", Commands.close_picture, "Ctrl+W"
    ),
    ActionSpec("file_1", "File", SEPARATOR),
    ActionSpec(
        "open_field",
        "File",
        "Open receptive &field…",
        "Open a saved field, .npy or .npz, in the receptive-field lab: its squares need no model",
        Commands.open_field,
        "Ctrl+Shift+F",
    ),
    ActionSpec(
        "save_field",
        "File",
        "Save receptive fiel&d…",
        "Save the receptive field that is shown, with its protocol (.npz) or alone (.npy)",
        Commands.save_field,
    ),
    ActionSpec("file_3", "File", SEPARATOR),
    ActionSpec(
        "export",
        "File",
        "&Export…",
        "Write feature maps, receptive field, Grad-CAM and a report of this picture into a folder",
        Commands.export,
        "Ctrl+E",
    ),
    ActionSpec(
        "save_map",
        "File",
        "Save &map…",
        "Write the attribution map that is shown, its numbers and its figure into a folder",
        Commands.save_map,
        "Ctrl+Shift+E",
    ),
    ActionSpec(
        "screenshot",
        "File",
        "Sa&ve screenshot…",
        "Save a picture of the window",
        Commands.save_screenshot,
        "Ctrl+Shift+S",
    ),
    ActionSpec("file_2", "File", SEPARATOR),
    ActionSpec("quit", "File", "&Quit", "End the program", Commands.quit, "Ctrl+Q"),
)

_VIEW = (
    ActionSpec("reset", "View", "&Reset layout", "Put all panels back in their places", Commands.reset_layout),
    ActionSpec("view_1", "View", SEPARATOR),
    ActionSpec(
        "theme_dark",
        "View/&Theme",
        "&Dark",
        "A dark window, for the eye at the microscope",
        Commands.use_dark_theme,
        checkable=True,
        group="theme",
    ),
    ActionSpec(
        "theme_light",
        "View/&Theme",
        "&Light",
        "A light window, for projectors",
        Commands.use_light_theme,
        checkable=True,
        group="theme",
    ),
    ActionSpec(
        "full_screen",
        "View",
        "&Full screen",
        "Fill the screen with the window",
        Commands.toggle_full_screen,
        "F11",
        checkable=True,
    ),
)

_MODEL = (
    ActionSpec(
        "model_bundled",
        "Model",
        "&Bundled model",
        "Open the trained model that comes with the program",
        _with(Commands.open_model, "bundled"),
    ),
    *(
        ActionSpec(
            f"model_preset:{name}",
            "Model/&Presets",
            name,
            f"Open the architecture “{name}” with random weights",
            _with(Commands.open_model, f"preset:{name}"),
        )
        for name in PRESETS
    ),
    ActionSpec(
        "model_pretrained",
        "Model",
        "P&retrained models…",
        "List all pretrained models, with their data and licences, and open one",
        Commands.list_pretrained,
        "Ctrl+M",
    ),
    ActionSpec(
        "model_file", "Model", "Open &weights…", "Open a weights file", Commands.open_weights, "Ctrl+Shift+O"
    ),
    ActionSpec(
        "model_save",
        "Model",
        "&Save weights as…",
        "Save this network as a file of ConvNeXt Studio, or with the tensors' names of its authors",
        Commands.save_weights,
    ),
    ActionSpec(
        "model_build",
        "Model",
        "B&uild a network…",
        "Describe a network field by field, see what it costs, and build it with random weights",
        Commands.build_network,
        "Ctrl+B",
    ),
    ActionSpec(
        "field_lab",
        "Model",
        "Receptive-field &lab…",
        "Compare receptive fields, see their curves and how they grow with depth",
        Commands.open_field_lab,
        "Ctrl+L",
    ),
    ActionSpec("model_1", "Model", SEPARATOR),
    *(
        ActionSpec(
            f"device_{device}",
            "Model/&Device",
            "Automatic" if device == "auto" else device,
            "Run on CUDA, else MPS, else the CPU" if device == "auto" else f"Run on {device}",
            _with(Commands.use_device, device),
            checkable=True,
            group="device",
        )
        for device in DEVICES
    ),
    ActionSpec(
        "precision_float32",
        "Model/&Precision",
        "float32",
        "Forward pass in 32 bits",
        Commands.use_float32,
        checkable=True,
        group="precision",
    ),
    ActionSpec(
        "precision_bfloat16",
        "Model/&Precision",
        "bfloat16",
        "Forward pass in 16 bits, on CUDA only; attributions stay in 32",
        Commands.use_bfloat16,
        checkable=True,
        group="precision",
    ),
)

_NAVIGATE = (
    ActionSpec(
        "next_picture",
        "Navigate",
        "&Next picture",
        "Show the next opened picture",
        _with(Commands.step_picture, 1),
        "Alt+Down",
    ),
    ActionSpec(
        "previous_picture",
        "Navigate",
        "&Previous picture",
        "Show the opened picture before",
        _with(Commands.step_picture, -1),
        "Alt+Up",
    ),
    ActionSpec("navigate_1", "Navigate", SEPARATOR),
    ActionSpec(
        "next_stage",
        "Navigate",
        "N&ext stage",
        "Look at the stage behind",
        _with(Commands.step_stage, 1),
        "Alt+Right",
    ),
    ActionSpec(
        "previous_stage",
        "Navigate",
        "P&revious stage",
        "Look at the stage before",
        _with(Commands.step_stage, -1),
        "Alt+Left",
    ),
    *(
        ActionSpec(
            f"stage_{number}",
            "Navigate",
            f"Stage &{number}",
            f"Look at the output of stage {number}",
            _with(Commands.select_stage, number),
            str(number),
        )
        for number in (1, 2, 3, 4)
    ),
    ActionSpec("navigate_2", "Navigate", SEPARATOR),
    ActionSpec(
        "next_node",
        "Navigate",
        "Ne&xt node",
        "Look at the node behind, on the level that the network strip shows",
        _with(Commands.step_node, 1),
        "Ctrl+Right",
    ),
    ActionSpec(
        "previous_node",
        "Navigate",
        "Pre&vious node",
        "Look at the node before, on the level that the network strip shows",
        _with(Commands.step_node, -1),
        "Ctrl+Left",
    ),
    ActionSpec(
        "open_node",
        "Navigate",
        "&Open node",
        "Show a stage's blocks, or a block's operations, in the network strip",
        Commands.open_node,
        "Ctrl+Down",
    ),
    ActionSpec(
        "go_up",
        "Navigate",
        "Go &up",
        "Go back from operations to their block, and from blocks to their stage",
        Commands.go_up,
        "Ctrl+Up",
    ),
    *(
        ActionSpec(
            f"costs_{kind}",
            "Navigate/Cost &bars",
            title,
            f"{title} below the nodes of the network strip",
            _with(Commands.show_costs, kind),
            f"Ctrl+{number}",
            checkable=True,
            group="costs",
        )
        for number, (kind, title) in enumerate(COST_TITLES.items())
    ),
    ActionSpec(
        "clear_unit",
        "Navigate",
        "&Clear the unit",
        "Show the picture without a unit's field",
        Commands.clear_unit,
        "Ctrl+U",
    ),
    ActionSpec(
        "pin",
        "Navigate",
        "P&in",
        "Keep this node on this picture beside whatever is selected next, to compare; or stop that",
        Commands.toggle_pin,
        "Ctrl+P",
        checkable=True,
    ),
    ActionSpec("navigate_3", "Navigate", SEPARATOR),
    ActionSpec(
        "follow_top",
        "Navigate",
        "Explain the &top prediction",
        "Explain whatever is predicted first",
        Commands.follow_top,
        "Ctrl+T",
    ),
    ActionSpec(
        "search_class",
        "Navigate",
        "&Find a class…",
        "Search among all classes for one to explain",
        Commands.search_class,
        "Ctrl+F",
    ),
    ActionSpec("navigate_4", "Navigate", SEPARATOR),
    ActionSpec(
        "evidence",
        "Navigate",
        "Check the &map…",
        "Measure whether the attribution map can be believed",
        Commands.show_evidence,
        "Ctrl+I",
    ),
    ActionSpec(
        "contact_sheet",
        "Navigate",
        "Contact s&heet…",
        "Explain all opened pictures beside each other",
        Commands.show_contact_sheet,
        "Ctrl+K",
    ),
    ActionSpec("navigate_5", "Navigate", SEPARATOR),
    ActionSpec(
        "cancel", "Navigate", "&Stop computing", "Stop all that is being computed", Commands.cancel, "Esc"
    ),
)

_HELP = (
    ActionSpec("shortcuts", "Help", "&Shortcuts", "List all keys", Commands.show_shortcuts, "F1"),
    ActionSpec("about", "Help", "&About", "What this program is", Commands.show_about),
)

ACTIONS: tuple[ActionSpec, ...] = (*_FILE, *_VIEW, *_MODEL, *_NAVIGATE, *_HELP)


def build_actions(window: QMainWindow, commands: Commands) -> dict[str, QAction]:
    """All actions of the table, by id, added to the window so that their shortcuts work everywhere in it."""
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        action = QAction(window)
        action.setObjectName(spec.id)
        actions[spec.id] = action
        if spec.text == SEPARATOR:
            action.setSeparator(True)
            continue
        action.setText(spec.text)
        action.setShortcut(QKeySequence(spec.shortcut))
        action.setStatusTip(spec.tip)
        action.setToolTip(f"{spec.tip} ({spec.shortcut})" if spec.shortcut else spec.tip)
        action.setCheckable(spec.checkable)
        if spec.group:
            group = groups.setdefault(spec.group, QActionGroup(window))
            group.addAction(action)
        action.triggered.connect(lambda _checked=False, spec=spec: spec.handler(commands))
        window.addAction(action)
    return actions


def build_menus(bar: QMenuBar, actions: Mapping[str, QAction]) -> dict[str, QMenu]:
    """The menus of the table, by path without ampersands, in the order of the table."""
    menus: dict[str, QMenu] = {}
    for spec in ACTIONS:
        _menu_at(bar, menus, spec.menu).addAction(actions[spec.id])
    return menus


def _menu_at(bar: QMenuBar, menus: dict[str, QMenu], path: str) -> QMenu:
    plain = path.replace("&", "")
    if plain not in menus:
        above, _, title = path.rpartition("/")
        parent = _menu_at(bar, menus, above) if above else bar
        menus[plain] = parent.addMenu(title if above else f"&{title}")
        menus[plain].setToolTipsVisible(True)
    return menus[plain]
