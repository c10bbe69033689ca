"""The specification of an action."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:  # The window imports the table of actions.
    from convnext_studio.ui.shell.window import StudioWindow

Run: TypeAlias = Callable[["StudioWindow"], object]
Ask: TypeAlias = Callable[["StudioWindow"], bool]
SEPARATOR = "-"
TWO_NETWORKS_KEYS = ("Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4")
"""The keys that show A, B, their difference, and both."""


class ActionSpec(Struct, frozen=True):
    """A row of the table of actions.

    Attributes
    ----------
    id
        Unique id, also the object name of the QAction.
    menu
        Path of its menu, such as ``File`` or ``File/Samples``.
    text
        Text in the menu, with an ampersand before the access key. `SEPARATOR` draws a line instead.
    tip
        What the action does, in a sentence.
    run
        Called with the window when the action is triggered.
    shortcut
        Portable key sequence; empty for none.
    leaves_keys
        Whether the widget with the keyboard focus may use the shortcut itself; the action gets it otherwise.
    group
        Name of a group of actions of which exactly one is checked; empty for none.
    needs
        What the action requires, as read after the word "needs"; empty if it is always enabled.
    enabled
        Whether the requirement is met; None if the action is always enabled.
    checked
        Whether the action is checked; None if it is not checkable.
    """

    id: str
    menu: str
    text: str
    tip: str = ""
    run: Run = lambda _window: None
    shortcut: str = ""
    group: str = ""
    needs: str = ""
    enabled: Ask | None = None
    checked: Ask | None = None
    leaves_keys: bool = False
