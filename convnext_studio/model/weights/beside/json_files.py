"""Read JSON files that may hold anything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the JSON object in a file; an empty one if there is none that can be read."""
    values = read_json_value(path)
    return values if isinstance(values, dict) else {}


def read_json_value(path: Path) -> Any:
    """Return what a JSON file holds, with or without a byte-order mark; None if it cannot be read."""
    try:
        return json.loads(read_bounded(path, LARGEST_HEADER_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
