"""A walk through a block: the output of each operation on the current picture, with its shape."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen

from convnext_studio.common.value_terms import ValuePlace, ValueSum
from convnext_studio.lecture.setting import OneOf, Whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import BlockWalk, WalkBlock, WalkStep
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainValue
from convnext_studio.render import format_count, format_number
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import BLOCK, BlockView, set_range
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture
from convnext_studio.ui.plots.values.value_painting import ValuePainting, cell_at, cell_box
from convnext_studio.ui.plots.values.value_texts import operation_words, place_text
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

OPERATIONS = ("input", "dwconv", "norm", "pwconv1", "act", "grn", "pwconv2", "gamma", "shortcut", "sum")
MAPS = {"rms": "strength over all channels", "channel": "one channel"}


class BlockWalkView(BlockView):
    """One operation enlarged, and all of them in a row below."""

    name = "A walk through a block"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: BlockWalk | None = None
        self._wanted_operation = settings["operation"]
        self._pictures: list[MapPicture] = []
        self._places: list[QRectF] = []
        self._large = QRectF()
        self._value: ValuePainting | None = None
        self._value_question = Query(bridge, self._show_value, lambda _reason: None, parent=self)
        self.maps = self.add_choice(
            "Map",
            "The root mean square over the channels, or a single channel",
            ((text, name) for name, text in MAPS.items()),
            settings["map"],
            self._colour,
        )
        self.controls.addStretch(1)
        self.new_row()
        self.channel = self.add_slider(
            "Channel", "The channel to show", 0, 9999, int(settings["channel"]), self._change_channel
        )
        self.operations = self.add_slider(
            "Operation", "The operation to show enlarged", 0, 0, 0, self._change_operation
        )
        self.canvas.clicked.connect(self._click)
        self.canvas.setToolTip("Click an operation to enlarge it, and the large map to see how a value is made")

    def block_questions(self) -> Sequence[Request] | str:
        """Ask for the outputs of the operations of the block."""
        model, picture = self.state.model, self.state.picture
        assert model is not None
        assert picture is not None
        set_range(self.channel, model.node(self.block).shape[0] - 1)
        channel = self.channel.value()
        return (WalkBlock(panel=self.panel, image=picture.key, block=self.block, channel=channel),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps, and enlarge the wanted operation, or the previous one if the block lacks it."""
        (result,) = answers
        assert isinstance(result, BlockWalk)
        self.shown = result
        self._forget_value()
        order = [OPERATIONS.index(name) for name in self.names()]
        wanted = OPERATIONS.index(self._wanted_operation)
        current = max(
            (place for place, number in enumerate(order) if number <= wanted), key=order.__getitem__, default=0
        )
        set_range(self.operations, len(order) - 1, current)
        self._colour()

    def names(self) -> list[str]:
        """The names of the operations within the block."""
        if self.shown is None:
            return []
        inside = [step.node.rpartition(".")[2] for step in self.shown.steps[1:-1]]
        return ["input", *inside, "sum"]

    @property
    def current(self) -> WalkStep:
        """The operation that is enlarged."""
        assert self.shown is not None
        return self.shown.steps[self.operations.value()]

    def caption(self) -> str:
        """Return the caption: the node, and which map is shown."""
        if self.shown is None:
            return self.subject()
        which = "root mean square over the channels" if self._shows_rms else f"channel {self.shown.channel}"
        return self.subject(self.current.node, which)

    @property
    def _shows_rms(self) -> bool:
        return bool(self.maps.currentData() == "rms")

    # ------------------------------------------------------------------------------------------ choosing

    def _change_channel(self) -> None:
        if not self._shows_rms:
            self.prepare()

    def _change_operation(self) -> None:
        self._wanted_operation = self.names()[self.operations.value()]
        self._forget_value()
        self.canvas.update()

    def _click(self, x: float, y: float) -> None:
        for index, place in enumerate(self._places):
            if place.contains(x, y):
                self.operations.setValue(index)
                return
        if self.shown is None or self.state.picture is None:
            return
        unit = cell_at(self._large, self.current.shape[1:], x, y)
        if unit is not None:
            channel = min(self.channel.value(), self.current.shape[0] - 1)
            asked = ValuePlace(self.current.node, channel, *unit)
            self._value_question.ask(ExplainValue(panel=self.panel, image=self.state.picture.key, place=asked))

    def _show_value(self, answer: Payload) -> None:
        assert isinstance(answer, ExplainedValue)
        self._value = ValuePainting(answer.made, precision=answer.precision)
        self.canvas.update()

    def _forget_value(self) -> None:
        self._value_question.drop()
        self._value = None

    @property
    def value(self) -> ValueSum | None:
        """How the value that was clicked is made, or None."""
        return None if self._value is None else self._value.made

    @property
    def is_settled(self) -> bool:
        """Whether the view shows its answers, or a sentence in their place."""
        return super().is_settled and not self._value_question.is_running

    def retire(self) -> None:
        """Drop all requests, because the view is about to be deleted."""
        super().retire()
        self._value_question.drop()

    def _colour(self) -> None:
        self.channel.setEnabled(not self._shows_rms)
        if self.shown is None:
            return
        if not self._shows_rms and self.shown.channel != self.channel.value():
            self.prepare()
            return
        self._pictures = [
            map_picture(step.rms_map) if self._shows_rms else map_picture(step.channel_map, symmetric=True)
            for step in self.shown.steps
        ]
        self.canvas.update()

    # ------------------------------------------------------------------------------------------ painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the current operation at the top with its text, and all operations below."""
        if self.shown is None or not self._pictures:
            return
        strip_height = min(room.height() * 0.34, ink.line() * 2.2 + room.width() / len(self._pictures))
        strip = QRectF(room.left(), room.bottom() - strip_height, room.width(), strip_height)
        upper = room.adjusted(0, 0, 0, -strip_height - ink.px * 0.5)
        left, right = QRectF(upper), QRectF(upper)
        left.setWidth(upper.width() * 0.55)
        right.setLeft(left.right() + ink.px)
        title = MAPS["rms"] if self._shows_rms else f"channel {self.shown.channel}"
        self._large = ink.map(left, self._pictures[self.operations.value()], title)
        if self._value is not None:
            place = self._value.made.place
            ink.frame(cell_box(self._large, self.current.shape[1:], place.y, place.x))
        self._paint_words(ink, right.adjusted(0, ink.px * 0.5, 0, 0))
        self._paint_strip(ink, strip)

    def _paint_words(self, ink: Ink, room: QRectF) -> None:
        step, name = self.current, self.names()[self.operations.value()]
        line = ink.line()
        ink.text(QRectF(room.left(), room.top(), room.width(), line), name, bold=True, colour=ink.look.accent)
        rest = room.adjusted(0, line * 1.3, 0, 0)
        rest.setTop(rest.top() + ink.paragraph(rest, self.words(name)) + line * 0.5)
        node = self._node(step.node)
        rows = [f"{step.shape[0]} × {step.shape[1]} × {step.shape[2]}"]
        rows.append(f"mean {format_number(step.mean)}, deviation {format_number(step.std)}")
        if node is not None and name not in ("input", "sum"):
            rows.append(f"{node.parameters:,} parameters".replace(",", " "))
            rows.append(f"{format_count(node.macs)} MACs" if node.macs else "no multiply-accumulates")
        for text in rows:
            ink.text(QRectF(rest.left(), rest.top(), rest.width(), line), text)
            rest.setTop(rest.top() + line * 1.15)
        if self._value is not None:
            made = self._value.made
            rest.setTop(rest.top() + line * 0.5)
            place = QRectF(rest.left(), rest.top(), rest.width(), line)
            ink.text(place, place_text(made.place, made.shape), colour=ink.look.accent, px=ink.small)
            self._value.paint_lines(ink, rest.adjusted(0, line * 1.15, 0, 0))

    def words(self, name: str) -> str:
        """Return what an operation of this network's blocks does."""
        config = None if self.state.model is None else self.state.model.config
        assert isinstance(config, ConvNeXtConfig)  # Other families have no blocks to walk through.
        return operation_words(name, config)

    def _node(self, name: str) -> NodeInfo | None:
        model = self.state.model
        return None if model is None else next((node for node in model.nodes if node.name == name), None)

    def _paint_strip(self, ink: Ink, room: QRectF) -> None:
        """Paint thumbnails with name and number of channels, the current one with a frame."""
        assert self.shown is not None
        count, small = len(self._pictures), ink.line(ink.small)
        step = room.width() / count
        side = min(step * 0.84, room.height() - 2.1 * small)
        self._places = []
        for index, (name, walked, shown) in enumerate(
            zip(self.names(), self.shown.steps, self._pictures, strict=True)
        ):
            place = QRectF(room.left() + index * step, room.top(), step, room.height())
            self._places.append(place)
            is_current = index == self.operations.value()
            colour = ink.look.accent if is_current else ink.look.text
            head = QRectF(place.left(), place.top(), step, small)
            ink.text(head, name, align="centre", px=ink.small, colour=colour, bold=is_current)
            box = QRectF(place.center().x() - side / 2, place.top() + small, side, side)
            ink.image(box, shown)
            ink.painter.setBrush(Qt.BrushStyle.NoBrush)
            ink.painter.setPen(QPen(QColor(colour if is_current else ink.look.border), 4 if is_current else 1))
            ink.painter.drawRect(box)
            foot = QRectF(place.left(), box.bottom() + 2, step, small)
            ink.text(foot, str(walked.shape[0]), align="centre", px=ink.small, colour=ink.look.muted)


SPEC = ViewSpec(
    name="block-walk",
    title="A walk through a block: the output of each operation on the current picture, with its shape",
    make=BlockWalkView,
    settings={
        "block": BLOCK,
        "operation": OneOf(
            help="The operation to show enlarged; if the block does not have it, the previous one",
            default="input",
            values=OPERATIONS,
        ),
        "map": OneOf(
            help="The root mean square over the channels, or a single channel",
            default="rms",
            values=tuple(MAPS),
        ),
        "channel": Whole(help="The channel, counted from 0", default="0", least=0, most=9999),
    },
)
