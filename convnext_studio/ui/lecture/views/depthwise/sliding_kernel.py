"""A depthwise kernel that slides over its channel, with the sum at each position."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent

from convnext_studio.lecture.setting import Whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import SlideKernel, SlidKernel
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, DENSE, BlockView, set_range
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.plots.values.value_painting import WindowMaps
from convnext_studio.ui.plots.values.value_texts import equation
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_STEP_MS = 120
_VEIL = 190
_KEYS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class SlidingKernelView(BlockView):
    """Input, kernel, products and output; sliders, keys, clicks or the play button move the kernel."""

    name = "A kernel that slides over its channel"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: SlidKernel | None = None
        self._maps: WindowMaps | None = None
        self.channel = self.add_slider(
            "Channel",
            "The channel to show, with its own kernel",
            0,
            9999,
            int(settings["channel"]),
            self.prepare,
        )
        self.playing = self.add_play("Slide the kernel from left to right, row by row", _STEP_MS, self.step)
        self.new_row()
        self.row = self.add_slider("Row", "Row of the kernel’s centre", 0, 0, 0, self._move)
        self.column = self.add_slider("Column", "Column of the kernel’s centre", 0, 0, 0, self._move)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.canvas.setToolTip("Click the input to place the kernel; the arrow keys move it")
        self.canvas.takes_keys = True
        self.canvas.key_pressed.connect(self._press)
        self.canvas.clicked.connect(self._click)

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for a channel before and after the convolution."""
        model, picture = self.state.model, self.state.picture
        assert model is not None
        assert picture is not None
        if isinstance(model.config, ConvNeXtConfig) and not model.config.depthwise:
            return DENSE
        set_range(self.channel, model.node(f"{self.block}.dwconv").shape[0] - 1)
        return (
            SlideKernel(panel=self.panel, image=picture.key, block=self.block, channel=self.channel.value()),
        )

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps, and keep the position of the kernel, which is first in the middle."""
        (result,) = answers
        assert isinstance(result, SlidKernel)
        is_first = self.shown is None
        self.shown = result
        for slider, size in zip((self.row, self.column), result.after.shape, strict=True):
            set_range(slider, size - 1, size // 2 if is_first else None)
        self._maps = WindowMaps(result.before, result.kernel, result.after, result.stride)
        self._move()

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the output value."""
        return self.row.value(), self.column.value()

    def products(self) -> NDArray[np.float64]:
        """Return the kernel times the values under it; 0 beyond the border."""
        assert self._maps is not None
        return self._maps.products()

    @property
    def _boxes(self) -> dict[str, QRectF]:
        return {} if self._maps is None else self._maps.boxes

    def step(self) -> None:
        """Move to the next position in reading order, and from the end back to the start."""
        row, column = self.place
        if column < self.column.maximum():
            self.column.setValue(column + 1)
        else:
            set_range(self.row, self.row.maximum(), row + 1 if row < self.row.maximum() else 0)
            set_range(self.column, self.column.maximum(), 0)
            self._move()

    def caption(self) -> str:
        """Return the caption: node and channel."""
        if not self.block:
            return self.subject()
        return self.subject(f"{self.block}.dwconv, channel {self.channel.value()}")

    # ------------------------------------------------------------------------------------------- moving

    def _move(self) -> None:
        if self._maps is not None:
            self._maps.move(*self.place)
            self.canvas.update()

    def _press(self, event: QKeyEvent) -> None:
        step = _KEYS.get(Qt.Key(event.key()))
        if step is not None:
            self.row.setValue(self.row.value() + step[0])
            self.column.setValue(self.column.value() + step[1])
            event.accept()

    def _click(self, x: float, y: float) -> None:
        unit = None if self._maps is None else self._maps.unit_at(x, y)
        if unit is not None:
            self.row.setValue(unit[0])
            self.column.setValue(unit[1])

    # ----------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint four maps in one or two rows, and the sum below."""
        shown, maps = self.shown, self._maps
        if shown is None or maps is None:
            return
        foot = ink.line() * 2.6
        maps.paint(ink, room.adjusted(0, 0, 0, -foot), shown.channel)
        self._paint_veil(ink, maps)
        self._paint_sum(ink, QRectF(room.left(), room.bottom() - foot, room.width(), foot), shown)

    def _paint_veil(self, ink: Ink, maps: WindowMaps) -> None:
        """Dim the output that the kernel has not reached yet."""
        box, unit = maps.boxes["output"], maps.unit_box()
        veil = QColor(ink.look.surface)
        veil.setAlpha(_VEIL)
        ink.painter.fillRect(QRectF(box.left(), unit.bottom(), box.width(), box.bottom() - unit.bottom()), veil)
        ink.painter.fillRect(QRectF(unit.right(), unit.top(), box.right() - unit.right(), unit.height()), veil)
        ink.frame(unit)

    def _paint_sum(self, ink: Ink, room: QRectF, shown: SlidKernel) -> None:
        line = QRectF(room.left(), room.top() + ink.line() * 0.2, room.width(), ink.line())
        ink.text(line, self.sum_text(), align="centre", bold=True)
        line.translate(0, ink.line() * 1.15)
        row, column = self.place
        k = len(shown.kernel)
        text = (
            f"row {row}, column {column}: the {k * k} products are added up; beyond the border the channel is 0"
        )
        ink.text(line, text, align="centre", colour=ink.look.muted, px=ink.small)

    def sum_text(self) -> str:
        """Return the sum of the values shown, and the value from the network."""
        shown = self.shown
        assert shown is not None
        total = float(self.products().sum())
        return equation(total, shown.bias, total + shown.bias, float(shown.after[self.place]))


SPEC = ViewSpec(
    name="sliding-kernel",
    title="A depthwise kernel that slides over its channel, with the sum at each position",
    make=SlidingKernelView,
    settings={
        "block": BLOCK,
        "channel": Whole(help="The channel, counted from 0", default="0", least=0, most=9999),
    },
)
