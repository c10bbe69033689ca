"""JSON as its standard has it: Python's own reader also takes Infinity and NaN, which nothing here expects."""

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    ValueError
        If it is no JSON, has a number that is not finite, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"it contains {text}, which is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it contains a number that is too large")
    return number
