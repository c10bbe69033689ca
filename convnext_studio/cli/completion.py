"""The command `completion`: what a shell needs to complete the program's commands, options and files."""

import argparse
import sys

import shtab


def run(options: argparse.Namespace) -> int:
    """Print the script of a shell."""
    commands = {name: make() for name, make in options.commands.items()}
    sys.stdout.write(script(options.shell, options.window(), commands))
    return 0


def script(shell: str, window: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser]) -> str:
    """The completion script of a shell.

    Parameters
    ----------
    window
        The parser of the program without a command; it is changed.
    commands
        The parser of every command, by its name.
    """
    # The program tells a command from a picture by itself; for the shell they are one tree.
    below = window.add_subparsers()
    # shtab offers the first positional argument only: the commands, to which shells add the names of files.
    window._actions.insert(0, window._actions.pop())
    for name, parser in commands.items():
        below.add_parser(name, parents=[parser], add_help=False, help=parser.description)
    for parser in (window, *below.choices.values()):
        for action in parser._actions:
            if isinstance(action.metavar, str):
                _complete_files(action, action.metavar.partition(".")[0])
    return shtab.complete(window, shell)


def _complete_files(action: argparse.Action, what: str) -> None:
    # shtab reads this attribute, which argparse does not declare.
    if what in ("DIR", "FOLDER"):
        vars(action)["complete"] = shtab.DIRECTORY
    elif what in ("FILE", "IMAGE"):
        vars(action)["complete"] = shtab.FILE
