"""Fit a Gaussian to a receptive field (Luo et al. 2016, arXiv:1701.04128)."""

import math
from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

OUTSIDE = 1 - 0.9545
"""Luo et al. count all pixels above this fraction of the central value as part of the field."""

_NARROWEST_PX = 0.25
_WIDEST = 100
"""Times the longer side of the input; a Gaussian that is so much wider falls by at most 0.01 % over it."""
_STEPS = 64
_TOLERANCE = 1e-5
_GOLDEN = (math.sqrt(5) - 1) / 2


class GaussianFit(Struct, frozen=True, kw_only=True):
    """A round Gaussian, amplitude * exp(-distance^2 / (2 sigma^2)), fitted by least squares around a centre.

    Attributes
    ----------
    amplitude
        The value at the centre, in the unit of the field.
    sigma_px
        Standard deviation in input pixels.
    explained
        The fraction of the field's variance that the Gaussian explains (R squared): at most 1, and below 0 if a
        constant would fit better.
    """

    amplitude: float
    sigma_px: float
    explained: float

    @property
    def radius_px(self) -> float:
        """The distance at which the Gaussian has fallen to 1 - 95.45 % of its central value: 2.486 sigma."""
        return self.sigma_px * math.sqrt(-2 * math.log(OUTSIDE))


def fit_gaussian(field: NDArray[np.float64], centre_px: tuple[float, float]) -> GaussianFit | None:
    """Fit a Gaussian to a field (H, W) around x and y in continuous input coordinates.

    The best amplitude for a given width has a closed form. The width is searched on a logarithmic scale between
    a quarter of a pixel and 100 times the longer side of the input, first on a coarse grid and then by golden
    sections. A field that grows towards the edges has no best width: the wider, the better.

    Returns
    -------
    The fit; None for a constant field, which all wide Gaussians fit equally well, and where the best width is
    at an end of what is searched, so that it would say more of the search than of the field.
    """
    variance = float(((field - field.mean()) ** 2).sum())
    if variance <= 1e-12 * float((field**2).sum()) or variance == 0:
        return None
    height, width = field.shape
    square_x = (np.arange(width) + 0.5 - centre_px[0]) ** 2
    square_y = (np.arange(height) + 0.5 - centre_px[1]) ** 2

    def projection(log_sigma: float) -> tuple[float, float]:
        """Return the best amplitude at that width, and by how much it lowers the sum of squares."""
        scale = -0.5 * math.exp(-2 * log_sigma)
        across, down = np.exp(scale * square_x), np.exp(scale * square_y)
        norm = float((across @ across) * (down @ down))
        overlap = float(down @ field @ across)
        return (overlap / norm, overlap**2 / norm) if norm > 0 else (0.0, 0.0)

    coarse = np.linspace(math.log(_NARROWEST_PX), math.log(_WIDEST * max(height, width)), _STEPS)
    best = int(np.argmax([projection(log_sigma)[1] for log_sigma in coarse]))
    if best in (0, _STEPS - 1):
        return None
    low, high = coarse[best - 1], coarse[best + 1]
    log_sigma = _golden_maximum(lambda at: projection(at)[1], float(low), float(high))
    amplitude, lowered = projection(log_sigma)
    residual = float((field**2).sum()) - lowered
    return GaussianFit(
        amplitude=amplitude, sigma_px=math.exp(log_sigma), explained=1 - max(residual, 0.0) / variance
    )


def _golden_maximum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the position of the only maximum between two points, to one part in 100,000 of a sigma."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _TOLERANCE:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
