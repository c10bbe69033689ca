"""Read JSON files that may hold anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.foreign.strict_json import parse_json


def read_json(path: Path, notes: list[str] | None = None) -> Mapping[str, Any]:
    """Return the JSON object in a file; an empty one if there is none that can be read.

    Parameters
    ----------
    notes
        Gets a sentence about a file that is there and cannot be read.
    """
    values = read_json_value(path, notes)
    if isinstance(values, dict):
        return values
    if values is not None and notes is not None:
        notes.append(f"{path.name} next to it is left out: there is no JSON object in it.")
    return {}


def read_json_value(path: Path, notes: list[str] | None = None) -> Any:
    """Return what a JSON file holds, with or without a byte-order mark; None if it cannot be read.

    Parameters
    ----------
    notes
        As in `read_json`.
    """
    try:
        return parse_json(read_bounded(path, LARGEST_HEADER_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        why = f"it cannot be read ({system_reason(error)})"
    except ValueError as error:  # What the reader says of a text that is no JSON is for programmers.
        is_ours = str(error).startswith("it ")
        why = str(error) if is_ours else "it is damaged"
    if notes is not None:
        notes.append(f"{path.name} next to it is left out: {why}.")
    return None
