"""How alike the vectors of two positions are. Window and engine use the same functions; needs only numpy."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Measure = Literal["cosine", "centred", "dot"]
Maps = NDArray[np.float32]

MEASURES: tuple[Measure, ...] = get_args(Measure)
MEASURE_TITLES: dict[Measure, str] = {
    "cosine": "Cosine",
    "centred": "Centred cosine",
    "dot": "Dot product",
}
MEASURE_TEXTS: dict[Measure, str] = {
    "cosine": "The cosine of the angle between two vectors: 1 for the same direction, whatever their lengths",
    "centred": (
        "The cosine after the mean vector of the picture of the chosen position was subtracted, "
        "so that what all its positions share does not count"
    ),
    "dot": "The dot product of two vectors, in which long vectors count more",
}
_SHORTEST = np.float32(1e-8)
"""Shorter vectors count as this long, as in torch's cosine_similarity."""


def centre_of(maps: Maps) -> NDArray[np.float32]:
    """Return the mean vector (C,) over those positions of maps (C, h, w) whose values are all finite."""
    vectors = maps.reshape(len(maps), -1)
    is_finite = np.isfinite(vectors).all(axis=0)
    if not is_finite.any():
        return np.zeros(len(maps), np.float32)
    mean: NDArray[np.float64] = vectors.mean(axis=1, where=is_finite, dtype=np.float64)
    return mean.astype(np.float32)


def directions(maps: Maps, measure: Measure, centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors of all positions so that their products with one of them are the likeness to it.

    Parameters
    ----------
    maps
        (C, h, w).
    centre
        (C,), subtracted for ``centred`` and ignored otherwise: `centre_of` the picture that is asked about.

    Returns
    -------
    NDArray
        (C, h * w): of length 1 for cosines, and as they are for the dot product.
    """
    vectors = maps.reshape(len(maps), -1)
    if measure == "dot":
        return vectors
    if measure == "centred":
        vectors = vectors - centre[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("cn,cn->n", vectors, vectors))
        found: NDArray[np.float32] = vectors / np.maximum(lengths, _SHORTEST)
    return found


def likeness(vectors: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how alike each of some `directions` (C, n) is to one of them, (n,); NaN where it is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = one @ vectors
    found[~np.isfinite(found)] = np.nan
    return found


def likeness_text(value: float, measure: Measure) -> str:
    """Return what a value means in words, such as "cosine 0.83"."""
    name = MEASURE_TITLES[measure].lower()
    return f"{name} {value:.3g}" if measure == "dot" else f"{name} {value:.2f}"
