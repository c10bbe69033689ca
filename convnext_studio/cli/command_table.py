"""The list of commands of `convnext-studio`, and the lookup of a command's module and parser.

To add a command, add a module with its `parser`, `run` and `EXAMPLES` to the folder `commands`, and a line to
`COMMANDS`. A command's module is imported only when that command is given, and slow imports (numpy, torch, Qt)
only happen when it runs, so that ``--help`` answers at once.
"""

import argparse
import shutil
import textwrap
from importlib import import_module
from typing import Protocol, cast

from convnext_studio.cli import exit_status

WINDOW = "open-window"
"""The module that runs without a command. It is not a command itself: a picture may have that name."""

COMMANDS: dict[str, str] = {
    "export": "write predictions, maps, Grad-CAM and receptive field of pictures to files, without a window",
    "erf": "measure effective receptive fields over a folder of pictures, and compare networks",
    "handout": "write the lecture, computed with a model and a picture, as one PDF or HTML file",
    "train": "train a network on a folder of pictures",
    "evaluate": "measure the accuracy of a trained network on a folder of pictures",
    "models": "list the models that can be opened",
    "doctor": "show what ConvNeXt Studio finds on this computer, and what is missing",
    "completion": "print a shell completion script",
    "install-desktop-entry": "add the program to the desktop's menu (Linux), or remove it",
}
"""The commands with their descriptions. A command's module has the command's name, with underscores."""


class CommandModule(Protocol):
    """The contents of a command's module."""

    EXAMPLES: tuple[tuple[str, str], ...]
    """Example arguments, each with a description of what they do."""

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command's options."""

    def run(self, options: argparse.Namespace) -> int:
        """Do what the options ask for, and return the exit status."""


def command_named(name: str) -> CommandModule:
    """Import the module of a command, or of `WINDOW`."""
    return cast("CommandModule", import_module(f"convnext_studio.cli.commands.{name.replace('-', '_')}"))


def full_parser(name: str) -> argparse.ArgumentParser:
    """Return a command's parser, whose help ends with examples and the exit status."""
    command = command_named(name)
    parser = command.parser()
    width = min(shutil.get_terminal_size().columns - 2, 100)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = textwrap.fill(parser.description or "", width)
    lines = [
        f"  {parser.prog} {arguments}".rstrip() + f"\n      {text}" for arguments, text in command.EXAMPLES
    ]
    parts = [parser.epilog or "", "examples:\n" + "\n".join(lines), exit_status.HELP]
    parser.epilog = "\n\n".join(part.rstrip() for part in parts if part)
    return parser
