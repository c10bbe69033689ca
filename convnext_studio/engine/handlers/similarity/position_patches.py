"""The neighbourhoods of positions, cut out of the photographs."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.geometry import Box, FieldGeometry
from convnext_studio.decoding.images import DecodedImage
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.protocol.channels import Patch

PATCH_PX = 160
_STRIDES = 3
_LEAST_SHARE = 0.2
"""A patch is at least this share of the input's shorter side, because smaller ones are not recognised."""


def highest_apart(values: NDArray[np.float32], count: int, near: int) -> list[tuple[int, int, float]]:
    """Return rows, columns and values of the highest values of a map, no two of them near each other.

    Non-finite values are left out.

    Parameters
    ----------
    near
        How many units two of them are at least apart, along one axis or the other.
    """
    left = np.where(np.isfinite(values), values, -np.inf)
    found: list[tuple[int, int, float]] = []
    while len(found) < count:
        y, x = map(int, np.unravel_index(int(left.argmax()), left.shape))
        if left[y, x] == -np.inf:
            break
        found.append((y, x, float(left[y, x])))
        left[max(0, y - near + 1) : y + near, max(0, x - near + 1) : x + near] = -np.inf
    return found


def spread_positions(values: NDArray[np.float32], count: int) -> list[tuple[int, int, float]]:
    """Return rows, columns and values of the highest values of a map, no two of them neighbours."""
    return highest_apart(values, count, near=2)


def patch_of(
    workspace: Workspace,
    image: str,
    unit: tuple[int, int, float],
    box: Box,
    side_px: int = PATCH_PX,
    is_clipped: bool = False,
    is_global: bool = False,
) -> Patch:
    """Cut a box of whole pixels out of a picture, reduced to at most that side.

    Parameters
    ----------
    unit
        Row, column and value of the unit that the patch belongs to.
    """
    y, x, value = unit
    pixels = _cut_out(workspace.picture(image), box, side_px)
    return Patch(
        image=image, y=y, x=x, value=value, pixels=pixels, box=box, is_clipped=is_clipped, is_global=is_global
    )


def _cut_out(picture: DecodedImage, box: Box, side_px: int) -> NDArray[np.uint8]:
    cut = picture.to_pil().crop((round(box[0]), round(box[1]), round(box[0] + box[2]), round(box[1] + box[3])))
    cut.thumbnail((side_px, side_px), Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(cut)


def cut_around(workspace: Workspace, image: str, field: FieldGeometry, y: int, x: int, value: float) -> Patch:
    """Cut out a square around the centre of a position: three strides, or a fifth of the input's side.

    The theoretical field, which `StrongestPatches` shows, is the whole picture at the nodes for which likeness
    is interesting.
    """
    picture, geometry = workspace.picture(image), workspace.geometry(image)
    side = max(_STRIDES * field.stride_px, _LEAST_SHARE * min(geometry.input_size))
    left, top = field.centre_px(x) - side / 2, field.centre_px(y) - side / 2
    box = _within(geometry.box_to_picture((left, top, side, side)), picture.size)
    return patch_of(workspace, image, (y, x, value), box)


def _within(box: Box, size: tuple[int, int]) -> Box:
    """Move a box into a picture of that width and height, or cut off what does not fit: whole pixels."""
    edges = []
    for start, extent, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        length = min(max(1, math.ceil(extent)), limit)
        edges.append((min(max(math.floor(start), 0), limit - length), length))
    (left, width), (top, height) = edges
    return float(left), float(top), float(width), float(height)
