"""GELU and ReLU, with the values that reach the activation of a block below the curves."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPen, QPolygonF

from convnext_studio.model.config import Act, ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import Distributions, DistributionsResult
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import beyond
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_LEAST_REACH, _MOST_REACH = 3.0, 8.0


def relu(x: float) -> float:
    """Return ReLU(x), the positive part."""
    return max(x, 0.0)


def gelu(x: float) -> float:
    """Return GELU(x): x times the standard normal probability below x (Hendrycks and Gimpel 2016)."""
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def gelu_tanh(x: float) -> float:
    """Return the tanh approximation of GELU by its authors."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: float) -> float:
    """Return SiLU(x): x times the logistic function of x."""
    return x / (1 + math.exp(-x))


CURVES: dict[Act, tuple[str, Callable[[float], float]]] = {
    "gelu": ("GELU", gelu),
    "relu": ("ReLU", relu),
    "gelu_tanh": ("GELU (tanh)", gelu_tanh),
    "silu": ("SiLU", silu),
}


class ActivationView(BlockView):
    """The curves at the top and the pre-activations of the block below, on one axis."""

    name = "Activations over the values that reach them"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: DistributionsResult | None = None
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

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the curves, the histogram, and the numbers on the right."""
        if self.shown is None:
            return
        before = self.shown.before
        reach = min(max(-before.low, before.high, _LEAST_REACH), _MOST_REACH)
        axis = Limits(-reach, reach)
        words = QRectF(room)
        words.setLeft(room.left() + room.width() * 0.66)
        plots = QRectF(room)
        plots.setRight(words.left() - 1.5 * ink.px)
        plots = plots.adjusted(ink.px * 1.5, ink.px * 0.5, 0, -ink.axis_height())
        curves, bars = QRectF(plots), QRectF(plots)
        curves.setBottom(plots.top() + plots.height() * 0.6)
        bars.setTop(curves.bottom() + ink.line(ink.small) + ink.px * 0.6)
        self._paint_curves(ink, curves, axis)
        ink.axis(bars, axis, f"value before the activation{beyond(before, axis)}")
        ink.histogram(bars, before.counts, Limits(before.low, before.high), axis, ink.look.accent)
        self._paint_words(ink, words)

    def _paint_curves(self, ink: Ink, area: QRectF, axis: Limits) -> None:
        up = Limits(-0.5, axis.high)
        ink.axis(area, axis)
        zero = area.bottom() - (0 - up.low) / (up.high - up.low) * area.height()
        ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
        ink.painter.drawLine(QLineF(area.left(), zero, area.right(), zero))
        middle = ink.along(area, axis, 0)
        ink.painter.drawLine(QLineF(middle, area.top(), middle, area.bottom()))
        x = np.linspace(axis.low, axis.high, 301)
        legend = QRectF(area.left() + ink.px * 0.6, area.top(), area.width() / 2, ink.line())
        for act, colour in zip(self.curves(), self._colours(ink), strict=False):
            title, curve = CURVES[act]
            points = [
                QPointF(
                    ink.along(area, axis, value),
                    area.bottom() - (curve(value) - up.low) / (up.high - up.low) * area.height(),
                )
                for value in x.tolist()
            ]
            dashes = Qt.PenStyle.DashLine if act == "relu" else Qt.PenStyle.SolidLine
            ink.painter.setPen(QPen(QColor(colour), max(3.0, ink.px / 8), dashes))
            ink.painter.drawPolyline(QPolygonF(points))
            y = legend.center().y()
            ink.painter.drawLine(QLineF(legend.left(), y, legend.left() + 1.6 * ink.px, y))
            ink.text(legend.adjusted(2.1 * ink.px, 0, 0, 0), title)
            legend.translate(0, ink.line() * 1.15)

    @staticmethod
    def _colours(ink: Ink) -> tuple[str, str, str]:
        return ink.look.accent, ink.look.warning, ink.look.good

    def _paint_words(self, ink: Ink, room: QRectF) -> None:
        room = room.adjusted(0, ink.px * 0.5, 0, 0)
        for sentence in self.sentences():
            room.setTop(room.top() + ink.paragraph(room, sentence) + ink.line() * 0.7)
        lowest = min(np.linspace(-2, 0, 2001).tolist(), key=gelu)
        text = f"GELU has its minimum at {lowest:.2f}, where it is {gelu(lowest):.2f}."
        ink.paragraph(room, text, colour=ink.look.muted)


SPEC = ViewSpec(
    name="activation",
    title="GELU and ReLU, over the values that reach the activation of a block",
    make=ActivationView,
    settings={"block": BLOCK},
)
