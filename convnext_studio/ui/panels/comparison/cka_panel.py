"""The similarity of all nodes of two networks, as a matrix to click."""

import numpy as np
from PySide6.QtWidgets import QSpinBox, QWidget

from convnext_studio.protocol.comparison import LEAST_PICTURES, CompareNodes, NodeSimilarity
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import Limits, pluralize
from convnext_studio.ui.panels.base import Panel, PanelQuery, QueryProgressBar, StopButton
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Lines, Mark, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

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
        self.map.set_contents(self.contents("CKA", found.matrix))

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
