"""Sentences on fields of which squares and curves say little."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from convnext_studio.fields.squares import THRESHOLDS, Scale, Square

SMALLEST_SIDE_PX = 3
"""The published squares begin at this side."""


def field_notes(field: NDArray[np.float64], scale: Scale, found: Iterable[Square]) -> tuple[str, ...]:
    """What people should know of a field (H, W) whose squares on that scale are those found."""
    if not field.any():
        return ("The field is zero: no pixel of the input changes what was measured.",)
    said = []
    if field.min() == field.max():
        said.append("The field is the same at every pixel: its squares only measure area.")
    if min(field.shape) < SMALLEST_SIDE_PX:
        said.append(f"The input is smaller than {SMALLEST_SIDE_PX} pixels, where the published squares begin.")
    missing = [
        f"{100 * share:g} %" for share in THRESHOLDS if share not in {square.threshold for square in found}
    ]
    if missing:
        of_what = "log10(1 + field)" if scale == "log" else "the field"
        said.append(f"No centred square within the input holds more than {' or '.join(missing)} of {of_what}.")
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    if max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 < SMALLEST_SIDE_PX:
        said.append(f"All of the field lies within fewer than {SMALLEST_SIDE_PX} pixels.")
    return tuple(said)
