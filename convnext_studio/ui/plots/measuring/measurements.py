"""What people measure on a map: a region, a profile along a line, and a distance, as plain numbers.

All are given by two points of the scene: opposite corners of a region, or the ends of a line. A value of a map
may cover more than a pixel of the scene; a region counts such a unit by the part of it that it covers.
"""

import math
from typing import Literal, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box
from convnext_studio.render import format_number, format_percent
from convnext_studio.ui.plots.scene import Numbers, Scene

Tool = Literal["region", "profile", "distance"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
MEASURES: dict[Tool, tuple[str, str, str]] = {
    "region": ("&Region", "Read mean, extremes, area and share of the sum in a box", "Shift+F7"),
    "profile": ("Pro&file", "Plot the values along a line", "Shift+F8"),
    "distance": ("&Distance", "Measure the distance between two points", "Ctrl+F7"),
}
"""Text of the action, tooltip and shortcut of each tool."""
Ends = tuple[float, float, float, float]
"""x and y of the first point, x and y of the second."""

_LEAST_POINTS = 201  # So many that a plot of large units shows their edges upright.
_LEAST_COVER = 1e-9  # Less of a unit is the rounding of a corner on its edge.


class RegionNumbers(Struct, frozen=True):
    """The numbers of a region.

    Attributes
    ----------
    mean, minimum, maximum
        Of the finite values in the region; the mean is weighted by the covered part of each unit.
    units
        Number of units covered, in which parts of units count as such.
    total
        Sum of the finite values, weighted in the same way.
    whole
        Sum of all finite values of the map.
    share
        `total` over `whole`; None if that has no meaning, because values of both signs cancel each other.
    """

    mean: float
    minimum: float
    maximum: float
    units: float
    total: float
    whole: float
    share: float | None


class LineProfile(Struct, frozen=True, eq=False):
    """The values along a line, with their distances from its start in the scene; NaN outside the map."""

    distance: NDArray[np.float64]
    values: NDArray[np.float64]


def region_numbers(numbers: Numbers, box: Box, ends: Ends) -> RegionNumbers | None:
    """Return the numbers of a region of a map that fills `box`; None if it covers no finite value."""
    values = numbers.values
    left, top, width, height = box_of(ends)
    across = _covered(box[0], box[2], values.shape[1], left, left + width)
    down = _covered(box[1], box[3], values.shape[0], top, top + height)
    columns, rows = np.flatnonzero(across > _LEAST_COVER), np.flatnonzero(down > _LEAST_COVER)
    if not columns.size or not rows.size:
        return None
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    weights = np.outer(down[inside[0]], across[inside[1]])
    part = values[inside].astype(np.float64)
    is_finite = np.isfinite(part)
    if not is_finite.any():
        return None
    total = float((part * weights)[is_finite].sum())
    has_share = numbers.whole != 0 and not numbers.is_signed
    return RegionNumbers(
        mean=total / float(weights[is_finite].sum()),
        minimum=float(part[is_finite].min()),
        maximum=float(part[is_finite].max()),
        units=float(weights.sum()),
        total=total,
        whole=numbers.whole,
        share=total / numbers.whole if has_share else None,
    )


def profile_of(numbers: Numbers, box: Box, ends: Ends) -> LineProfile:
    """Return the values along a line over a map that fills `box`: two or more for each unit that it crosses."""
    values = numbers.values
    unit = min(box[2] / values.shape[1], box[3] / values.shape[0])
    count = max(_LEAST_POINTS, math.ceil(2 * length_of(ends) / unit) + 1)
    along = np.linspace(0.0, 1.0, count)
    x, y = ends[0] + along * (ends[2] - ends[0]), ends[1] + along * (ends[3] - ends[1])
    columns = np.floor((x - box[0]) / box[2] * values.shape[1]).astype(int)
    rows = np.floor((y - box[1]) / box[3] * values.shape[0]).astype(int)
    inside = (columns >= 0) & (columns < values.shape[1]) & (rows >= 0) & (rows < values.shape[0])
    read = np.full(count, np.nan)
    read[inside] = values[rows[inside], columns[inside]]
    return LineProfile(along * length_of(ends), read)


def box_of(ends: Ends) -> Box:
    """Return the box between two corners."""
    left, top = min(ends[0], ends[2]), min(ends[1], ends[3])
    return left, top, max(ends[0], ends[2]) - left, max(ends[1], ends[3]) - top


def length_of(ends: Ends) -> float:
    """Return the distance between two points."""
    return math.hypot(ends[2] - ends[0], ends[3] - ends[1])


def described(tool: Tool, ends: Ends, scene: Scene) -> str:
    """Return what was measured, for the status bar."""
    measured = scene.measured
    if tool == "distance":
        across, down = abs(ends[2] - ends[0]), abs(ends[3] - ends[1])
        return f"distance {distance_text(ends, scene)} ({across:.1f} across, {down:.1f} down)"
    if tool == "profile":
        said = f"profile of {distance_text(ends, scene)}"
        if measured is None:
            return f"{said} · no map here"
        values = profile_of(*measured, ends).values
        finite = values[np.isfinite(values)]
        return f"{said} · {_extremes(finite)}" if finite.size else f"{said} · no values here"
    return _region_text(ends, scene)


def distance_text(ends: Ends, scene: Scene) -> str:
    """Return the distance between two points with its unit."""
    return f"{length_of(ends):.1f} {scene.unit}"


def _region_text(ends: Ends, scene: Scene) -> str:
    left, top, width, height = box_of(ends)
    said = [f"region {width:g} × {height:g} {scene.unit} at ({left:g}, {top:g})"]
    area = f"area {width * height:g} {scene.unit}"
    numbers = None if scene.measured is None else region_numbers(*scene.measured, ends)
    if numbers is None:
        return " · ".join([*said, area, "no values here"])
    if abs(numbers.units - width * height) > 0.05:
        area += f" ({numbers.units:.1f} units)"
    named = (("mean", numbers.mean), ("min", numbers.minimum), ("max", numbers.maximum))
    said += [f"{name} {format_number(value)}" for name, value in named]
    if numbers.share is not None:
        share = f"{format_percent(numbers.share, None)} of the sum"
    else:
        share = f"sum {format_number(numbers.total)} of {format_number(numbers.whole)}"
    return " · ".join([*said, area, share])


def _extremes(finite: NDArray[np.float64]) -> str:
    named = (("mean", finite.mean()), ("min", finite.min()), ("max", finite.max()))
    return " · ".join(f"{name} {format_number(float(value))}" for name, value in named)


def _covered(start: float, size: float, count: int, low: float, high: float) -> NDArray[np.float64]:
    """Return the part of each of `count` equal steps along an axis that an interval covers."""
    edges = start + size * np.arange(count + 1) / count
    covered = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.asarray(np.clip(covered * count / size, 0.0, 1.0))
