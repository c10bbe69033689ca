"""The parts of a network that can be tried one by one: channels of a node, blocks, places of a map."""

from collections.abc import Sequence

from convnext_studio.analysis.intervening.changed_outputs import changed_node
from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change, Effect, Region
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import Size


def channel_parts(model: LoadedModel, node: str, effect: Effect = "off") -> Sequence[Change]:
    """Return a change of each channel of a node."""
    channels = model.node(changed_node(model, Change(node=node))).shape[0]
    return [Change(node=node, effect=effect, channels=(channel,)) for channel in range(channels)]


def block_parts(model: LoadedModel, effect: Effect = "off") -> Sequence[Change]:
    """Return a change of the branch of each block.

    Raises
    ------
    StudioError
        If the network has no blocks whose branch can be changed.
    """
    blocks = [info.name for info in model.nodes if info.kind == "block"]
    if not blocks:
        raise StudioError("The blocks of this network cannot be changed one by one.", "Open a ConvNeXt.")
    return [Change(node=block, effect=effect, branch=True) for block in blocks]


def place_parts(
    model: LoadedModel, node: str, rows: int, columns: int, effect: Effect = "off", size: Size | None = None
) -> Sequence[Change]:
    """Return a change of each cell of a grid over the positions of a node, row by row.

    Where the positions cannot be divided evenly, cells differ by one position. A grid that is finer than the
    map has a cell for each position.

    Parameters
    ----------
    size
        Height and width of the network's input; those that it was trained with if None.

    Raises
    ------
    StudioError
        If the node has no positions.
    """
    info = model.node(node, size)
    if not info.has_positions:
        raise StudioError(f"{info.title} has no positions.", "Choose a stage or a block.")
    height, width = info.shape[1:]
    return [
        Change(node=node, effect=effect, region=Region(top, left, bottom, right))
        for top, bottom in _cells(height, rows)
        for left, right in _cells(width, columns)
    ]


def _cells(length: int, count: int) -> list[tuple[int, int]]:
    count = max(min(length, count), 1)
    ends = [round(length * index / count) for index in range(count + 1)]
    return list(zip(ends[:-1], ends[1:], strict=True))
