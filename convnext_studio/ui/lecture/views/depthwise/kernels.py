"""The depthwise kernels of a block, drawn as pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen

from convnext_studio.lecture.setting import Whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import LayerWeights, LayerWeightsResult
from convnext_studio.render import format_number
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, DENSE, BlockView
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_GAP = 0.12  # Gap between kernels, relative to their side.


class KernelsView(BlockView):
    """A page of kernels on one colour scale that is symmetric about 0."""

    needs_picture = False
    name = "Depthwise kernels of a block"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._count = int(settings["count"])
        self._weight: NDArray[np.float32] | None = None
        self._pictures: list[MapPicture] = []
        self._whole: MapPicture | None = None
        self.first = self.add_slider("First channel", "The first kernel to show", 0, 0, 0, self._turn_page)
        self.first.setPageStep(self._count)

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for the kernels."""
        config = self.state.model.config if self.state.model is not None else None
        if isinstance(config, ConvNeXtConfig) and not config.depthwise:
            return DENSE
        return (LayerWeights(panel=self.panel, node=f"{self.block}.dwconv"),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Set the range of the slider, and show the first kernels."""
        (result,) = answers
        assert isinstance(result, LayerWeightsResult)
        self._weight = result.weight
        self.first.setRange(0, max(0, len(result.weight) - self._count))
        self._turn_page()

    @property
    def channels(self) -> list[int]:
        """The title of the block whose kernels are shown."""
        total = 0 if self._weight is None else len(self._weight)
        return list(range(self.first.value(), min(self.first.value() + self._count, total)))

    def caption(self) -> str:
        """Return the caption: model, weights and node. No picture is involved."""
        if not self.block:
            return self.subject()
        model = self.state.model
        marked = " · random weights" if model is not None and model.random_weights else ""
        title = "" if model is None else model.title
        return f"{title}{marked} · {self.block}.dwconv · one colour scale for all kernels of the block"

    def _turn_page(self) -> None:
        if self._weight is None:
            return
        # One scale for the whole block, so that kernels on all pages can be compared.
        self._whole = map_picture(self._weight.reshape(1, -1), symmetric=True)
        limits, colormap = self._whole.limits, self._whole.colormap
        self._pictures = [
            map_picture(self._weight[channel], limits=limits, colormap=colormap) for channel in self.channels
        ]
        self.canvas.update()

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint kernels in rows with their channel numbers, and the colour bar on the right."""
        weight = self._weight
        if weight is None or self._whole is None or not self._pictures:
            return
        bar_room = ink.small * 2 + max(ink.width(text, ink.small) for text in self._whole.end_texts())
        foot = ink.line() * 1.3
        grid = room.adjusted(0, ink.small * 0.3, -bar_room, -foot)
        label = ink.line(ink.small)
        columns, side = _columns(len(self._pictures), grid, label)
        step_x, step_y = side * (1 + _GAP), side * (1 + _GAP) + label
        rows = -(-len(self._pictures) // columns)
        left = grid.left() + (grid.width() - columns * step_x) / 2
        top = grid.top() + (grid.height() - rows * step_y) / 2
        for index, (channel, shown) in enumerate(zip(self.channels, self._pictures, strict=True)):
            row, column = divmod(index, columns)
            box = QRectF(left + column * step_x, top + row * step_y, side, side)
            ink.image(box, shown)
            ink.painter.setPen(QPen(QColor(ink.look.border), 1))
            ink.painter.setBrush(Qt.BrushStyle.NoBrush)
            ink.painter.drawRect(box)
            ink.text(
                QRectF(box.left(), box.bottom(), side, label),
                str(channel),
                align="centre",
                px=ink.small,
                colour=ink.look.muted,
            )
        bar = QRectF(
            left + columns * step_x + ink.small * 0.5,
            top + label / 2,
            ink.small * 0.6,
            rows * step_y - 2 * label,
        )
        ink.colour_bar(bar, self._whole)
        k = weight.shape[-1]
        text = (
            f"{len(weight)} channels, {k} × {k} = {k * k} weights each: {weight.size} in all, "
            f"from {format_number(float(weight.min()))} to {format_number(float(weight.max()))}"
        )
        ink.text(
            QRectF(room.left(), room.bottom() - ink.line(), room.width(), ink.line()), text, align="centre"
        )


def _columns(count: int, room: QRectF, label: float) -> tuple[int, float]:
    """Return the number of columns for which the kernels are largest, and their size."""

    def side(columns: int) -> float:
        rows = -(-count // columns)
        return min(room.width() / columns, room.height() / rows - label) / (1 + _GAP)

    best = max(range(1, count + 1), key=side)
    return best, max(side(best), 1.0)


SPEC = ViewSpec(
    name="kernels",
    title="The depthwise kernels of a block, drawn as pictures",
    make=KernelsView,
    settings={
        "block": BLOCK,
        "count": Whole(help="How many kernels are shown at a time", default="40", least=1, most=96),
    },
)
