"""`convnext-studio completion`: prints a script with which a shell completes commands, options and files."""

import argparse
import sys

import shtab

from convnext_studio.cli.command_table import COMMANDS, WINDOW, full_parser
from convnext_studio.cli.options import Parser

EXAMPLES = (
    ("bash > ~/.local/share/bash-completion/completions/convnext-studio", "for bash"),
    ("zsh > ~/.zfunc/_convnext-studio", "for zsh, where ~/.zfunc is in $fpath"),
    ("fish > ~/.config/fish/completions/convnext-studio.fish", "for fish"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio completion`."""
    parser = Parser(
        prog="convnext-studio completion",
        description=(
            "Print a script for the shell that completes the commands, options and files of this program."
        ),
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"), help="the shell to write it for")
    return parser


def run(options: argparse.Namespace) -> int:
    """Print the script for a shell."""
    sys.stdout.write(_script(options.shell))
    return 0


def _script(shell: str) -> str:
    window = full_parser(WINDOW)
    # The program itself uses no subparsers for its commands, but shtab needs them.
    commands = window.add_subparsers()
    # shtab completes the first positional argument only. That must be the command; shells add the file names.
    window._actions.insert(0, window._actions.pop())
    for name in COMMANDS:
        parser = full_parser(name)
        commands.add_parser(name, parents=[parser], add_help=False, help=parser.description)
    for parser in (window, *commands.choices.values()):
        for action in parser._actions:
            if isinstance(action.metavar, str):
                _complete_files(action, action.metavar.partition(".")[0])
    return shtab.complete(window, shell)


def _complete_files(action: argparse.Action, metavar: str) -> None:
    # shtab reads this attribute, which argparse does not declare.
    if metavar in ("DIR", "FOLDER"):
        vars(action)["complete"] = shtab.DIRECTORY
    elif metavar in ("FILE", "IMAGE"):
        vars(action)["complete"] = shtab.FILE
