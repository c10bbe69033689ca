"""Convert coordinates between the units of a feature map, the network's input and the picture.

All coordinates are continuous, and pixel *i* covers the interval [i, i + 1): the centre of the first pixel is
0.5, and the right edge of a picture is its width. The window and the engine use the same functions.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

Box = tuple[float, float, float, float]
"""x, y, width, height."""

NO_PADDING = (0, 0, 0, 0)


class CropGeometry(Struct, frozen=True):
    """How a picture was turned into the network's input: resized as a whole, then cropped.

    Attributes
    ----------
    picture_size
        Width and height of the picture in pixels, after EXIF orientation.
    resized_size
        Width and height in pixels after resizing.
    crop_origin
        x and y of the crop's upper left corner in the resized picture, in pixels; negative if the input extends
        beyond the picture (padding).
    input_size
        Width and height of the crop, which is the network's input.
    padding
        How many pixels of the input at its left, top, right and bottom show the mean colour instead of the
        picture.
    """

    picture_size: tuple[int, int]
    resized_size: tuple[int, int]
    crop_origin: tuple[int, int]
    input_size: tuple[int, int]
    padding: tuple[int, int, int, int] = NO_PADDING

    @property
    def scale(self) -> tuple[float, float]:
        """The number of picture pixels per input pixel, horizontally and vertically."""
        return (
            self.picture_size[0] / self.resized_size[0],
            self.picture_size[1] / self.resized_size[1],
        )

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point of the network's input to a point of the picture."""
        scale_x, scale_y = self.scale
        return (x + self.crop_origin[0]) * scale_x, (y + self.crop_origin[1]) * scale_y

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point of the picture to a point of the network's input; the inverse of `to_picture`."""
        scale_x, scale_y = self.scale
        return x / scale_x - self.crop_origin[0], y / scale_y - self.crop_origin[1]

    def box_to_picture(self, box: Box) -> Box:
        """Convert a box in the network's input to a box in the picture."""
        x, y = self.to_picture(box[0], box[1])
        scale_x, scale_y = self.scale
        return x, y, box[2] * scale_x, box[3] * scale_y

    @property
    def crop_box(self) -> Box:
        """The network's input, with its padding, as a box in the picture."""
        return self.box_to_picture((0.0, 0.0, float(self.input_size[0]), float(self.input_size[1])))

    @property
    def is_padded(self) -> bool:
        """Whether a part of the input does not show the picture."""
        return self.padding != NO_PADDING

    @property
    def seen_in_input(self) -> Box:
        """The part of the input that shows the picture, without the padding."""
        left, top, right, bottom = self.padding
        width, height = self.input_size
        return float(left), float(top), float(width - left - right), float(height - top - bottom)

    @property
    def seen_box(self) -> Box:
        """The part of the picture that the network sees, without the padding."""
        return self.box_to_picture(self.seen_in_input)

    def seen_units(self, field: "FieldGeometry", height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of a map whose units are centred on the picture and not on the padding.

        Parameters
        ----------
        field
            The geometry of the map's units.
        height, width
            The size of the map.
        """
        if not self.is_padded:
            return slice(0, height), slice(0, width)
        x, y, across, down = self.seen_in_input
        return field.centred_within(y, y + down, height), field.centred_within(x, x + across, width)


class FieldGeometry(Struct, frozen=True):
    """The theoretical receptive field of a node's units, the same horizontally and vertically.

    The arithmetic is that of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural
    Networks", Distill 2019.

    Attributes
    ----------
    size_px
        Side of the theoretical receptive field in input pixels.
    stride_px
        Distance between neighbouring units in input pixels.
    first_centre_px
        Centre of the field of unit 0, as an input coordinate; it may lie between pixel centres.
    is_global
        Whether a layer up to the node pools over a whole map (GRN, attention), so that every unit sees the
        whole input; `size_px` then counts convolutions only.
    has_box
        Whether the fields of the units are boxes of one size. After attention in windows (Swin) they are not:
        they end at the borders of the windows, and `size_px` counts convolutions only.
    layers
        Kernel size, stride, and padding before and after a map, of the convolutions up to the node, of which
        those with stride 1 in a row are taken together; None if one of them pads in another way.
    """

    size_px: int = 1
    stride_px: int = 1
    first_centre_px: float = 0.5
    is_global: bool = False
    has_box: bool = True
    layers: tuple[tuple[int, int, int, int], ...] | None = ()

    @property
    def is_box(self) -> bool:
        """Whether a unit sees exactly a box around its centre."""
        return self.has_box and not self.is_global

    @property
    def extent(self) -> str:
        """The extent of a field in words, such as "127 px" or "the whole picture"."""
        if self.is_global:
            return "the whole picture"
        return f"{self.size_px} px" if self.has_box else "attention windows, not a box"

    def made_global(self) -> "FieldGeometry":
        """Return the geometry after a layer that pools over the whole map."""
        return replace(self, is_global=True)

    def without_box(self) -> "FieldGeometry":
        """Return the geometry after attention in windows."""
        return replace(self, has_box=False)

    def after(
        self, kernel_size: int, stride: int = 1, padding: int = 0, padding_after: int | None = None
    ) -> "FieldGeometry":
        """Return the geometry after one more convolution, whose padding may be another one after a map."""
        layer = kernel_size, stride, padding, padding if padding_after is None else padding_after
        layers = None if self.layers is None else (*self.layers, layer)
        if stride == 1 and self.layers and self.layers[-1][1] == 1:
            layers = (*self.layers[:-1], _joined(self.layers[-1], layer))
        return replace(
            self,
            size_px=self.size_px + (kernel_size - 1) * self.stride_px,
            stride_px=self.stride_px * stride,
            first_centre_px=self.first_centre_px + ((kernel_size - 1) / 2 - padding) * self.stride_px,
            layers=layers,
        )

    def read_px(self, side_px: int) -> int:
        """Return how many pixels of an input of that side are read by any unit, from the first one on.

        Where strides do not divide the input, the last rows and columns are read by nothing.
        """
        if self.layers is None:
            return side_px
        sides = [side_px]
        for kernel, stride, before, after in self.layers:
            sides.append((sides[-1] + before + after - kernel) // stride + 1)
        last = sides[-1] - 1
        for (kernel, stride, before, _), side in zip(self.layers[::-1], sides[-2::-1], strict=True):
            last = min(last * stride - before + kernel - 1, side - 1)
        return last + 1 if min(sides) > 0 else side_px

    def of_boxes(self, side: int) -> "FieldGeometry":
        """Return the geometry of a map whose values each stand for `side` × `side` units, from unit 0 on."""
        return replace(
            self,
            stride_px=self.stride_px * side,
            first_centre_px=self.first_centre_px + (side - 1) / 2 * self.stride_px,
        )

    def centre_px(self, unit: int) -> float:
        """Return the centre of a unit's field along one axis, as an input coordinate."""
        return self.first_centre_px + unit * self.stride_px

    def centred_within(self, start: float, stop: float, count: int) -> slice:
        """Return those of `count` units along an axis whose fields are centred in [start, stop).

        There is always one: if no centre lies there, the unit with the nearest centre.
        """
        first = math.ceil((start - self.first_centre_px) / self.stride_px)
        last = math.ceil((stop - self.first_centre_px) / self.stride_px)
        first, last = max(first, 0), min(last, count)
        if first < last:
            return slice(first, last)
        middle = ((start + stop) / 2 - self.first_centre_px) / self.stride_px
        nearest = min(max(round(middle), 0), count - 1)
        return slice(nearest, nearest + 1)

    def unit_box(self, y: int, x: int) -> Box:
        """Return the unclipped theoretical field of the unit in row `y`, column `x`, in input coordinates."""
        half = self.size_px / 2
        return self.centre_px(x) - half, self.centre_px(y) - half, float(self.size_px), float(self.size_px)

    def box_in_input(self, y: int, x: int, height: int, width: int) -> tuple[Box, bool]:
        """Return the part of a unit's theoretical field in an input of that size, and whether it is clipped.

        Returns
        -------
        box
            In input coordinates, without the pixels at the border that nothing reads; an empty box at the
            border if the field lies entirely in the padding, and the whole input if the field is not a box.
        is_clipped
            Whether the field of the convolutions extends beyond what is read of the input.
        """
        left, top, across, down = self.unit_box(y, x)
        read_across, read_down = (float(self.read_px(side)) for side in (width, height))
        x0, x1 = (min(max(edge, 0.0), read_across) for edge in (left, left + across))
        y0, y1 = (min(max(edge, 0.0), read_down) for edge in (top, top + down))
        is_clipped = (x1 - x0, y1 - y0) != (across, down)
        if not self.is_box:
            return (0.0, 0.0, float(width), float(height)), is_clipped
        return (x0, y0, x1 - x0, y1 - y0), is_clipped

    def map_box(self, height: int, width: int) -> Box:
        """Return the box of a map of that size in the input, where each unit is drawn one stride wide."""
        start = self.first_centre_px - self.stride_px / 2
        return start, start, float(width * self.stride_px), float(height * self.stride_px)

    def unit_at(self, x: float, y: float, height: int, width: int) -> tuple[int, int] | None:
        """Return row and column of the unit drawn at an input point, or None outside the map."""
        start = self.first_centre_px - self.stride_px / 2
        column = int((x - start) // self.stride_px)
        row = int((y - start) // self.stride_px)
        return (row, column) if 0 <= row < height and 0 <= column < width else None


def _joined(first: tuple[int, int, int, int], then: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the layer that reads as two with stride 1 do, one after the other."""
    return first[0] + then[0] - 1, 1, first[2] + then[2], first[3] + then[3]
