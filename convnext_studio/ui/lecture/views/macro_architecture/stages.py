"""The whole network to scale, with the maps of the current picture."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPen, QPolygonF

from convnext_studio.lecture.setting import OneOf
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import MeanMaps, MeanMapsResult
from convnext_studio.ui.lecture.views.controls import toggle
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView, draw_frame, lying_bar
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.node_texts import shape_text

_DEEPEST_PART = 0.8  # Extent to the right of the most channels, relative to the side of the widest map.
_SMALLER = 0.97  # Factor between two attempts to fit.
_SKEW = 0.35  # How far the channels extend upwards, relative to their extent to the right.
_TEXT_LINES = 6.6


class Slab(Struct, frozen=True):
    """A slab: a map as its face, and a depth proportional to its number of channels."""

    side: float
    depth: float

    @property
    def width(self) -> float:
        """The width including the depth of the channels."""
        return self.side + self.depth

    @property
    def height(self) -> float:
        """The height including the depth of the channels."""
        return self.side + _SKEW * self.depth


class StagesView(NetworkView):
    """Stem and stages as slabs to scale: the face is the map, and the thickness shows the channels.

    Attributes
    ----------
    same_size
        Whether all maps are drawn equally large instead.
    maps
        By node, the mean over its channels as colours.
    """

    needs_picture = True
    name = "Stem and stages to scale"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.maps: dict[str, MapPicture] = {}
        self.same_size = toggle("Same size", "Draw all maps at the same size, to see what is in the small ones")
        self.same_size.setChecked(settings["size"] == "same")
        self.controls.addStretch(1)
        self.controls.addWidget(self.same_size)
        self.same_size.toggled.connect(self.canvas.update)

    def nodes(self) -> list[NodeInfo]:
        """Return stem and stages."""
        return [node for node in self.model.nodes if node.kind in ("stem", "stage")]

    def network_questions(self) -> Sequence[Request]:
        """Ask for their mean maps."""
        picture = self.state.picture
        assert picture is not None
        return [MeanMaps(panel=self.panel, image=picture.key, nodes=tuple(node.name for node in self.nodes()))]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps."""
        found = answers[0]
        if isinstance(found, MeanMapsResult):
            self.maps = {name: map_picture(values) for name, values in found.maps.items()}
        super().show_answers(answers)

    def forget(self) -> None:
        """Clear the maps."""
        self.maps = {}

    def caption(self) -> str:
        """Return the caption, which says what the maps are."""
        scale = "maps at the same size" if self.same_size.isChecked() else "to scale"
        return self.subject(f"mean over the channels of each output, {scale}")

    def blocks_in(self, node: NodeInfo) -> int:
        """Return the number of blocks of a stage; 0 for the stem."""
        config = self.model.config
        return config.depths[config.stages.index(node.name)] if node.kind == "stage" else 0

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint a slab in each column on a common baseline, with its numbers below."""
        nodes = self.nodes()
        texts = _TEXT_LINES * ink.line(ink.small)
        if self.same_size.isChecked():
            columns = shared_columns(room, len(nodes), 0.5 * ink.px)
            side = min(0.96 * columns[0].width(), room.height() - texts)
            slabs = [Slab(side, 0.0)] * len(nodes)
        else:
            gap = 0.8 * ink.px
            words = [ink.width(shape_text(node), ink.small) for node in nodes]
            width = room.width() - gap * (len(nodes) - 1)
            slabs = slabs_of(nodes, words, width, room.height() - texts, least_px=ink.px)
            columns = _columns(room, [max(each) for each in zip(words, (s.width for s in slabs), strict=True)])
        tall = max(slab.height for slab in slabs)
        ground = room.center().y() + (tall - texts) / 2
        for node, column, slab in zip(nodes, columns, slabs, strict=True):
            face = QRectF(column.left(), ground - slab.side, slab.side, slab.side)
            if slab.depth:
                self._paint_channels(ink, face, slab.depth)
            self._paint_face(ink, face, node)
            self._paint_texts(ink, QRectF(column.left(), ground, column.width(), texts), node)

    def _paint_channels(self, ink: Ink, face: QRectF, depth: float) -> None:
        """Paint the sides of a slab."""
        by = QPointF(depth, -depth * _SKEW)
        right = [face.topRight(), face.topRight() + by, face.bottomRight() + by, face.bottomRight()]
        top = [face.topLeft(), face.topLeft() + by, face.topRight() + by, face.topRight()]
        ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
        for corners, shade in ((right, ink.look.border), (top, ink.look.raised)):
            ink.painter.setBrush(QColor(shade))
            ink.painter.drawPolygon(QPolygonF(corners))

    def _paint_face(self, ink: Ink, face: QRectF, node: NodeInfo) -> None:
        shown = self.maps.get(node.name)
        if shown is not None:
            ink.image(face, shown)
        draw_frame(ink, face, ink.look.outline, 1.0)

    def _paint_texts(self, ink: Ink, room: QRectF, node: NodeInfo) -> None:
        line, small = ink.line(), ink.line(ink.small)
        y = room.top() + 0.3 * small
        shown = self.maps.get(node.name)
        if shown is not None:
            lying_bar(ink, QRectF(room.left(), y, 0.9 * room.width(), small), shown)
        y += 1.6 * small
        ink.text(QRectF(room.left(), y, room.width(), line), node.title, bold=True)
        ink.text(QRectF(room.left(), y + line, room.width(), small), shape_text(node), px=ink.small)
        depth = self.blocks_in(node)
        if depth:
            words = "1 block" if depth == 1 else f"{depth} blocks"
            ink.text(QRectF(room.left(), y + line + small, room.width(), small), words, px=ink.small)
            self._paint_blocks(
                ink, QRectF(room.left(), y + line + 2.2 * small, room.width(), 0.5 * small), depth
            )

    def _paint_blocks(self, ink: Ink, place: QRectF, depth: int) -> None:
        pitch = min(0.9 * place.height() + 0.3 * ink.px, place.width() / depth)
        for index in range(depth):
            block = QRectF(place.left() + index * pitch, place.top(), 0.7 * pitch, place.height())
            ink.painter.fillRect(block, QColor(ink.look.accent))


def slabs_of(
    nodes: Sequence[NodeInfo], words: Sequence[float], width: float, height: float, least_px: float
) -> list[Slab]:
    """Return slabs as large as possible, with one scale for positions and one for channels.

    Parameters
    ----------
    words
        Widths that the columns have in any case.
    width, height
        Room for all columns.
    least_px
        Side below which the largest map is not reduced, fit or not.
    """
    widest, deepest = max(node.shape[1] for node in nodes), max(node.shape[0] for node in nodes)
    side = max(height, least_px)
    while True:
        per_unit, per_channel = side / widest, _DEEPEST_PART * side / deepest
        slabs = [Slab(node.shape[1] * per_unit, node.shape[0] * per_channel) for node in nodes]
        needed = sum(max(slab.width, word) for slab, word in zip(slabs, words, strict=True))
        if side <= least_px or (needed <= width and max(slab.height for slab in slabs) <= height):
            return slabs
        side *= _SMALLER


def _columns(room: QRectF, widths: Sequence[float]) -> list[QRectF]:
    """Place the slabs side by side, and divide the remaining space between them."""
    gap = (room.width() - sum(widths)) / max(len(widths) - 1, 1)
    lefts = accumulate((width + gap for width in widths[:-1]), initial=room.left())
    return [QRectF(left, room.top(), width, room.height()) for left, width in zip(lefts, widths, strict=True)]


SPEC = ViewSpec(
    name="stages",
    title="The stem and the stages to scale, with their mean maps on the current picture",
    make=StagesView,
    arrangement="below",
    settings={
        "size": OneOf(
            help="Whether the maps are first drawn to scale or all at the same size",
            default="scale",
            values=("scale", "same"),
        )
    },
)
