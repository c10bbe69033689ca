"""The cost of self-attention, which sees everything at once and pays for every pair of positions."""

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.lecture.setting import OneOf, Whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.design_costs import attention_macs, depthwise_macs
from convnext_studio.model.nodes import smallest_input_px
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import Limits, format_count, format_round_count
from convnext_studio.ui.lecture.views.controls import ValueSlider
from convnext_studio.ui.lecture.views.large_kernels.kernel_field import KERNEL, kernel_slider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import SeenView, draw_frame
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, AxisMark, Curve, series_colour
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

WINDOW = 7
"""The window size of Swin, in positions."""
SIDES = tuple(range(128, 2049, 32))
"""The sides of the input, in pixels."""
_MARGIN = 0.02  # In decades, at either end of the axis, so that the numbers there are seen.
_TICKS = (128, 224, 384, 512, 1024, 2048)
_ATTENTION, _WINDOWS = 1, 2  # Indices of the colours; the convolution's is 0.


class AttentionCostView(SeenView):
    """What one block sees of the picture, and the MACs of mixing the positions of a stage, over the input side.

    Attributes
    ----------
    side, kernel
        Sliders over the input's side in pixels, and over the depthwise kernel's; a click in the plot moves the
        first.
    """

    name = "Cost of self-attention against depthwise convolution"
    lacks = "stages of depthwise convolutions"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        tip = (
            "Side of the input in pixels; divided by the stride of the stage and squared, it gives "
            "the number of positions"
        )
        self.side = ValueSlider("Input", tip, SIDES, int(settings["input"]), [f"{side} px" for side in SIDES])
        self.kernel = kernel_slider(settings["kernel"])
        axes = Axes(
            x="Side of the input in pixels",
            y="MACs of one layer",
            is_log=True,
            is_x_log=True,
            decades=20,
            write=format_round_count,
        )
        self.plot = ReadPlot(self.name, axes, lines=2)
        self.contents.addWidget(self.plot, 3)
        self.plot.plot.clicked.connect(lambda side: self.side.set_value(round(side)))
        for slider in (self.side, self.kernel):
            self.controls.addWidget(slider, 1)
            slider.changed.connect(self._draw)

    def caption(self) -> str:
        """Return the caption: the channels and the stride of the model. Weights do not matter."""
        model = self.state.model
        if model is None or not isinstance(model.config, ConvNeXtConfig):
            return ""
        stage, channels, stride = self.where()
        title = self.model.node(stage).title
        return f"{title} of {model.title}: {channels} channels, stride {stride} px · calculated"

    def where(self) -> tuple[str, int, int]:
        """Return the stage (the last one if the network has fewer), its channels and its stride."""
        stages = self.config.stages
        stage = stages[min(int(self.settings["stage"]), len(stages)) - 1]
        node = self.model.node(stage)
        return stage, node.shape[0], node.field.stride_px

    def macs(self, side_px: int) -> dict[str, int]:
        """Return the MACs of each way to mix positions, for that input side in pixels."""
        _, channels, stride = self.where()
        side = max(side_px // stride, 1)
        return {
            "self-attention": attention_macs(channels, side).total,
            f"in {WINDOW} × {WINDOW} windows": attention_macs(channels, side, WINDOW).total,
            f"{self.kernel.value} × {self.kernel.value} depthwise": depthwise_macs(
                channels, side, self.kernel.value
            ),
        }

    def sentence(self) -> str:
        """Return a sentence with the numbers for the chosen input."""
        _, _, stride = self.where()
        macs = self.macs(self.side.value)
        attention, _, depthwise = macs.values()
        side = max(self.side.value // stride, 1)
        return f"{side} × {side} positions: attention costs {attention / depthwise:,.0f} × as much as depthwise"

    def field(self) -> FieldGeometry:
        """Return the field of units after the first block, with the chosen kernel; global with GRN."""
        field = self.model.node("stem").field.after(self.kernel.value, 1, self.kernel.value // 2)
        return field.made_global() if self.config.grn else field

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the part of the picture that is seen, and the costs."""
        super().show_answers(answers)
        self._draw()

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the picture in the colour of attention, and the square that a convolution sees."""
        line, small = ink.line(), ink.line(ink.small)
        ink.text(QRectF(room.left(), room.top(), room.width(), line), "One block sees")
        side = min(room.width(), 0.7 * room.height())
        box = QRectF(room.left(), room.top() + 1.2 * line, side, side)
        self.paint_seen(ink, box)
        draw_frame(ink, box, series_colour(_ATTENTION))
        field, unit = self.field(), self.model.node("stem").shape[1] // 2
        words = "everything (GRN)"
        if field.is_box:
            scale = box.width() / self.model.input_px
            square = QRectF(*(value * scale for value in field.unit_box(unit, unit))).translated(box.topLeft())
            ink.painter.save()
            ink.painter.setClipRect(box)
            draw_frame(ink, square, series_colour(0), halo=True)
            ink.painter.restore()
            words = f"{field.size_px} × {field.size_px} px"
        y = box.bottom() + 0.3 * small
        kernel = self.kernel.value
        for series, text in ((0, f"{kernel} × {kernel}: {words}"), (_ATTENTION, "attention: everything")):
            swatch = QRectF(room.left(), y + 0.25 * small, 0.5 * small, 0.5 * small)
            ink.painter.fillRect(swatch, QColor(series_colour(series)))
            place = QRectF(room.left() + 0.8 * small, y, room.width() - 0.8 * small, small)
            ink.text(place, text, px=ink.small)
            y += 1.1 * small

    def _draw(self) -> None:
        """Show the costs with the numbers at the chosen input, and what one block sees."""
        self.canvas.update()
        chosen = self.macs(self.side.value)
        sides = np.array([each for each in SIDES if each >= smallest_input_px(self.config)], np.float64)
        rows = [self.macs(int(each)) for each in sides]
        curves = [
            Curve(
                label=f"{name}: {format_count(chosen[name])}",
                x=sides,
                y=np.array([of[name] for of in rows], np.float64),
                series=series,
            )
            for name, series in zip(chosen, (_ATTENTION, _WINDOWS, 0), strict=True)
        ]
        names = [(float(tick), str(tick)) for tick in _TICKS if tick >= sides[0]]
        mark = AxisMark(x=float(self.side.value), text=f"{self.side.value} px")
        self.plot.show_title(self.sentence())
        low, high = np.log10(sides[[0, -1]]).tolist()
        across = Limits(low - _MARGIN, high + _MARGIN)
        self.plot.plot.show_curves(curves, x=across, names=names, marks=[mark])


SPEC = ViewSpec(
    name="attention-cost",
    title="MACs of self-attention and of a depthwise convolution, over the side of the input",
    make=AttentionCostView,
    settings={
        "stage": Whole(help="The stage whose channels and stride are used", default="1", least=1, most=4),
        "input": OneOf(
            help="Initial side of the input in pixels", default="224", values=tuple(map(str, SIDES))
        ),
        "kernel": KERNEL,
    },
)
