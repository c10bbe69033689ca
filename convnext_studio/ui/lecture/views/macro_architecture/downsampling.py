"""The layers between two stages: a norm, and a 2 × 2 convolution with stride 2."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace
from PySide6.QtCore import QPointF, QRectF

from convnext_studio.lecture.setting import Whole
from convnext_studio.model.config import Downsample
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.protocol.channels import ChannelMap, ChannelMapResult
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.render import format_count
from convnext_studio.ui.lecture.views.controls import CHANNEL, ValueSlider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import NORM_TITLES
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.node_texts import shape_text

_OTHER = "Open a ConvNeXt with such layers, such as preset:convnext_tiny."


class DownsamplingView(NetworkView):
    """The map before the norm, after it, and after the convolution, and the cost of separate layers.

    Attributes
    ----------
    stage
        Which stage's downsampling is shown; stages of the network that has fewer count as its last.
    channel
        Slider over the channels that come in.
    maps
        By node, that channel of each, as colours.
    """

    needs_picture = True
    name = "Downsampling between two stages"
    lacks = "separate layers between its stages"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.maps: dict[str, MapPicture] = {}
        items = [(f"before stage {number}", str(number)) for number in (2, 3, 4)]
        tip = "The stage after the layers"
        self.stage = self.add_choice("Downsampling", tip, items, settings["stage"], self.prepare)
        self._first_channel = int(settings["channel"])
        self.channel = ValueSlider("Channel", "The channel to show of each map", (0,), 0)
        self.channel.changed.connect(self.prepare)
        self.controls.addWidget(self.channel, 1)

    def nodes(self) -> tuple[str, ...]:
        """The nodes that are shown: the input, the norm and the convolution."""
        stage = min(int(self.stage.currentData()), len(self.config.depths))
        return f"stage{stage - 1}", f"stage{stage}.downsample.norm", f"stage{stage}.downsample.conv"

    def network_questions(self) -> Sequence[Request] | str:
        """Ask for the channel of each map, if the network has such layers."""
        if len(self.config.depths) == 1:
            return f"{self.model.title} has one stage, so nothing is downsampled after its stem. {_OTHER}"
        if self.config.downsample != "separate":
            return f"{self.model.title} downsamples in its blocks, as ResNet does. {_OTHER}"
        picture = self.state.picture
        assert picture is not None
        nodes = self.nodes()
        self.channel.go_through(range(self.model.node(nodes[0]).shape[0]), self._first_channel)
        return [
            ChannelMap(panel=f"{self.panel} {node}", image=picture.key, node=node, channel=self.channel.value)
            for node in nodes
        ]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps."""
        found = [answer for answer in answers if isinstance(answer, ChannelMapResult)]
        self.maps = {answer.node: map_picture(answer.map) for answer in found}
        super().show_answers(answers)

    def forget(self) -> None:
        """Clear the maps."""
        self.maps = {}

    def caption(self) -> str:
        """Return the caption, which says what the maps are."""
        return self.subject(f"channel {self.channel.value} of each")

    def titles(self) -> tuple[str, str, str]:
        """Return the titles of the maps."""
        norm = NORM_TITLES[self.config.norm]
        return "Input", norm[0].upper() + norm[1:], "2 × 2, stride 2"

    def prices(self) -> list[tuple[str, str]]:
        """Return the costs of the whole network with separate layers, and with blocks that downsample."""
        kinds: tuple[tuple[str, Downsample], ...] = (
            ("Separate layers (this network)", "separate"),
            ("In the blocks, as in ResNet", "block"),
        )
        found = []
        for title, kind in kinds:
            config = replace(self.config, downsample=kind)
            nodes = node_table(config, self.model.input_px)
            parameters, macs = total_parameters(nodes, config), total_macs(nodes, config)
            found.append((title, f"{format_count(parameters)} parameters, {format_count(macs)} MACs"))
        return found

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint three maps in a row, and the two costs below."""
        if not self.maps:
            return
        line, prices = ink.line(), self.prices()
        maps = room.adjusted(0, 0, 0, -(1.25 * len(prices) + 0.8) * line)
        columns = shared_columns(maps, len(self.maps), 2.4 * ink.px)
        for name, column, (node, shown) in zip(self.titles(), columns, self.maps.items(), strict=True):
            ink.map(column, shown, name, shape_text(self.model.node(node)))
        for column in columns[:-1]:
            start = QPointF(column.right() + 0.3 * ink.px, column.center().y())
            ink.arrow(start, start + QPointF(1.8 * ink.px, 0))
        y = maps.bottom() + 0.8 * line
        titles = max(ink.width(title) for title, _ in prices) + ink.px
        for title, price in prices:
            ink.text(QRectF(room.left(), y, titles, line), title)
            ink.text(QRectF(room.left() + titles, y, room.width() - titles, line), price, bold=True)
            y += 1.25 * line


SPEC = ViewSpec(
    name="downsampling",
    title="The layers between two stages, with the maps before and after each",
    make=DownsamplingView,
    arrangement="below",
    settings={
        "stage": Whole(help="The stage after the layers to show first", default="2", least=2, most=4),
        "channel": CHANNEL,
    },
)
