"""The values that a normalisation averages over, on rotatable boxes of channels x height x width."""

import math
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QPainterPath, QPen, QPolygonF

from convnext_studio.lecture.setting import OneOf
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import PaintedView, blocks_of
from convnext_studio.ui.plots.ink import Ink, is_wide
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

PICTURES, CHANNELS, HEIGHT, WIDTH = 3, 6, 4, 4
GROUPS = 2
_PITCH = math.radians(24)
_FIRST_ANGLE = 32
_DEGREES_A_STEP = 1
_STEP_MS = 40
_EDGE_ON = 1e-6

Cell = tuple[int, int, int, int]
"""The indices of a value: picture, channel, row, column."""


class Averaging(Struct, frozen=True):
    """The values that a normalisation averages over.

    Attributes
    ----------
    group_of
        The number of the mean that a cell is part of.
    words
        Over what there is one mean.
    counts
        From channels and positions of a map: how many means there are, and of how many values each is.
    in_use
        What happens out of training.
    """

    title: str
    group_of: Callable[[Cell], int]
    words: str
    counts: Callable[[int, int], tuple[str, str]]
    in_use: str


_ALONE = "It computes the same in training and in use: the result for one picture does not depend on others."
AVERAGINGS = {
    "batch": Averaging(
        "Batch norm",
        lambda cell: cell[1],
        "One mean and one deviation for each channel: over all pictures of the batch and all positions.",
        lambda channels, positions: (f"{channels}", f"N × {positions}"),
        "In use there is no batch: running averages from training are used instead.",
    ),
    "layer": Averaging(
        "Layer norm, as in ConvNeXt",
        lambda cell: (cell[0] * HEIGHT + cell[2]) * WIDTH + cell[3],
        "One mean and one deviation for each position of each picture: over its channels.",
        lambda channels, positions: (f"N × {positions}", f"{channels}"),
        _ALONE,
    ),
    "instance": Averaging(
        "Instance norm",
        lambda cell: cell[0] * CHANNELS + cell[1],
        "One mean and one deviation for each channel of each picture: over its positions.",
        lambda channels, positions: (f"N × {channels}", f"{positions}"),
        _ALONE,
    ),
    "group": Averaging(
        "Group norm (here 2 groups)",
        lambda cell: cell[0] * GROUPS + cell[1] * GROUPS // CHANNELS,
        "One mean and one deviation for each group of channels of each picture: over all positions.",
        lambda channels, positions: (f"N × {GROUPS}", f"{channels // GROUPS * positions}"),
        _ALONE,
    ),
}


def cells() -> Iterator[Cell]:
    """Return all values of the drawing."""
    for picture in range(PICTURES):
        for channel in range(CHANNELS):
            for row in range(HEIGHT):
                for column in range(WIDTH):
                    yield picture, channel, row, column


def averaged(norm: str, number: int) -> set[Cell]:
    """Return the cells of one mean; numbers beyond the last mean start again from the first."""
    group_of = AVERAGINGS[norm].group_of
    wanted = number % (max(map(group_of, cells())) + 1)
    return {cell for cell in cells() if group_of(cell) == wanted}


class NormAxesView(PaintedView):
    """Three pictures as boxes of cells, with the cells of one mean coloured."""

    name = "Values that a normalisation averages over"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._number = 0
        self.norms = self.add_choice(
            "Norm",
            "The kind of normalisation",
            ((averaging.title, name) for name, averaging in AVERAGINGS.items()),
            settings["norm"],
            self._restart,
        )
        self.add_button("Another mean", "Highlight the values of the next mean", self.next_mean)
        self.playing = self.add_play("Turn slowly", _STEP_MS, lambda: self._turn(_DEGREES_A_STEP))
        self.controls.addStretch(1)
        self.new_row()
        self.angle = self.add_slider(
            "Angle",
            "Turn the boxes; you can also drag them",
            -180,
            180,
            _FIRST_ANGLE,
            self.canvas.update,
        )
        self.canvas.dragged.connect(lambda right, _down: self._turn(right / 2))

    @property
    def norm(self) -> str:
        """The normalisation that is shown."""
        return str(self.norms.currentData())

    @property
    def coloured(self) -> set[Cell]:
        """The cells of the current mean."""
        return averaged(self.norm, self._number)

    def next_mean(self) -> None:
        """Show another mean of the same normalisation."""
        self._number += 1
        self.canvas.update()

    def caption(self) -> str:
        """Return the caption: the drawing is schematic, and the numbers are those of the model."""
        return f"Schematic: {PICTURES} pictures, {CHANNELS} channels, {HEIGHT} × {WIDTH} positions"

    def _restart(self) -> None:
        self._number = 0
        self.canvas.update()

    def _turn(self, degrees: float) -> None:
        self.angle.setValue((self.angle.value() + round(degrees) + 180) % 360 - 180)

    # ------------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the boxes, with the text next to them or below."""
        words, boxes = QRectF(room), QRectF(room)
        if is_wide(room):
            words.setLeft(room.left() + room.width() * 0.7)
            boxes.setRight(words.left() - ink.px)
        else:
            words.setTop(room.top() + room.height() * 0.56)
            boxes.setBottom(words.top())
        self._paint_boxes(ink, boxes)
        self._paint_words(ink, words.adjusted(0, ink.px * 0.5, 0, 0))

    def _paint_words(self, ink: Ink, room: QRectF) -> None:
        averaging = AVERAGINGS[self.norm]
        means, values = averaging.counts(*self._sizes())
        ink.text(QRectF(room.left(), room.top(), room.width(), ink.line()), averaging.title, bold=True)
        room = room.adjusted(0, ink.line() * 1.4, 0, 0)
        for text, colour in (
            (averaging.words, ink.look.text),
            (f"{self._place()}: {means} means, each of {values} values.", ink.look.accent),
            (averaging.in_use, ink.look.text),
        ):
            room.setTop(room.top() + ink.paragraph(room, text, colour=colour) + ink.line() * 0.6)

    def _sizes(self) -> tuple[int, int]:
        """Return channels and positions of the first block of the open network, or of ConvNeXt-T."""
        model = self.state.model
        if model is None or not blocks_of(model):
            return 96, 56 * 56
        channels, height, width = model.node(blocks_of(model)[0]).shape
        return channels, height * width

    def _place(self) -> str:
        model = self.state.model
        return "ConvNeXt-T, stage 1" if model is None or not blocks_of(model) else "This network’s first block"

    def _paint_boxes(self, ink: Ink, room: QRectF) -> None:
        turn = _Turn(math.radians(self.angle.value()), _PITCH)
        pitch_px = room.width() / PICTURES
        reach = math.hypot(CHANNELS, WIDTH) + 0.2  # Enough for any angle of the box.
        cell_px = min(pitch_px / reach, (room.height() - 3 * ink.line()) / (HEIGHT + 3.5))
        chosen = self.coloured
        height = cell_px * (HEIGHT + 3.2)
        y = room.center().y() - ink.line()
        for picture in range(PICTURES):
            middle = QPointF(room.left() + (picture + 0.5) * pitch_px, y)
            inside = [cell for cell in chosen if cell[0] == picture]
            self._paint_box(ink, _Place(middle, cell_px, turn), inside)
            below = QRectF(middle.x() - pitch_px / 2, y + height / 2, pitch_px, ink.line())
            ink.text(below, f"picture {picture + 1}", align="centre")
        foot = QRectF(room.left(), y + height / 2 + 1.2 * ink.line(), room.width(), ink.line(ink.small))
        text = f"{CHANNELS} channels along the long edge, {HEIGHT} × {WIDTH} positions across"
        ink.text(foot, text, align="centre", px=ink.small, colour=ink.look.muted)

    def _paint_box(self, ink: Ink, place: "_Place", chosen: list[Cell]) -> None:
        """Paint the far sides, the coloured cells from back to front, and the near sides as lines on top."""
        sides = sorted(_SIDES, key=lambda side: place.turn.depth(*side.normal))
        for side in sides[: len(sides) // 2]:
            self._paint_side(ink, place, side, alpha=26)
        faces = [side for side in _SIDES if place.turn.depth(*side.normal) > _EDGE_ON]
        shown = {_centre(cell) for cell in chosen}
        ink.painter.setPen(QPen(QColor(ink.look.surface), 2))
        for centre in sorted(shown, key=lambda centre: place.turn.depth(*centre)):
            for face in faces:
                if tuple(c + n for c, n in zip(centre, face.normal, strict=True)) in shown:
                    continue  # Another cell hides it.
                corners = ([c + o / 2 for c, o in zip(centre, one, strict=True)] for one in face.corners)
                ink.painter.setBrush(QColor(ink.look.accent).darker(face.shade))
                ink.painter.drawPolygon(QPolygonF([place.point(*corner) for corner in corners]))
        for side in sides[len(sides) // 2 :]:
            self._paint_side(ink, place, side, alpha=0)

    @staticmethod
    def _paint_side(ink: Ink, place: "_Place", side: "_Face", alpha: int) -> None:
        """Paint a side of a box, with the lines between its cells."""
        half = (CHANNELS / 2, HEIGHT / 2, WIDTH / 2)
        corners = [
            place.point(*(o * size for o, size in zip(corner, half, strict=True))) for corner in side.corners
        ]
        fill, line = QColor(ink.look.outline), QColor(ink.look.outline)
        fill.setAlpha(alpha)
        line.setAlpha(110)
        path = QPainterPath()
        path.addPolygon(QPolygonF(corners))
        ink.painter.fillPath(path, fill)
        ink.painter.setPen(QPen(line, 1))
        ink.painter.drawLines(list(_grid(side.cells, corners)))


def _grid(cells: tuple[int, int], corners: list[QPointF]) -> Iterator[QLineF]:
    """Return the lines around and between the cells of a side."""
    a, b, c, d = corners
    for count, (start, end), (beyond, end_beyond) in zip(
        cells, ((a, b), (b, c)), ((d, c), (a, d)), strict=True
    ):
        for index in range(count + 1):
            share = index / count
            yield QLineF(start + (end - start) * share, beyond + (end_beyond - beyond) * share)


def _centre(cell: Cell) -> tuple[float, float, float]:
    """A point: channels point right, rows down, and columns into the depth."""
    _, channel, row, column = cell
    return channel - (CHANNELS - 1) / 2, (HEIGHT - 1) / 2 - row, column - (WIDTH - 1) / 2


class _Face(Struct, frozen=True):
    """A side of a cell or of a box.

    Attributes
    ----------
    corners
        Around it, from the first to the second along the first axis that lies in it.
    shade
        100 for the colour as it is, more for darker.
    """

    normal: tuple[int, int, int]
    corners: tuple[tuple[int, int, int], ...]
    shade: int

    @property
    def cells(self) -> tuple[int, int]:
        """The number of cells along its two axes."""
        first, second = (
            count for axis, count in zip(self.normal, (CHANNELS, HEIGHT, WIDTH), strict=True) if not axis
        )
        return first, second


_SIDES = (
    *(_Face((0, s, 0), ((-1, s, -1), (1, s, -1), (1, s, 1), (-1, s, 1)), 100) for s in (-1, 1)),
    *(_Face((0, 0, s), ((-1, -1, s), (1, -1, s), (1, 1, s), (-1, 1, s)), 120) for s in (-1, 1)),
    *(_Face((s, 0, 0), ((s, -1, -1), (s, 1, -1), (s, 1, 1), (s, -1, 1)), 145) for s in (-1, 1)),
)


class _Turn(Struct, frozen=True):
    """A rotation about the vertical axis, then a tilt towards the viewer, in parallel projection."""

    yaw: float
    pitch: float

    def place(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Return the position on the screen, with y pointing up."""
        along = x * math.cos(self.yaw) + z * math.sin(self.yaw)
        return along, y * math.cos(self.pitch) - self._towards(x, z) * math.sin(self.pitch)

    def depth(self, x: float, y: float, z: float) -> float:
        """Return the depth, positive towards the viewer."""
        return y * math.sin(self.pitch) + self._towards(x, z) * math.cos(self.pitch)

    def _towards(self, x: float, z: float) -> float:
        return z * math.cos(self.yaw) - x * math.sin(self.yaw)


class _Place(Struct, frozen=True):
    """The position and scale of a box in the widget."""

    middle: QPointF
    cell_px: float
    turn: _Turn

    def point(self, x: float, y: float, z: float) -> QPointF:
        """Return the widget position of a point, given in cells from the middle of the box."""
        right, up = self.turn.place(x, y, z)
        return QPointF(self.middle.x() + right * self.cell_px, self.middle.y() - up * self.cell_px)


SPEC = ViewSpec(
    name="norm-axes",
    title="The values that batch, layer, instance and group norm average over",
    make=NormAxesView,
    settings={
        "norm": OneOf(help="The normalisation to show first", default="layer", values=tuple(AVERAGINGS)),
    },
)
