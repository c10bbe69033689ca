"""The cost of a dense convolution against a depthwise one followed by a pointwise one."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.lecture.designs import Convolution
from convnext_studio.lecture.setting import Whole
from convnext_studio.render import format_count
from convnext_studio.ui.lecture.views.controls import ValueSlider, with_own
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView, kind_colour
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_CHANNELS = range(8, 1025, 8)
_KERNELS = range(1, 32, 2)
_BAR_LINES = 2.4  # The largest height of a bar, in lines of text.
_FORMULAS = (("k² · C²", "k² · C  +  C²"), ("k² · C² · H · W", "(k² · C  +  C²) · H · W"))
"""The bars: weights and operations, dense and separable."""


class SeparableCostView(PaintedView):
    """Bars of weights and operations, for any number of channels and kernel size.

    Attributes
    ----------
    channels_slider, kernel_slider
        Over round values and the step's own.
    """

    name = "Cost of a dense and of a separable convolution"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        channels, kernel = int(settings["channels"]), int(settings["kernel"])
        self._side = int(settings["side"])
        self.channels_slider = ValueSlider(
            "Channels", "Channels in and out", with_own(_CHANNELS, channels), channels
        )
        self.kernel_slider = ValueSlider("Kernel", "Kernel size", with_own(_KERNELS, kernel), kernel)
        for slider in (self.channels_slider, self.kernel_slider):
            self.controls.addWidget(slider, 1)
            slider.changed.connect(self.canvas.update)

    @property
    def channels(self) -> int:
        """The number of input and output channels."""
        return self.channels_slider.value

    @property
    def kernel(self) -> int:
        """The kernel size."""
        return self.kernel_slider.value

    def convs(self) -> tuple[Convolution, Convolution, Convolution]:
        """Return the dense, the depthwise and the pointwise convolution."""
        c, k = self.channels, self.kernel
        return Convolution(c, c, k), Convolution(c, c, k, depthwise=True), Convolution(c, c)

    def caption(self) -> str:
        """Return the caption, which says how the costs are calculated."""
        return (
            f"Calculated for {self.channels} channels in and out, {self.kernel} × "
            f"{self.kernel} kernels and a map of {self._side} × {self._side}; weights without "
            "biases"
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint what is compared at the top, the bars below it, and the ratio at the bottom."""
        dense, depthwise, pointwise = self.convs()
        line, small = ink.line(), ink.line(ink.small)
        head = QRectF(room.left(), room.top(), room.width(), line)
        c, k = self.channels, self.kernel
        ink.text(head, f"C = {c} channels      k = {k}      map {self._side} × {self._side}", align="centre")
        kinds = [(kind_colour(ink, part).name(), part.kind) for part in (dense, depthwise, pointwise)]
        ink.legend(head.translated(0, 1.3 * line), kinds, align="centre")
        body = room.adjusted(0, line * 2.6 + small, 0, -line * 2.2)
        for place, title, of in zip(
            shared_columns(body, 2, 2 * ink.px),
            ("Weights", "Multiply-accumulates"),
            (1, self._side**2),
            strict=True,
        ):
            ink.text(QRectF(place.left(), place.top(), place.width(), line), title, bold=True)
            rows = place.adjusted(0, line * 1.4, 0, 0)
            rows.setHeight(rows.height() / 2)
            most = max(dense.weights, depthwise.weights + pointwise.weights) * of
            formulas = _FORMULAS[of > 1]
            groups = (
                ((dense,), f"dense:  {formulas[0]}"),
                ((depthwise, pointwise), f"separable:  {formulas[1]}"),
            )
            for parts, formula in groups:
                self._paint_group(ink, rows, parts, formula, of, most)
                rows.translate(0, rows.height())
        share = (depthwise.weights + pointwise.weights) / dense.weights
        foot = QRectF(room.left(), room.bottom() - line * 1.5, room.width(), line)
        text = f"separable / dense  =  1/C + 1/k²  =  {share:.3f}: {_ratio(share)}"
        ink.text(foot, text, align="centre", bold=True, colour=ink.look.accent)

    def _paint_group(
        self, ink: Ink, room: QRectF, parts: tuple[Convolution, ...], formula: str, of: int, most: int
    ) -> None:
        line, small = ink.line(), ink.line(ink.small)
        ink.text(QRectF(room.left(), room.top(), room.width(), line), formula)
        bar = room.adjusted(0, 1.2 * line, 0, -1.9 * small)
        bar.setHeight(min(bar.height(), _BAR_LINES * line))
        ink.painter.fillRect(bar, QColor(ink.look.border))
        left = bar.left()
        for part in parts:
            width = bar.width() * part.weights * of / most
            ink.painter.fillRect(QRectF(left, bar.top(), width, bar.height()), kind_colour(ink, part))
            left += width
        numbers = "  +  ".join(f"{part.weights * of:,} {part.kind}".replace(",", " ") for part in parts)
        if ink.width(numbers, ink.least) > bar.width():
            numbers = "  +  ".join(f"{format_count(part.weights * of)} {part.kind}" for part in parts)
        below = QRectF(bar.left(), bar.bottom() + 0.15 * small, bar.width(), small)
        ink.text(below, numbers, px=ink.small)


def _ratio(share: float) -> str:
    return f"{1 / share:.1f} times less" if share < 1 else f"{share:.1f} times as much: nothing is saved"


SPEC = ViewSpec(
    name="separable-cost",
    title="The cost of a dense convolution against a depthwise and a pointwise one, with sliders",
    make=SeparableCostView,
    settings={
        "channels": Whole(help="Channels in and out", default="96", least=8, most=1024),
        "kernel": Whole(help="Kernel size", default="7", least=1, most=31),
        "side": Whole(help="Height and width of the map", default="56", least=1, most=512),
    },
)
