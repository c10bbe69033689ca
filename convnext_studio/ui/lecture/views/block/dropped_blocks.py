"""The predictions of the open network without each of its blocks."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QBoxLayout

from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import DropBlocks, DroppedBlocks
from convnext_studio.render import Limits, format_percent
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT, PaintedView, blocks_of
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, Bars, Curve
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


def _written(share: float) -> str:
    return f"{100 * share:.3g} %"


_MOST_NAMES = 18  # At the axis, where a network has more blocks.


class DroppedBlocksView(PaintedView):
    """One bar for each block: the probability of the top prediction if only that block is left out."""

    needs_model = True
    needs_picture = True
    name = "Predictions without each block"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: DroppedBlocks | None = None
        self.contents.setDirection(QBoxLayout.Direction.TopToBottom)
        axes = Axes(x="stage and block that is left out", y="probability", write=_written)
        self.plot = ReadPlot(self.name, axes)
        self.plot.plot.setToolTip("Click a bar to see the predictions without that block")
        self.contents.insertWidget(0, self.plot, 4)
        self.blocks = self.add_slider("Without block", "The block to leave out", 1, 1, 1, self._draw)
        self.plot.plot.clicked.connect(lambda index: self.blocks.setValue(round(index) + 1))

    def questions(self) -> Sequence[Request] | str:
        """Ask for the predictions without each block, one after the other."""
        model, picture = self.state.model, self.state.picture
        assert model is not None
        assert picture is not None
        if not blocks_of(model):
            return f"{model.title} is not a ConvNeXt, so its blocks cannot be left out here. {OPEN_A_CONVNEXT}"
        return (DropBlocks(panel=self.panel, image=picture.key),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show all bars."""
        (result,) = answers
        self._show_so_far(result)

    def show_partial(self, _index: int, payload: Payload) -> None:
        """Show the bars so far."""
        self.show_body()
        self._show_so_far(payload)

    def _show_so_far(self, result: Payload) -> None:
        assert isinstance(result, DroppedBlocks)
        self.shown = result
        self.blocks.setRange(1, result.total)
        self._draw()

    def shares(self) -> list[tuple[str, float, bool]]:
        """Return, for each block so far, the probability of the top prediction, and whether it stays top."""
        shown = self.shown
        if shown is None:
            return []
        first = int(shown.probabilities.argmax())
        return [
            (name, float(np.nan_to_num(row[first])), int(row.argmax()) == first)
            for name, row in zip(shown.blocks, shown.dropped, strict=True)
        ]

    def caption(self) -> str:
        """Return the caption, which says that every bar is a real pass."""
        if self.shown is None:
            return self.subject()
        return self.subject("the branch of one block at a time is set to 0; every bar is a separate pass")

    def bars(self) -> list[Bars]:
        """Return the bars so far by what comes first without the block; the chosen one is not faint."""
        shown, shares = self.shown, self.shares()
        if shown is None or self.state.model is None:
            return []
        offset = shown.total - len(shares)  # Results arrive from the last block on.
        label = label_of(self.state.model, int(shown.probabilities.argmax()))
        found = []
        for is_first, name in ((True, f"still {label}"), (False, "another class comes first")):
            for is_chosen in (True, False):
                places = [
                    index
                    for index, (_, _, stays) in enumerate(shares, offset)
                    if stays == is_first and (index == self.blocks.value() - 1) == is_chosen
                ]
                bars = Bars(
                    label=name,
                    x=np.array(places, np.float64),
                    y=np.array([shares[index - offset][1] for index in places], np.float64),
                    series=0 if is_first else 1,
                    width=0.76,
                    is_faint=not is_chosen,
                    is_listed=not is_chosen,
                )
                found.append(bars)
        return found

    def _draw(self) -> None:
        """Show the bars, the probability with all blocks as a line, and the result without the chosen block."""
        shown, model = self.shown, self.state.model
        if shown is None or model is None:
            return
        first = int(shown.probabilities.argmax())
        whole = float(shown.probabilities[first])
        ends = np.array([-0.5, shown.total - 0.5])
        line = Curve(label="with all blocks", x=ends, y=np.full(2, whole), series=2, dashed=True)
        every = max(1, -(-shown.total // _MOST_NAMES))
        numbers = [name.removeprefix("stage").replace(".block", ".") for name in blocks_of(model)]
        names = [(float(index), text) for index, text in enumerate(numbers) if index % every == 0]
        self.plot.show_title(f"With all blocks: {label_of(model, first)}, {format_percent(whole)}")
        across, up = Limits(-0.6, shown.total - 0.4), Limits(0.0, 1.0)
        self.plot.plot.show_curves([*self.bars(), line], x=across, y=up, names=names)
        self.canvas.update()

    # ----------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the result without the chosen block."""
        if self.shown is not None and self.state.model is not None:
            self._paint_words(ink, QRectF(room.left(), room.top(), room.width(), ink.line()))

    def set_text_px(self, px: int) -> None:
        """Scale all text, and the room for the two lines below the plot."""
        super().set_text_px(px)
        self.canvas.setFixedHeight(round(2.3 * self.canvas.fontMetrics().height()))

    def _paint_words(self, ink: Ink, room: QRectF) -> None:
        shown, model = self.shown, self.state.model
        assert shown is not None
        assert model is not None
        index = self.blocks.value() - 1 - (shown.total - len(shown.blocks))
        if index < 0:
            ink.text(room, f"{len(shown.blocks)} of {shown.total} blocks so far …", colour=ink.look.muted)
            return
        row = shown.dropped[index]
        first = int(row.argmax())
        title = model.node(shown.blocks[index]).title.lower()
        text = f"Without {title}: {label_of(model, first)}, {format_percent(float(row[first]))}"
        changed = first != int(shown.probabilities.argmax())
        ink.text(room, text, colour=ink.look.warning if changed else ink.look.accent, bold=True)
        room = room.translated(0, ink.line() * 1.15)
        lost = sum(not stays for _, _, stays in self.shares())
        text = f"Another class comes first without {lost} of {len(shown.blocks)} blocks, one block at a time."
        ink.text(room, text, colour=ink.look.muted)


SPEC = ViewSpec(
    name="dropped-blocks",
    title="Predictions with the branch of each block left out, one block at a time",
    make=DroppedBlocksView,
)
