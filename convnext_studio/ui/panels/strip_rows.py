"""Where the nodes within a stage or a block are drawn: one row behind what is opened, widths by channels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.ui.panels.strip_layout import MARGIN_PX, Part

_OPENED_PX = 122.0
_GAP_PX = 18.0
_NARROW_GAP_PX = 4.0
_ARC_PX = 12.0
_SUM_PX = 26.0
_WIDEST_PX = 190.0
_ROOMY_PX = 70.0
_LEAST_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class RowLayout:
    """All places within a stage, a block or a downsampling layer.

    Attributes
    ----------
    opened
        What is looked into, in front of the row.
    row
        The nodes in it, in the order of the forward pass.
    total
        Where branch and shortcut are summed; it is the block itself. None but in a block.
    gap
        Between two nodes of the row.
    """

    opened: Part
    row: tuple[Part, ...]
    total: Part | None
    gap: float

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that can be selected."""
        total = () if self.total is None else (self.total,)
        return (*self.row, *total, self.opened)


def lay_out_row(nodes: Sequence[NodeInfo], opened: NodeInfo, width: float, height: float) -> RowLayout:
    """Place the nodes within a node.

    Parameters
    ----------
    nodes
        Those within `opened`, in order, without itself.
    width, height
        Room, in logical pixels.
    """
    top, tall = MARGIN_PX, height - 2 * MARGIN_PX
    left = MARGIN_PX + _OPENED_PX + _GAP_PX
    is_block = opened.kind == "block"
    room = width - MARGIN_PX - left - (_SUM_PX + _GAP_PX if is_block else 0.0)
    # Sides by the root of the channels, as the eye compares areas.
    most = max(node.shape[0] for node in nodes)
    shares = [max(math.sqrt(node.shape[0] / most), _LEAST_SHARE) for node in nodes]
    gap = _GAP_PX if (room - (len(nodes) - 1) * _GAP_PX) / len(nodes) >= _ROOMY_PX else _NARROW_GAP_PX
    unit = min((room - (len(nodes) - 1) * gap) / sum(shares), _WIDEST_PX)
    arc = _ARC_PX if is_block else 0.0  # The shortcut passes above the row.
    row: list[Part] = []
    x = left
    for node, share in zip(nodes, shares, strict=True):
        row.append(Part(node, QRectF(x, top + arc, unit * share, tall - arc)))
        x += unit * share + gap
    middle = top + (tall + arc) / 2
    total = Part(opened, QRectF(x, middle - _SUM_PX / 2, _SUM_PX, _SUM_PX)) if is_block else None
    return RowLayout(Part(opened, QRectF(MARGIN_PX, top, _OPENED_PX, tall)), tuple(row), total, gap)
