"""GELU and ReLU, with the values that reach the activation of a block below the curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QVBoxLayout, QWidget

from convnext_studio.lecture.activations import CURVES, gelu
from convnext_studio.model.config import Act, ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import Distribution, Distributions, DistributionsResult
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import beyond, histogram
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, Curve
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_LEAST_REACH, _MOST_REACH = 3.0, 8.0
_NUMBERS = "000,000"


class ActivationView(BlockView):
    """The curves at the top and the pre-activations of the block below, on one axis."""

    name = "Activations over the values that reach them"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: DistributionsResult | None = None
        self.curves_plot = ReadPlot("Activation functions", Axes(x="", y="value after it", numbers=_NUMBERS))
        self.values_plot = ReadPlot("Values before the activation", _values_axes(""))
        plots = QWidget()
        column = QVBoxLayout(plots)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.curves_plot, 3)
        column.addWidget(self.values_plot, 2)
        self.contents.insertWidget(0, plots, 2)
        self.controls.addStretch(1)

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for the values before and after the activation of the block."""
        assert self.state.picture is not None
        return (Distributions(panel=self.panel, image=self.state.picture.key, node=f"{self.block}.act"),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Paint."""
        (result,) = answers
        assert isinstance(result, DistributionsResult)
        self.shown = result
        self._draw(result.before)
        self.canvas.update()

    def caption(self) -> str:
        """Return the caption: the node."""
        return self.subject(f"{self.block}.act") if self.block else self.subject()

    @property
    def act(self) -> Act:
        """The activation of the open network."""
        config = self.state.model.config if self.state.model is not None else None
        return config.act if isinstance(config, ConvNeXtConfig) else "gelu"

    def curves(self) -> list[Act]:
        """Return the curves: GELU, ReLU, and the network's own activation if it is neither."""
        return list(dict.fromkeys(["gelu", "relu", self.act]))

    def sentences(self) -> list[str]:
        """Return sentences about the numbers."""
        if self.shown is None:
            return []
        before, after = self.shown.before, self.shown.after
        share = before.below_zero
        return [
            f"{format_percent(share)} of the values are below 0. ReLU would make each of them 0.",
            f"mean {format_number(before.mean)}, deviation {format_number(before.std)} before the activation",
            (
                f"mean {format_number(after.mean)}, deviation {format_number(after.std)} after "
                f"{CURVES[self.act][0]}"
            ),
        ]

    def _draw(self, before: Distribution) -> None:
        """Show the curves, and the values that reach the activation below them on the same axis."""
        reach = min(max(-before.low, before.high, _LEAST_REACH), _MOST_REACH)
        axis, x = Limits(-reach, reach), np.linspace(-reach, reach, 601)
        curves = [
            Curve(
                label=CURVES[act][0],
                x=x,
                y=np.array([CURVES[act][1](value) for value in x.tolist()]),
                series=series,
                dashed=act == "relu",
            )
            for series, act in enumerate(self.curves())
        ]
        self.curves_plot.plot.show_curves(curves, x=axis, y=Limits(-0.5, reach))
        self.values_plot.plot.set_axes(_values_axes(beyond(before, axis)))
        bars, mean = histogram(before)
        highest = float(max(before.counts.max(initial=1), 1))
        self.values_plot.plot.show_curves([bars], x=axis, y=Limits(0.0, 1.05 * highest), marks=mean)
        self.values_plot.plot.link_x(self.curves_plot.plot)

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the numbers."""
        if self.shown is not None:
            self._paint_words(ink, room)

    def _paint_words(self, ink: Ink, room: QRectF) -> None:
        room = room.adjusted(0, ink.px * 0.5, 0, 0)
        for sentence in self.sentences():
            room.setTop(room.top() + ink.paragraph(room, sentence) + ink.line() * 0.7)
        lowest = min(np.linspace(-2, 0, 2001).tolist(), key=gelu)
        text = f"GELU has its minimum at {lowest:.2f}, where it is {gelu(lowest):.2f}."
        ink.paragraph(room, text, colour=ink.look.muted)


def _values_axes(beyond_text: str) -> Axes:
    return Axes(
        x=f"value before the activation{beyond_text}",
        y="how many values",
        numbers=_NUMBERS,
        has_legend=False,
        write=_whole,
    )


def _whole(count: float) -> str:
    return f"{count:,.0f}" if count == round(count) else ""


SPEC = ViewSpec(
    name="activation",
    title="GELU and ReLU, over the values that reach the activation of a block",
    make=ActivationView,
    settings={"block": BLOCK},
)
