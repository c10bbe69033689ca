"""Compute where the strip draws each node of the network, of a stage or of a block."""

import math
from collections.abc import Sequence

from msgspec import Struct
from PySide6.QtCore import QRectF

from convnext_studio.model.nodes import NodeInfo

MARGIN_PX = 6.0
PADDING_PX = 6.0
_END_PX = 62.0
_GAP_PX = 24.0
_NARROW_PX = 700.0  # In a narrower strip, ends and gaps are smaller.
_NARROW_END_PX = 44.0
_NARROW_STAGE_GAP_PX = 16.0
_NARROWEST_PX = 9.0
_SMALLEST_SHARE = 0.3


class StripPart(Struct, frozen=True):
    """A node's place: where it is drawn and can be clicked."""

    node: NodeInfo
    rect: QRectF


class StagePlace(Struct, frozen=True):
    """A stage: its box, the thumbnail and the lines of text in it, and its blocks.

    Attributes
    ----------
    blocks
        The blocks that can be selected.
    bars
        The blocks that cannot be selected, in networks without nodes inside their stages.

    In a low strip there is only the text.
    """

    node: NodeInfo
    rect: QRectF
    thumbnail: QRectF
    text: QRectF
    blocks: tuple[StripPart, ...]
    bars: tuple[QRectF, ...]


class NetworkLayout(Struct, frozen=True):
    """All places of the whole network; the head is a part only if it can be selected."""

    stem: StripPart
    stages: tuple[StagePlace, ...]
    downsamples: tuple[StripPart, ...]
    head: StripPart | None
    head_rect: QRectF

    @property
    def parts(self) -> tuple[StripPart, ...]:
        """Everything that can be selected, with blocks before the stage that contains them."""
        blocks = (block for stage in self.stages for block in stage.blocks)
        stages = (StripPart(stage.node, stage.rect) for stage in self.stages)
        head = () if self.head is None else (self.head,)
        return (*blocks, *self.downsamples, self.stem, *stages, *head)


def part_at(parts: Sequence[StripPart], x: float, y: float) -> StripPart | None:
    """Return the first part at a point, or None."""
    return next((part for part in parts if part.rect.contains(x, y)), None)


def rect_of(parts: Sequence[StripPart], name: str) -> QRectF | None:
    """Return where the node of that name is drawn, or None."""
    return next((part.rect for part in parts if part.node.name == name), None)


def lay_out(
    nodes: Sequence[NodeInfo],
    depths: Sequence[int],
    width: float,
    height: float,
    text_width: float,
    text_height: float,
    is_low: bool = False,
) -> NetworkLayout:
    """Lay out the whole network.

    Parameters
    ----------
    nodes
        The node table.
    depths
        Number of blocks in each stage.
    width, height
        Available size, in logical pixels.
    text_width, text_height
        Size that a stage's texts need; stages become narrower only if there is not enough room for all.
    is_low
        Whether there is only room for the names of the stages, without thumbnails and blocks.
    """
    end, gap = (_NARROW_END_PX, _NARROW_STAGE_GAP_PX) if width < _NARROW_PX else (_END_PX, _GAP_PX)
    by_name = {node.name: node for node in nodes}
    stages = [node for node in nodes if node.kind == "stage"]
    blocks = [
        [node for node in nodes if node.kind == "block" and node.parent == stage.name] for stage in stages
    ]
    room = width - 2 * MARGIN_PX - 2 * end - (len(stages) + 1) * gap
    least = min(text_width + 2 * PADDING_PX, room / len(stages))
    widths = [least + (room - len(stages) * least) * depth / sum(depths) for depth in depths]

    top, tall = MARGIN_PX, height - 2 * MARGIN_PX
    x = MARGIN_PX
    stem = StripPart(by_name["stem"], QRectF(x, top, end, tall))
    x += end + gap
    places: list[StagePlace] = []
    downsamples: list[StripPart] = []
    for stage, inside, depth, wide in zip(stages, blocks, depths, widths, strict=True):
        downsample = by_name.get(f"{stage.name}.downsample")
        if downsample is not None:
            downsamples.append(StripPart(downsample, QRectF(x - gap, top, gap, tall)))
        rect = QRectF(x, top, wide, tall)
        if is_low:
            places.append(StagePlace(stage, rect, QRectF(), rect, (), ()))
        else:
            places.append(_place_stage(stage, inside, depth, rect, text_height, stages))
        x += wide + gap
    head_rect = QRectF(x, top, end, tall)
    head = next((StripPart(node, head_rect) for node in nodes if node.kind == "head"), None)
    return NetworkLayout(stem, tuple(places), tuple(downsamples), head, head_rect)


def _place_stage(
    stage: NodeInfo,
    blocks: Sequence[NodeInfo],
    depth: int,
    rect: QRectF,
    text_height: float,
    stages: Sequence[NodeInfo],
) -> StagePlace:
    inner = rect.adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
    text = QRectF(inner.left(), inner.top(), inner.width(), text_height)
    body = QRectF(inner.left(), text.bottom() + 4, inner.width(), inner.bottom() - text.bottom() - 4)
    thumbnail = QRectF(body.left(), body.top(), body.height(), body.height())
    left = thumbnail.right() + PADDING_PX
    pitch = (body.right() - left) / depth
    channels, side = stage.shape[0], stage.shape[1]
    wanted = _NARROWEST_PX * math.sqrt(channels / stages[0].shape[0])
    bar = max(min(wanted, pitch - 1), 1.0)
    share = max(math.sqrt(side / stages[0].shape[1]), _SMALLEST_SHARE)
    tall = body.height() * share
    pitch = min(pitch, bar + 4)
    top = body.center().y() - tall / 2
    bars = tuple(QRectF(left + index * pitch, top, bar, tall) for index in range(depth))
    if not blocks:
        return StagePlace(stage, rect, thumbnail, text, (), bars)
    parts = tuple(StripPart(block, place) for block, place in zip(blocks, bars, strict=True))
    return StagePlace(stage, rect, thumbnail, text, parts, ())


NETWORK = ""


def nodes_of(nodes: Sequence[NodeInfo], opened: str) -> tuple[NodeInfo, ...]:
    """Return the nodes of a level in the order of the forward pass.

    In a block, the block itself comes last: its output is the sum of its operations' output and the shortcut.
    """
    return tuple(
        node for node in nodes if node.parent == opened or (node.name == opened and node.kind == "block")
    )


def is_openable(nodes: Sequence[NodeInfo], name: str) -> bool:
    """Whether there are nodes inside this one."""
    return any(node.parent == name for node in nodes)


def level_above(opened: str) -> str:
    """Return the level that contains an opened node."""
    return opened.rpartition(".")[0]


def holds(opened: str, name: str) -> bool:
    """Whether a node is the opened one or inside it."""
    return opened in (NETWORK, name) or name.startswith(f"{opened}.")


def level_showing(opened: str, node: NodeInfo) -> str:
    """Return the level to show when a node is selected elsewhere: as deep as before if that shows the node."""
    while not holds(opened, node.name):
        opened = level_above(opened)
    return node.parent if node.kind == "operation" else opened


def neighbour(nodes: Sequence[NodeInfo], opened: str, selected: str, step: int) -> tuple[str, str] | None:
    """Return the level and the node that a step leads to; None at the ends of the network.

    Steps continue from a stage into the blocks of the next one, and from a block into the operations of the
    next one. A node inside one of the level's nodes counts as that one.

    Parameters
    ----------
    step
        1 for the next, -1 for the one before.
    """
    depth = len(opened.split(".")) if opened else 0
    walk = [(level, node.name) for level in _levels(nodes, depth) for node in nodes_of(nodes, level)]
    on_level = [(index, name) for index, (level, name) in enumerate(walk) if level == opened]
    here = [index for index, name in on_level if name == selected]
    here = here or [index for index, name in on_level if holds(name, selected)]
    # The opened node itself may be selected: it is not on its own level, but comes before it.
    index = here[0] + step if here else on_level[0][0] + min(step, 0)
    return walk[index] if 0 <= index < len(walk) else None


def _levels(nodes: Sequence[NodeInfo], depth: int) -> list[str]:
    """Return all levels of a depth that have nodes, in order."""
    # The head's name has a dot, but the head is no level.
    inside = (node for node in nodes if node.name.count(".") == depth and node.kind != "head")
    return list(dict.fromkeys(node.parent for node in inside))


_OPENED_PX = 122.0
_STRIP_ROWS_GAP_PX = 18.0
_NARROW_GAP_PX = 4.0
_ARC_PX = 12.0
_SUM_PX = 26.0
_WIDEST_PX = 190.0
_ROOMY_PX = 70.0
_LEAST_SHARE = 0.55


class RowLayout(Struct, frozen=True):
    """All places inside a stage, a block or a downsampling layer.

    Attributes
    ----------
    opened
        The opened node, drawn in front of the row.
    row
        The nodes of the row, in the order of the forward pass.
    total
        Where branch and shortcut are summed, which is the block itself; None outside blocks.
    gap
        The gap between two nodes of the row.
    """

    opened: StripPart
    row: tuple[StripPart, ...]
    total: StripPart | None
    gap: float

    @property
    def parts(self) -> tuple[StripPart, ...]:
        """Everything that can be selected."""
        total = () if self.total is None else (self.total,)
        return (*self.row, *total, self.opened)


def lay_out_row(nodes: Sequence[NodeInfo], opened: NodeInfo, width: float, height: float) -> RowLayout:
    """Lay out the nodes inside a node.

    Parameters
    ----------
    nodes
        The nodes inside `opened`, in order, without `opened` itself.
    width, height
        Available size, in logical pixels.
    """
    top, tall = MARGIN_PX, height - 2 * MARGIN_PX
    left = MARGIN_PX + _OPENED_PX + _STRIP_ROWS_GAP_PX
    is_block = opened.kind == "block"
    room = width - MARGIN_PX - left - (_SUM_PX + _STRIP_ROWS_GAP_PX if is_block else 0.0)
    # Sides grow with the square root of the channels, because the eye compares areas.
    most = max(node.shape[0] for node in nodes)
    shares = [max(math.sqrt(node.shape[0] / most), _LEAST_SHARE) for node in nodes]
    gap = (
        _STRIP_ROWS_GAP_PX
        if (room - (len(nodes) - 1) * _STRIP_ROWS_GAP_PX) / len(nodes) >= _ROOMY_PX
        else _NARROW_GAP_PX
    )
    unit = min((room - (len(nodes) - 1) * gap) / sum(shares), _WIDEST_PX)
    arc = _ARC_PX if is_block else 0.0  # The shortcut passes above the row.
    row: list[StripPart] = []
    x = left
    for node, share in zip(nodes, shares, strict=True):
        row.append(StripPart(node, QRectF(x, top + arc, unit * share, tall - arc)))
        x += unit * share + gap
    middle = top + (tall + arc) / 2
    total = StripPart(opened, QRectF(x, middle - _SUM_PX / 2, _SUM_PX, _SUM_PX)) if is_block else None
    return RowLayout(StripPart(opened, QRectF(MARGIN_PX, top, _OPENED_PX, tall)), tuple(row), total, gap)
