"""The network strip: a drawing of the network for choosing the node that all panels show."""

import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.maps import NodeValues, NodeValuesResult, ValueStatistics
from convnext_studio.protocol.models import MeasureCosts, MeasuredCosts, ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import colorize, limits_of, reduced
from convnext_studio.ui.panels.base import changed_badge, choice, random_badge
from convnext_studio.ui.panels.interventions.change_menu import node_changes, toggle_node
from convnext_studio.ui.panels.strip.strip_canvas import NetworkCanvas
from convnext_studio.ui.panels.strip.strip_layout import (
    NETWORK,
    is_openable,
    level_above,
    level_showing,
    neighbour,
    nodes_of,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.rates import READABLE_STEP_S
from convnext_studio.ui.state.node_texts import (
    COST_KINDS,
    COST_TITLES,
    CostKind,
    Costs,
    costs_of,
    costs_of_matched,
    describe,
    lasted,
    shape_text,
    short_title,
    statistics_text,
)
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.elided_label import FactsLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.text_size import scaled_px

_DEEPEST = 4  # Levels: network, stage, block, operation.
_NUMBERS_PX = 160
_THUMBNAIL_PX = 128
"""As many as a thumbnail has on a screen of twice the resolution."""
_COSTS_TIP = "The quantity shown by the bars below the nodes; a full bar is the largest value shown"


class StripHeader(QWidget):
    """The strip's header: breadcrumb, numbers, random-weights badge, legend, and the choice of costs."""

    level_chosen = Signal(str)  # name of the node to open; empty for the network
    costs_chosen = Signal(str)  # CostKind

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = [NETWORK]
        self.crumbs = [self._crumb(index) for index in range(_DEEPEST)]
        self._arrows = [PlainLabel("›") for _ in self.crumbs[1:]]
        self.numbers = FactsLabel()
        self.numbers.setAccessibleName("Numbers of the selected node")
        self.badge = random_badge()
        self.changed_badge = changed_badge()
        self.changed_badge.hide()
        self.legend = PlainLabel()
        self.legend.setProperty("muted", True)
        self.costs = choice(
            "Costs",
            _COSTS_TIP,
            [(COST_TITLES[kind], kind) for kind in COST_KINDS],
            word="Bars",
        )
        self.costs.currentIndexChanged.connect(lambda _index: self.costs_chosen.emit(self.cost_kind))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 6, 0)
        layout.setSpacing(2)
        for arrow, crumb in zip([None, *self._arrows], self.crumbs, strict=True):
            if arrow is not None:
                layout.addWidget(arrow)
            layout.addWidget(crumb)
        layout.addSpacing(12)
        layout.addWidget(self.numbers, 1)
        layout.addSpacing(12)
        layout.addWidget(self.changed_badge)
        layout.addWidget(self.badge)
        layout.addSpacing(4)
        layout.addWidget(self.legend)
        layout.addSpacing(4)
        layout.addWidget(self.costs)
        self.show_path(["Network"], [NETWORK])

    def _crumb(self, index: int) -> QToolButton:
        crumb = QToolButton()
        crumb.setAutoRaise(True)
        crumb.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        crumb.setToolTip("Go back to this level")
        crumb.clicked.connect(lambda: self.level_chosen.emit(self._names[index]))
        return crumb

    @property
    def cost_kind(self) -> CostKind:
        """What the cost bars show."""
        return COST_KINDS[self.costs.currentIndex()]

    def show_path(self, titles: list[str], names: list[str]) -> None:
        """Show the path from the network to the selected node."""
        self._names = names
        for index, crumb in enumerate(self.crumbs):
            is_used = index < len(titles)
            crumb.setText(titles[index] if is_used else "")
            crumb.setAccessibleName(f"Go to {crumb.text()}" if is_used else "There is no such level")
        self._fit()

    def show_legend(self, text: str) -> None:
        """Explain the cost bars, if there is room for it, and in the tooltip of the choice of costs."""
        self.legend.setText(text)
        self.costs.setToolTip(plain_tip(f"{_COSTS_TIP}\n{text}" if text else _COSTS_TIP))
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Return the size at which only the selected node and the choice of costs are shown."""
        least = sum(part.sizeHint().width() for part in (self.crumbs[self._depth], self.costs))
        return QSize(least + scaled_px(24), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out what does not fit: first the legend, then the levels in the middle of the path."""
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Follow the badge, and the size of the text."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.FontChange):
            self._fit()
        return super().event(event)

    @property
    def _depth(self) -> int:
        return len(self._names) - 1

    def _fit(self) -> None:
        badges = [badge for badge in (self.badge, self.changed_badge) if not badge.isHidden()]
        fixed = [self.costs, *badges]
        room = self.width() - sum(part.sizeHint().width() for part in fixed) - scaled_px(40)
        used = list(range(self._depth + 1))
        arrow_px = self._arrows[0].sizeHint().width()

        def path_px() -> int:
            return sum(self.crumbs[index].sizeHint().width() + arrow_px for index in used)

        while len(used) > 1 and path_px() > room:
            used.pop(-2)
        for index, crumb in enumerate(self.crumbs):
            crumb.setVisible(index in used)
            if index:
                self._arrows[index - 1].setVisible(index in used and index > used[0])
        room -= path_px()
        legend_px = self.legend.sizeHint().width()
        self.legend.setVisible(bool(self.legend.text()) and legend_px + scaled_px(_NUMBERS_PX) <= room)
        room -= legend_px if self.legend.isVisibleTo(self) else 0
        self.numbers.setVisible(room >= scaled_px(_NUMBERS_PX) / 2)

    def show_numbers(self, text: str) -> None:
        """Show what is known about the selected node."""
        self.numbers.setText(text)
        self.numbers.setToolTip(plain_tip(text))

    def choose_costs(self, kind: str) -> None:
        """Choose what the cost bars show."""
        self.costs.setCurrentIndex(COST_KINDS.index(kind))


_PANEL = "strip"


class NodeNumbers(QObject):
    """Asks the engine for missing values, and drops those that a new picture or model invalidates.

    Of a live source, it asks about one frame at a time, at most every `READABLE_STEP_S`, and until then keeps
    what it knows of an earlier frame.

    Attributes
    ----------
    before, after
        Statistics of the nodes' inputs and of their outputs, by node name.
    image
        The key of the picture or frame that these are about; empty while there are none.
    measured
        Times of this model's nodes; None if they were not measured.
    measured_second
        Times of the nodes of the second network; None if they were not measured.
    times_failure
        Why measuring failed; empty if it has not.
    """

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.before: dict[str, ValueStatistics] = {}
        self.after: dict[str, ValueStatistics] = {}
        self.image = ""
        self.measured: MeasuredCosts | None = None
        self.measured_second: MeasuredCosts | None = None
        self.times_failure = ""
        self._asked_nodes: frozenset[str] = frozenset()
        self._asked_s = 0.0
        self._values_refused = False
        self._values = Query(bridge, self._receive_values, self._refuse_values, parent=self)
        self._times = Query(bridge, self._receive_times, self._refuse_times, parent=self)
        self._second_times = Query(bridge, self._receive_second_times, lambda _: None, parent=self)
        state.second.model_changed.connect(self._forget_second_times)
        state.model_loaded.connect(self._forget_times)
        state.prediction_made.connect(self._forget_values)

    def want_values(self, nodes: Sequence[str]) -> None:
        """Ask for these nodes' values on the current picture, after its prediction, which goes first."""
        picture, is_live = self._state.picture, self._state.live.is_on
        if self._values_refused or picture is None or self._state.prediction is None:
            return
        if is_live and self.after and number_of(self.image) is None:
            self.image, self.before, self.after = "", {}, {}  # Those of the picture before the first frame.
            self.changed.emit()
        is_known = self.image == picture.key or not is_live
        missing = frozenset(nodes) - self.after.keys() if is_known else frozenset(nodes)
        is_on_its_way = self._values.is_running and missing <= self._asked_nodes
        is_too_soon = is_live and time.monotonic() - self._asked_s < READABLE_STEP_S
        if not missing or is_on_its_way or (is_too_soon and missing <= self._asked_nodes):
            return
        self._asked_nodes, self._asked_s = missing, time.monotonic()
        wanted = tuple(node for node in nodes if is_live or node in missing)
        self._values.ask(NodeValues(image=picture.key, nodes=wanted, panel=_PANEL))

    def want_times(self, again: bool = False) -> None:
        """Have this model's nodes timed once; after a failure only with `again`."""
        if self._state.model is None or self.measured is not None:
            return
        if again and self.times_failure:
            self._forget_times()
        self._times.ask(MeasureCosts(panel=_PANEL))

    def want_second_times(self) -> None:
        """Have the second network's nodes timed once."""
        model = self._state.second.model
        if model is not None and self.measured_second is None:
            self._second_times.ask(MeasureCosts(panel=_PANEL, network="B"), of=model)

    def _receive_second_times(self, payload: Payload) -> None:
        if isinstance(payload, MeasuredCosts):
            self.measured_second = payload
            self.changed.emit()

    def _forget_second_times(self, _model: ModelInfo | None) -> None:
        self._second_times.drop()
        self.measured_second = None

    def _receive_values(self, payload: Payload) -> None:
        if isinstance(payload, NodeValuesResult):
            if payload.image != self.image:
                self.image, self.before, self.after = payload.image, {}, {}
            self.before.update(payload.before)
            self.after.update(payload.after)
            self.changed.emit()

    def _refuse_values(self, _reason: str) -> None:
        self._values_refused = True

    def _receive_times(self, payload: Payload) -> None:
        if isinstance(payload, MeasuredCosts):
            self.measured = payload
            self.changed.emit()

    def _refuse_times(self, reason: str) -> None:
        self.times_failure = reason
        self.changed.emit()

    def _forget_values(self, prediction: Prediction | None = None) -> None:
        if prediction is not None and not self._values_refused:
            return  # Same model and picture; only the explained class has changed.
        self._values.drop()
        self.image, self.before, self.after, self._values_refused = "", {}, {}, False

    def _forget_times(self) -> None:
        # Any measurement in progress is for the previous model.
        self._times.drop()
        self.measured, self.times_failure = None, ""


class NetworkStrip(QWidget):
    """The network strip: stem, stages and head; inside a stage its blocks, inside a block its operations.

    A click selects, arrow keys move, Enter opens the selected node and Escape goes back up. The engine is asked
    for the values before and after the nodes, and for how long they take.
    """

    title = "Network"
    costs_changed = Signal(str)  # CostKind

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self.opened = NETWORK
        self._model = self._shown_model = state.model
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
        canvas.switch_asked.connect(lambda: toggle_node(state, state.node))
        canvas.menu_asked.connect(lambda asked: self.menu_about(asked[0]).popup(asked[1]))
        header.level_chosen.connect(self._go_to)
        header.costs_chosen.connect(self._choose_costs)
        state.turns.connect_slot(state.model_loaded, self._show_model, self)
        state.turns.connect_slot(state.prediction_made, self._show_prediction, self)
        state.prediction_failed.connect(lambda _reason: self.canvas.show_thumbnails({}))
        state.node_selected.connect(self._follow)
        self.numbers.changed.connect(self._show_selection)
        state.second.shown_changed.connect(self._show_selection)
        state.second.shown_changed.connect(self._show_changes)
        state.second.nodes_paired.connect(self._show_selection)
        state.interventions.changed.connect(lambda _chain: canvas.update())

    # ------------------------------------------------------------------------------------------ navigation

    def step(self, step: int) -> None:
        """Select the node that many steps further on, on the level that is shown."""
        model = self.state.model
        place = None if model is None else neighbour(model.nodes, self.opened, self.state.node, step)
        if place is not None:
            self._open(*place)

    def open_selected(self) -> None:
        """Show what is inside the selected node or, if it is deeper than this level, the level it is on."""
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
        """Show the level that contains the opened node, and select that node."""
        if self.opened != NETWORK:
            self._open(level_above(self.opened), self.opened)

    def menu_about(self, node: NodeInfo | None) -> QMenu:
        """Return the context menu of a node; without one, that of the level that is shown."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        model = self.state.model
        if model is not None and node is not None:
            select = menu.addAction(f"&Select {node.title}")
            select.triggered.connect(lambda: self.state.set_node(node.name))
            if is_openable(model.nodes, node.name):
                inside = menu.addAction(f"&Open {node.title}")
                inside.triggered.connect(lambda: self.state.set_node(node.name))
                inside.triggered.connect(self.open_selected)
            node_changes(menu, self.state, node.name)
        up = menu.addAction("Go &up")
        up.setEnabled(self.opened != NETWORK)
        up.triggered.connect(self.go_up)
        if model is not None and node is not None:
            facts = [describe(node, model.config)]
            if node.name in self.numbers.after:
                facts.append(statistics_text(self.numbers.after[node.name]))
            menu.addSeparator()
            for text, copied in (("Copy the &name", node.name), ("Copy the &facts", " · ".join(facts))):
                menu.addAction(text).triggered.connect(
                    lambda _checked=False, copied=copied: QGuiApplication.clipboard().setText(copied)
                )
        return menu

    def select_stage(self, number: int) -> None:
        """Select the output of a stage, counted from 1; do nothing if there are fewer stages."""
        if number <= len(self._stages):
            self.state.set_node(self._stages[number - 1])

    def step_stage(self, step: int) -> None:
        """Select the output of the stage that many steps further on."""
        stages, stage = self._stages, self.state.node.partition(".")[0]
        if stages:
            # The stem comes before the first, the head after the last.
            ends = {"stem": -1, "head": len(stages)}
            index = (ends[stage] if stage in ends else stages.index(stage)) + step
            self.state.set_node(stages[min(max(index, 0), len(stages) - 1)])

    @property
    def _stages(self) -> tuple[str, ...]:
        return () if self.state.model is None else self.state.model.config.stages

    def _go_to(self, name: str) -> None:
        """Open a node of the breadcrumb and select it."""
        model = self.state.model
        if model is None:
            return
        if name == NETWORK:
            self._open(NETWORK, self.state.node.partition(".")[0] if self.opened else self.state.node)
        else:
            self._open(name if is_openable(model.nodes, name) else model.node(name).parent, name)

    def _open(self, level: str, node: str) -> None:
        # Set the level first: handlers of the node's signal need it.
        self.opened = level
        self.canvas.show_level(level)
        if node == self.state.node:
            self._show_selection()
        else:
            self.state.set_node(node)

    def _follow(self, name: str) -> None:
        """Show a level that contains the node, which was selected here or elsewhere."""
        model = self.state.model
        if model is not None:
            level = level_showing(self.opened, model.node(name))
            if level != self.opened:
                self.opened = level
                self.canvas.show_level(level)
        self._show_selection()

    # --------------------------------------------------------------------------------- what the state says

    def _show_model(self, model: ModelInfo | None) -> None:
        self._model = model
        self.header.badge.setVisible(model is not None and model.random_weights)
        is_level = model is not None and is_openable(model.nodes, self.opened)
        self.opened = self.opened if is_level else NETWORK
        self.canvas.show_level(self.opened)
        self._follow(self.state.node)

    def _show_changes(self) -> None:
        self.header.changed_badge.setVisible(self.state.second.marks_changes)

    def _show_prediction(self, prediction: Prediction | None) -> None:
        # Without a prediction the old thumbnails stay; the next ones are on their way.
        if prediction is not None:
            self.canvas.show_thumbnails(
                {
                    stage: to_qimage(colorize(reduced(mean, _THUMBNAIL_PX), limits_of(mean), "viridis"))
                    for stage, mean in prediction.stage_means.items()
                }
            )
        elif self.state.picture is None:
            self.canvas.show_thumbnails({})
        if self.state.model is not self._model:
            return  # It is about to be told that there is another network.
        model = self.state.framed_model
        if self.state.live.is_on and model is not None and model is self._shown_model:
            self._want_values(model)  # A frame of the same size changes nothing else.
        else:
            self._show_selection()

    def _want_values(self, model: ModelInfo) -> None:
        """Ask for the values of the nodes that are shown."""
        if self.isVisible():
            shown = [part.name for part in nodes_of(model.nodes, self.opened)]
            self.numbers.want_values(list(dict.fromkeys([*shown, self.state.node])))

    def _show_selection(self) -> None:
        model = self._shown_model = self.state.framed_model
        if model is None:
            self.canvas.setAccessibleDescription("No model is open")
            # Reserve room for the bars, so that nothing in the window moves once there is a model.
            self.canvas.show_costs(Costs(self.cost_kind, {}, 0.0))
            return
        node = model.node(self.state.node)
        self._want_values(model)
        self.canvas.setAccessibleDescription(describe(node, model.config))
        self.canvas.show_values(self.numbers.after)
        self._show_path(model, node)
        self._show_numbers(node)
        self._show_costs(model)

    def _show_path(self, model: ModelInfo, node: NodeInfo) -> None:
        """Show the path of nodes that leads to the selected one; each of them can be opened."""
        names = [node.name]
        while model.node(names[0]).parent:
            names.insert(0, model.node(names[0]).parent)
        titles = [short_title(model.node(name)) for name in names]
        self.header.show_path(["Network", *titles], [NETWORK, *names])

    def _show_numbers(self, node: NodeInfo) -> None:
        said = [shape_text(node)]
        frame = number_of(self.numbers.image)
        if frame is not None:
            said.append(f"frame {frame + 1:,}")
        before, after = self.numbers.before.get(node.name), self.numbers.after.get(node.name)
        if before is not None and after is not None:
            said += [f"in: {statistics_text(before)}", f"out: {statistics_text(after)}"]
        self.header.show_numbers("   ".join(said))

    # ----------------------------------------------------------------------------------------------- costs

    @property
    def cost_kind(self) -> CostKind:
        """What the cost bars show."""
        return self.header.cost_kind

    def set_low(self, is_low: bool) -> None:
        """Leave room to the panels in a low window: show only the names of the nodes, or everything again."""
        self.canvas.set_low(is_low)

    def choose_costs(self, kind: str) -> None:
        """Let the cost bars show parameters, MACs, memory, time, or nothing."""
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
        costs = self._of_both(costs_of(model, shown, self.opened, kind, numbers.measured), shown)
        self.canvas.show_costs(costs)
        if kind == "time" and numbers.measured is None:
            self.header.show_legend(numbers.times_failure or "measuring …")
        else:
            self.header.show_legend(self._legend(costs))

    def _of_both(self, costs: Costs, shown: tuple[NodeInfo, ...]) -> Costs:
        """Return what is to be shown of the costs of A, given as they are, and those of B."""
        second, pair = self.state.second, self.state.second.pair
        if pair is None or second.shown not in ("second", "difference") or costs.kind == "none":
            return costs
        if second.is_changed_first:  # It costs the same.
            return costs
        if costs.kind == "time":
            self.numbers.want_second_times()
        of_b = costs_of_matched(pair, shown, costs.kind, self.numbers.measured_second)
        return of_b if second.shown == "second" else costs.minus(of_b)

    def _legend(self, costs: Costs) -> str:
        """Explain the bars, and whose they are where there are two networks."""
        second = self.state.second
        if second.model is None or not costs.legend:
            return costs.legend
        # The curtain has no place between the nodes, so the bars are those of the first.
        whose = second.choice.first if second.shown == "curtain" else second.choice.text()
        return f"{whose}: {costs.legend}"

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
        for when, values in (("in", numbers.before), ("out", numbers.after)):
            if node.name in values:
                lines.append(f"{when}: {statistics_text(values[node.name])}")
        return "\n".join(lines)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the strip was hidden."""
        super().showEvent(event)
        self._show_selection()
