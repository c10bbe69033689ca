"""What an action is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # The window imports the table of actions.
    from convnext_studio.ui.shell.window import StudioWindow

Run: TypeAlias = Callable[["StudioWindow"], object]
Ask: TypeAlias = Callable[["StudioWindow"], bool]
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
    run
        Calls the method of whichever part of the window does it.
    shortcut
        Portable key sequence; empty for none.
    group
        Of the actions of a group, one is on.
    needs
        What has to be there before it can be done, after the word "needs"; empty where it always can.
    enabled
        Whether that is there; None where it always can be done.
    checked
        Whether it is on; None where it is not an action that can be on or off.
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
