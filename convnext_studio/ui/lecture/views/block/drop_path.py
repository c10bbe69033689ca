"""Drop path: the blocks whose branches are dropped in training, for each picture of a batch."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.lecture.setting import Whole
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView, blocks_of
from convnext_studio.ui.plots.ink import Align, Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

PICTURES = 8
_MANY = 1000
_USUAL_BLOCKS = 18  # The number of blocks of ConvNeXt-T.


class DropPathView(PaintedView):
    """A row for each picture and a column for each block, with the mean factor of many draws below."""

    name = "Branches dropped by drop path"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._seed = 0
        self.rate = self.add_slider(
            "Rate of the last block",
            "Drop rate in per cent; the rates of the other blocks grow linearly from 0 to this value",
            0,
            90,
            int(settings["rate"]),
            self.canvas.update,
        )
        self.add_button("Draw again", "Roll the dice again", self.draw_again)

    def rates(self) -> NDArray[np.float64]:
        """Return the probability of dropping the branch of each block."""
        model = self.state.model
        count = len(blocks_of(model)) if model is not None else 0
        return np.linspace(0, self.rate.value() / 100, count or _USUAL_BLOCKS)

    def draws(self) -> NDArray[np.bool_]:
        """Return whether each branch is kept, (1000, blocks); the first rows are shown."""
        rates = self.rates()
        return np.random.default_rng(self._seed).random((_MANY, len(rates))) >= rates

    def draw_again(self) -> None:
        """Draw new random numbers."""
        self._seed += 1
        self.canvas.update()

    def caption(self) -> str:
        """Return the caption, which says which network has this number of blocks."""
        model = self.state.model
        source = model.title if model is not None and blocks_of(model) else "ConvNeXt-T"
        return f"{len(self.rates())} blocks, as in {source} · random draw {self._seed + 1}"

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the grid, the mean of many draws, and the sentence."""
        rates, kept = self.rates(), self.draws()
        factors = kept / (1 - rates)
        line, small = ink.line(), ink.line(ink.small)
        left = ink.width("mean of 1000 ", ink.small)
        right = ink.width(f"  {len(rates)} of {len(rates)} ", ink.small)
        step = (room.width() - left - right) / len(rates)
        rows = PICTURES + 2
        foot = ink.paragraph_height(room.width(), self.words(rates)) + 1.5 * small
        height = min((room.height() - foot - 0.5 * line - 1.5 * small) / rows, step * 1.2)
        top = room.top() + small * 1.2
        for index, rate in enumerate(rates.tolist()):
            place = QRectF(room.left() + left + index * step, room.top(), step, small)
            if step > ink.width("00 ", ink.small) or index % 3 == 0:
                ink.text(place, f"{rate * 100:.0f}", align="centre", px=ink.small, colour=ink.look.muted)
        ink.text(QRectF(room.left(), room.top(), left, small), "drop rate, %", px=ink.small)
        for picture in range(PICTURES):
            y = top + picture * height
            ink.text(QRectF(room.left(), y, left, height), f"picture {picture + 1}", px=ink.small)
            for index, is_kept in enumerate(kept[picture].tolist()):
                cell = QRectF(room.left() + left + index * step, y, step, height).adjusted(2, 2, -2, -2)
                ink.painter.fillRect(cell, QColor(ink.look.accent if is_kept else ink.look.border))
            count = QRectF(room.right() - right, y, right, height)
            ink.text(count, f"{int(kept[picture].sum())} of {len(rates)}", align="right", px=ink.small)
        self._paint_mean(ink, QRectF(room.left(), top + (PICTURES + 0.3) * height, left, height), step, factors)
        names = (
            (ink.look.accent, "branch kept"),
            (ink.look.border, "branch dropped, only the shortcut is left"),
        )
        ink.legend(QRectF(room.left(), room.bottom() - foot, room.width(), small), names)
        words = QRectF(room.left(), room.bottom() - foot + 1.5 * small, room.width(), foot - 1.5 * small)
        ink.paragraph(words, self.words(rates))

    @staticmethod
    def _paint_mean(ink: Ink, head: QRectF, step: float, factors: NDArray[np.float64]) -> None:
        ink.text(head, f"mean of {_MANY}", px=ink.small)
        means = factors.mean(axis=0)
        every = 1 if step > ink.width("0.00 ", ink.small) else 3
        for index, mean in enumerate(means.tolist()):
            if index % every == 0:
                place = QRectF(head.right() + index * step, head.top(), step * every, head.height())
                align: Align = "centre" if every == 1 else "left"
                ink.text(place, f"{mean:.2f}", align=align, px=ink.small, colour=ink.look.good)

    @staticmethod
    def words(rates: NDArray[np.float64]) -> str:
        """Return how many branches are kept, and by what they are divided."""
        last = float(rates[-1])
        return (
            f"On average {(1 - rates).sum():.1f} of {len(rates)} branches are kept. A kept "
            f"branch is divided by 1\xa0−\xa0p, the last one by {1 - last:.2f}, so that its "
            "mean factor is 1 and nothing has to change after training."
        )


SPEC = ViewSpec(
    name="drop-path",
    title="The branches that drop path drops for each picture, and the mean of many draws",
    make=DropPathView,
    settings={"rate": Whole(help="Drop rate of the last block, in per cent", default="40", least=0, most=90)},
)
