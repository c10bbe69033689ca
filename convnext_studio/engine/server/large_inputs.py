"""Which inputs are computed in tiles, which in one piece, and which are too large for either."""

import math
from collections.abc import Callable

from convnext_studio.analysis.tiling import tiled_bytes, whole_bytes
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.engine.server.devices import free_bytes
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import Size, input_grid

WHOLE_BYTES = 1 << 30
"""The largest pass, over the model, that is made in one piece on the CPU."""
TILED_BYTES = 2 << 30
"""The largest pass, over the model, that is made in tiles on the CPU."""
MOST_TIMES_TRAINED = 16
"""How many times the pixels of its training a network of another family is shown in one piece."""


def in_one_piece_bytes(model: LoadedModel) -> int:
    """Return how large a pass may be, over the model, to be made in one piece."""
    free = free_bytes(model.device)
    return WHOLE_BYTES if free is None else free // 2


def is_large(model: LoadedModel, size: Size) -> bool:
    """Whether an input of that height and width has to be computed in tiles."""
    if not isinstance(model.module, ConvNeXt):
        return math.prod(size) > MOST_TIMES_TRAINED * model.preprocessing.input_px**2
    return whole_bytes(model, size) > in_one_piece_bytes(model)


def check_room(model: LoadedModel, geometry: CropGeometry) -> None:
    """Raise a StudioError if an input fits into memory neither in one piece nor in tiles.

    The hint says what would fit.
    """
    width, height = geometry.input_size
    if not is_large(model, (height, width)):
        return
    if not isinstance(model.module, ConvNeXt):
        raise StudioError(
            f"{_pixels(geometry)} are too many for {model.title} in one piece, and only ConvNeXt is "
            "computed in tiles.",
            _hint(model, geometry, lambda size: not is_large(model, size)),
        )
    needed = tiled_bytes(model, (height, width))
    limit = max(TILED_BYTES, in_one_piece_bytes(model))
    if needed > limit:
        raise StudioError(
            f"{_pixels(geometry)} need about {_gigabytes(needed)} with {model.title}, even in tiles; "
            f"{_gigabytes(limit)} are allowed.",
            _hint(model, geometry, lambda size: tiled_bytes(model, size) <= limit),
        )


def check_in_one_piece(model: LoadedModel, geometry: CropGeometry) -> None:
    """Raise a StudioError if something that is not computed in tiles is asked of a large input.

    The hint says what would fit.
    """
    check_room(model, geometry)
    width, height = geometry.input_size
    if is_large(model, (height, width)):
        raise StudioError(
            f"{_pixels(geometry)} are computed in tiles, which is possible for maps, statistics, patches "
            "and Grad-CAM at stages, but not for this.",
            _hint(model, geometry, lambda size: not is_large(model, size)),
        )


def _largest(model: LoadedModel, geometry: CropGeometry, fits: Callable[[Size], bool]) -> Size:
    """Return the largest input of about that shape that fits, in multiples of the network's stride."""
    width, height = geometry.input_size
    step = input_grid(model.config, model.nodes).step_px
    low, high, found = 0.0, 1.0, (step, step)
    for _ in range(12):
        share = (low + high) / 2
        size = (_rounded_up(height * share, step), _rounded_up(width * share, step))
        if fits(size):
            low, found = share, size
        else:
            high = share
    return found


def _rounded_up(side: float, step: int) -> int:
    return max(1, math.ceil(side / step)) * step


def _hint(model: LoadedModel, geometry: CropGeometry, fits: Callable[[Size], bool]) -> str:
    """Say how large an input of that shape, and how large a box, may be."""
    height, width = _largest(model, geometry, fits)
    side = min(int(math.sqrt(height * width)), *geometry.input_size)
    side -= side % input_grid(model.config, model.nodes).step_px
    return (
        f"About {width * height / 1e6:.2g} megapixels fit: show the whole picture at {max(width, height)} pixels, "
        f"or a box of {side} × {side}."
    )


def _pixels(geometry: CropGeometry) -> str:
    width, height = geometry.input_size
    return f"{width} × {height} pixels"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GB"
