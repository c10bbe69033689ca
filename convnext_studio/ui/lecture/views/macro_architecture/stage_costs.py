"""The parameters, MACs and activation memory of each part of the network."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.state.node_texts import COST_TITLES, CostKind, Costs, costs_of

_KINDS: tuple[CostKind, ...] = ("parameters", "macs", "memory")


class StageCostsView(NetworkView):
    """Bars for stem, stages and head in three columns; a full bar is the largest value of its column."""

    name = "Costs of the stages"

    def caption(self) -> str:
        """Return the caption: model and input size. Weights and picture do not matter."""
        model = self.state.model
        if model is None:
            return ""
        return f"{model.title} at {model.input_px} px, one picture, activations as float32, calculated"

    def nodes(self) -> list[NodeInfo]:
        """Return stem, stages and head."""
        return [node for node in self.model.nodes if node.kind in ("stem", "stage", "head")]

    def costs(self) -> list[Costs]:
        """Return the columns that are known for this network."""
        nodes = tuple(self.nodes())
        found = [costs_of(self.model, nodes, "", kind, None) for kind in _KINDS]
        return [costs for costs in found if costs.total]

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the names of the rows on the left, and one column for each cost."""
        nodes, costs, line = self.nodes(), self.costs(), ink.line()
        titles = ["Head" if node.kind == "head" else node.title for node in nodes]
        names = max(map(ink.width, titles)) + ink.px
        top = room.top() + 2.4 * line
        pitch = (room.bottom() - top) / len(nodes)
        for index, title in enumerate(titles):
            ink.text(QRectF(room.left(), top + index * pitch, names, pitch), title)
        columns = shared_columns(room.adjusted(names, 0, 0, 0), len(costs), ink.px)
        for column, each in zip(columns, costs, strict=True):
            self._paint_column(ink, column, each, nodes, (top, pitch))

    @staticmethod
    def _paint_column(
        ink: Ink, column: QRectF, costs: Costs, nodes: Sequence[NodeInfo], rows: tuple[float, float]
    ) -> None:
        line, (top, pitch) = ink.line(), rows
        ink.text(QRectF(column.left(), column.top(), column.width(), line), COST_TITLES[costs.kind], bold=True)
        below = QRectF(column.left(), column.top() + line, column.width(), ink.line(ink.small))
        ink.text(below, f"{costs.text(costs.total)} in total", px=ink.small, colour=ink.look.muted)
        for index, node in enumerate(nodes):
            cost = costs.of.get(node.name, 0.0)
            middle = top + (index + 0.5) * pitch
            words = " · ".join(filter(None, (costs.text(cost), costs.part_of_total(cost))))
            text = QRectF(column.left(), middle - line, column.width(), line)
            ink.text(text, words, px=ink.small)
            bar = QRectF(column.left(), middle, column.width(), 0.5 * line)
            ink.painter.fillRect(bar, QColor(ink.look.border))
            bar.setWidth(bar.width() * costs.share(node.name))
            ink.painter.fillRect(bar, QColor(ink.look.accent))


SPEC = ViewSpec(
    name="stage-costs",
    title="The parameters, MACs and activation memory of stem, stages and head",
    make=StageCostsView,
)
