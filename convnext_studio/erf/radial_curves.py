"""Curves of a receptive field over the distance from its centre."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


class FieldCurves(Struct, frozen=True, kw_only=True):
    """A receptive field as functions of the distance from its centre.

    Attributes
    ----------
    distance_px
        (n,) float64: 1, 2, ... input pixels, up to the farthest corner.
    cumulative
        (n,) float64: the share of the field in pixels whose centres are within that distance; 1 at the end, and
        all zero for a field of zeros.
    radial
        (n,) float64: the mean of the field over pixels whose centres are within that distance but beyond the
        previous one; NaN if there are none. In the unit of the field, without a logarithm.
    """

    distance_px: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    radial: NDArray[np.float64]


def curves_of(field: NDArray[np.float64], centre_px: tuple[float, float]) -> FieldCurves:
    """Compute the curves of a non-negative field (H, W) around x and y in continuous input coordinates."""
    height, width = field.shape
    across = np.arange(width) + 0.5 - centre_px[0]
    down = np.arange(height) + 0.5 - centre_px[1]
    # A pixel exactly at the centre belongs to the first ring, together with those up to 1 pixel away.
    ring = np.maximum(np.ceil(np.hypot(down[:, None], across[None, :])).astype(np.int64), 1).ravel() - 1
    held = np.bincount(ring, weights=field.ravel())
    pixels = np.bincount(ring)
    total = held.sum()
    return FieldCurves(
        distance_px=np.arange(1, len(held) + 1, dtype=np.float64),
        cumulative=np.cumsum(held) / total if total > 0 else np.zeros(len(held)),
        radial=np.where(pixels > 0, held / np.maximum(pixels, 1), np.nan),
    )
