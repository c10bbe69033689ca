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
from convnext_studio.render import format_number
from convnext_studio.ui.lecture.views.depthwise.kernels import DENSE
from convnext_studio.ui.lecture.views.drawing import Ink, MapPicture, grid, is_wide, map_picture, shared_columns
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView, set_range
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_STEP_MS = 120
_DIGITS = 4
_VEIL = 190
_KEYS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class SlidingKernelView(BlockView):
    """Input, kernel, products and output; sliders, keys, clicks or the play button move the kernel."""

    name = "A kernel that slides over its channel"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: SlidKernel | None = None
        self._pictures: dict[str, MapPicture] = {}
        self._boxes: dict[str, QRectF] = {}
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
        self._pictures = {
            "input": map_picture(result.before, symmetric=True),
            "kernel": map_picture(result.kernel, symmetric=True),
            "output": map_picture(result.after, symmetric=True),
        }
        self._move()

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the output value."""
        return self.row.value(), self.column.value()

    def under_kernel(self) -> NDArray[np.float64]:
        """Return the values under the kernel; 0 beyond the border."""
        assert self.shown is not None
        return window_at(self.shown, *self.place)

    def products(self) -> NDArray[np.float64]:
        """Return the kernel times the values under it."""
        assert self.shown is not None
        return self.under_kernel() * self.shown.kernel

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
        if self.shown is not None:
            self._pictures["products"] = map_picture(self.products().astype(np.float32), symmetric=True)
            self.canvas.update()

    def _press(self, event: QKeyEvent) -> None:
        step = _KEYS.get(Qt.Key(event.key()))
        if step is not None:
            self.row.setValue(self.row.value() + step[0])
            self.column.setValue(self.column.value() + step[1])
            event.accept()

    def _click(self, x: float, y: float) -> None:
        for name in ("input", "output"):
            box = self._boxes.get(name)
            if self.shown is not None and box is not None and box.contains(x, y):
                height, width = (self.shown.before if name == "input" else self.shown.after).shape
                stride = self.shown.stride if name == "input" else 1
                self.row.setValue(int((y - box.top()) / box.height() * height) // stride)
                self.column.setValue(int((x - box.left()) / box.width() * width) // stride)

    # ----------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint four maps in one or two rows, and the sum below."""
        shown = self.shown
        if shown is None or "products" not in self._pictures:
            return
        foot = ink.line() * 2.6
        places = _places(room.adjusted(0, 0, 0, -foot), ink.px * 0.5)
        titles = {
            "input": f"channel {shown.channel}",
            "kernel": "its kernel",
            "products": "products",
            "output": "output",
        }
        for (name, title), place in zip(titles.items(), places, strict=True):
            self._boxes[name] = ink.map(place, self._pictures[name], title)
        self._paint_window(ink, shown)
        self._paint_output(ink, shown)
        self._paint_sum(ink, QRectF(room.left(), room.bottom() - foot, room.width(), foot), shown)

    def _paint_window(self, ink: Ink, shown: SlidKernel) -> None:
        box, (row, column) = self._boxes["input"], self.place
        unit = box.width() / shown.before.shape[1]
        k, stride = len(shown.kernel), shown.stride
        frame = QRectF(
            box.left() + (column * stride - k // 2) * unit,
            box.top() + (row * stride - k // 2) * unit,
            k * unit,
            k * unit,
        )
        ink.frame(frame)

    def _paint_output(self, ink: Ink, shown: SlidKernel) -> None:
        """Dim the output that the kernel has not reached yet."""
        box, (row, column) = self._boxes["output"], self.place
        height, width = shown.after.shape
        unit = box.width() / width
        veil = QColor(ink.look.surface)
        veil.setAlpha(_VEIL)
        y = box.top() + row * unit
        ink.painter.fillRect(QRectF(box.left(), y + unit, box.width(), (height - row - 1) * unit), veil)
        ink.painter.fillRect(
            QRectF(box.left() + (column + 1) * unit, y, (width - column - 1) * unit, unit), veil
        )
        ink.frame(QRectF(box.left() + column * unit, y, unit, unit))

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
        by_hand, given = total + shown.bias, float(shown.after[self.place])
        numbers = [format_number(value, _DIGITS) for value in (total, shown.bias, by_hand, given)]
        return f"sum {numbers[0]} + bias {numbers[1]} = {numbers[2]};  the network: {numbers[3]}"


def window_at(shown: SlidKernel, row: int, column: int) -> NDArray[np.float64]:
    """Return the values under the kernel for the output at that row and column."""
    k = len(shown.kernel)
    padded = np.pad(shown.before.astype(np.float64), k // 2)
    top, left = row * shown.stride, column * shown.stride
    return padded[top : top + k, left : left + k]


def _places(room: QRectF, gap: float) -> list[QRectF]:
    """Return the boxes of input, kernel, products and output; in one row, input and output are wider."""
    if not is_wide(room):
        upper_left, upper_right, lower_left, lower_right = grid(room, 4, 2, gap)
        return [upper_left, lower_left, lower_right, upper_right]
    wide, narrow, *_ = shared_columns(room, 4, gap)
    shift = narrow.width() * 0.18
    widths = [wide.width() + shift, narrow.width() - shift, narrow.width() - shift, wide.width() + shift]
    left, columns = room.left(), []
    for width in widths:
        columns.append(QRectF(left, room.top(), width, room.height()))
        left += width + gap
    return columns


SPEC = ViewSpec(
    name="sliding-kernel",
    title="A depthwise kernel that slides over its channel, with the sum at each position",
    make=SlidingKernelView,
    settings={
        "block": BLOCK,
        "channel": Whole(help="The channel, counted from 0", default="0", least=0, most=9999),
    },
)
