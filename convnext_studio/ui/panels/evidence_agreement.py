"""Do the methods agree? Their rank correlations as a small matrix."""

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from convnext_studio.engine.messages import (
    METHODS,
    Agreement,
    CompareMethods,
    MethodName,
    Payload,
    method_named,
    why_no_cam,
)
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorScale
from convnext_studio.ui.panels.attribution_cell import ColorLine
from convnext_studio.ui.panels.attribution_question import explain_question, node_text, output_text
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.matrix import COLORMAP, LIMITS, MatrixView
from convnext_studio.ui.panels.measuring import MeasuringPanel
from convnext_studio.ui.state import AppState

QUICK: tuple[MethodName, ...] = tuple(method.name for method in METHODS if not method.is_long)
ALL: tuple[MethodName, ...] = tuple(method.name for method in METHODS)


class AgreementPanel(MeasuringPanel):
    """The methods' maps at the selected node, each against each."""

    title = "Agreement"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.methods = choice(
            "Methods to compare",
            "Those that take one or two passes, or all of them, which takes long",
            [(f"{len(QUICK)} quick methods", QUICK), (f"All {len(ALL)} methods", ALL)],
        )
        self.methods.currentIndexChanged.connect(self.schedule)
        self.controls.addWidget(self.methods)
        self.add_running_controls()
        self.matrix = MatrixView("Rank correlations among methods")
        self.matrix.pointed.connect(state.hovered)
        self.line = ColorLine()
        self.line.set_scale(ColorScale(COLORMAP, LIMITS))
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.matrix, 1)
        layout.addWidget(self.line)
        self.set_body(body)
        self.refresh()

    def question(self) -> CompareMethods | str:
        """The methods' agreement on the class explained, at the selected node."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str) or self.state.model is None:
            return asked if isinstance(asked, str) else ""
        why_not = why_no_cam(self.state.model.node(self.state.node))
        if why_not:
            return why_not
        return CompareMethods(
            image=asked.image,
            methods=ALL if self.methods.currentIndex() == 1 else QUICK,
            node=self.state.node,
            target=asked.target,
            output=asked.output,
            against=asked.against,
            panel="evidence",
        )

    def show_result(self, payload: Payload) -> None:
        """Show the matrix, whole or so far."""
        model = self.state.model
        if not isinstance(payload, Agreement) or model is None:
            return
        titles = [method_named(name).title for name in payload.methods]
        self.matrix.show_matrix(titles, payload.matrix, is_whole=not self.is_running)
        target = next((output_text(each, model, None) for each in payload.explanations), "the class")
        said = (
            f"Spearman's rank correlation of the signed maps for {target} on the grid of "
            f"{node_text(payload.node, model).lower()}; each method with its default parameters. Methods that "
            "agree may still be wrong together."
        )
        if not self.is_running and not np.isfinite(payload.matrix).all():
            said += " –: a map is constant, or not finite."
        self.set_caption(f"{self.progress_text}\n{said}".lstrip())

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while a newer comparison is under way."""
        self.matrix.setEnabled(not dimmed)
