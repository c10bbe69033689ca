"""The entry point: find and run the command, and turn its errors into one line and an exit status."""

import errno
import sys
import traceback
from collections.abc import Sequence

from convnext_studio.cli import exit_status
from convnext_studio.cli.command_table import COMMANDS, WINDOW, command_named, full_parser
from convnext_studio.cli.terminal import any_terminal, complain
from convnext_studio.common.errors import StudioError, why_not_imported
from convnext_studio.common.processes.module_search import leave_current_folder
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory

_TOO_MANY = (errno.EMFILE, errno.ENFILE, errno.EAGAIN)


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
    except KeyboardInterrupt:
        return exit_status.INTERRUPTED
    except Exception as error:
        if is_out_of_memory(error):
            whose = "The computer's" if is_of_computer(error) else "The graphics device's"
            complain(f"{whose} memory has run out. Use smaller sizes.")
            return exit_status.FAILED
        if isinstance(error, OSError) and error.errno in _TOO_MANY:
            complain(f"The system does not allow more open files or processes ({error.strerror}).")
            return exit_status.FAILED
        if not isinstance(error, ImportError) and not _is_of_import(error):
            raise
        complain(why_not_imported(error))
        return exit_status.CANNOT_START


def _is_of_import(error: BaseException) -> bool:
    """Return whether a library failed while it was imported, as over a setting in the environment."""
    # Python leaves its own frames of an import out; those of the imported modules' own code have this name.
    return any(frame.name == "<module>" for frame in traceback.extract_tb(error.__traceback__))
