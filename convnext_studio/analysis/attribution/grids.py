"""Resample maps between the grids of nodes and the input's pixels, by the positions of the units.

Both directions are products with one matrix for the rows and one for the columns. Needs only numpy.
"""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import FieldGeometry

Map = NDArray[np.float32]
PIXELS = FieldGeometry()
"""The grid of the input's pixels."""


def interpolation(
    count: int, field: FieldGeometry, wanted_count: int, wanted: FieldGeometry
) -> NDArray[np.float64]:
    """Return weights (wanted_count, count) that interpolate linearly between units along one axis.

    Beyond the centre of the outermost unit, its value is repeated.
    """
    centres = wanted.first_centre_px + wanted.stride_px * np.arange(wanted_count)
    position = np.clip((centres - field.first_centre_px) / field.stride_px, 0, count - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(count)))


def averaging(
    count: int, field: FieldGeometry, wanted_count: int, wanted: FieldGeometry
) -> NDArray[np.float64]:
    """Return weights (wanted_count, count) that average the units inside each wanted unit along one axis.

    A wanted unit that contains no unit, because it lies in the padding, gets the nearest one.
    """
    begin, wanted_begin = (grid.first_centre_px - grid.stride_px / 2 for grid in (field, wanted))
    low = begin + field.stride_px * np.arange(count)
    wanted_low = (wanted_begin + wanted.stride_px * np.arange(wanted_count))[:, None]
    overlap = np.minimum(low + field.stride_px, wanted_low + wanted.stride_px) - np.maximum(low, wanted_low)
    overlap = np.maximum(overlap, 0.0)
    total = overlap.sum(axis=1, keepdims=True)
    nearest = interpolation(count, field, wanted_count, wanted)
    return np.where(total > 0, overlap / np.where(total > 0, total, 1), nearest)


def interpolate_map(values: Map, field: FieldGeometry, shape: tuple[int, int], wanted: FieldGeometry) -> Map:
    """Interpolate a map (h, w) to a finer grid of that shape."""
    rows = interpolation(values.shape[0], field, shape[0], wanted)
    columns = interpolation(values.shape[1], field, shape[1], wanted)
    return _product(rows, values, columns)


def average_map(values: Map, field: FieldGeometry, shape: tuple[int, int], wanted: FieldGeometry) -> Map:
    """Average a map (h, w) to a coarser grid of that shape."""
    rows = averaging(values.shape[0], field, shape[0], wanted)
    columns = averaging(values.shape[1], field, shape[1], wanted)
    return _product(rows, values, columns)


def _product(rows: NDArray[np.float64], values: Map, columns: NDArray[np.float64]) -> Map:
    # A value that is not finite must not spread to positions where its weight is 0.
    if np.isfinite(values).all():
        return (rows @ values @ columns.T).astype(np.float32)
    finite = np.isfinite(values)
    result = rows @ np.where(finite, values, 0) @ columns.T
    touched = rows @ (~finite).astype(np.float64) @ columns.T > 0
    return np.where(touched, np.nan, result).astype(np.float32)
