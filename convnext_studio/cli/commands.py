"""The commands of `convnext-studio`, and how one of them is found.

To add a command, write a file with its `parser`, `run` and `EXAMPLES` into this folder, and add a line to
`COMMANDS`. A command's file is imported when that command is given, and what takes long to import (numpy,
torch, Qt) when it runs, so that ``--help`` answers at once.
"""

import argparse
import shutil
import textwrap
from importlib import import_module
from typing import Protocol, cast

from convnext_studio.cli import exit_status

WINDOW = "window"
"""The file of what happens without a command. It is no command: a picture may have that name."""

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
"""What each command does. A command's file is named like the command, with underscores."""


class Command(Protocol):
    """What a command's file holds."""

    EXAMPLES: tuple[tuple[str, str], ...]
    """Arguments, each with what they do."""

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command's options."""

    def run(self, options: argparse.Namespace) -> int:
        """Do what the options ask for, and return the exit status."""


def command_named(name: str) -> Command:
    """Import the file of a command, or of `WINDOW`."""
    return cast("Command", import_module(f"convnext_studio.cli.{name.replace('-', '_')}"))


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
