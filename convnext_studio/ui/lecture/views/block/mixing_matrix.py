"""The 1x1 convolution of a block, drawn as a matrix."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QBoxLayout

from convnext_studio.lecture.setting import OneOf
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import LayerWeights, LayerWeightsResult
from convnext_studio.render import Limits, format_number
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, Bars
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class MixingMatrixView(BlockView):
    """A matrix whose columns are the new channels; one column is shown as bars."""

    needs_picture = False
    name = "The mixing matrix of a block"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._layer = settings["layer"]
        self.weight: NDArray[np.float32] | None = None
        self._picture: MapPicture | None = None
        self._box = QRectF()
        self.contents.setDirection(QBoxLayout.Direction.TopToBottom)
        self.contents.setStretch(0, 5)
        self.plot = ReadPlot(
            "The weights of one new channel", Axes(x="channel that comes in", y="weight"), lines=2
        )
        self.contents.addWidget(self.plot, 4)
        self.chosen = self.add_slider("New channel", "The column to show as bars", 0, 0, 0, self._draw)
        self.canvas.clicked.connect(self._click)
        self.canvas.setToolTip("Click a column to see its weights")

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for the weights of the layer."""
        return (LayerWeights(panel=self.panel, node=f"{self.block}.{self._layer}"),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the matrix."""
        (result,) = answers
        assert isinstance(result, LayerWeightsResult)
        self.weight = result.weight
        self._picture = map_picture(np.ascontiguousarray(result.weight.T), symmetric=True)
        self.chosen.setRange(0, len(result.weight) - 1)
        self._draw()

    def caption(self) -> str:
        """Return the caption: model, weights and node. No picture is involved."""
        if not self.block:
            return self.subject()
        model = self.state.model
        marked = " · random weights" if model is not None and model.random_weights else ""
        return f"{'' if model is None else model.title}{marked} · {self.block}.{self._layer}.weight, transposed"

    def _click(self, x: float, y: float) -> None:
        if self.weight is not None and self._box.contains(x, y):
            self.chosen.setValue(int((x - self._box.left()) / self._box.width() * len(self.weight)))

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the matrix with the chosen column marked."""
        if self.weight is None or self._picture is None:
            return
        after, before = self.weight.shape
        title = (
            f"{before} channels × {after} new channels = {self.weight.size} weights, the same at every position"
        )
        self._box = self._paint_matrix(ink, room, title)

    def _paint_matrix(self, ink: Ink, room: QRectF, title: str) -> QRectF:
        """Paint the matrix stretched to the space; it has too many cells to see single ones anyway."""
        assert self._picture is not None
        assert self.weight is not None
        line = ink.line()
        ink.text(QRectF(room.left(), room.top(), room.width(), line), title, align="centre", bold=True)
        beside = ink.small * 2 + max(ink.width(text, ink.small) for text in self._picture.end_texts())
        box = room.adjusted(line * 1.2, line * 1.6, -beside, -ink.line(ink.small) * 1.2)
        ink.image(box, self._picture)
        ink.colour_bar(
            QRectF(box.right() + ink.small * 0.6, box.top(), ink.small * 0.6, box.height()), self._picture
        )
        below = QRectF(box.left(), box.bottom() + 2, box.width(), ink.line(ink.small))
        ink.text(below, f"{len(self.weight)} new channels →", align="right", px=ink.small)
        ink.painter.save()
        ink.painter.translate(room.left(), box.bottom())
        ink.painter.rotate(-90)
        ink.text(QRectF(0, 0, box.height(), line), "channels in", align="centre", px=ink.small)
        ink.painter.restore()
        width = max(box.width() / len(self.weight), 3.0)
        x = box.left() + (self.chosen.value() + 0.5) * box.width() / len(self.weight) - width / 2
        ink.painter.setBrush(Qt.BrushStyle.NoBrush)
        ink.painter.setPen(QPen(QColor(ink.look.text), max(1.5, ink.px / 14)))
        ink.painter.drawRect(QRectF(x, box.top(), width, box.height()))
        return box

    def bars(self) -> list[Bars]:
        """Return the weights of the chosen column, the positive and the negative ones."""
        assert self.weight is not None
        column = np.nan_to_num(self.weight[self.chosen.value()]).astype(np.float64)
        at = np.arange(len(column), dtype=np.float64)
        return [
            Bars(label=label, x=at[has_sign], y=column[has_sign], series=series)
            for label, series, has_sign in (
                ("positive weight", 0, column >= 0),
                ("negative weight", 1, column < 0),
            )
        ]

    def _draw(self) -> None:
        """Show the weights of the chosen column as bars, and mark it in the matrix."""
        if self.weight is None:
            return
        self.canvas.update()
        column = np.nan_to_num(self.weight[self.chosen.value()])
        largest = 1.05 * (float(np.abs(column).max()) or 1.0)
        strongest = int(np.abs(column).argmax())
        self.plot.show_note(
            f"New channel {self.chosen.value()} = sum of these weights times the {len(column)} channels "
            f"+ bias; largest: {format_number(float(column[strongest]))} at channel {strongest}"
        )
        across = Limits(-0.6, len(column) - 0.4)
        self.plot.plot.show_curves(self.bars(), x=across, y=Limits(-largest, largest))


SPEC = ViewSpec(
    name="mixing-matrix",
    title="The 1 × 1 convolution of a block, drawn as a matrix",
    make=MixingMatrixView,
    settings={
        "block": BLOCK,
        "layer": OneOf(help="Which of the two layers", default="pwconv1", values=("pwconv1", "pwconv2")),
    },
)
