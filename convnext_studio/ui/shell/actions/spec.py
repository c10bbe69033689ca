"""What an action is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.shell.commands.file_commands import FileCommands
from convnext_studio.ui.shell.commands.help_commands import HelpCommands

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
    needs
        What has to be there before it can be done, after the word "needs"; empty where it always can.
    """

    id: str
    menu: str
    text: str
    tip: str = ""
    handler: Callable[[Commands], None] = lambda _: None
    shortcut: str = ""
    checkable: bool = False
    group: str = ""
    needs: str = ""


def with_argument(
    handler: Callable[[Commands, Argument], None], argument: Argument
) -> Callable[[Commands], None]:
    """A handler that is called with an argument of the action's own."""
    return lambda commands: handler(commands, argument)


def of_help(handler: Callable[[HelpCommands], None]) -> Callable[[Commands], None]:
    """A handler of the Edit and Help menus'."""
    return lambda commands: handler(commands.help)


def of_files(handler: Callable[[FileCommands], None]) -> Callable[[Commands], None]:
    """A handler about folders and sessions."""
    return lambda commands: handler(commands.files)
