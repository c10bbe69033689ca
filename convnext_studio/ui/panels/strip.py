"""The network itself, drawn to a sensible scale: the way to say which part of it the panels show."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from convnext_studio.engine.messages import ModelInfo, Prediction
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.render import colorize, limits_of
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.strip_canvas import NetworkCanvas
from convnext_studio.ui.panels.strip_costs import CostKind, Costs, costs_of, lasted
from convnext_studio.ui.panels.strip_header import StripHeader
from convnext_studio.ui.panels.strip_levels import (
    NETWORK,
    is_openable,
    level_above,
    level_showing,
    neighbour,
    nodes_of,
)
from convnext_studio.ui.panels.strip_numbers import NodeNumbers
from convnext_studio.ui.panels.strip_texts import describe, shape_text, short_title, statistics_text
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.state import AppState


class NetworkStrip(QWidget):
    """Stem, stages and head; inside a stage its blocks, inside a block its operations.

    A click selects, arrow keys walk, Enter opens what is selected and Escape goes back up. Numbers before and
    after the nodes, and how long they take, are asked of the engine.
    """

    title = "Network"
    costs_changed = Signal(str)  # CostKind

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self.opened = NETWORK
        self.numbers = NodeNumbers(state, bridge, self)
        self.header = StripHeader()
        self.canvas = NetworkCanvas(state, self._tip)
        self.setFocusProxy(self.canvas)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self.canvas)
        self._connect()
        self._show_model(state.model)
        self._show_prediction(state.prediction)
        self.header.choose_costs("parameters")

    def _connect(self) -> None:
        state, canvas, header = self.state, self.canvas, self.header
        canvas.pointed_at.connect(self._hover)
        canvas.stepped.connect(self.step)
        canvas.open_asked.connect(self.open_selected)
        canvas.up_asked.connect(self.go_up)
        header.level_chosen.connect(self._go_to)
        header.costs_chosen.connect(self._choose_costs)
        state.model_loaded.connect(self._show_model)
        state.prediction_made.connect(self._show_prediction)
        state.prediction_failed.connect(lambda _reason: self.canvas.show_thumbnails({}))
        state.node_selected.connect(self._follow)
        self.numbers.changed.connect(self._show_selection)

    # ------------------------------------------------------------------------------------------ navigation

    def step(self, step: int) -> None:
        """Select the node that is so many behind, on the level that is shown."""
        model = self.state.model
        place = None if model is None else neighbour(model.nodes, self.opened, self.state.node, step)
        if place is not None:
            self._open(*place)

    def open_selected(self) -> None:
        """Show what is inside the selected node; or, where it lies deeper, the level that it is on."""
        model = self.state.model
        if model is None:
            return
        node = model.node(self.state.node)
        if node.parent != self.opened and node.name != self.opened:
            self._open(node.parent, node.name)
        elif is_openable(model.nodes, node.name):
            inside = nodes_of(model.nodes, node.name)
            first = next((part for part in inside if part.kind != "downsample"), inside[0])
            self._open(node.name, first.name)

    def go_up(self) -> None:
        """Show the level that holds what is opened, and select that."""
        if self.opened != NETWORK:
            self._open(level_above(self.opened), self.opened)

    def _go_to(self, name: str) -> None:
        """Open a node of the breadcrumb, and select it."""
        model = self.state.model
        if model is None:
            return
        if name == NETWORK:
            self._open(NETWORK, self.state.node.partition(".")[0] if self.opened else self.state.node)
        else:
            self._open(name if is_openable(model.nodes, name) else model.node(name).parent, name)

    def _open(self, level: str, node: str) -> None:
        # First the level: the node's signal must find it.
        self.opened = level
        self.canvas.show_level(level)
        if node == self.state.node:
            self._show_selection()
        else:
            self.state.set_node(node)

    def _follow(self, name: str) -> None:
        """A node was selected, here or elsewhere: show a level that shows it."""
        model = self.state.model
        if model is not None:
            level = level_showing(self.opened, model.node(name))
            if level != self.opened:
                self.opened = level
                self.canvas.show_level(level)
        self._show_selection()

    # --------------------------------------------------------------------------------- what the state says

    def _show_model(self, model: ModelInfo | None) -> None:
        self.header.badge.setVisible(model is not None and model.random_weights)
        is_level = model is not None and is_openable(model.nodes, self.opened)
        self.opened = self.opened if is_level else NETWORK
        self.canvas.show_level(self.opened)
        self._follow(self.state.node)

    def _show_prediction(self, prediction: Prediction | None) -> None:
        # Without a prediction the old thumbnails stay; the next ones are under way.
        if prediction is not None:
            self.canvas.show_thumbnails(
                {
                    stage: to_qimage(colorize(mean, limits_of(mean), "viridis"))
                    for stage, mean in prediction.stage_means.items()
                }
            )
        elif self.state.picture is None:
            self.canvas.show_thumbnails({})
        self._show_selection()

    def _show_selection(self) -> None:
        model = self.state.model
        if model is None:
            self.canvas.setAccessibleDescription("No model is open")
            # With room for the bars to come: nothing in the window moves when there is a model.
            self.canvas.show_costs(Costs(self.cost_kind, {}, 0.0))
            return
        node = model.node(self.state.node)
        shown = nodes_of(model.nodes, self.opened)
        if self.isVisible():
            self.numbers.want_values(list(dict.fromkeys([*(part.name for part in shown), node.name])))
        self.canvas.setAccessibleDescription(describe(node, model.config))
        self.canvas.show_values(self.numbers.after)
        self._show_path(model, node)
        self._show_numbers(node)
        self._show_costs(model)

    def _show_path(self, model: ModelInfo, node: NodeInfo) -> None:
        """The nodes that lead to the selected one; each can be gone to."""
        names = [node.name]
        while model.node(names[0]).parent:
            names.insert(0, model.node(names[0]).parent)
        titles = [short_title(model.node(name)) for name in names]
        self.header.show_path(["Network", *titles], [NETWORK, *names])

    def _show_numbers(self, node: NodeInfo) -> None:
        said = [shape_text(node)]
        before, after = self.numbers.before.get(node.name), self.numbers.after.get(node.name)
        if before is not None and after is not None:
            said += [f"before: {statistics_text(before)}", f"after: {statistics_text(after)}"]
        self.header.show_numbers("   ".join(said))

    # ----------------------------------------------------------------------------------------------- costs

    @property
    def cost_kind(self) -> CostKind:
        """What the bars count."""
        return self.header.cost_kind

    def choose_costs(self, kind: str) -> None:
        """Let the bars count parameters, MACs, memory, time, or nothing."""
        self.header.choose_costs(kind)

    def _choose_costs(self, kind: CostKind) -> None:
        if kind == "time":
            self.numbers.want_times(again=True)
        self.costs_changed.emit(kind)
        self._show_selection()

    def _show_costs(self, model: ModelInfo) -> None:
        kind, numbers = self.cost_kind, self.numbers
        if kind == "time":
            self.numbers.want_times()
        shown = nodes_of(model.nodes, self.opened)
        costs = costs_of(model, shown, self.opened, kind, numbers.measured)
        self.canvas.show_costs(costs)
        if kind == "time" and numbers.measured is None:
            self.header.legend.setText(numbers.times_failure or "measuring …")
        else:
            self.header.legend.setText(costs.legend)

    # -------------------------------------------------------------------------------------------- read-out

    def _hover(self, node: NodeInfo | None) -> None:
        model = self.state.model
        text = "" if node is None or model is None else describe(node, model.config)
        values = None if node is None else self.numbers.after.get(node.name)
        self.state.hovered.emit(f"{text} · {statistics_text(values)}" if values is not None else text)

    def _tip(self, node: NodeInfo) -> str:
        model, numbers = self.state.model, self.numbers
        lines = [] if model is None else describe(node, model.config).split(" · ")
        if numbers.measured is not None and node.name in numbers.measured.seconds:
            where = numbers.measured.device_name
            lines.append(f"{lasted(numbers.measured.seconds[node.name])} on {where}")
        for when, values in (("before", numbers.before), ("after", numbers.after)):
            if node.name in values:
                lines.append(f"{when}: {statistics_text(values[node.name])}")
        return "\n".join(lines)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the strip was hidden."""
        super().showEvent(event)
        self._show_selection()
