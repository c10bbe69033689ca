"""Helpers shared by the map panels: placement, layers, statistics and read-outs."""

import math

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import (
    DIVERGING,
    Limits,
    colorize,
    format_number,
    format_percent,
    hatch,
    resample,
    veil,
)
from convnext_studio.ui.plots.scene import Bitmap, Layer, Numbers

Map = NDArray[np.float32] | NDArray[np.float64]
_SMOOTH_PX = 512
_HATCHED_PX = 400


class Placement(Struct, frozen=True):
    """The positions of a map's units in the network's input and in the picture.

    Attributes
    ----------
    field
        Geometry of the node's units.
    crop
        Position of the input in the picture.
    """

    field: FieldGeometry
    crop: CropGeometry

    def of_boxes(self, side: int) -> "Placement":
        """Return the placement of a map whose values each represent `side` × `side` units, from unit 0 on."""
        return replace(self, field=self.field.of_boxes(side))

    def to_map(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the picture in map coordinates, in which unit *i* covers [i, i + 1)."""
        start, _, _, _ = self.field.map_box(1, 1)
        in_x, in_y = self.crop.to_input(x, y)
        return (in_x - start) / self.field.stride_px, (in_y - start) / self.field.stride_px

    def from_map(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the map in picture coordinates; the inverse of `to_map`."""
        start, _, _, _ = self.field.map_box(1, 1)
        return self.crop.to_picture(start + x * self.field.stride_px, start + y * self.field.stride_px)

    def share_of_width(self, share: float, width: int) -> float:
        """Convert a share of the picture's width to one of the width of a map with that many columns."""
        x, _ = self.to_map(share * self.crop.picture_size[0], 0.0)
        return min(max(x / width, 0.0), 1.0)

    def box(self, height: int, width: int) -> Box:
        """Return the map's box in the picture."""
        return self.crop.box_to_picture(self.field.map_box(height, width))

    def unit_at(self, x: float, y: float, height: int, width: int) -> tuple[int, int] | None:
        """Return row and column of the unit drawn at a point of the picture, or None."""
        return self.field.unit_at(*self.crop.to_input(x, y), height, width)

    def unit_box(self, row: int, column: int) -> Box:
        """Return the box, one stride wide, in which a unit is drawn in the picture."""
        x, y, _, _ = self.field.map_box(1, 1)
        stride = float(self.field.stride_px)
        return self.crop.box_to_picture((x + column * stride, y + row * stride, stride, stride))

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """Return the centre of a unit's field in the picture."""
        return self.crop.to_picture(self.field.centre_px(column), self.field.centre_px(row))


def is_signed(colormap: str) -> bool:
    """Return whether a colour map is for signed data, so that its limits are symmetric about 0."""
    return colormap in DIVERGING


def map_layer(
    values: Map,
    box: Box,
    limits: Limits,
    colormap: str,
    smooth: bool = False,
    opacity: float = 1.0,
) -> Layer:
    """Return a layer with a coloured map; if `smooth`, values are interpolated between units before colouring.

    Without smoothing, values that are not finite are hatched.
    """
    numbers = numbers_of(values)
    if smooth:
        height, width = values.shape
        factor = max(1, math.ceil(_SMOOTH_PX / max(height, width)))
        values = resample(values, height * factor, width * factor)
    rgb = colorize(values, limits, colormap)
    holes = ~np.isfinite(values)
    if holes.any() and not smooth:
        rgb = hatch(rgb, holes, max(2, _HATCHED_PX // max(values.shape)))
    return Layer(Bitmap(rgb), box, opacity, smooth, numbers=numbers)


def veil_layer(
    values: Map, box: Box, limits: Limits, colormap: str, zero: float = 0.0, measured: Map | None = None
) -> Layer:
    """Return a layer with a map to lay over a picture: the closer a value is to `zero`, the more transparent.

    Values that are not finite are hatched. What people measure are these values, or
    `measured` if the colours show, say, their logarithm.
    """
    colours = veil(values, limits, colormap, zero=zero)
    holes = ~np.isfinite(values)
    if holes.any():
        factor = max(2, _HATCHED_PX // max(values.shape))
        alpha = colours[..., 3:].repeat(factor, axis=0).repeat(factor, axis=1)
        colours = np.concatenate((hatch(colours[..., :3], holes, factor), alpha), axis=-1)
    return Layer(Bitmap(colours), box, numbers=numbers_of(values if measured is None else measured))


def numbers_of(values: Map) -> Numbers:
    """Return values that are at hand as what people measure on a layer."""
    return Numbers(lambda: values)


def picture_layer(picture: ImageInfo) -> Layer:
    """Return a layer with the picture in its own coordinates, whatever the preview's size."""
    width, height = picture.size
    return Layer(Bitmap(picture.preview), (0.0, 0.0, float(width), float(height)))


def padding_layers(crop: CropGeometry, colour: tuple[int, int, int]) -> tuple[Layer, ...]:
    """Return layers that show the padding of the network's input around what it sees of the picture."""
    if not crop.is_padded:
        return ()
    x, y, width, height = crop.crop_box
    left, top, across, down = crop.seen_box
    bitmap = Bitmap(np.full((1, 1, 3), colour, np.uint8))
    strips: tuple[Box, ...] = (
        (x, y, width, top - y),
        (x, top + down, width, y + height - top - down),
        (x, top, left - x, down),
        (left + across, top, x + width - left - across, down),
    )
    return tuple(Layer(bitmap, box) for box in strips if box[2] > 0 and box[3] > 0)


def padding_margin(crop: CropGeometry) -> tuple[float, float, float, float]:
    """Return how far the padding reaches beyond the left, top, right and bottom of the picture."""
    if not crop.is_padded:
        return 0.0, 0.0, 0.0, 0.0
    x, y, width, height = crop.crop_box
    across, down = crop.picture_size
    return max(0.0, -x), max(0.0, -y), max(0.0, x + width - across), max(0.0, y + height - down)


def statistics(values: Map) -> str:
    """Describe the extremes, mean and zeros of a map; values that are not finite are only counted."""
    finite = values[np.isfinite(values)]
    missing = values.size - finite.size
    said = [f"{missing} of {values.size} values are not finite"] if missing else []
    if finite.size:
        limits = f"min {format_number(float(finite.min()))} · max {format_number(float(finite.max()))}"
        mean = float(finite.mean(dtype=np.float64))
        said = [limits, f"mean {format_number(mean)}", *said]
        zeros = int(np.count_nonzero(finite == 0))
        if zeros == finite.size:
            said.append("dead: all zero here")
        elif finite.min() == finite.max():
            said.append("constant")
        elif zeros:
            said.append(f"{format_percent(zeros / finite.size)} zeros")
    return " · ".join(said)


def value_text(value: float) -> str:
    """Format a value for a read-out."""
    return f"value {format_number(value)}"


def point_text(x: float, y: float) -> str:
    """Format a pixel of the picture for a read-out."""
    return f"picture ({math.floor(x)}, {math.floor(y)})"
