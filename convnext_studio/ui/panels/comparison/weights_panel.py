"""How far the weights of two networks are apart, tensor by tensor."""

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from convnext_studio.protocol.comparison import CompareWeights, WeightDistances
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import format_number
from convnext_studio.ui.panels.base import Panel, PanelQuery
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

NO_SECOND = "Open a second network to compare the weights of both."
_HEADS = ("Tensor", "Shape", "Relative", "Distance", "Cosine", "Largest")
_TIPS = (
    "The name of the tensor in both networks",
    "Its shape",
    "The norm of A − B, divided by the norm of A",
    "The Euclidean norm of A − B",
    "The cosine of the angle between the two tensors",
    "The largest magnitude of a value of A − B",
)


class _Row(QTreeWidgetItem):
    """A row that is sorted by numbers where it has some."""

    def __lt__(self, other: QTreeWidgetItem) -> bool:
        tree = self.treeWidget()
        column = 0 if tree is None else tree.sortColumn()
        mine, theirs = (each.data(column, Qt.ItemDataRole.UserRole) for each in (self, other))
        if isinstance(mine, float) and isinstance(theirs, float):
            return (mine, 0) < (theirs, 0) if not math.isnan(mine) else not math.isnan(theirs)
        return self.text(column) < other.text(column)


class WeightsPanel(Panel):
    """A panel with the distance of each tensor of A from the one of the same name in B, in a table to sort."""

    title = "Weights"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.query = PanelQuery(self, self.question, self._show, self._dim, wait_ms=100)
        self.table = QTreeWidget()
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setSortingEnabled(True)
        self.table.setAccessibleName("Distances of the weights")
        self.table.setAccessibleDescription("How far the weights of each node differ; a heading sorts them")
        self.table.setToolTip("How far the weights of each node differ; a click on a heading sorts them")
        self.table.setHeaderLabels(list(_HEADS))
        for column, tip in enumerate(_TIPS):
            self.table.headerItem().setToolTip(column, tip)
        self.table.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.set_body(self.table)
        state.model_loaded.connect(self.query.schedule)
        state.second.model_changed.connect(self.query.start_over)
        self.query.refresh()

    def question(self) -> CompareWeights | str:
        """Return the request for the distances, or why there is none."""
        if self.state.second.model is None:
            return NO_SECOND
        return CompareWeights(panel="comparison")

    def _show(self, answer: Payload) -> None:
        if not isinstance(answer, WeightDistances):
            return
        self.table.setSortingEnabled(False)
        self.table.clear()
        for tensor in answer.tensors:
            numbers = (tensor.relative, tensor.distance, tensor.cosine, tensor.largest)
            texts = ["–" if math.isnan(number) else format_number(number) for number in numbers]
            row = _Row([tensor.name, " × ".join(map(str, tensor.shape)), *texts])
            for column, number in enumerate(numbers, start=2):
                row.setData(column, Qt.ItemDataRole.UserRole, float(number))
                row.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            self.table.addTopLevelItem(row)
        self.table.setSortingEnabled(True)
        self.set_caption(answer.text)

    def _dim(self, dimmed: bool) -> None:
        self.table.setEnabled(not dimmed)
