"""The blocks of several networks side by side, with widths to scale."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen

from convnext_studio.lecture.designs import (
    BlockDesign,
    Convolution,
    convnext,
    mobilenet_v1,
    mobilenet_v2,
    resnet_bottleneck,
)
from convnext_studio.lecture.setting import OneOf, Whole
from convnext_studio.ui.lecture.views.controls import ValueSlider, with_own
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView, kind_colour
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

FAMILIES: dict[str, tuple[str, tuple[Callable[[int], BlockDesign], ...]]] = {
    "bottlenecks": ("Bottlenecks", (resnet_bottleneck, mobilenet_v2, convnext)),
    "separable": ("Separable convolutions", (mobilenet_v1, convnext)),
}
_CHANNELS = range(8, 513, 8)
_KINDS = {"depthwise": "positions", "pointwise": "channels", "dense": "both"}


class BlockDesignsView(PaintedView):
    """One column for each block: its convolutions from top to bottom, the layers after them, and its costs."""

    name = "Blocks of several networks"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._side = int(settings["side"])
        self.families = self.add_choice(
            "Compare",
            "The blocks to compare",
            ((title, name) for name, (title, _) in FAMILIES.items()),
            settings["blocks"],
            self.canvas.update,
        )
        channels = int(settings["channels"])
        tip = "Number of input and output channels of each block"
        self.channels_slider = ValueSlider("Channels", tip, with_own(_CHANNELS, channels), channels)
        self.controls.addWidget(self.channels_slider, 1)
        self.channels_slider.changed.connect(self.canvas.update)

    @property
    def channels(self) -> int:
        """The number of input and output channels."""
        return self.channels_slider.value

    def designs(self) -> list[BlockDesign]:
        """The blocks that are shown."""
        return [design(self.channels) for design in FAMILIES[str(self.families.currentData())][1]]

    def caption(self) -> str:
        """Return the caption, which says how the costs are calculated."""
        return (
            f"Calculated for {self.channels} channels in and out and a map of {self._side} × "
            f"{self._side}; weights of the convolutions, without biases and norms"
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint all blocks with widths on one scale."""
        designs = self.designs()
        foot = QRectF(room.left(), room.bottom() - ink.line(), room.width(), ink.line())
        self._paint_legend(ink, foot)
        widest = max(design.widest for design in designs)
        columns = shared_columns(room.adjusted(0, 0, 0, -ink.line() * 1.4), len(designs), ink.px)
        for place, design in zip(columns, designs, strict=True):
            self._paint_design(ink, place, design, widest)

    def _paint_design(self, ink: Ink, room: QRectF, design: BlockDesign, widest: int) -> None:
        line = ink.line()
        head = QRectF(room.left(), room.top(), room.width(), line)
        ink.text(head, design.title, align="centre", bold=True)
        head.translate(0, line)
        source = f"{design.source} {design.year}"
        ink.text(head, source, align="centre", px=ink.small, colour=ink.look.muted)
        numbers = QRectF(room.left(), room.bottom() - line * 2.1, room.width(), line)
        ink.text(numbers, f"{_short(design.weights)} weights", align="centre")
        numbers.translate(0, line * 1.05)
        ink.text(numbers, f"{_short(design.macs(self._side))} MACs", align="centre")
        body = room.adjusted(0, line * 2.3, 0, -line * 2.6)
        margin = ink.px * 2.2 if any(each.has_shortcut for each in self.designs()) else ink.px * 0.5
        boxes = body.adjusted(margin, 0, -ink.px * 0.4, 0)
        self._paint_way(ink, body, boxes, design)
        self._paint_convs(ink, boxes, design, widest)

    def _paint_convs(self, ink: Ink, room: QRectF, design: BlockDesign, widest: int) -> None:
        """Paint each convolution as a shape between its widths, with the numbers of channels at its edges."""
        convs, small = design.convs, ink.line(ink.small)
        step = (room.height() - 1.6 * small) / len(convs)
        lines = 1 if all(_is_inside(ink, conv, room, widest) for conv in convs) else 2
        height = min(step - (lines + 0.15) * small, 3.4 * ink.line())
        middle = room.center().x()
        for index, (conv, behind) in enumerate(zip(convs, design.layers_after, strict=True)):
            top = room.top() + 0.5 * small + index * step
            widths = [max(channels / widest * room.width(), 4.0) for channels in (conv.before, conv.after)]
            shape = QPainterPath(QPointF(middle - widths[0] / 2, top))
            shape.lineTo(middle + widths[0] / 2, top)
            shape.lineTo(middle + widths[1] / 2, top + height)
            shape.lineTo(middle - widths[1] / 2, top + height)
            shape.closeSubpath()
            ink.painter.fillPath(shape, QColor(ink.look.surface))
            fill = kind_colour(ink, conv)
            fill.setAlpha(110)
            ink.painter.setPen(QPen(kind_colour(ink, conv), max(1.5, ink.px / 16)))
            ink.painter.setBrush(fill)
            ink.painter.drawPath(shape)
            text, place = _conv_text(conv), QRectF(room.left(), top, room.width(), height)
            below = QRectF(room.left(), top + height, room.width(), small)
            if _is_inside(ink, conv, room, widest):
                fits = ink.width(text) + ink.px * 0.4 < sum(widths) / 2
                ink.text(place, text, align="centre", px=ink.px if fits else ink.small)
            else:
                self._paint_words(ink, below, text, ink.look.text)
                below.translate(0, small)
            self._paint_words(ink, below, behind, ink.look.muted)

    @staticmethod
    def _paint_words(ink: Ink, room: QRectF, text: str, colour: str) -> None:
        """Paint the layers between a convolution and the next one."""
        width = min(ink.width(text, ink.small) + ink.px * 0.4, room.width())
        place = QRectF(room.center().x() - width / 2, room.top() + 2, width, room.height())
        ink.painter.fillRect(place, QColor(ink.look.surface))
        ink.text(place, text, align="centre", px=ink.small, colour=colour)

    def _paint_way(self, ink: Ink, room: QRectF, boxes: QRectF, design: BlockDesign) -> None:
        """Paint the path from top to bottom through the convolutions, and the shortcut around them, if any."""
        middle, left, radius = boxes.center().x(), room.left() + ink.px * 0.8, ink.px * 0.6
        top, bottom = room.top(), room.bottom() - ink.line(ink.small) * 0.4
        ink.painter.setBrush(Qt.BrushStyle.NoBrush)
        ink.painter.setPen(QPen(QColor(ink.look.outline), max(2.0, ink.px / 12)))
        ink.painter.drawLine(QLineF(middle, top - ink.px * 0.2, middle, room.bottom() + ink.px * 0.4))
        if not design.has_shortcut:
            return
        path = QPainterPath(QPointF(middle, top))
        path.lineTo(left + radius, top)
        path.quadTo(left, top, left, top + radius)
        path.lineTo(left, bottom - radius)
        path.quadTo(left, bottom, left + radius, bottom)
        path.lineTo(middle, bottom)
        ink.painter.setPen(QPen(QColor(ink.look.good), max(2.0, ink.px / 12)))
        ink.painter.drawPath(path)
        ink.painter.setBrush(QColor(ink.look.surface))
        ink.painter.drawEllipse(QPointF(middle, bottom), ink.px * 0.42, ink.px * 0.42)
        plus = QRectF(middle - ink.px, bottom - ink.px, 2 * ink.px, 2 * ink.px)
        ink.text(plus, "+", align="centre", bold=True, colour=ink.look.good)
        beside = QRectF(middle + ink.px * 0.7, bottom - ink.px, room.right() - middle, 2 * ink.px)
        ink.text(beside, design.layers_after_sum, px=ink.small, colour=ink.look.muted)

    def _paint_legend(self, ink: Ink, room: QRectF) -> None:
        kinds = list(dict.fromkeys(conv.kind for design in self.designs() for conv in design.convs))
        convs = {
            "dense": Convolution(1, 1, 3),
            "depthwise": Convolution(1, 1, 3, depthwise=True),
            "pointwise": Convolution(1, 1),
        }
        names = [(kind_colour(ink, convs[kind]).name(), f"{kind}: mixes {_KINDS[kind]}") for kind in kinds]
        ink.legend(room, names, align="centre")


def _is_inside(ink: Ink, conv: Convolution, room: QRectF, widest: int) -> bool:
    """Return whether the text of a convolution fits into its shape."""
    width = (conv.before + conv.after) / 2 / widest * room.width()
    return ink.width(_conv_text(conv), ink.small) + ink.px * 0.3 < width


def _conv_text(conv: Convolution) -> str:
    kernel = f"{'d' if conv.depthwise else ''}{conv.kernel_size}×{conv.kernel_size}"
    widths = f"{conv.before} → {conv.after}" if conv.before != conv.after else f"{conv.after}"
    return f"{kernel}, {widths}"


def _short(number: int) -> str:
    """Format a count with three digits and k, M or G."""
    for factor, suffix in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= factor:
            return f"{number / factor:.3g}{suffix}"
    return str(number)


SPEC = ViewSpec(
    name="block-designs",
    title="The blocks of ResNet, MobileNet, MobileNetV2 and ConvNeXt to scale, with their costs",
    make=BlockDesignsView,
    settings={
        "blocks": OneOf(help="The blocks to compare", default="bottlenecks", values=tuple(FAMILIES)),
        "channels": Whole(
            help="Number of input and output channels of each block", default="96", least=8, most=512
        ),
        "side": Whole(help="Height and width of the map", default="56", least=1, most=512),
    },
)
