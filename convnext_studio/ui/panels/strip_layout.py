"""Where the whole network is drawn: widths by depth and channels, heights by resolution."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF

from convnext_studio.model.nodes import NodeInfo

MARGIN_PX = 6.0
PADDING_PX = 6.0
_END_PX = 62.0
_GAP_PX = 24.0
_NARROWEST_PX = 9.0
_SMALLEST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Part:
    """A node's place: what is drawn, and what a click hits."""

    node: NodeInfo
    rect: QRectF


@dataclass(frozen=True, slots=True)
class StagePlace:
    """A stage: its box, the thumbnail and the lines of text in it, and its blocks.

    Attributes
    ----------
    blocks
        Those that can be selected.
    bars
        Those that cannot: of networks that have no nodes in their stages.
    """

    node: NodeInfo
    rect: QRectF
    thumbnail: QRectF
    text: QRectF
    blocks: tuple[Part, ...]
    bars: tuple[QRectF, ...]


@dataclass(frozen=True, slots=True)
class NetworkLayout:
    """All places of the network seen whole; the head is a part only where it can be selected."""

    stem: Part
    stages: tuple[StagePlace, ...]
    downsamples: tuple[Part, ...]
    head: Part | None
    head_rect: QRectF

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that can be selected, a block before the stage that it lies in."""
        blocks = (block for stage in self.stages for block in stage.blocks)
        stages = (Part(stage.node, stage.rect) for stage in self.stages)
        head = () if self.head is None else (self.head,)
        return (*blocks, *self.downsamples, self.stem, *stages, *head)


def part_at(parts: Sequence[Part], x: float, y: float) -> Part | None:
    """The first part at a point."""
    return next((part for part in parts if part.rect.contains(x, y)), None)


def rect_of(parts: Sequence[Part], name: str) -> QRectF | None:
    """Where the node of that name is drawn."""
    return next((part.rect for part in parts if part.node.name == name), None)


def lay_out(
    nodes: Sequence[NodeInfo],
    depths: Sequence[int],
    width: float,
    height: float,
    text_width: float,
    text_height: float,
) -> NetworkLayout:
    """Place the network.

    Parameters
    ----------
    nodes
        The node table.
    depths
        Blocks of each stage.
    width, height
        Room, in logical pixels.
    text_width, text_height
        Room that a stage's texts need; stages get narrower only where they cannot all have it.
    """
    by_name = {node.name: node for node in nodes}
    stages = [node for node in nodes if node.kind == "stage"]
    blocks = [
        [node for node in nodes if node.kind == "block" and node.parent == stage.name] for stage in stages
    ]
    room = width - 2 * MARGIN_PX - 2 * _END_PX - (len(stages) + 1) * _GAP_PX
    least = min(text_width + 2 * PADDING_PX, room / len(stages))
    widths = [least + (room - len(stages) * least) * depth / sum(depths) for depth in depths]

    top, tall = MARGIN_PX, height - 2 * MARGIN_PX
    x = MARGIN_PX
    stem = Part(by_name["stem"], QRectF(x, top, _END_PX, tall))
    x += _END_PX + _GAP_PX
    places: list[StagePlace] = []
    downsamples: list[Part] = []
    for stage, inside, depth, wide in zip(stages, blocks, depths, widths, strict=True):
        downsample = by_name.get(f"{stage.name}.downsample")
        if downsample is not None:
            downsamples.append(Part(downsample, QRectF(x - _GAP_PX, top, _GAP_PX, tall)))
        places.append(_place_stage(stage, inside, depth, QRectF(x, top, wide, tall), text_height, stages))
        x += wide + _GAP_PX
    head_rect = QRectF(x, top, _END_PX, tall)
    head = next((Part(node, head_rect) for node in nodes if node.kind == "head"), None)
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
    parts = tuple(Part(block, place) for block, place in zip(blocks, bars, strict=True))
    return StagePlace(stage, rect, thumbnail, text, parts, ())
