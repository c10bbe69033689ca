"""A live map of the whole network: the picture, the output of every block, and the classes."""

from collections.abc import Mapping, Sequence
from math import ceil

from PySide6.QtCore import QPointF, QRectF

from convnext_studio.export.export_contents import label_of
from convnext_studio.lecture.setting import Whole
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import MeanMaps, MeanMapsResult
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import SeenView, draw_frame, seen_pixels
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.plots.scene import Bitmap
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.node_texts import shape_text

_GAP = 1.5  # Between two columns, in text heights.
_THUMB_GAP = 0.25  # Between two blocks, in text heights.
_FACE_PART = 0.5  # Most of the height that the large maps take.


class NetworkMapView(SeenView):
    """The way of the picture through the network: large maps of stem and stages, and a small one of each block.

    Attributes
    ----------
    maps
        By node, the mean over its channels as colours.
    """

    name = "The whole network on this picture"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.maps: dict[str, MapPicture] = {}
        state.prediction_made.connect(self._repaint)
        state.prediction_failed.connect(self._repaint)

    def _repaint(self, _changed: object) -> None:
        self.canvas.update()

    def columns(self) -> list[tuple[NodeInfo, list[NodeInfo]]]:
        """Return the stem and the stages, each with its blocks."""
        nodes = self.model.nodes
        return [
            (node, [block for block in nodes if block.kind == "block" and block.parent == node.name])
            for node in nodes
            if node.kind in ("stem", "stage")
        ]

    def network_questions(self) -> Sequence[Request]:
        """Ask for the mean maps of stem, stages and blocks; a stage's map is that of its last block."""
        picture = self.state.picture
        assert picture is not None
        names = [node.name for whole, blocks in self.columns() for node in (whole, *blocks)]
        return [MeanMaps(panel=self.panel, image=picture.key, nodes=tuple(names))]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps, and cut out what the network sees."""
        found, picture = answers[0], self.state.picture
        if isinstance(found, MeanMapsResult) and picture is not None:
            self.maps = {name: map_picture(values) for name, values in found.maps.items()}
            self.seen = Bitmap(seen_pixels(picture, found.geometry))
        self.canvas.update()

    def forget(self) -> None:
        """Clear the maps."""
        self.maps, self.seen = {}, None

    def caption(self) -> str:
        """Return the caption, which says what the maps are."""
        return self.subject("mean over the channels of each output, each with its own colours")

    def rows(self) -> list[tuple[str, float]]:
        """Return the most likely classes with their probabilities; none before they are known."""
        model, prediction = self.state.model, self.state.prediction
        if model is None or prediction is None:
            return []
        top = prediction.top(int(self.settings["classes"]))
        return [(label_of(model, index), float(prediction.probabilities[index])) for index in top]

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint a column each for the picture, the stem, the stages and the classes, with arrows between."""
        if not self.maps:
            return
        columns = self.columns()
        places = shared_columns(room, len(columns) + 2, _GAP * ink.px)
        side = min(places[0].width(), _FACE_PART * room.height())
        top = room.top() + ink.line() + 1.2 * ink.line(ink.small)
        first, *stages, last = (
            QRectF(place.left(), room.top(), place.width(), room.height()) for place in places
        )
        face = QRectF(first.left(), top, side, side)
        self._paint_head(ink, first, "Picture", self.model.input_text)
        self.paint_seen(ink, face)
        draw_frame(ink, face, ink.look.outline, 1.0)
        for place, (node, blocks) in zip(stages, columns, strict=True):
            self._paint_head(ink, place, node.title, shape_text(node))
            self._paint_map(ink, QRectF(place.left(), top, side, side), node)
            rest = QRectF(
                place.left(), top + side + 0.8 * ink.px, side, room.bottom() - top - side - 0.8 * ink.px
            )
            self._paint_blocks(ink, rest, blocks)
        for before, after in zip(places, places[1:], strict=False):
            start = QPointF(before.left() + side, top + side / 2)
            reach = after.left() - start.x()
            ink.arrow(start + QPointF(0.2 * reach, 0), start + QPointF(0.8 * reach, 0))
        prediction = self.state.prediction
        words = "" if prediction is None else f"{len(prediction.probabilities)} in all"
        self._paint_head(ink, last, "Classes", words)
        ink.bars(QRectF(last.left(), top, last.width(), room.bottom() - top), self.rows(), ink.look.accent)

    @staticmethod
    def _paint_head(ink: Ink, column: QRectF, title: str, words: str) -> None:
        line, small = ink.line(), ink.line(ink.small)
        ink.text(QRectF(column.left(), column.top(), column.width(), line), title, bold=True)
        below = QRectF(column.left(), column.top() + line, column.width(), small)
        ink.text(below, words, px=ink.small, colour=ink.look.muted)

    def _paint_map(self, ink: Ink, box: QRectF, node: NodeInfo) -> None:
        shown = self.maps.get(node.name)
        if shown is not None:
            ink.image(box, shown)
        draw_frame(ink, box, ink.look.outline, 1.0)

    def _paint_blocks(self, ink: Ink, room: QRectF, blocks: Sequence[NodeInfo]) -> None:
        """Paint the maps of the blocks as large as all of them fit, in the order of their reading."""
        if not blocks:
            return
        words, small = "1 block" if len(blocks) == 1 else f"{len(blocks)} blocks", ink.line(ink.small)
        ink.text(QRectF(room.left(), room.top(), room.width(), small), words, px=ink.small)
        room = room.adjusted(0, 1.2 * small, 0, 0)
        gap = _THUMB_GAP * ink.px
        side = max(_side(room, len(blocks), across, gap) for across in range(1, len(blocks) + 1))
        across = next(n for n in range(1, len(blocks) + 1) if _side(room, len(blocks), n, gap) == side)
        for index, block in enumerate(blocks):
            row, column = divmod(index, across)
            at = QPointF(room.left() + column * (side + gap), room.top() + row * (side + gap))
            self._paint_map(ink, QRectF(at.x(), at.y(), side, side), block)


def _side(room: QRectF, count: int, across: int, gap: float) -> float:
    """Return the side of squares that fit into a box, so many in a row."""
    down = ceil(count / across)
    return max(min((room.width() + gap) / across, (room.height() + gap) / down) - gap, 1.0)


SPEC = ViewSpec(
    name="network",
    title="The whole network on the current picture: a map of every block, and the predictions",
    make=NetworkMapView,
    settings={
        "classes": Whole(help="How many of the most likely classes to show", default="5", least=1, most=8)
    },
    arrangement="opening",
)
