"""JSON as its standard has it: Python's own reader also takes Infinity and NaN, which nothing here expects."""

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes, *, unique_names: bool = False) -> Any:
    """Return what a JSON text holds.

    Parameters
    ----------
    unique_names
        Whether to refuse an object that has a name twice, of which readers choose one or the other.

    Raises
    ------
    ValueError
        If it is no JSON, has a number that is not finite, is nested too deeply, or has a name twice that must
        not be.
    """
    hook = _of_unique_names if unique_names else None
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=hook)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"it contains {text}, which is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it contains a number that is too large")
    return number


def _of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found
