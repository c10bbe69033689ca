"""Open a second network beside the first, and compare their nodes and their weights."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.presets import BUNDLED, BUNDLED_3X3, PRESETS
from convnext_studio.model.road.steps import ROAD
from convnext_studio.protocol.comparison import (
    LEAST_PICTURES,
    CompareNodes,
    CompareWeights,
    NodeSimilarity,
    WeightDistances,
)
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import Limits, format_number, pluralize
from convnext_studio.ui.panels.base import Panel, plain_label
from convnext_studio.ui.panels.panel_query import PanelQuery, QueryProgressBar, StopButton
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Lines, Mark, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import suggestions
from convnext_studio.ui.state.opening.second_opener import SecondOpener
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.search.source_completer import SourceCompleter
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

NO_B_OPEN = "No second network is open. Choose one: all views then show both."
PRESET_PREFIX = "preset:"
_WEIGHTS = "Weights (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"
NO_B_WEIGHTS = "Open a second network to compare the weights of both."
_HEADS = ("Tensor", "Shape", "Relative", "Distance", "Cosine", "Largest")
_TIPS = (
    "The name of the tensor in both networks",
    "Its shape",
    "The norm of A − B, divided by the norm of A",
    "The Euclidean norm of A − B",
    "The cosine of the angle between the two tensors",
    "The largest magnitude of a value of A − B",
)
NO_SECOND = "Open a second network to compare the nodes of both."
LIMITS = Limits(0.0, 1.0)
COLORMAP = "viridis"
_MOST_PICTURES = 512


class CkaPanel(Panel):
    """A panel with the CKA of each node of A (rows) and each of B (columns); a click compares two nodes."""

    title = "Similarity of nodes"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.query = PanelQuery(self, self.question, self._show, self._dim, wait_ms=300)
        self.count = QSpinBox()
        self.count.setRange(LEAST_PICTURES, _MOST_PICTURES)
        self.count.setValue(32)
        self.count.setKeyboardTracking(False)
        self.count.setAccessibleName("Pictures")
        self.count.setToolTip("How many of the open pictures are used at most")
        self.stop = StopButton(self.query, "Stop, and keep what is known so far, or measure again")
        progress = QueryProgressBar(self.query, "Progress of the comparison")
        follow_text(progress, lambda: progress.setFixedSize(scaled_px(80), scaled_px(10)))
        self.controls.add(self.count, word="Pictures")
        self.controls.add(self.stop, kept=True)
        self.controls.add(progress)
        self.map = MapView("CKA of the nodes of A and B")
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: state.hovered.emit(""))
        self.map.view.clicked.connect(self._choose)
        self.set_body(self.map)
        self.count.valueChanged.connect(self.query.schedule)
        for changed in (state.model_loaded, state.opened.changed, state.framing_changed):
            changed.connect(self.query.schedule)
        state.second.model_changed.connect(self.query.start_over)
        for changed in (state.node_selected, state.second.nodes_paired):
            changed.connect(self._mark)
        self.query.changed.connect(self._describe)
        self.query.refresh()

    def question(self) -> CompareNodes | str:
        """Return the request to compare all nodes on the open pictures, or why there is none."""
        if self.state.second.model is None:
            return NO_SECOND
        images = tuple(image.key for image in self.state.opened.images[: self.count.value()])
        if len(images) < LEAST_PICTURES:
            return f"CKA needs at least {LEAST_PICTURES} open pictures; there are {len(images)}."
        return CompareNodes(images=images, panel="comparison")

    @property
    def _similarity(self) -> NodeSimilarity | None:
        answer = self.query.answer
        return answer if isinstance(answer, NodeSimilarity) else None

    def _show(self, _answer: Payload) -> None:
        found = self._similarity
        if found is None:
            return
        rows, columns = found.matrix.shape
        layer = map_layer(found.matrix, (0.0, 0.0, float(columns), float(rows)), LIMITS, COLORMAP)
        self._layer = layer
        self.map.bar.set_scale(ColorScale(COLORMAP, LIMITS))
        self._mark()
        self._describe()
        self.map.set_contents(self.contents("CKA", found.matrix, self.python))

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the matrix."""
        asked = self.query.shown_question
        if not isinstance(asked, CompareNodes):
            return None
        return PythonLines(("values = comparison.cka(pictures).matrix",), asked.images, compares=True)

    def _mark(self, _changed: object = None) -> None:
        """Frame the nodes that the views compare, and draw lines between the stages."""
        found, pair = self._similarity, self.state.second.pair
        if found is None or pair is None:
            return
        rows, columns = found.matrix.shape
        marks = _stage_marks(found.nodes_a, columns)
        node = self._row_of(found, self.state.node)
        if node is not None:
            other = pair.node(node, [])
            if other in found.nodes_b:
                box = (float(found.nodes_b.index(other)), float(found.nodes_a.index(node)), 1.0, 1.0)
                marks = (*marks, Mark(box, colour=theme.DARK.warning))
        ends = [((0.0, at), (columns, at)) for at in _borders(found.nodes_a)]
        ends += [((at, 0.0), (at, rows)) for at in _borders(found.nodes_b)]
        lines = (Lines(np.array(ends, dtype=np.float64).reshape(-1, 2, 2), faint=True),) if ends else ()
        scene = Scene(
            size=(float(columns), float(rows)), layers=(self._layer,), marks=marks, lines=lines, unit="nodes"
        )
        self.map.view.set_scene(scene)

    @staticmethod
    def _row_of(found: NodeSimilarity, node: str) -> str | None:
        """Return the row of a node: its own, or that of the last block of a stage."""
        if node in found.nodes_a:
            return node
        inside = [name for name in found.nodes_a if name.startswith(f"{node}.block")]
        return inside[-1] if inside else None

    def _describe(self) -> None:
        found = self._similarity
        if found is None or not self.shows_body:
            return
        said = [
            self.query.progress_text,
            "Linear CKA of the nodes of A (rows, the first at the top) and of B (columns)",
            f"{pluralize(found.pictures, 'picture')} in {pluralize(found.batches, 'batch', 'batches')}",
            "unbiased HSIC",
            "1 is the same up to a rotation and a scale",
            "click to compare two nodes in all views",
            *(found.unreadable[:1]),
        ]
        self.set_caption(" · ".join(text for text in said if text))

    def _dim(self, dimmed: bool) -> None:
        self.map.view.set_dimmed(dimmed)

    def _nodes_at(self, x: float, y: float) -> tuple[str, str, float] | None:
        found = self._similarity
        if found is None or not (0 <= int(y) < len(found.nodes_a) and 0 <= int(x) < len(found.nodes_b)):
            return None
        return found.nodes_a[int(y)], found.nodes_b[int(x)], float(found.matrix[int(y), int(x)])

    def _hover(self, x: float, y: float) -> None:
        at = self._nodes_at(x, y)
        self.map.view.set_highlight(None if at is None else (float(int(x)), float(int(y)), 1.0, 1.0))
        self.state.hovered.emit("" if at is None else f"A {at[0]} and B {at[1]} · CKA {at[2]:.4f}")

    def _choose(self, x: float, y: float) -> None:
        at = self._nodes_at(x, y)
        if at is not None:
            self.state.second.pair_nodes(at[0], at[1])
            self.state.set_node(at[0])


def _stage_marks(nodes: tuple[str, ...], columns: int) -> tuple[Mark, ...]:
    """Name the rows beside the matrix, stage by stage."""
    starts = [0, *(int(border) for border in _borders(nodes))]
    ends = [*starts[1:], len(nodes)]
    return tuple(
        Mark(
            (0.0, float(start), float(columns), float(end - start)),
            f"A: {nodes[start].partition('.')[0]}",
            colour=theme.DARK.text,
            beside=True,
        )
        for start, end in zip(starts, ends, strict=True)
    )


def _borders(nodes: tuple[str, ...]) -> list[float]:
    """Return where another stage begins."""
    stages = [name.partition(".")[0] for name in nodes]
    return [float(index) for index in range(1, len(stages)) if stages[index] != stages[index - 1]]


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
            self.table.headerItem().setToolTip(column, plain_tip(tip))
        self.table.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.set_body(self.table)
        state.model_loaded.connect(self.query.schedule)
        state.second.model_changed.connect(self.query.start_over)
        self.query.refresh()

    def question(self) -> CompareWeights | str:
        """Return the request for the distances, or why there is none."""
        if self.state.second.model is None:
            return NO_B_WEIGHTS
        return CompareWeights(panel="comparison")

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the distances."""
        if self.query.shown_question is None:
            return None
        line = "values = [tensor.distance for tensor in comparison.weights().tensors]"
        return PythonLines((line,), compares=True)

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


class OpeningBox(QWidget):
    """A field for any source, a menu of what is near, and what opening it would take."""

    search_asked = Signal(str)

    def __init__(
        self,
        state: AppState,
        opener: SecondOpener,
        recent: Callable[[], Iterable[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._opener = opener
        self.source = QLineEdit()
        self.source.setPlaceholderText("Name or file…")
        self.source.setAccessibleName("Network to compare with")
        self.source.setToolTip("Type the name of a model or the path of a weights file, then Enter")
        completer = SourceCompleter(self.source, lambda: (*recent(), *suggestions()))
        completer.chosen.connect(self._plan)
        completer.search_asked.connect(self.search_asked)
        self.source.returnPressed.connect(lambda: self._plan(self.source.text().strip()))
        self.near = QToolButton()
        self.near.setText("Choose ▾")
        self.near.setAccessibleName("Choose a network to compare with")
        self.near.setToolTip("Another file or epoch, or the same network untrained or in another precision")
        self.near.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.near.setStyleSheet(MENU_BUTTON_STYLE)
        menu = QMenu(self.near)
        menu.setToolTipsVisible(True)
        self.near.setMenu(menu)
        for text, tip, act in (
            ("A weights &file or another epoch…", "Choose a file beside that of A", self._choose_file),
            ("The same network, &untrained", "The architecture of A with random weights", self._plan_untrained),
            (
                "The same network in &bfloat16",
                "A with a forward pass of 16 bits, on CUDA only",
                self._plan_bfloat16,
            ),
        ):
            action = menu.addAction(text)
            action.setToolTip(plain_tip(tip))
            action.triggered.connect(act)
        menu.addSeparator()
        for text, source in (
            ("The &bundled model", BUNDLED),
            ("The bundled model with &3 × 3 kernels", BUNDLED_3X3),
        ):
            menu.addAction(text).triggered.connect(partial(self._plan, source))
        for title, entries in (
            ("A &preset, untrained", [(name, f"{PRESET_PREFIX}{name}") for name in PRESETS]),
            ("A &step of the road to ConvNeXt", [(step.full_title, step.source) for step in ROAD.values()]),
        ):
            inside = menu.addMenu(title)
            for text, source in entries:
                inside.addAction(text).triggered.connect(partial(self._plan, source))
        self.text = plain_label("muted")
        self.text.setAccessibleName("Memory of the networks")
        self.open = _button("Open beside A", "Open it as B; A stays open", lambda: opener.open())
        self.cancel = _button("Cancel", "Open nothing", opener.give_up)
        self.swap = _button("Swap", "Make A of B, and B of A", opener.swap)
        self.close_a = _button("Close A", "Close A; B is then the open network", opener.close_first)
        self.close_b = _button("Close B", "Close B, and free its memory", opener.close)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.source, 1)
        first.addWidget(self.near)
        for part in (self.open, self.cancel, self.swap, self.close_a, self.close_b):
            second.addWidget(part)
        second.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.text)
        layout.addLayout(second)
        opener.changed.connect(self._show)
        state.model_loaded.connect(self._show)
        state.second.model_changed.connect(self._show)
        self._show()

    def _show(self, _changed: object = None) -> None:
        opener = self._opener
        is_planned = opener.planned is not None
        self.open.setVisible(is_planned)
        self.open.setEnabled(opener.estimate is not None)
        self.cancel.setVisible(is_planned)
        for part in (self.swap, self.close_a, self.close_b):
            part.setVisible(opener.can_swap and not is_planned)
        self.text.setText(self._words())

    def _words(self) -> str:
        opener, second = self._opener, self._state.second.model
        if opener.failure:
            return opener.failure
        if opener.is_opening:
            return "Opening the second network …"
        if opener.planned is not None and opener.estimate is None:
            return "Reading what it needs …"
        names = "" if second is None else f"{self._state.second.title_of_both}. "
        lead = NO_B_OPEN if second is None and opener.planned is None else names
        return f"{lead} {opener.memory_text()}".strip()

    def _plan(self, source: str, _checked: bool = False) -> None:
        if source:
            self.source.setText(source)
            self._opener.plan(source)

    def _choose_file(self) -> None:
        model = self._state.model
        folder = "" if model is None or not Path(model.source).is_file() else str(Path(model.source).parent)
        path, _ = QFileDialog.getOpenFileName(self, "Open a second network", folder, _WEIGHTS)
        self._plan(path)

    def _plan_untrained(self) -> None:
        self._opener.plan("", untrained=True)

    def _plan_bfloat16(self) -> None:
        self._opener.plan("", precision="bfloat16")


def _button(text: str, tip: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.clicked.connect(lambda: act())
    return button


class ComparisonPanels(QWidget):
    """The dock's controls for the second network, and tabs with what compares the networks as a whole."""

    title = "Two networks"
    search_asked = Signal(str)

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        opener: SecondOpener,
        recent: Callable[[], Iterable[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.opening = OpeningBox(state, opener, recent)
        self.opening.search_asked.connect(self.search_asked)
        self.similarity = CkaPanel(state, bridge)
        self.weights = WeightsPanel(state, bridge)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Two networks")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        for panel in (self.similarity, self.weights):
            self.tabs.addTab(panel, panel.title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.opening)
        layout.addWidget(self.tabs, 1)
        self.setFocusProxy(self.opening.source)

    @property
    def is_settled(self) -> bool:
        """Whether the comparison that is visible is complete, or none is expected."""
        return all(panel.is_settled for panel in (self.similarity, self.weights))

    def sizeHint(self) -> QSize:
        """Make room for the matrix."""
        return QSize(460, 560)

    def minimumSizeHint(self) -> QSize:
        """Keep room for the matrix beside the names of its rows."""
        return QSize(self.fontMetrics().averageCharWidth() * 52, super().minimumSizeHint().height())
