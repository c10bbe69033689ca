"""The entry point: find and run the command, and turn its errors into one line and an exit status."""

import sys
from collections.abc import Sequence

from convnext_studio.cli import exit_status
from convnext_studio.cli.command_table import COMMANDS, WINDOW, command_named, full_parser
from convnext_studio.cli.terminal import any_terminal, complain
from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.module_search import leave_current_folder
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return one of the statuses in `exit_status`."""
    leave_current_folder()
    arguments = sys.argv[1:] if arguments is None else arguments
    with any_terminal():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments and arguments[0] in COMMANDS else WINDOW
    try:
        options = full_parser(name).parse_args(arguments if name == WINDOW else arguments[1:])
        return command_named(name).run(options)
    except StudioError as error:
        complain(error)
        return exit_status.FAILED
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        if is_out_of_memory(error):
            whose = "The computer's" if is_of_computer(error) else "The graphics device's"
            complain(f"{whose} memory has run out. Use smaller sizes.")
            return exit_status.FAILED
        if not isinstance(error, ImportError):
            raise
        complain(f"A part of the installation is missing or damaged: {_first_line(error)}. Install it again.")
        return exit_status.CANNOT_START
    except KeyboardInterrupt:
        return exit_status.INTERRUPTED


def _first_line(error: ImportError) -> str:
    return next(iter(str(error).splitlines()), "a module")[:200].rstrip(".")
