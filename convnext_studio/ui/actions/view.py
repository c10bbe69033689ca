"""How the window looks."""

from convnext_studio.ui.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.commands import Commands

VIEW: tuple[ActionSpec, ...] = (
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
        "present",
        "View",
        "&Present…",
        "Teach from this network and picture, full screen",
        Commands.present,
        "F5",
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
