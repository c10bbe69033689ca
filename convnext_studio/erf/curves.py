"""How a receptive field falls off with the distance from its centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCurves:
    """A receptive field as functions of the distance from its centre.

    Attributes
    ----------
    distance_px
        (n,) float64: 1, 2, ... input pixels, to the farthest corner.
    cumulative
        (n,) float64: share of the field in the pixels whose centres lie at most that far away; 1 at the end.
        All zero for a field that is zero.
    radial
        (n,) float64: mean of the field over the pixels whose centres lie at most that far away, but farther
        than the distance before; NaN where there is none. In the field's own unit, not in logarithms.
    """

    distance_px: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    radial: NDArray[np.float64]


def curves_of(field: NDArray[np.float64], centre_px: tuple[float, float]) -> FieldCurves:
    """The curves of a field (H, W), not negative, around x and y in continuous input coordinates."""
    height, width = field.shape
    across = np.arange(width) + 0.5 - centre_px[0]
    down = np.arange(height) + 0.5 - centre_px[1]
    # A pixel exactly at the centre belongs to the first ring, with those up to 1 pixel away.
    ring = np.maximum(np.ceil(np.hypot(down[:, None], across[None, :])).astype(np.int64), 1).ravel() - 1
    held = np.bincount(ring, weights=field.ravel())
    pixels = np.bincount(ring)
    total = held.sum()
    return FieldCurves(
        distance_px=np.arange(1, len(held) + 1, dtype=np.float64),
        cumulative=np.cumsum(held) / total if total > 0 else np.zeros(len(held)),
        radial=np.where(pixels > 0, held / np.maximum(pixels, 1), np.nan),
    )
