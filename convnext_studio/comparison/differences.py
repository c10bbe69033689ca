"""Subtracts the maps of two networks, whose units may lie at different places of the picture."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry, FieldGeometry

Map = NDArray[np.float32] | NDArray[np.float64]


class MapPlace(Struct, frozen=True):
    """Where the units of a map are in the picture.

    Attributes
    ----------
    field
        The geometry of the units in the network's input.
    geometry
        The position of that input in the picture.
    """

    field: FieldGeometry
    geometry: CropGeometry

    def is_grid_of(self, other: "MapPlace") -> bool:
        """Whether units of the same index have the same centre in the picture."""
        field, its = self.field, other.field
        return self.geometry == other.geometry and (field.stride_px, field.first_centre_px) == (
            its.stride_px,
            its.first_centre_px,
        )


def difference_of(a: Map, at_a: MapPlace, b: Map, at_b: MapPlace) -> Map:
    """Return A minus B at the units of A, (..., h, w); NaN where the map of B does not reach.

    Maps on the same grid are subtracted value by value. Otherwise B is interpolated between its units at the
    centres of A's. Of maps with several channels, those that both have are subtracted.
    """
    if a.ndim > 2:
        channels = min(a.shape[0], b.shape[0])
        a, b = a[:channels], b[:channels]
    return np.asarray(a - sampled_like(b, at_b, a.shape[-2:], at_a))


def curtain_of(a: Map, at_a: MapPlace, b: Map, at_b: MapPlace, share: float = 0.5) -> Map:
    """Return A left of a line and B right of it, at the units of A, (..., h, w); NaN where B does not reach.

    Parameters
    ----------
    share
        Where the line is, as a share of the width of A's map from the left; it is moved to the nearest border
        between two units.
    """
    if a.ndim > 2:
        channels = min(a.shape[0], b.shape[0])
        a, b = a[:channels], b[:channels]
    line = round(share * a.shape[-1])
    theirs = sampled_like(b, at_b, a.shape[-2:], at_a)
    return np.where(np.arange(a.shape[-1]) < line, a, theirs)


def sampled_like(values: Map, at: MapPlace, shape: tuple[int, ...], like: MapPlace) -> Map:
    """Return a map (..., h, w) at the units of another one of that shape (h, w); NaN where it does not reach.

    Values are interpolated linearly between the centres of the units, and constant in the outer half of the
    units at the border.
    """
    if at.is_grid_of(like) and values.shape[-2:] == tuple(shape):
        return values
    height, width = shape
    rows = _axis(values.shape[-2], at, height, like, axis=1)
    columns = _axis(values.shape[-1], at, width, like, axis=0)
    return np.asarray((rows @ values.astype(np.float64) @ columns.T).astype(values.dtype))


def _axis(count: int, at: MapPlace, wanted: int, like: MapPlace, axis: int) -> NDArray[np.float64]:
    """Return the weights (wanted, count) that interpolate along one axis; rows of NaN where nothing is."""
    centres = like.field.first_centre_px + np.arange(wanted) * float(like.field.stride_px)
    in_picture = (centres + like.geometry.crop_origin[axis]) * like.geometry.scale[axis]
    in_input = in_picture / at.geometry.scale[axis] - at.geometry.crop_origin[axis]
    place = (in_input - at.field.first_centre_px) / at.field.stride_px
    weights = np.zeros((wanted, count))
    inside = np.clip(place, 0, count - 1)
    first = np.minimum(inside.astype(int), max(0, count - 2))
    share = inside - first
    rows = np.arange(wanted)
    weights[rows, first] += 1 - share
    if count > 1:
        weights[rows, first + 1] += share
    # Rounding must not lose a unit whose edge lies on the border.
    weights[(place < -0.5 - 1e-9) | (place > count - 0.5 + 1e-9)] = np.nan
    return weights


def shares_of(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a receptive field as shares of its sum, because the gradients of two networks differ in scale."""
    total = float(field.sum())
    return field / total if total else field
