"""The predictions of the open network without each of its blocks."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPen

from convnext_studio.export.contents import label_of
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import DropBlocks, DroppedBlocks
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import format_percent
from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT, PaintedView, blocks_of
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class DroppedBlocksView(PaintedView):
    """One bar for each block: the probability of the top prediction if only that block is left out."""

    needs_model = True
    needs_picture = True
    name = "Predictions without each block"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: DroppedBlocks | None = None
        self._places: list[QRectF] = []
        self.blocks = self.add_slider("Without block", "The block to leave out", 1, 1, 1, self.canvas.update)
        self.canvas.clicked.connect(self._click)
        self.canvas.setToolTip("Click a bar to see the predictions without that block")

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
        self.canvas.update()

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

    def _click(self, x: float, y: float) -> None:
        for index, place in enumerate(self._places):
            if place.contains(x, y):
                self.blocks.setValue(index + 1)

    # ----------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint bars, the probability with all blocks as a line, and the result without the chosen block."""
        shown, model = self.shown, self.state.model
        if shown is None or model is None:
            return
        line, small = ink.line(), ink.line(ink.small)
        first = int(shown.probabilities.argmax())
        whole = float(shown.probabilities[first])
        head = QRectF(room.left(), room.top(), room.width(), line)
        label = label_of(model, first)
        ink.text(head, f"With all blocks: {label}, {format_percent(whole)} (dashed line)", bold=True)
        names = ((ink.look.accent, f"still {label}"), (ink.look.warning, "another class comes first"))
        ink.legend(QRectF(room.left(), head.bottom() + 0.2 * small, room.width(), small), names)
        left = ink.width("100 %  ", ink.small) + ink.px * 0.3
        area = room.adjusted(left, line * 1.3 + small * 1.6, 0, -small * 2.4 - line * 2.6)
        self._paint_scale(ink, area, left)
        self._paint_bars(ink, area, shown, model)
        y = area.bottom() - whole * area.height()
        ink.painter.setPen(QPen(QColor(ink.look.text), max(2.0, ink.px / 14), Qt.PenStyle.DashLine))
        ink.painter.drawLine(QLineF(area.left(), y, area.right(), y))
        self._paint_words(ink, QRectF(room.left(), room.bottom() - 2.3 * line, room.width(), line))

    def _paint_scale(self, ink: Ink, area: QRectF, left: float) -> None:
        small = ink.line(ink.small)
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            ink.painter.setPen(QPen(QColor(ink.look.border), 1))
            ink.painter.drawLine(QLineF(area.left(), y, area.right(), y))
            place = QRectF(area.left() - left, y - small / 2, left - ink.px * 0.3, small)
            ink.text(place, f"{share * 100:.0f} %", align="right", px=ink.small, colour=ink.look.muted)

    def _paint_bars(self, ink: Ink, area: QRectF, shown: DroppedBlocks, model: ModelInfo) -> None:
        step, small = area.width() / shown.total, ink.line(ink.small)
        shares = self.shares()
        offset = shown.total - len(shares)  # Results arrive from the last block on.
        self._places = [
            QRectF(area.left() + index * step, area.top(), step, area.height() + 2 * small)
            for index in range(shown.total)
        ]
        stage_before = ""
        for index, (name, share, stays_first) in enumerate(shares, offset):
            place = self._places[index]
            bar = QRectF(place.left() + step * 0.12, area.bottom(), step * 0.76, 0)
            bar.setTop(area.bottom() - max(share * area.height(), 2))
            ink.painter.fillRect(bar, QColor(ink.look.accent if stays_first else ink.look.warning))
            if index == self.blocks.value() - 1:
                ink.painter.setBrush(Qt.BrushStyle.NoBrush)
                ink.painter.setPen(QPen(QColor(ink.look.text), max(2.0, ink.px / 12)))
                ink.painter.drawRect(bar)
            stage, block = name.split(".")
            if step > ink.width("00", ink.small) or index % 3 == 0:
                number = QRectF(place.left(), area.bottom() + 2, step, small)
                ink.text(number, block.removeprefix("block"), align="centre", px=ink.small)
            if stage != stage_before:
                stage_before = stage
                below = QRectF(place.left(), area.bottom() + small + 2, area.right() - place.left(), small)
                ink.text(below, f"| {model.node(stage).title}", px=ink.small, colour=ink.look.muted)

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
