"""The cost of larger kernels: calculated parameters and MACs of the whole network for every kernel size."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.design_costs import KernelFigures, kernel_figures
from convnext_studio.render import format_percent
from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.large_kernels.kernel_field import KERNEL, KERNELS, kernel_slider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.node_texts import counted

_Number = Callable[[KernelFigures], int]
_KINDS: tuple[tuple[str, _Number, _Number], ...] = (
    ("Parameters", lambda each: each.parameters, lambda each: each.spatial_parameters),
    ("MACs", lambda each: each.macs, lambda each: each.spatial_macs),
)
_FAINT = 0.55


class KernelCostView(NetworkView):
    """Bars over the kernel size, with the part of the kernels themselves in another colour.

    Attributes
    ----------
    kernel
        Slider over the kernel's side: the bar that is read out.
    """

    name = "Cost against kernel size"
    lacks = "blocks whose kernels could be changed"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._counted: tuple[ConvNeXtConfig, int, tuple[KernelFigures, ...]] | None = None
        self.kernel = kernel_slider(settings["kernel"])
        self.controls.addWidget(self.kernel, 1)
        self.kernel.changed.connect(self.canvas.update)

    def caption(self) -> str:
        """Return the caption: model and input size. Weights and picture do not matter."""
        model = self.state.model
        return "" if model is None else f"{model.title} at {model.input_px} px, calculated"

    def figures(self) -> tuple[KernelFigures, ...]:
        """Return the figures for each kernel size, which are calculated once for a network."""
        question = self.config, self.model.input_px
        if self._counted is None or self._counted[:2] != question:
            self._counted = *question, tuple(kernel_figures(question[0], side, question[1]) for side in KERNELS)
        return self._counted[2]

    def readout(self) -> list[str]:
        """Return the numbers for the chosen kernel, one line for parameters and one for MACs."""
        chosen = self.figures()[KERNELS.index(self.kernel.value)]
        return [
            f"{counted(whole(chosen))}, in the kernels {counted(part(chosen))} "
            f"({format_percent(part(chosen) / whole(chosen))})"
            for _, whole, part in _KINDS
        ]

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint two rows of bars, each with its numbers above, and the names of the colours below."""
        small = ink.line(ink.small)
        names = ((ink.look.warning, "in the depthwise kernels"), (ink.look.accent, "in everything else"))
        ink.legend(QRectF(room.left(), room.bottom() - small, room.width(), small), names, align="centre")
        room = room.adjusted(0, 0, 0, -1.6 * small)
        height = room.height() / 2
        for index, ((name, whole, part), said) in enumerate(zip(_KINDS, self.readout(), strict=True)):
            place = QRectF(room.left(), room.top() + index * height, room.width(), height)
            ink.text(QRectF(place.left(), place.top(), place.width(), ink.line()), f"{name}: {said}", bold=True)
            bars = place.adjusted(0, 1.3 * ink.line(), 0, -1.4 * small)
            self._paint_bars(ink, bars, whole, part)

    def _paint_bars(self, ink: Ink, room: QRectF, whole: _Number, part: _Number) -> None:
        figures = self.figures()
        pitch, most = room.width() / len(figures), max(whole(each) for each in figures)
        for index, each in enumerate(figures):
            is_chosen = each.kernel_size == self.kernel.value
            left, wide = room.left() + (index + 0.14) * pitch, 0.72 * pitch
            tall, kernels = (room.height() * number(each) / most for number in (whole, part))
            ink.painter.setOpacity(1.0 if is_chosen else _FAINT)
            top = room.bottom() - tall
            ink.painter.fillRect(QRectF(left, top + kernels, wide, tall - kernels), QColor(ink.look.accent))
            ink.painter.fillRect(QRectF(left, top, wide, kernels), QColor(ink.look.warning))
            ink.painter.setOpacity(1.0)
            below = QRectF(left - 0.14 * pitch, room.bottom(), pitch, ink.line(ink.small))
            colour = ink.look.text if is_chosen else ink.look.muted
            ink.text(below, str(each.kernel_size), align="centre", px=ink.small, colour=colour, bold=is_chosen)


SPEC = ViewSpec(
    name="kernel-cost",
    title="The parameters and MACs of the whole network for every kernel size",
    make=KernelCostView,
    settings={"kernel": KERNEL},
)
