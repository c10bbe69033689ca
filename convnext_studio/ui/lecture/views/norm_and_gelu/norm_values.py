"""The values before and after the norm of a block, for the current picture."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF

from convnext_studio.lecture.setting import OneOf
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import Distribution, Distributions, DistributionsResult
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, AxisMark, Bars, Curve
from convnext_studio.ui.plots.ink import (
    Ink,
    MapPicture,
    common_limits,
    grid,
    is_wide,
    map_picture,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

LOOKS = {"values": "all values", "positions": "each position", "channels": "each channel"}
_COLUMNS = "before", "normalised", "scaled and shifted"
_ROUNDING = 1e-5
NORM_TITLES = {"layer": "layer norm", "batch": "batch norm", "rms": "RMS norm", "simple": "simple norm"}


class NormValuesView(BlockView):
    """Histograms of all values, maps of the mean and deviation of each position, or those of each channel."""

    name = "Values before and after the norm"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: DistributionsResult | None = None
        self._maps: list[tuple[str, MapPicture, str]] = []
        self.looks = self.add_choice(
            "Statistics of",
            "The values over which mean and standard deviation are computed",
            ((text, name) for name, text in LOOKS.items()),
            settings["of"],
            self._draw,
        )
        self.plots = [ReadPlot(title, Axes(x="", y="")) for title in _COLUMNS]
        for plot in self.plots:
            self.contents.addWidget(plot, 1)
        self.controls.addStretch(1)

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for the values before and after the norm of the block."""
        assert self.state.picture is not None
        return (Distributions(panel=self.panel, image=self.state.picture.key, node=f"{self.block}.norm"),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps once, then paint."""
        (result,) = answers
        assert isinstance(result, DistributionsResult)
        assert result.normalised is not None
        self.shown = result
        self._maps = []
        for title, found in (("before", result.before), ("after", result.normalised)):
            for word, values in (("mean", found.position_mean), ("deviation", found.position_std)):
                low, high = float(values.min()), float(values.max())
                below = f"from {_rounded(low)} to {_rounded(high)}"
                self._maps.append((f"{word}, {title}", _flat_or_not(values, word), below))
        self._draw()

    def caption(self) -> str:
        """Return the caption: the node, and what "after" means."""
        if not self.block:
            return self.subject()
        after = "after the norm, before scale and shift"
        return self.subject(f"{self.block}.norm", *([after] if self.looks.currentData() == "positions" else []))

    # ------------------------------------------------------------------------------------------ painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the statistics of the positions, which are maps."""
        if self.shown is not None:
            self._paint_positions(ink, room)

    def _draw(self) -> None:
        """Show the chosen statistics: maps of the positions, or a plot before, within and after the norm."""
        look = self.looks.currentData()
        self.canvas.setVisible(look == "positions")
        for plot in self.plots:
            plot.setVisible(look != "positions")
        self.canvas.update()
        shown = self.shown
        if shown is None or look == "positions":
            return
        assert shown.normalised is not None
        found = (shown.before, shown.normalised, shown.after)
        for plot, title, each in zip(self.plots, _COLUMNS, found, strict=True):
            plot.show_title(title)
            if look == "channels":
                _show_channels(plot, each)
            else:
                _show_histogram(plot, each)

    def _paint_positions(self, ink: Ink, room: QRectF) -> None:
        count = len(self._maps)
        places = grid(room, count, count if is_wide(room) else 2, ink.px * 0.5)
        for place, (title, shown, below) in zip(places, self._maps, strict=True):
            ink.map(place, shown, title, below)


def _flat_or_not(values: NDArray[np.float32], word: str) -> MapPicture:
    """Widen the limits, because after a layer norm only rounding differs from 0 or 1 and is not a pattern."""
    level = 0.0 if word == "mean" else 1.0
    if np.abs(values - level).max() < 0.02:
        return map_picture(values, limits=Limits(level - 1, level + 1), colormap="vik" if level == 0 else None)
    return map_picture(values, symmetric=word == "mean")


def _rounded(value: float) -> str:
    """Format with three digits; rounding errors around 0 become 0."""
    return "0.000" if abs(value) < _ROUNDING else format_number(value)


def _range(values: NDArray[np.float32]) -> str:
    return f"{format_number(float(values.min()), 2)} to {format_number(float(values.max()), 2)}"


def beyond(found: Distribution, axis: Limits) -> str:
    """Return the share of values outside the axis of a histogram for its title; empty if there are none."""
    edges = np.linspace(found.low, found.high, len(found.counts) + 1)
    is_shown = (edges[:-1] >= axis.low) & (edges[1:] <= axis.high)
    total = found.channel_mean.size * found.position_mean.size
    hidden = total - int(found.counts[is_shown].sum())
    return f" ({format_percent(hidden / total)} left out)" if hidden else ""


def histogram(found: Distribution) -> tuple[Bars, list[AxisMark]]:
    """Return the counts of a distribution as bars, and its mean as a mark; no mark if it is not finite."""
    edges = np.linspace(found.low, found.high, len(found.counts) + 1)
    bars = Bars(
        label="values",
        x=(edges[:-1] + edges[1:]) / 2,
        y=found.counts.astype(np.float64),
        width=float(edges[1] - edges[0]),
    )
    return bars, [AxisMark(x=found.mean, text="mean")] if math.isfinite(found.mean) else []


def _show_histogram(plot: ReadPlot, found: Distribution) -> None:
    span = Limits(found.low, found.high)
    bars, mean = histogram(found)
    axes = Axes(x=f"value{beyond(found, span)}", y="how many values", has_legend=False)
    plot.plot.set_axes(axes)
    highest = float(max(found.counts.max(initial=1), 1))
    plot.plot.show_curves([bars], x=span, y=Limits(0.0, 1.05 * highest), marks=mean)
    plot.show_note(f"mean {_rounded(found.mean)}, deviation {format_number(found.std)}")


def _show_channels(plot: ReadPlot, found: Distribution) -> None:
    """Show the mean of each channel as a line with its deviation on both sides, sorted by the mean."""
    order = np.argsort(found.channel_mean)
    order = order[np.isfinite(found.channel_mean[order])]
    mean, std = (each[order].astype(np.float64) for each in (found.channel_mean, found.channel_std))
    span = common_limits(*((mean + sign * std).astype(np.float32) for sign in (-1, 1)))
    plot.plot.set_axes(Axes(x="channels, by their means", y="mean ± deviation", has_legend=False))
    rank = np.arange(len(mean), dtype=np.float64)
    curve = Curve(label="mean", x=rank, y=mean, band=(mean - std, mean + std))
    plot.plot.show_curves([curve], x=Limits(0.0, max(len(mean) - 1.0, 1.0)), y=span)
    plot.show_note(f"means {_range(found.channel_mean)}, deviations {_range(found.channel_std)}")


SPEC = ViewSpec(
    name="norm-values",
    title="The values before and after the norm of a block, with mean and standard deviation",
    make=NormValuesView,
    settings={
        "block": BLOCK,
        "of": OneOf(
            help=(
                "The values over which mean and deviation are computed: all values, each position "
                "(over its channels), or each channel (over its positions)"
            ),
            default="values",
            values=tuple(LOOKS),
        ),
    },
)
