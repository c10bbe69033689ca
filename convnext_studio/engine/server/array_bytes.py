"""Measures how much memory the arrays in an answer take."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple
from torch import Tensor


def array_bytes(value: Any) -> int:
    """Return the size of the arrays in a value: an array, a tensor, bytes, or data that contains them."""
    if isinstance(value, int | float | str):
        return 0  # Most of what a prediction has, such as the sizes of a hundred nodes.
    if isinstance(value, np.ndarray | Tensor):
        return value.nbytes
    if isinstance(value, Struct):
        return sum(map(array_bytes, astuple(value)))
    if is_dataclass(value):
        return sum(array_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return sum(array_bytes(entry) for entry in value.values())
    if isinstance(value, tuple | list):
        return sum(array_bytes(entry) for entry in value)
    return len(value) if isinstance(value, bytes) else 0
