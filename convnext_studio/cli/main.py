"""The entry point: find and run the command, and turn its errors into one line and an exit status."""

import os
import sys
from collections.abc import Sequence

from convnext_studio.cli import exit_status
from convnext_studio.cli.command_table import COMMANDS, WINDOW, command_named, full_parser
from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.module_search import leave_current_folder
from convnext_studio.common.processes.out_of_memory import is_of_computer, is_out_of_memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return one of the statuses in `exit_status`."""
    leave_current_folder()
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments and arguments[0] in COMMANDS else WINDOW
    try:
        options = full_parser(name).parse_args(arguments if name == WINDOW else arguments[1:])
        return command_named(name).run(options)
    except StudioError as error:
        print(f"convnext-studio: {error}", file=sys.stderr)
        return exit_status.FAILED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        whose = "The computer's" if is_of_computer(error) else "The graphics device's"
        print(f"convnext-studio: {whose} memory has run out. Use smaller sizes.", file=sys.stderr)
        return exit_status.FAILED
    except KeyboardInterrupt:
        return exit_status.INTERRUPTED
    except BrokenPipeError:
        # The reading program (head, less) has ended; without this, Python would report that again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_status.FAILED
