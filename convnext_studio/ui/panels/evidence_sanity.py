"""The sanity check of Adebayo et al. 2018: whether the map changes when the network forgets what it learnt."""

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from convnext_studio.engine.messages import (
    CheckSanity,
    ModelInfo,
    Payload,
    Sanity,
    SanityStep,
)
from convnext_studio.render import Limits, colorize, format_number, limits_of
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorBar, ColorScale
from convnext_studio.ui.curveplot import CurvePlot
from convnext_studio.ui.curves import Axes, Curve
from convnext_studio.ui.panels.attribution_question import explain_question, has_sign, map_name
from convnext_studio.ui.panels.measuring import MeasuringPanel, map_text
from convnext_studio.ui.panels.tiles import Tile, TileGrid
from convnext_studio.ui.state import AppState

_AXES = Axes(x="randomised down to", y="rank correlation")


class SanityPanel(MeasuringPanel):
    """The map as the weights are randomised from the head down, and its rank correlation with the first."""

    title = "Sanity"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.add_running_controls()
        self.tiles = TileGrid("Maps as the weights are randomised")
        self.plot = CurvePlot("Rank correlation by step", _AXES)
        self.plot.pointed.connect(state.hovered)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        self.bar = ColorBar()
        maps = QHBoxLayout()
        maps.addWidget(self.tiles, 1)
        maps.addWidget(self.bar)
        layout.addLayout(maps, 3)
        layout.addWidget(self.plot, 2)
        self.set_body(body)
        self.refresh()

    def question(self) -> CheckSanity | str:
        """The cascade for the map shown."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str):
            return asked
        return CheckSanity(question=asked, map_name=map_name(self.state, asked), panel="evidence")

    def show_result(self, payload: Payload) -> None:
        """Show the maps and the correlations, whole or so far."""
        model, asked = self.state.model, self.question()
        if not isinstance(payload, Sanity) or model is None or isinstance(asked, str):
            return
        is_signed = has_sign(payload.method, asked.question.output)
        self.tiles.show_tiles([_tile(step, _part_text(step.part, model), is_signed) for step in payload.steps])
        self.bar.set_scale(ColorScale(_colormap(is_signed), None, ("-max" if is_signed else "min", "max")))
        places = np.arange(len(payload.steps), dtype=np.float64)
        curves = [
            Curve(
                label="signed values",
                x=places,
                y=np.array([step.correlation for step in payload.steps]),
                dots=True,
            ),
            Curve(
                label="absolute values",
                x=places,
                y=np.array([step.correlation_of_sizes for step in payload.steps]),
                series=1,
                dots=True,
                dashed=True,
            ),
        ]
        names = ["none", *(_part_text(part, model) for part in payload.parts)]
        ends = Limits(0.0, float(len(names) - 1))
        self.plot.show_curves(curves, x=ends, y=Limits(-1.0, 1.0), names=tuple(enumerate(names)))
        of = map_text(asked.question, payload.map_name, model)
        said = (
            f"{of} · seed {payload.seed} · each map on its own scale, whose ends stand below it\n"
            "A map that stays the same does not show what the network has learnt: the correlation should fall "
            "towards 0. Adebayo et al., NeurIPS 2018, arXiv:1810.03292"
        )
        self.set_caption(f"{self.progress_text}\n{said}".lstrip())

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while a newer check is under way."""
        self.tiles.setEnabled(not dimmed)
        self.plot.setEnabled(not dimmed)


def _part_text(part: str, model: ModelInfo) -> str:
    if not part:
        return "Trained"
    return model.node(part).title if any(node.name == part for node in model.nodes) else part.capitalize()


def _colormap(is_signed: bool) -> str:
    return "vik" if is_signed else "viridis"


def _tile(step: SanityStep, name: str, is_signed: bool) -> Tile:
    limits = limits_of(step.map, symmetric=is_signed)
    low, high = format_number(limits.low), format_number(limits.high)
    return Tile(
        picture=colorize(step.map, limits, _colormap(is_signed)),
        texts=(name, f"r = {step.correlation:.2f}", f"± {high}" if is_signed else f"to {high}"),
        tip=f"{name}: rank correlation {step.correlation:.3f}, of absolute values "
        f"{step.correlation_of_sizes:.3f}; scale from {low} to {high}",
    )
