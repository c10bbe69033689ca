"""The cost of larger kernels: calculated parameters and MACs of the whole network for every kernel size."""

from collections.abc import Callable, Mapping

import numpy as np
from PySide6.QtWidgets import QBoxLayout

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.design_costs import KernelFigures, kernel_figures
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import Limits, format_count, format_percent, format_round_count
from convnext_studio.ui.lecture.views.large_kernels.kernel_field import KERNEL, KERNELS, kernel_slider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, Bars
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_Number = Callable[[KernelFigures], int]
_KINDS: tuple[tuple[str, _Number, _Number], ...] = (
    ("Parameters", lambda each: each.parameters, lambda each: each.spatial_parameters),
    ("MACs", lambda each: each.macs, lambda each: each.spatial_macs),
)


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
        self.canvas.hide()
        self.contents.setDirection(QBoxLayout.Direction.TopToBottom)
        self.plots = [
            ReadPlot(
                f"{name} against kernel size",
                Axes(x="Kernel size", y=name, write=format_round_count, numbers="000.0 M"),
            )
            for name, _, _ in _KINDS
        ]
        for plot in self.plots:
            self.contents.addWidget(plot, 1)
            plot.plot.clicked.connect(self._choose)
        self.kernel = kernel_slider(settings["kernel"])
        self.controls.addWidget(self.kernel, 1)
        self.kernel.changed.connect(self._draw)

    def _choose(self, index: float) -> None:
        self.kernel.set_value(KERNELS[round(index)])

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
            f"{format_count(whole(chosen))}, in the kernels {format_count(part(chosen))} "
            f"({format_percent(part(chosen) / whole(chosen))})"
            for _, whole, part in _KINDS
        ]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the bars, for which no engine is asked."""
        super().show_answers(answers)
        self._draw()

    def bars(self, whole: _Number, part: _Number) -> list[Bars]:
        """Return the bars of the kernels on those of everything else; the chosen size is not faint."""
        figures, chosen = self.figures(), KERNELS.index(self.kernel.value)
        at = np.arange(len(figures), dtype=np.float64)
        kernels = np.array([part(each) for each in figures], np.float64)
        rest = np.array([whole(each) for each in figures], np.float64) - kernels
        found = []
        for label, series, heights, base in (
            ("depthwise kernels", 1, kernels, rest),
            ("everything else", 0, rest, np.zeros_like(rest)),
        ):
            for is_chosen in (True, False):
                shown = (at == chosen) == is_chosen
                bars = Bars(
                    label=label,
                    x=at[shown],
                    y=heights[shown],
                    base=base[shown],
                    series=series,
                    width=0.72,
                    is_faint=not is_chosen,
                    is_listed=is_chosen,
                )
                found.append(bars)
        return found

    def _draw(self) -> None:
        """Show two rows of bars, each with the numbers of the chosen size above."""
        names = [(float(index), str(side)) for index, side in enumerate(KERNELS)]
        for plot, (name, whole, part), said in zip(self.plots, _KINDS, self.readout(), strict=True):
            most = max(whole(each) for each in self.figures())
            plot.show_title(f"{name}: {said}")
            across, up = Limits(-0.6, len(KERNELS) - 0.4), Limits(0.0, 1.03 * most)
            plot.plot.show_curves(self.bars(whole, part), x=across, y=up, names=names)


SPEC = ViewSpec(
    name="kernel-cost",
    title="The parameters and MACs of the whole network for every kernel size",
    make=KernelCostView,
    settings={"kernel": KERNEL},
)
