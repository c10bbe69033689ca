"""Which inputs are computed in tiles, which in one piece, and which are too large for either."""

import math
from collections.abc import Callable, Sequence

from convnext_studio.analysis.tiling.tiled_memory import least_bytes, plan_within, whole_bytes
from convnext_studio.analysis.tiling.tiled_passes import Plan
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.engine.server.hardware.devices import free_bytes
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import BYTES_PER_VALUE, Size, input_grid

WHOLE_BYTES = 1 << 30
"""The largest pass, over the model, that is made in one piece on the CPU."""
TILED_BYTES = 1_550_000_000
"""The largest pass, over the model, that is made in tiles on the CPU. The picture and what is kept of an answer
come to that: in all it is to be less than 2 GB, with room to spare."""
MOST_TIMES_TRAINED = 16
"""How many times the pixels of its training a network of another family is shown in one piece."""


def in_one_piece_bytes(model: LoadedModel) -> int:
    """Return how large a pass may be, over the model, to be made in one piece."""
    free = free_bytes(model.device)
    return WHOLE_BYTES if free is None else free // 2


def tiled_limit(model: LoadedModel) -> int:
    """Return how large a pass may be, over the model, to be made in tiles."""
    return max(TILED_BYTES, in_one_piece_bytes(model))


def _has_tiles(model: LoadedModel) -> bool:
    """Whether a network can be computed in tiles."""
    return isinstance(model.module, ConvNeXt)


def is_large(model: LoadedModel, size: Size) -> bool:
    """Whether an input of that height and width has to be computed in tiles."""
    if not _has_tiles(model):
        return math.prod(size) > MOST_TIMES_TRAINED * math.prod(model.preprocessing.input_size)
    return whole_bytes(model, size) > in_one_piece_bytes(model)


def check_room(model: LoadedModel, geometry: CropGeometry) -> None:
    """Raise a StudioError if an input fits into memory neither in one piece nor in tiles.

    The hint says what would fit.
    """
    width, height = geometry.input_size
    if not is_large(model, (height, width)):
        return
    if not _has_tiles(model):
        raise StudioError(
            f"{_pixels(geometry)} are too many for {model.title} in one piece, and only a ConvNeXt is computed "
            "in tiles.",
            _hint(model, geometry, lambda size: not is_large(model, size)),
        )
    tiled_plan(model, geometry, model.config.stages)


def tiled_plan(
    model: LoadedModel,
    geometry: CropGeometry,
    nodes: Sequence[str],
    copies: int = 0,
    *,
    keeps_outputs: bool = True,
) -> Plan:
    """Return how to go forward, and back to some nodes, over a large input in tiles.

    Parameters
    ----------
    copies
        How many more tensors as large as the largest of the outputs are needed to make something of them.

    Raises
    ------
    StudioError
        If that does not fit into memory; the hint says what would.
    """
    width, height = geometry.input_size
    limit = tiled_limit(model)

    def fitting(size: Size) -> Plan | None:
        rows = {node.name: node for node in model.nodes_at(size)}
        largest = max(
            (math.prod(rows[node].shape) for node in nodes if node in rows), default=math.prod(size) * 3
        )
        left = limit - copies * BYTES_PER_VALUE * largest
        return plan_within(model, size, nodes, left, keeps_outputs=keeps_outputs)

    plan = fitting((height, width))
    if plan is None:
        needed = least_bytes(model, (height, width), nodes)
        raise StudioError(
            f"{_pixels(geometry)} need about {_gigabytes(needed)} for this with {model.title}, even in tiles; "
            f"{_gigabytes(limit)} are allowed.",
            _hint(model, geometry, lambda size: fitting(size) is not None),
        )
    return plan


def check_in_one_piece(model: LoadedModel, geometry: CropGeometry) -> None:
    """Raise a StudioError if something that is not computed in tiles is asked of a large input.

    The hint says what would fit.
    """
    check_room(model, geometry)
    width, height = geometry.input_size
    if is_large(model, (height, width)):
        raise StudioError(
            f"{_pixels(geometry)} are computed in tiles, which is possible for what takes one pass forward and "
            "back, but not for this.",
            _hint(model, geometry, lambda size: not is_large(model, size)),
        )


def _hint(model: LoadedModel, geometry: CropGeometry, fits: Callable[[Size], bool]) -> str:
    """Say how large the whole picture, or a box of it, may be."""
    grid = input_grid(model.config, model.nodes)
    _, _, across, down = geometry.seen_in_input
    longest = int(max(across, down))

    def whole(longer: int) -> Size:
        height, width = (grid.padded(max(1, round(side * longer / longest))) for side in (down, across))
        return height, width

    longer = _largest(longest, grid.step_px, lambda side: fits(whole(side)))
    side = _largest(int(min(across, down)), grid.step_px, lambda side: fits((side, side)))
    height, width = whole(longer)
    return (
        f"About {width * height / 1e6:.2g} megapixels fit: show the whole picture at {longer} pixels, or a box "
        f"of {side} × {side}."
    )


def _largest(side: int, step: int, fits: Callable[[int], bool]) -> int:
    """Return the largest multiple of a step up to a side that fits, or the step."""
    low, high = 1, max(1, side // step)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle - 1)
    return low * step


def _pixels(geometry: CropGeometry) -> str:
    width, height = geometry.input_size
    return f"{width} × {height} pixels"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GB"
