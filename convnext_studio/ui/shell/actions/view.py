"""How the window looks."""

from collections.abc import Callable
from functools import partial

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.shell.commands.view_commands import ViewCommands
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS


def _view(handler: Callable[[ViewCommands], None]) -> Callable[[Commands], None]:
    return lambda commands: handler(commands.view)


VIEW: tuple[ActionSpec, ...] = (
    ActionSpec(
        "reset",
        "View",
        "&Reset layout",
        "Put all panels back in their places",
        _view(ViewCommands.reset_layout),
    ),
    *(
        ActionSpec(
            f"arrange_{name}",
            "View/&Layouts",
            arrangement.title,
            arrangement.tip,
            _view(partial(ViewCommands.arrange, name=name)),
            f"F{key}",
        )
        for key, (name, arrangement) in enumerate(ARRANGEMENTS.items(), start=2)
    ),
    ActionSpec(
        "maximise_panel",
        "View",
        "&Maximise panel",
        "Let the panel with the keyboard fill the window, or put all back",
        _view(ViewCommands.maximise),
        "F12",
    ),
    ActionSpec(
        "float_panel",
        "View",
        "Fl&oat panel",
        "Let the panel with the keyboard float beside the window, or put it back",
        _view(ViewCommands.float_panel),
        "Shift+F12",
    ),
    ActionSpec(
        "close_panel",
        "View",
        "&Hide panel",
        "Hide the panel with the keyboard",
        _view(ViewCommands.close_panel),
        "Ctrl+F12",
    ),
    ActionSpec(
        "next_panel",
        "View",
        "&Next panel",
        "Give the keyboard to the next panel",
        _view(partial(ViewCommands.step_panel, step=1)),
        "F6",
    ),
    ActionSpec(
        "previous_panel",
        "View",
        "&Previous panel",
        "Give the keyboard to the panel before",
        _view(partial(ViewCommands.step_panel, step=-1)),
        "Shift+F6",
    ),
    ActionSpec("view_1", "View", SEPARATOR),
    ActionSpec(
        "theme_system",
        "View/&Theme",
        "As the &system",
        "Dark or light as the desktop is, where that is known, and dark elsewhere",
        _view(lambda view: view.use_theme("system")),
        checkable=True,
        group="theme",
    ),
    ActionSpec(
        "theme_dark",
        "View/&Theme",
        "&Dark",
        "A dark window, for the eye at the microscope",
        _view(lambda view: view.use_theme("dark")),
        checkable=True,
        group="theme",
    ),
    ActionSpec(
        "theme_light",
        "View/&Theme",
        "&Light",
        "A light window, for projectors",
        _view(lambda view: view.use_theme("light")),
        checkable=True,
        group="theme",
    ),
    ActionSpec(
        "present",
        "View",
        "Pr&esent…",
        "Teach from this network and picture, full screen",
        Commands.present,
        "F5",
    ),
    ActionSpec(
        "text_larger",
        "View/Te&xt size",
        "&Larger",
        "Larger text, and everything beside it, up to 28 points",
        _view(ViewCommands.larger_text),
        "Ctrl++",
    ),
    ActionSpec(
        "text_smaller",
        "View/Te&xt size",
        "&Smaller",
        "Smaller text, and everything beside it, down to 9 points",
        _view(ViewCommands.smaller_text),
        "Ctrl+-",
    ),
    ActionSpec(
        "text_system",
        "View/Te&xt size",
        "&As the system",
        "Text as large as the desktop has it",
        _view(ViewCommands.systems_text),
        "Ctrl+0",
    ),
    ActionSpec(
        "zoom_fit",
        "View/&Zoom",
        "&Fit",
        "All of the view with the keyboard or under the pointer, as large as it goes",
        _view(ViewCommands.fit_view),
        "F7",
    ),
    ActionSpec(
        "zoom_pixels",
        "View/&Zoom",
        "&1:1",
        "One pixel on one of the screen, in the view with the keyboard or under the pointer",
        _view(ViewCommands.show_pixels),
        "F8",
    ),
    ActionSpec(
        "zoom_reset", "View/&Zoom", "&Reset all", "Show all in every view", _view(ViewCommands.reset_zoom), "F9"
    ),
    ActionSpec(
        "zoom_linked",
        "View/&Zoom",
        "&Linked",
        "All views of the picture show the same part of it",
        _view(ViewCommands.toggle_linked_zoom),
        "Shift+F9",
        checkable=True,
    ),
    ActionSpec(
        "full_screen",
        "View",
        "&Full screen",
        "Fill the screen with the window",
        _view(ViewCommands.toggle_full_screen),
        "F11",
        checkable=True,
    ),
)
