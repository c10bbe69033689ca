"""The values before and after the norm of a block, for the current picture."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor, QPen

from convnext_studio.lecture.setting import OneOf
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import Distribution, Distributions, DistributionsResult
from convnext_studio.render import Limits, format_number, format_percent
from convnext_studio.ui.lecture.views.drawing import (
    Ink,
    MapPicture,
    common_limits,
    grid,
    is_wide,
    map_picture,
    shared_columns,
)
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

LOOKS = {"values": "all values", "positions": "each position", "channels": "each channel"}
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
            self.canvas.update,
        )
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
        self.canvas.update()

    def caption(self) -> str:
        """Return the caption: the node, and what "after" means."""
        if not self.block:
            return self.subject()
        after = "after the norm, before scale and shift"
        return self.subject(f"{self.block}.norm", *([after] if self.looks.currentData() == "positions" else []))

    # ------------------------------------------------------------------------------------------ painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the chosen statistics."""
        if self.shown is None:
            return
        look = self.looks.currentData()
        if look == "positions":
            self._paint_positions(ink, room)
        else:
            self._paint_columns(ink, room, by_channel=look == "channels")

    def _columns(self) -> tuple[tuple[str, Distribution], ...]:
        shown = self.shown
        assert shown is not None
        assert shown.normalised is not None
        return (
            ("before", shown.before),
            ("normalised", shown.normalised),
            ("scaled and shifted", shown.after),
        )

    def _paint_columns(self, ink: Ink, room: QRectF, *, by_channel: bool) -> None:
        columns = self._columns()
        for place, (title, found) in zip(shared_columns(room, 3, ink.px), columns, strict=True):
            line = ink.line()
            ink.text(QRectF(place.left(), place.top(), place.width(), line), title, align="centre", bold=True)
            area = place.adjusted(ink.px, line * 1.5, -ink.px, -ink.axis_height() - 2.6 * line)
            if by_channel:
                _paint_channels(ink, area, found)
            else:
                _paint_histogram(ink, area, found)
            numbers = QRectF(place.left(), place.bottom() - 2.3 * line, place.width(), line)
            if by_channel:
                over = found.channel_mean
                ink.text(numbers, f"means {_range(over)}", align="centre")
                numbers.translate(0, line * 1.1)
                ink.text(numbers, f"deviations {_range(found.channel_std)}", align="centre")
            else:
                ink.text(numbers, f"mean {_rounded(found.mean)}", align="centre")
                numbers.translate(0, line * 1.1)
                ink.text(numbers, f"deviation {format_number(found.std)}", align="centre")

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


def _paint_histogram(ink: Ink, area: QRectF, found: Distribution) -> None:
    span = Limits(found.low, found.high)
    ink.axis(area, span, f"value{beyond(found, span)}")
    ink.histogram(area, found.counts, span, span, ink.look.accent)
    if not math.isfinite(found.mean):
        return
    x = ink.along(area, span, found.mean)
    ink.painter.setPen(QPen(QColor(ink.look.warning), max(2.0, ink.px / 12)))
    ink.painter.drawLine(QLineF(x, area.top(), x, area.bottom()))


def _paint_channels(ink: Ink, area: QRectF, found: Distribution) -> None:
    """Paint the mean of each channel with its deviation on both sides, sorted from bottom to top."""
    order = np.argsort(found.channel_mean)
    order = order[np.isfinite(found.channel_mean[order])]
    mean, std = found.channel_mean[order], found.channel_std[order]
    span = common_limits(mean - std, mean + std)
    ink.axis(area, span, "mean ± deviation")
    step = area.height() / max(len(mean), 1)
    wide, dot = QPen(QColor(ink.look.accent), max(step * 0.7, 1)), QPen(QColor(ink.look.warning), max(step, 3))
    for index, (middle, around) in enumerate(zip(mean.tolist(), std.tolist(), strict=True)):
        y = area.bottom() - (index + 0.5) * step
        ink.painter.setPen(wide)
        left, right = (ink.along(area, span, middle + sign * around) for sign in (-1, 1))
        ink.painter.drawLine(QLineF(left, y, right, y))
        ink.painter.setPen(dot)
        x = ink.along(area, span, middle)
        ink.painter.drawLine(QLineF(x - 1, y, x + 1, y))


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
