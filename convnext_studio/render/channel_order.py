"""Statistics of the channels of a node, and the order of channels by a score."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.render.limits import Limits, Values, enclosing_limits

_CHUNK = 1 << 18


class ChannelNumbers(Struct, frozen=True, eq=False):
    """Statistics of each channel, as arrays (channels,). Values that are not finite are counted and left out.

    Attributes
    ----------
    minimum, maximum, mean, variance
        float64; NaN for a channel without a finite value.
    sparsity
        Between 0 (all magnitudes are equal) and 1 (only one value is not 0): Hoyer 2004, "Non-negative matrix
        factorization with sparseness constraints". NaN for a channel of zeros or of one unit. GELU hardly ever
        gives exactly 0, so the fraction of zeros would say nothing.
    non_finite
        The number of values that are not finite.
    is_dead
        Whether all values are finite and equal, and there are at least two.
    """

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    sparsity: NDArray[np.float64]
    non_finite: NDArray[np.int64]
    is_dead: NDArray[np.bool_]

    @property
    def is_signed(self) -> bool:
        """Return whether any value is negative."""
        return bool((self.minimum < 0).any())

    def shared_limits(self, symmetric: bool = False) -> Limits:
        """Return the limits of all values together, as `limits_of` does."""
        known = ~np.isnan(self.minimum)
        if not known.any():
            return enclosing_limits(0.0, 0.0, symmetric)
        return enclosing_limits(float(self.minimum[known].min()), float(self.maximum[known].max()), symmetric)

    def own_limits(self, symmetric: bool = False) -> tuple[Limits, ...]:
        """Return the limits of each channel, as `channel_limits` does."""
        low, high = np.nan_to_num(self.minimum, nan=0.0), np.nan_to_num(self.maximum, nan=0.0)
        return tuple(
            enclosing_limits(*ends, symmetric) for ends in zip(low.tolist(), high.tolist(), strict=True)
        )


def channel_numbers(maps: Values) -> ChannelNumbers:
    """Compute the statistics of each channel of maps (channels, height, width)."""
    count = len(maps)
    values = maps.reshape(count, -1)
    step = max(1, _CHUNK // values.shape[1])
    # In parts that fit into the CPU cache, so that memory is read only once for all statistics.
    parts = [_of_channels(values[start : start + step]) for start in range(0, count, step)]
    minimum, maximum, mean, variance, sparsity, non_finite = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    is_dead = (minimum == maximum) & (non_finite == 0) & (values.shape[1] > 1)
    return ChannelNumbers(minimum, maximum, mean, variance, sparsity, non_finite.astype(np.int64), is_dead)


def _of_channels(values: Values) -> tuple[NDArray[np.float64], ...]:
    """Return minimum, maximum, mean, variance, sparsity and non-finite count of (channels, units)."""
    finite = np.isfinite(values)
    count = np.count_nonzero(finite, axis=1).astype(np.float64)
    if finite.all():
        low, high = values.min(axis=1), values.max(axis=1)
    else:
        low = values.min(axis=1, where=finite, initial=np.inf)
        high = values.max(axis=1, where=finite, initial=-np.inf)
        values = np.where(finite, values, 0)
    exact = values.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = exact.sum(axis=1) / count
        magnitude, length = np.abs(exact).sum(axis=1), np.sqrt(np.square(exact).sum(axis=1))
        root = np.sqrt(count)
        sparsity = np.clip((root - magnitude / length) / (root - 1), 0, 1)
        exact -= mean[:, None]
        variance = np.square(exact, out=exact).sum(axis=1, where=finite) / count
    variance[low == high] = 0  # Exactly 0, without the rounding error of the mean.
    sparsity[(length == 0) | (count < 2)] = np.nan
    empty = count == 0
    ends = [np.where(empty, np.nan, end.astype(np.float64)) for end in (low, high)]
    return *ends, mean, variance, sparsity, values.shape[1] - count


def descending(scores: Values) -> NDArray[np.intp]:
    """Return the channels by descending score; ties by ascending index, NaN last."""
    order: NDArray[np.intp] = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    return order
