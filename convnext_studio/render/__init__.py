"""Turn numbers into colours: limits, colour maps, mosaics of channels, maps laid over pictures.

All functions take and return arrays and need no Qt. The window and the export use the same functions, so that a
figure looks like the screen. Colours are (..., 3) uint8 in the order red, green, blue. Boxes are those of
`convnext_studio.common.geometry`, in pixels, where pixel *i* covers [i, i + 1).
"""

from convnext_studio.render.channel_order import ChannelNumbers, channel_numbers, descending
from convnext_studio.render.colours import (
    DIVERGING,
    OVER_PICTURE,
    SEQUENTIAL,
    SIGNED_OVER_PICTURE,
    Rgb,
    colorize,
    hatch,
    load_colour_maps,
    lut,
)
from convnext_studio.render.contours import contour
from convnext_studio.render.limits import (
    ALL_VALUES,
    ROBUST_PERCENTILES,
    UNCLIPPED,
    Clipping,
    Limits,
    Range,
    RangeKind,
    Values,
    channel_limits,
    limits_of,
    robust_limits,
)
from convnext_studio.render.mosaic import Mosaic, assemble, mosaic_shape, mosaic_values
from convnext_studio.render.numbers import (
    format_count,
    format_number,
    format_percent,
    format_ticks,
    nice_ticks,
    number_ticks,
)
from convnext_studio.render.overlay import (
    OPACITY,
    Rgba,
    bar_colours,
    blended,
    draw_grid,
    grid_lines,
    overlay,
    resample,
    veil,
)
from convnext_studio.render.shading import (
    COLORMAPS,
    PIXEL_PERCENTILE,
    Map,
    Part,
    Shading,
    missing_text,
    why_empty,
)

__all__ = [
    "ALL_VALUES",
    "COLORMAPS",
    "DIVERGING",
    "OPACITY",
    "OVER_PICTURE",
    "PIXEL_PERCENTILE",
    "ROBUST_PERCENTILES",
    "SEQUENTIAL",
    "SIGNED_OVER_PICTURE",
    "UNCLIPPED",
    "ChannelNumbers",
    "Clipping",
    "Limits",
    "Map",
    "Mosaic",
    "Part",
    "Range",
    "RangeKind",
    "Rgb",
    "Rgba",
    "Shading",
    "Values",
    "assemble",
    "bar_colours",
    "blended",
    "channel_limits",
    "channel_numbers",
    "colorize",
    "contour",
    "descending",
    "draw_grid",
    "format_count",
    "format_number",
    "format_percent",
    "format_ticks",
    "grid_lines",
    "hatch",
    "limits_of",
    "load_colour_maps",
    "lut",
    "missing_text",
    "mosaic_shape",
    "mosaic_values",
    "nice_ticks",
    "number_ticks",
    "overlay",
    "resample",
    "robust_limits",
    "veil",
    "why_empty",
]
