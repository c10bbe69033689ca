"""Which stored value is black and which is white, and one sentence that says it."""

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.raster import Raster, is_whole, stripes

PERCENTILES = (2.0, 98.0)
_LABELS = 15
_USUAL_BITS = (8, 10, 12, 14)
_SAMPLED_PIXELS = 2_000_000
_SENTINELS = (-9999.0, -32768.0, -(2.0**31), float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))


class ValueRange(Struct, frozen=True, kw_only=True):
    """The values that become black and white.

    Attributes
    ----------
    low, high
        For each of the shown bands.
    note
        What was done, in one sentence; empty for 8 bits, where nothing was.
    no_data
        The value that is left out.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    note: str = ""
    no_data: float | None = None

    def unit(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return values (…, bands) scaled so that black is 0 and white 1, and clipped to that."""
        # Halves keep the largest float64 from overflowing.
        span = self.high / 2 - self.low / 2
        scaled = values.astype(np.float64)
        scaled *= 0.5
        scaled -= self.low / 2
        scaled /= np.where(span > 0, span, 1.0)
        np.clip(scaled, 0, 1, out=scaled)
        # Values that are no numbers are left only where they stand for no data.
        return scaled if self.no_data is None else np.nan_to_num(scaled, copy=False, nan=1.0)


def range_of(
    raster: Raster, shown: NDArray[Any], name: str, contrast: tuple[float, float] | None = None
) -> ValueRange:
    """Return the range of the bands that are shown, (H, W, n); `contrast` are percentiles of each band.

    Raises
    ------
    StudioError
        If there are values that are not finite, and the file does not say that these are no data.
    """
    count, dtype = shown.shape[2], shown.dtype
    no_data = raster.no_data
    if no_data is None and not (is_whole(dtype) and dtype.kind != "i"):
        no_data = _usual_sentinel(shown)
    is_plain = dtype == np.bool_ or (dtype == np.uint8 and raster.highest is None and raster.bits in (0, 8))
    if is_plain and contrast is None:
        high = 1.0 if dtype == np.bool_ else 255.0
        return ValueRange(low=np.zeros(count), high=np.full(count, high), note=_dim(shown), no_data=no_data)
    low, high, strange = _extremes(shown, no_data)
    if strange:
        what = (
            "1 value that is not a finite number"
            if strange == 1
            else f"{strange:,} values that are not finite numbers"
        )
        raise StudioError(
            f"“{name}” has {what}.",
            "Replace NaN and infinity in it first.",
        )
    if (contrast or raster.colours == "bands") and high > low:
        percentiles = contrast or PERCENTILES
        bounds = _percentiles(shown, no_data, percentiles)
        shares = f"{percentiles[0]:g} % to {percentiles[1]:g} %"
        said = "; ".join(f"{_number(a)} to {_number(b)}" for a, b in bounds)
        note = f"Contrast from {shares} of the values of each shown band ({said})."
        return ValueRange(low=np.array(bounds)[:, 0], high=np.array(bounds)[:, 1], note=note, no_data=no_data)
    if raster.alpha != "none" and is_whole(dtype):
        # Alpha has the range of the colours, and reaches its end more often.
        high = max(high, float(raster.samples[..., count].max()))
    low, high, note = _joint(raster, shown, low, high)
    return ValueRange(low=np.full(count, low), high=np.full(count, high), note=note, no_data=no_data)


def _joint(raster: Raster, shown: NDArray[Any], low: float, high: float) -> tuple[float, float, str]:
    """Return one range for all bands, from the values' lowest and highest and from what the file says."""
    dtype = shown.dtype
    if raster.highest is not None and low >= 0 and high <= raster.highest:
        top = raster.highest
        return 0.0, top, f"Values up to {_number(top)}, as the file says, rescaled to 0 to 255."
    if not is_whole(dtype):
        if low >= 0 and high <= 1:
            return 0.0, 1.0, f"Float values {low:.6g} to {high:.6g}: 0 to 1 rescaled to 0 to 255."
        if not (0 <= low < high <= 0xFFFF and _all_whole(shown)):
            return low, high, f"Float values {low:.6g} to {high:.6g} rescaled to 0 to 255."
        width, declared = 16, 0
    else:
        width = 8 * dtype.itemsize
        declared = raster.bits or (width if raster.is_full_range else 0)
        width -= dtype.kind == "i"
    if low < 0 or (high > 0xFFFF and not declared):
        return low, high, f"{8 * dtype.itemsize}-bit values {low:,.0f} to {high:,.0f} rescaled to 0 to 255."
    return _whole(high, declared, min(width, 16))


def _whole(high: float, declared: int, width: int) -> tuple[float, float, str]:
    """Return the range of whole numbers from 0 to `high`, of `declared` bits or, if 0, up to `width`."""
    if declared and high < 2**declared:
        top = 2**declared - 1
        return 0.0, float(top), f"{declared}-bit values 0 to {top:,} rescaled to 0 to 255."
    if high > 0xFFFF:
        return 0.0, high, f"Values up to {high:,.0f} rescaled to 0 to 255."
    if 0 < high <= _LABELS:
        return 0.0, high, f"Only the values 0 to {high:.0f} occur, as in a map of labels: rescaled to 0 to 255."
    for bits in _USUAL_BITS:
        if 0 < high < 2**bits and bits < width:
            top = 2**bits - 1
            said = f"Values up to {high:,.0f} taken for {bits}-bit values"
            return 0.0, float(top), f"{said}: 0 to {top:,} rescaled to 0 to 255."
    top = 2**width - 1
    return 0.0, float(top), f"{width}-bit values 0 to {top:,} rescaled to 0 to 255."


def _dim(shown: NDArray[Any]) -> str:
    """Return a note about 8-bit pictures that are all but black: they are shown as they are."""
    if shown.dtype != np.uint8 or shown.shape[2] != 1 or shown[::32, ::32].max() > _LABELS:
        return ""
    high = int(shown.max())
    if not 0 < high <= _LABELS:
        return ""
    return f"Only the values 0 to {high} of 255 occur, as in a map of labels: shown as they are, nearly black."


def _extremes(shown: NDArray[Any], no_data: float | None) -> tuple[float, float, int]:
    """Return the lowest and highest value, and how many values are not finite."""
    low, high, strange = np.inf, -np.inf, 0
    for rows in stripes(*shown.shape[:2]):
        values = shown[rows]
        kept = values if no_data is None else values[~is_no_data(values, no_data)]
        if not kept.size:
            continue
        if not is_whole(values.dtype):
            finite = np.isfinite(kept)
            strange += kept.size - int(np.count_nonzero(finite))
            if strange:
                continue
        low, high = min(low, float(kept.min())), max(high, float(kept.max()))
    return (low, high, strange) if low <= high else (0.0, 0.0, strange)


def is_no_data(values: NDArray[Any], no_data: float) -> NDArray[np.bool_]:
    """Return which values are that value, in the precision of their type."""
    if np.isnan(no_data):
        return np.isnan(values) if not is_whole(values.dtype) else np.zeros(values.shape, np.bool_)
    if is_whole(values.dtype):
        limits = np.iinfo(values.dtype) if values.dtype != np.bool_ else np.iinfo(np.uint8)
        if no_data != round(no_data) or not limits.min <= no_data <= limits.max:
            return np.zeros(values.shape, np.bool_)
        return np.asarray(values == int(no_data))
    with np.errstate(over="ignore"):
        return np.asarray(values == values.dtype.type(no_data))


def _usual_sentinel(shown: NDArray[Any]) -> float | None:
    """Return one of the values that stand for no data by custom, if it is at the end of the range and apart."""
    sample = shown[:: 1 + shown.shape[0] // 1500, :: 1 + shown.shape[1] // 1500]
    if not is_whole(sample.dtype) and not np.isfinite(sample).all():
        return None
    for sentinel in _SENTINELS:
        found = is_no_data(sample, sentinel)
        if not found.any() or found.all():
            continue
        others = sample[~found].astype(np.float64)
        gap = others.min() - sentinel if sentinel < 0 else sentinel - others.max()
        if gap > 4 * (others.max() - others.min()) and gap > 0:
            return sentinel
    return None


def _percentiles(
    shown: NDArray[Any], no_data: float | None, percentiles: tuple[float, float]
) -> list[tuple[float, float]]:
    step = max(1, int(np.sqrt(shown.shape[0] * shown.shape[1] / _SAMPLED_PIXELS)))
    bounds = []
    for band in range(shown.shape[2]):
        values = shown[::step, ::step, band]
        kept = values if no_data is None else values[~is_no_data(values, no_data)]
        if not kept.size:
            bounds.append((0.0, 1.0))
            continue
        low, high = (float(value) for value in np.percentile(kept.astype(np.float64), percentiles))
        if low == high:
            low, high = float(kept.min()), float(kept.max())
        bounds.append((low, high))
    return bounds


def _all_whole(shown: NDArray[Any]) -> bool:
    return all(bool((np.rint(shown[rows]) == shown[rows]).all()) for rows in stripes(*shown.shape[:2]))


def _number(value: float) -> str:
    if not np.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def no_data_note(count: int, no_data: float) -> str:
    """Return the sentence about pixels without data."""
    pixels = "1 pixel has" if count == 1 else f"{count:,} pixels have"
    return f"{pixels} no data (the value {_number(no_data)}), shown white."
