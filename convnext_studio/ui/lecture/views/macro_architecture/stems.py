"""Two stems with the same weights, separate patches and the tutorial's overlapping ones, with their costs."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF

from convnext_studio.model.design_costs import TUTORIAL_STEM, StemFigures, stem_figures
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import StemMaps, StemMapsResult
from convnext_studio.render import format_count, format_memory
from convnext_studio.ui.lecture.views.controls import CHANNEL, ValueSlider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT
from convnext_studio.ui.plots.ink import Ink, MapPicture, common_limits, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_MEAN = -1
_WORDS_PART = 0.34  # Fraction of the width of a column.
Move = tuple[int, int]
"""Stride and padding of a stem."""


class StemsView(NetworkView):
    """The output of the stem with both strides on one colour scale, and the cost of the network with each.

    Attributes
    ----------
    channel
        Slider over the channels, their mean first.
    maps
        By stride and padding, as colours.
    """

    needs_picture = True
    name = "Two strides of the stem"
    lacks = "patch stem"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.maps: dict[Move, MapPicture] = {}
        self.channel = ValueSlider(
            "Channel", "A channel after the stem, or the mean of all channels", (_MEAN,), _MEAN
        )
        self.channel.changed.connect(self.prepare)
        self.controls.addWidget(self.channel, 1)
        self._first_channel = int(settings["channel"])

    def moves(self) -> tuple[Move, Move]:
        """Return the two stems: patchify, and the tutorial's."""
        return (self.config.stem_kernel_size, 0), TUTORIAL_STEM

    def network_questions(self) -> Sequence[Request] | str:
        """Ask for the chosen channel with both strides."""
        if self.config.stem_type != "patch":
            return f"The stem of {self.model.title} has two convolutions and no patches. {OPEN_A_CONVNEXT}"
        channels = range(self.config.dims[0])
        self.channel.go_through((_MEAN, *channels), self._first_channel, ("mean", *map(str, channels)))
        picture, channel = self.state.picture, self.channel.value
        assert picture is not None
        wanted = None if channel == _MEAN else channel
        return [StemMaps(panel=self.panel, image=picture.key, channel=wanted, moves=self.moves())]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour both maps on one scale."""
        found = answers[0]
        if isinstance(found, StemMapsResult):
            limits = common_limits(*found.maps.values())
            self.maps = {move: map_picture(values, limits=limits) for move, values in found.maps.items()}
        super().show_answers(answers)

    def forget(self) -> None:
        """Clear the maps."""
        self.maps = {}

    def caption(self) -> str:
        """Return the caption: the channel, and that both use the weights of the open model."""
        if self.state.model is None or self.channel.value == _MEAN:
            return self.subject("mean over the channels of the stem, with the same weights for both strides")
        return self.subject(f"channel {self.channel.value} of the stem, with the same weights for both strides")

    def figures(self) -> tuple[StemFigures, ...]:
        """Return the figures of the network with each stem."""
        return tuple(stem_figures(self.config, *move, self.model.input_px) for move in self.moves())

    def rows(self, figures: StemFigures) -> list[str]:
        """Return the costs in words."""
        is_open = (figures.stride, figures.padding) == (self.config.stem_stride, self.config.stem_padding)
        return [
            f"{format_count(figures.parameters)} parameters",
            f"{format_count(figures.macs)} MACs",
            f"{format_memory(figures.activation_bytes)} of activations",
            "the open model's own stem" if is_open else "the same weights, another stride",
        ]

    def times(self) -> str:
        """Return the ratio of the costs of the two stems."""
        ours, tutorial = self.figures()
        macs, memory = tutorial.macs / ours.macs, tutorial.activation_bytes / ours.activation_bytes
        return f"Stride {tutorial.stride} costs {macs:.1f} × the MACs and {memory:.1f} × the memory"

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint each map with its costs beside it, and the comparison below."""
        line = ink.line()
        below = QRectF(room.left(), room.bottom() - 1.2 * line, room.width(), line)
        ink.text(below, self.times(), align="centre", bold=True)
        columns = shared_columns(room.adjusted(0, 0, 0, -1.4 * line), 2, 1.5 * ink.px)
        for column, figures in zip(columns, self.figures(), strict=True):
            self._paint_stem(ink, column, figures)

    def _paint_stem(self, ink: Ink, column: QRectF, figures: StemFigures) -> None:
        shown = self.maps.get((figures.stride, figures.padding))
        rows, place, words = self.rows(figures), QRectF(column), QRectF(column)
        gap = 0.6 * ink.line(ink.small)
        beside_px = min(_WORDS_PART * column.width(), 10 * ink.px) + 0.5 * ink.px
        below_px = sum(ink.paragraph_height(column.width(), row, ink.small) for row in rows) + gap
        # On a screen that is not wide, the words below leave the map more room than those beside it.
        is_below = column.width() - beside_px < column.height() - below_px
        if is_below:
            place.setBottom(column.bottom() - below_px)
            words.setTop(place.bottom() + gap)
            gap = 0.0
        else:
            place.setRight(column.right() - beside_px)
            words.setLeft(place.right() + 0.5 * ink.px)
        side, kernel = figures.sides["stem"], self.config.stem_kernel_size
        if shown is not None:
            ink.map(place, shown, f"{kernel} × {kernel}, stride {figures.stride}", f"{side} × {side}")
        heights = [ink.paragraph_height(words.width(), row, ink.small) + gap for row in rows]
        if not is_below:
            words.setTop(words.center().y() - sum(heights) / 2)
        for row, height in zip(rows, heights, strict=True):
            ink.paragraph(words, row, px=ink.small)
            words.setTop(words.top() + height)


SPEC = ViewSpec(
    name="stems",
    title="The patch stem and the same stem with stride 1: both maps and their costs",
    make=StemsView,
    arrangement="below",
    settings={
        "channel": CHANNEL,
    },
)
