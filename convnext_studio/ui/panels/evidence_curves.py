"""Insertion and deletion: whether the network's answer follows the pixels that the map calls important."""

import math

import numpy as np
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from convnext_studio.engine.messages import (
    Curves,
    Faithfulness,
    MeasureFaithfulness,
    Payload,
)
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.curveplot import CurvePlot
from convnext_studio.ui.curves import Axes, Curve
from convnext_studio.ui.panels.attribution_question import explain_question, map_name
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.panels.measuring import MeasuringPanel, map_text
from convnext_studio.ui.state import AppState

_SHARES = Limits(0.0, 1.0)
_STEPS = (16, 32, 64)
_AXES = Axes(x="share of the pixels, most important first", y="probability")


class CurvesPanel(MeasuringPanel):
    """The two curves of the map and of a random one, their areas, and what the top 20 % hold."""

    title = "Insertion and deletion"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.fill = choice(
            "Fill",
            "What removed pixels become: the picture blurred, or the data set's mean colour",
            [("Fill: blur", "blur"), ("Fill: mean", "mean")],
        )
        self.steps = choice(
            "Steps",
            "Shares of the pixels between none and all that are measured",
            [(f"{count} steps", count) for count in _STEPS],
        )
        self.steps.setCurrentIndex(1)
        for box in (self.fill, self.steps):
            box.currentIndexChanged.connect(self.schedule)
            self.controls.addWidget(box)
        self.add_running_controls()
        self.plot = CurvePlot("Insertion and deletion curves", _AXES)
        self.plot.pointed.connect(state.hovered)
        self.table = _Numbers()
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.table)
        self.set_body(body)
        self.refresh()

    def question(self) -> MeasureFaithfulness | str:
        """The curves of the map shown."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str):
            return asked
        return MeasureFaithfulness(
            question=asked,
            map_name=map_name(self.state, asked),
            fill="mean" if self.fill.currentData() == "mean" else "blur",
            steps=int(self.steps.currentData()),
            panel="evidence",
        )

    def show_result(self, payload: Payload) -> None:
        """Draw the curves, whole or so far."""
        model, asked = self.state.model, self.question()
        if not isinstance(payload, Faithfulness) or model is None or isinstance(asked, str):
            return
        curves = _curves(payload)
        self.plot.show_curves(curves, x=_SHARES, y=_probabilities(curves))
        self.table.show_curves(payload)
        self.set_caption(_caption(payload, map_text(asked.question, payload.map_name, model)))
        if not math.isnan(payload.of_map.insertion_area) and not self.is_running:
            self.state.set_faithfulness(asked.question, payload)

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while newer curves are under way."""
        self.plot.setEnabled(not dimmed)
        self.table.setEnabled(not dimmed)


def _curves(measured: Faithfulness) -> list[Curve]:
    """Insertion and deletion, those of the random order dashed."""
    return [
        Curve(label=label, x=measured.shares, y=y, series=series, dashed=dashed)
        for label, y, series, dashed in (
            ("insertion", measured.of_map.insertion, 0, False),
            ("insertion, random", measured.of_random.insertion, 0, True),
            ("deletion", measured.of_map.deletion, 1, False),
            ("deletion, random", measured.of_random.deletion, 1, True),
        )
    ]


def _probabilities(curves: list[Curve]) -> Limits:
    """From 0 to a round number above all curves: they may all lie low."""
    largest = max(float(np.nanmax(curve.y, initial=0.0)) for curve in curves)
    return Limits(0.0, next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if largest <= top), 1.0))


def _caption(measured: Faithfulness, of: str) -> str:
    fill = "the picture blurred" if measured.fill == "blur" else "the data set's mean colour"
    return (
        f"{of} · removed pixels are {fill} · {measured.steps} steps · random order with seed {measured.seed}\n"
        "A map that finds what the network uses has a large insertion area, a small deletion area, and differs "
        "from the random order. Petsiuk et al. 2018, arXiv:1806.07421"
    )


class _Numbers(QWidget):
    """Areas and probabilities of the map, and of the random order for scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(4, 0, 4, 0)
        self._grid.setVerticalSpacing(1)
        self.heads = [plain_label("muted") for _ in range(4)]
        self.cells = [[plain_label() for _ in range(4)] for _ in range(2)]
        for column, head in enumerate(self.heads):
            self._grid.addWidget(head, 0, column + 1)
        for row, name in enumerate(("This map", "Random")):
            label = plain_label("muted", name)
            label.setWordWrap(False)
            self._grid.addWidget(label, row + 1, 0)
            for column, cell in enumerate(self.cells[row]):
                self._grid.addWidget(cell, row + 1, column + 1)

    def show_curves(self, measured: Faithfulness) -> None:
        """Show the numbers that are known."""
        top = f"{100 * measured.top_share:g} %"
        whole = format_percent(measured.probability)
        heads = (
            "Insertion area",
            "Deletion area",
            f"Top {top} kept (of {whole})",
            f"Top {top} removed (of {whole})",
        )
        for head, text in zip(self.heads, heads, strict=True):
            head.setText(text)
        for cells, curves in zip(self.cells, (measured.of_map, measured.of_random), strict=True):
            for cell, text in zip(cells, _texts(curves, measured.probability), strict=True):
                cell.setText(text)


def _texts(curves: Curves, whole: float) -> tuple[str, ...]:
    areas = [_known(area, format_number(area)) for area in (curves.insertion_area, curves.deletion_area)]
    tops = [
        _known(share, f"{format_percent(share)} ({_signed(100 * (share - whole))})")
        for share in (curves.kept, curves.removed)
    ]
    return (*areas, *tops)


def _signed(points: float) -> str:
    return f"{'+' if points > 0 else '−' if points < 0 else ''}{abs(points):.1f}"


def _known(value: float, text: str) -> str:
    return text if np.isfinite(value) else "…"
