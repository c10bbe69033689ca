"""Which parts of the network matter: each is changed alone, and the change of the class's logit is ranked."""

import math

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QSpinBox, QTreeWidget, QTreeWidgetItem, QWidget

from convnext_studio.common.interventions import Change
from convnext_studio.protocol.channels import ChannelStatistics, ChannelStatisticsResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.interventions import RankedParts, RankParts
from convnext_studio.render import format_number
from convnext_studio.ui.panels.base import Panel, choice
from convnext_studio.ui.panels.interventions.change_texts import node_title, part_text
from convnext_studio.ui.panels.panel_query import PanelQuery, QueryProgressBar, StopButton
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.text_size import scaled_px

MOST_ROWS = 200
_PANEL = "ranking"
_NAME_CHARACTERS, _HEAD_MARGIN_PX = 12, 24
_HEADS = ("Part", "Logit change", "Ablation-CAM", "Contribution")
_TIPS = (
    "The part that is changed alone; a click changes it in all views, another one undoes that",
    "The logit of the explained class with the change minus the logit without it",
    "The weight of the channel in Ablation-CAM: by what share of its size the logit falls without it",
    "Gradient times value, summed over the positions: what the channel adds to the logit to first order",
)


class RankingTable(QTreeWidget):
    """A table of parts; a click or Enter applies the change of a part, or undoes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("Parts that matter most")
        self.setAccessibleDescription("Enter changes a part in all views, or undoes that")
        self.setToolTip("A click changes the part in all views, another one undoes that")
        self.setHeaderLabels(list(_HEADS))
        for column, tip in enumerate(_TIPS):
            self.headerItem().setToolTip(column, plain_tip(tip))
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._wanted = {1, 2, 3}

    def use_columns(self, wanted: set[int]) -> None:
        """Show these columns of numbers as far as there is room for them."""
        self._wanted = wanted
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the columns for which there is room now."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Leave out the last columns where the names would get too narrow, rather than scroll sideways."""
        metrics = self.header().fontMetrics()
        left_px = self.viewport().width() - _NAME_CHARACTERS * metrics.averageCharWidth()
        for column in sorted(self._wanted):
            left_px -= metrics.horizontalAdvance(_HEADS[column]) + scaled_px(_HEAD_MARGIN_PX)
            self.setColumnHidden(column, left_px < 0 and column > 1)
        for column in {1, 2, 3} - self._wanted:
            self.setColumnHidden(column, True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Apply the change of the current part with Enter or the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            item = self.currentItem()
            if item is not None:
                self.itemClicked.emit(item, 0)
        else:
            super().keyPressEvent(event)


class RankingPanel(Panel):
    """A panel with the parts of the network whose change moves the explained class most."""

    title = "What matters"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.parts = choice(
            "Parts",
            "What is changed one by one: the channels of the selected node, the branches of all blocks, "
            "or the places of a grid over the selected node",
            [("Channels of the node", "channels"), ("Blocks", "blocks"), ("Places", "places")],
            word="Try",
        )
        self.effect = choice(
            "Change of each part",
            "Set it to 0, to its mean over the positions, or to its mean over the open pictures",
            [("Off", "off"), ("Mean", "mean"), ("Mean of the pictures", "picture mean")],
            word="Each",
        )
        self.grid = QSpinBox()
        self.grid.setRange(2, 32)
        self.grid.setValue(6)
        self.grid.setPrefix("grid of ")
        self.grid.setKeyboardTracking(False)
        self.grid.setAccessibleName("Rows and columns of the grid")
        self.grid.setToolTip("How many rows and columns the grid of places has")
        self._contributions = Query(bridge, self._take_contributions, lambda _reason: None, parent=self)
        self._known: ChannelStatisticsResult | None = None
        self.query = PanelQuery(self, self.question, self._show, self._dim, wait_ms=150)
        self.stop = StopButton(self.query, "Stop, and keep what is known so far")
        self.progress = QueryProgressBar(self.query, "Parts tried")
        for control in (self.parts, self.effect, self.grid, self.stop, self.progress):
            self.controls.add(control)
        self.table = RankingTable()
        self.table.itemClicked.connect(self._toggle)
        self.set_body(self.table)
        self._connect()
        self._follow_parts()

    def _connect(self) -> None:
        state = self.state
        self.parts.currentIndexChanged.connect(self._follow_parts)
        self.effect.currentIndexChanged.connect(self.query.schedule)
        self.grid.valueChanged.connect(self.query.schedule)
        for signal in (
            state.picture_selected,
            state.prediction_made,
            state.node_selected,
            state.target_selected,
            state.model_loaded,
            state.opened.changed,
        ):
            signal.connect(self.query.schedule)
        state.interventions.changed.connect(self._mark_applied)
        self.query.changed.connect(self._describe)

    def _follow_parts(self) -> None:
        self.grid.setVisible(self.parts.currentData() == "places")
        self.query.schedule()

    # ------------------------------------------------------------------------------------------ the engine

    def question(self) -> RankParts | str | None:
        """Return the request for the ranking, or why there is none."""
        state = self.state
        if state.picture is None:
            return state.awaited.why_no_picture
        if state.model is None or state.prediction is None:
            return None
        effect = self.effect.currentData()
        node = state.model.node(state.node)
        if self.parts.currentData() == "places" and not node.has_positions:
            return "The selected node has no positions. Choose a stage or a block."
        return RankParts(
            panel=_PANEL,
            image=state.picture.key,
            node="" if self.parts.currentData() == "blocks" else node.name,
            parts=self.parts.currentData(),
            effect=effect,
            rows=self.grid.value(),
            columns=self.grid.value(),
            target=state.explained_class,
            images=tuple(each.key for each in state.opened.all) if effect == "picture mean" else (),
        )

    def _take_contributions(self, answer: Payload) -> None:
        if isinstance(answer, ChannelStatisticsResult):
            self._known = answer
            self._show(self.query.answer)

    def _show(self, answer: Payload) -> None:
        if not isinstance(answer, RankedParts):
            return
        has_channels = bool(answer.changes) and bool(answer.changes[0].channels)
        if has_channels:
            node = answer.changes[0].node
            self._contributions.ask(
                ChannelStatistics(panel=_PANEL, image=answer.image, node=node, target=answer.target),
                of=self.state.model,
            )
        is_ablation = has_channels and answer.changes[0].effect == "off"
        self.table.use_columns({1} | ({2} if is_ablation else set()) | ({3} if has_channels else set()))
        ranked = answer.ranked[:MOST_ROWS]
        while self.table.topLevelItemCount() > len(ranked):
            self.table.takeTopLevelItem(self.table.topLevelItemCount() - 1)
        while self.table.topLevelItemCount() < len(ranked):
            self.table.addTopLevelItem(QTreeWidgetItem())
        for row, part in enumerate(ranked):
            self._fill(self.table.topLevelItem(row), answer, part)
        self._mark_applied()
        self._describe()

    def _fill(self, item: QTreeWidgetItem | None, answer: RankedParts, part: int) -> None:
        if item is None:
            return
        change, difference = answer.changes[part], float(answer.differences[part])
        numbers = (difference, -difference / abs(answer.score) if answer.score else math.nan, math.nan)
        known = self._known
        if (
            change.channels
            and known is not None
            and known.contributions is not None
            and (known.image, known.node, known.target) == (answer.image, change.node, answer.target)
        ):
            numbers = (*numbers[:2], float(known.contributions[change.channels[0]]))
        item.setText(0, part_text(change, self.state.model, names_node=not _is_of_node(change)))
        item.setData(0, Qt.ItemDataRole.UserRole, part)
        for column, number in enumerate(numbers, start=1):
            item.setText(column, "–" if math.isnan(number) else format_number(number))
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)

    def _dim(self, dimmed: bool) -> None:
        self.table.setEnabled(not dimmed)

    def _describe(self) -> None:
        answer, model = self.query.answer, self.state.model
        if not isinstance(answer, RankedParts) or model is None or not self.shows_body:
            return
        known = int(np.count_nonzero(~np.isnan(answer.differences)))
        label = model.labels[answer.target] if answer.target < len(model.labels) else f"class {answer.target}"
        shown = f"the {MOST_ROWS} largest of " if known > MOST_ROWS else ""
        first = answer.changes[0] if answer.changes else None
        progress = self.query.progress_text  # It counts the parts, too.
        said = [
            progress,
            node_title(first, model) if first is not None and _is_of_node(first) else "",
            f"{label}: logit {format_number(answer.score)} without any change",
            "each part changed alone"
            if progress
            else f"{shown}{known} of {len(answer.changes)} parts, each changed alone",
        ]
        self.set_caption(" · ".join(text for text in said if text))

    # ------------------------------------------------------------------------------------------- applying

    def _change_of(self, item: QTreeWidgetItem) -> Change | None:
        answer = self.query.answer
        part = item.data(0, Qt.ItemDataRole.UserRole)
        return answer.changes[part] if isinstance(answer, RankedParts) and isinstance(part, int) else None

    def _toggle(self, item: QTreeWidgetItem, _column: int) -> None:
        change = self._change_of(item)
        if change is None:
            return
        if change.channels:
            self.state.set_channel(change.channels[0])
        self.state.interventions.toggle(change)

    def _mark_applied(self, _changed: object = None) -> None:
        """Tick the parts that are changed now."""
        applied = set(self.state.interventions.changes)
        for row in range(self.table.topLevelItemCount()):
            item = self.table.topLevelItem(row)
            if item is not None:
                is_on = self._change_of(item) in applied
                item.setCheckState(0, Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked)
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)


def _is_of_node(change: Change) -> bool:
    """Whether a change is one of many of the same node, which the caption names."""
    return bool(change.channels) or change.region is not None
