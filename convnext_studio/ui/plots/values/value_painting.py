"""Paint how a value of the network was made: maps, products and formula; shared by a panel and the lecture."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor

from convnext_studio.common.value_terms import INPUT, ValuePlace, ValueSum
from convnext_studio.ui.plots.ink import Ink, MapPicture, grid, is_wide, map_picture, shared_columns
from convnext_studio.ui.plots.values.value_texts import Line, formula_lines, number

_MOST_WINDOWS = 3
"""Up to so many channels, the window of a convolution is shown as maps, otherwise as a list of products."""
_COLOURS = ("red", "green", "blue")
_DARK = 0.5
PlaceOf = Callable[[int, int], ValuePlace | None]
"""Returns the place of the value in a row and a column of a map."""


class WindowMaps:
    """Four maps of a depthwise unit: the channel, its kernel, the products under the kernel, and the output.

    Attributes
    ----------
    row, column
        The place of the unit in the output.
    boxes
        Where the maps were painted: ``input``, ``kernel``, ``products`` and ``output``.
    """

    def __init__(
        self,
        before: NDArray[np.float32],
        kernel: NDArray[np.floating],
        after: NDArray[np.float32],
        stride: int,
    ) -> None:
        self.before, self.kernel, self.after, self.stride = before, kernel, after, stride
        self.row = self.column = 0
        self.boxes: dict[str, QRectF] = {}
        self._pictures = {
            "input": map_picture(before, symmetric=True),
            "kernel": map_picture(kernel.astype(np.float32), symmetric=True),
            "output": map_picture(after, symmetric=True),
        }

    def move(self, row: int, column: int) -> None:
        """Show the unit in another place."""
        self.row, self.column = row, column
        self._pictures["products"] = map_picture(self.products().astype(np.float32), symmetric=True)

    def under_kernel(self) -> NDArray[np.float64]:
        """Return the values under the kernel; 0 beyond the border."""
        k = len(self.kernel)
        padded = np.pad(self.before.astype(np.float64), k // 2)
        top, left = self.row * self.stride, self.column * self.stride
        return padded[top : top + k, left : left + k]

    def products(self) -> NDArray[np.float64]:
        """Return the kernel times the values under it."""
        return self.under_kernel() * self.kernel

    def picture(self, name: str) -> MapPicture:
        """Return one of the coloured maps."""
        return self._pictures[name]

    def paint(self, ink: Ink, room: QRectF, channel: int) -> None:
        """Paint the four maps in one or two rows, with frames around what belongs to the unit."""
        titles = {
            "input": f"channel {channel}",
            "kernel": "its kernel",
            "products": "products",
            "output": "output",
        }
        places = _window_places(room, ink.px * 0.5)
        for (name, title), place in zip(titles.items(), places, strict=True):
            self.boxes[name] = ink.map(place, self._pictures[name], title)
        ink.frame(self.window_box())
        ink.frame(self.unit_box())

    def window_box(self) -> QRectF:
        """Return the box of the window in the painted input."""
        box, k = self.boxes["input"], len(self.kernel)
        unit = box.width() / self.before.shape[1]
        left = box.left() + (self.column * self.stride - k // 2) * unit
        top = box.top() + (self.row * self.stride - k // 2) * unit
        return QRectF(left, top, k * unit, k * unit)

    def unit_box(self) -> QRectF:
        """Return the box of the unit in the painted output."""
        return cell_box(self.boxes["output"], self.after.shape, self.row, self.column)

    def unit_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return row and column of the output's unit for a point of the painted input or output, or None."""
        for name, values, stride in (("input", self.before, self.stride), ("output", self.after, 1)):
            cell = cell_at(self.boxes.get(name), values.shape, x, y)
            if cell is not None:
                return cell[0] // stride, cell[1] // stride
        return None


def cell_at(box: QRectF | None, shape: Sequence[int], x: float, y: float) -> tuple[int, int] | None:
    """Return row and column of the value painted at a point, or None outside of the map."""
    if box is None or not box.contains(x, y) or box.isEmpty():
        return None
    row = int((y - box.top()) / box.height() * shape[0])
    column = int((x - box.left()) / box.width() * shape[1])
    return min(row, shape[0] - 1), min(column, shape[1] - 1)


def cell_box(box: QRectF, shape: Sequence[int], row: int, column: int) -> QRectF:
    """Return the box of one value of a painted map."""
    width, height = box.width() / shape[1], box.height() / shape[0]
    return QRectF(box.left() + column * width, box.top() + row * height, width, height)


def _window_places(room: QRectF, gap: float) -> list[QRectF]:
    """Return the boxes of input, kernel, products and output; in one row, input and output are wider."""
    if not is_wide(room):
        upper_left, upper_right, lower_left, lower_right = grid(room, 4, 2, gap)
        return [upper_left, lower_left, lower_right, upper_right]
    wide, narrow, *_ = shared_columns(room, 4, gap)
    shift = narrow.width() * 0.18
    widths = [wide.width() + shift, narrow.width() - shift, narrow.width() - shift, wide.width() + shift]
    left, columns = room.left(), []
    for width in widths:
        columns.append(QRectF(left, room.top(), width, room.height()))
        left += width + gap
    return columns


class PaintedMap(Struct, frozen=True):
    """A map that was painted, which values its places stand for, and what is said about them."""

    box: QRectF
    shape: tuple[int, ...]
    place_of: PlaceOf
    text_of: Callable[[int, int], str] | None = None


class TermList:
    """The terms of a value as rows, the largest first, which are scrolled and chosen from.

    Parameters
    ----------
    made
        The value and its terms.
    name_of
        Returns how an operand is called, by its index.

    Attributes
    ----------
    order
        The operands, by the size of their terms.
    first
        The number of rows that are scrolled out at the top.
    chosen
        The row that the keyboard has chosen, or None.
    rows_shown
        The number of rows that were painted.
    """

    def __init__(self, made: ValueSum, name_of: Callable[[int], str]) -> None:
        self.order: tuple[int, ...] = tuple(np.argsort(-np.abs(_sizes(made)), kind="stable").tolist())
        self.first = 0
        self.chosen: int | None = None
        self.rows_shown = 0
        self._made = made
        self._name_of = name_of

    @property
    def chosen_place(self) -> ValuePlace | None:
        """The place of the operand in the chosen row, or None."""
        return None if self.chosen is None else self._made.source(self.order[self.chosen])

    def scroll(self, rows: int) -> None:
        """Scroll the list by so many rows."""
        last = max(len(self.order) - self.rows_shown, 0)
        self.first = min(max(self.first + rows, 0), last)

    def choose(self, step: int) -> None:
        """Choose the next or the previous row, and scroll to it."""
        chosen = self.first if self.chosen is None else self.chosen + step
        self.chosen = min(max(chosen, 0), len(self.order) - 1)
        if self.chosen < self.first:
            self.first = self.chosen
        elif self.chosen >= self.first + self.rows_shown:
            self.first = self.chosen - self.rows_shown + 1

    def paint(self, ink: Ink, room: QRectF) -> list[tuple[QRectF, ValuePlace]]:
        """Paint the largest terms as rows with bars, and what all others add up to.

        Return the rows that lead to another value, with its place.
        """
        line = ink.line(ink.small) * 1.25
        sizes = _sizes(self._made)
        fitting = max(int(room.height() // line) - 2, 1)
        self.rows_shown = min(fitting, len(self.order))
        self.scroll(0)
        shown = self.order[self.first : self.first + self.rows_shown]
        largest = float(np.abs(sizes).max(initial=0.0)) or 1.0
        targets: list[tuple[QRectF, ValuePlace]] = []
        head = QRectF(room.left(), room.top(), room.width(), line)
        ink.text(head, self._title(), px=ink.small, colour=ink.look.muted)
        for row, index in enumerate(shown):
            place = QRectF(room.left(), room.top() + (row + 1) * line, room.width(), line)
            self._paint_row(ink, place, index, float(sizes[index]) / largest, row + self.first == self.chosen)
            source = self._made.source(index)
            if source is not None:
                targets.append((place, source))
        rest = [index for index in self.order if index not in set(shown)]
        if rest:
            foot = QRectF(room.left(), room.top() + (len(shown) + 1) * line, room.width(), line)
            added = number(float(self._made.terms[rest].sum()))
            ink.text(foot, f"the other {len(rest):,}: {added} (scroll)", px=ink.small, colour=ink.look.muted)
        return targets

    def _title(self) -> str:
        operation = self._made.operation
        if operation == "norm":
            return "the channels at this position"
        if operation == "sigmoid":
            return "logit, and the exponential of minus it"
        if operation == "softmax":
            return "logit, and its exponential after the largest logit is taken off"
        return "value × weight = product, the largest first"

    def _paint_row(self, ink: Ink, place: QRectF, index: int, share: float, is_chosen: bool) -> None:
        if is_chosen:
            ink.painter.fillRect(place, QColor(ink.look.raised))
        middle = place.left() + place.width() * 0.72
        reach = place.right() - middle
        half = reach / 2
        bar = QRectF(middle + half, place.top() + place.height() * 0.2, half * share, place.height() * 0.6)
        colour = ink.look.accent if share >= 0 else ink.look.warning
        ink.painter.fillRect(bar.normalized(), QColor(colour))
        source = self._made.source(index)
        name = QRectF(place.left(), place.top(), place.width() * 0.3, place.height())
        ink.text(
            name,
            self._name_of(index),
            px=ink.small,
            colour=ink.look.text if source is None else ink.look.accent,
        )
        said = QRectF(name.right(), place.top(), middle - name.right() - ink.small * 0.5, place.height())
        ink.text(said, self.row_text(index), px=ink.small, align="right")

    def row_text(self, index: int) -> str:
        """Return the numbers of an operand: value, weight and product."""
        made = self._made
        operand, term = number(made.operands[index]), number(made.terms[index])
        if made.operation == "norm":
            return operand
        if made.operation in ("softmax", "sigmoid"):
            return f"{operand} → {term}"
        return f"{operand} × {number(made.factors[index])} = {term}"


class ValuePainting:
    """Everything that is painted about a value: maps, the list of its terms, and the formula.

    Parameters
    ----------
    made
        The value and its terms.
    name_of
        Returns how an operand is called in the list, by its index.
    precision
        The precision of the forward pass.

    Attributes
    ----------
    terms
        The list of the terms, which is painted where `has_list`.
    """

    def __init__(
        self, made: ValueSum, name_of: Callable[[int], str] | None = None, precision: str = "float32"
    ) -> None:
        self.made = made
        self.terms = TermList(made, name_of or partial(operand_name, made))
        self._lines = formula_lines(made, precision)
        self._targets: list[tuple[QRectF, ValuePlace]] = []
        self._maps: list[PaintedMap] = []
        self._windows: WindowMaps | None = None
        self._pictures: list[list[tuple[str, MapPicture]]] = []
        self._prepare()

    def _prepare(self) -> None:
        made = self.made
        channels = made.window[0]
        if channels == 1 and made.before is not None:
            kernel = made.factors.reshape(made.window[1:])
            self._windows = WindowMaps(made.before, kernel, made.after, made.stride)
            self._windows.move(made.place.y, made.place.x)
        elif 1 < channels <= _MOST_WINDOWS:
            for index in range(channels):
                name = colour_name(made.source(index * made.window[1] * made.window[2]), channels)
                self._pictures.append(
                    [
                        (
                            f"{word}, {name or f'channel {index}'}",
                            map_picture(values.reshape(made.window)[index].astype(np.float32), symmetric=True),
                        )
                        for word, values in self._parts.items()
                    ]
                )
        self._own = map_picture(made.after, symmetric=bool((made.after < 0).any()))

    @property
    def _parts(self) -> dict[str, NDArray[np.float64]]:
        """The parts of a sum of products, by what they are called above their maps."""
        return {"value": self.made.operands, "kernel": self.made.factors, "product": self.made.terms}

    @property
    def has_list(self) -> bool:
        """Whether the terms are listed: not if they are a picture, and not if the formula has them all."""
        return self._windows is None and not self._pictures and len(self.made.terms) > 2

    @property
    def chosen_place(self) -> ValuePlace | None:
        """The place of the chosen row; without a list, that of the first number of the formula with one."""
        if self.has_list:
            return self.terms.chosen_place
        places = (piece.place for line in self._lines for piece in line if piece.place is not None)
        return next(places, None)

    def place_at(self, x: float, y: float) -> ValuePlace | None:
        """Return the place of the value that was painted at a point, or None."""
        for box, place in self._targets:
            if box.contains(x, y):
                return place
        for painted in self._maps:
            cell = cell_at(painted.box, painted.shape, x, y)
            if cell is not None:
                return painted.place_of(*cell)
        return None

    def text_at(self, x: float, y: float) -> str:
        """Return the numbers of the term that was painted at a point of a window; empty elsewhere."""
        for painted in self._maps:
            cell = cell_at(painted.box, painted.shape, x, y)
            if cell is not None and painted.text_of is not None:
                return painted.text_of(*cell)
        return ""

    # ------------------------------------------------------------------------------------------- painting

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint maps and terms, and the formula below."""
        self._targets, self._maps = [], []
        below = self._lines_height(ink, room.width()) + ink.px * 0.5
        self.paint_lines(ink, QRectF(room.left(), room.bottom() - below, room.width(), below))
        upper = room.adjusted(0, 0, 0, -below - ink.px * 0.4)
        if self._windows is not None:
            self._paint_windows(ink, upper, self._windows)
        elif self._pictures:
            self._paint_patches(ink, upper)
        else:
            self._paint_map_and_list(ink, upper)

    def _paint_windows(self, ink: Ink, room: QRectF, windows: WindowMaps) -> None:
        windows.paint(ink, room, self.made.place.channel)
        made = self.made
        window = made.window[1:]
        for name, values in (("products", made.terms), ("kernel", made.factors)):
            self._maps.append(PaintedMap(windows.boxes[name], window, self._operand, self._term_text))
            _paint_numbers(ink, windows.boxes[name], windows.picture(name), values.reshape(window))
        step, channel = made.steps[0], made.place.channel
        self._maps.append(
            PaintedMap(
                windows.boxes["input"], windows.before.shape, lambda y, x: ValuePlace(step, channel, y, x)
            )
        )
        self._maps.append(PaintedMap(windows.boxes["output"], made.after.shape, self._sister))

    def _index(self, row: int, column: int, channel: int = 0) -> int:
        _, height, width = self.made.window
        return (channel * height + row) * width + column

    def _operand(self, row: int, column: int, channel: int = 0) -> ValuePlace | None:
        return self.made.source(self._index(row, column, channel))

    def _term_text(self, row: int, column: int, channel: int = 0) -> str:
        return self.terms.row_text(self._index(row, column, channel))

    def _sister(self, row: int, column: int) -> ValuePlace:
        """Return the place of another unit of the same channel."""
        return ValuePlace(self.made.place.step, self.made.place.channel, row, column)

    def _paint_patches(self, ink: Ink, room: QRectF) -> None:
        rows = grid(room, len(self._pictures), 1, ink.px * 0.3)
        for channel, (row, pictures) in enumerate(zip(rows, self._pictures, strict=True)):
            for place, (title, picture) in zip(
                shared_columns(row, len(pictures), ink.px * 0.5), pictures, strict=True
            ):
                box = ink.map(place, picture, title)
                values = self._parts[title.partition(",")[0]].reshape(self.made.window)[channel]
                _paint_numbers(ink, box, picture, values)
                found = partial(self._operand, channel=channel)
                self._maps.append(
                    PaintedMap(box, values.shape, found, partial(self._term_text, channel=channel))
                )

    def _paint_map_and_list(self, ink: Ink, room: QRectF) -> None:
        """Paint the value's own channel, and the terms beside or below it."""
        _, height, width = self.made.shape
        map_room, list_room = QRectF(room), QRectF(room)
        if not self.has_list:
            list_room = QRectF()
        elif is_wide(room) or room.width() > room.height():
            map_room.setWidth(room.width() * 0.42)
            list_room.setLeft(map_room.right() + ink.px)
        else:
            map_room.setHeight(room.height() * 0.42)
            list_room.setTop(map_room.bottom() + ink.px * 0.5)
        if height * width == 1:
            list_room = room if self.has_list else list_room
        else:
            title = "the map" if self.made.operation == "cam" else f"channel {self.made.place.channel}"
            box = ink.map(map_room, self._own, title)
            ink.frame(cell_box(box, self.made.after.shape, self.made.place.y, self.made.place.x))
            self._maps.append(PaintedMap(box, self.made.after.shape, self._sister))
        if self.has_list:
            self._targets += self.terms.paint(ink, list_room)

    def _lines_height(self, ink: Ink, width: float) -> float:
        return sum(len(rows) for rows in self._flowed(ink, width)) * ink.line() * 1.1

    def paint_lines(self, ink: Ink, room: QRectF) -> float:
        """Paint the formula from the top, and return its height; the numbers to go to are underlined."""
        y = room.top()
        flowed = self._flowed(ink, room.width())
        for number_of_line, rows in enumerate(flowed):
            is_last = number_of_line == len(flowed) - 1
            for row in rows:
                self._paint_pieces(ink, QPointF(room.left(), y), row, is_last)
                y += ink.line() * 1.1
        return y - room.top()

    def _flowed(self, ink: Ink, width: float) -> list[list[Line]]:
        """Divide each line of the formula into rows that fit."""
        flowed = []
        for line in self._lines:
            rows: list[Line] = []
            row: Line = ()
            for piece in line:
                if row and ink.width(" ".join(each.text for each in (*row, piece)), bold=True) > width:
                    rows.append(row)
                    row = ()
                row = (*row, piece)
            flowed.append([*rows, row])
        return flowed

    def _paint_pieces(self, ink: Ink, at: QPointF, pieces: Line, bold: bool) -> None:
        x, line = at.x(), ink.line()
        for piece in pieces:
            width = ink.width(piece.text, bold=bold)
            place = QRectF(x, at.y(), width + 2, line)
            colour = ink.look.text if piece.place is None else ink.look.accent
            ink.text(place, piece.text, bold=bold, colour=colour)
            if piece.place is not None:
                ink.painter.fillRect(QRectF(x, place.bottom() - 1, width, 1.5), QColor(colour))
                self._targets.append((place, piece.place))
            x += width + ink.width(" ", bold=bold)


def _sizes(made: ValueSum) -> NDArray[np.float64]:
    """Return by what the operands are ordered: their terms, but for a norm the values themselves."""
    return made.operands if made.operation == "norm" else made.terms


def operand_name(made: ValueSum, index: int) -> str:
    """Return how an operand is called: by its channel, or by its row and column where that differs."""
    step, channel, y, x = made.sources[index].tolist()
    if step >= 0 and made.steps[step] == INPUT and made.operation == "cam":
        return colour_name(made.source(index), len(made.terms)) or f"channel {channel}"
    if made.operation == "pool":
        return f"y {y}, x {x}"
    return f"channel {channel} · y {y}, x {x}" if made.window[1] > 1 else f"channel {channel}"


def colour_name(place: ValuePlace | None, channels: int) -> str:
    """Return the name of a colour of the input; empty for other places."""
    is_colour = place is not None and place.step == INPUT and channels == len(_COLOURS)
    return _COLOURS[place.channel] if is_colour and place is not None else ""


def _paint_numbers(ink: Ink, box: QRectF, picture: MapPicture, values: NDArray[np.float64]) -> None:
    """Write the values into the squares of a map if all of them have room."""
    height, width = values.shape
    texts = [[number(value) for value in row] for row in values.tolist()]
    widest = max(ink.width(text, ink.small) for row in texts for text in row)
    if widest + 4 > box.width() / width or ink.line(ink.small) > box.height() / height:
        return
    image = picture.bitmap.image
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            is_dark = image.pixelColor(column, row).lightnessF() < _DARK
            colour = "#ffffff" if is_dark else "#000000"
            ink.text(
                cell_box(box, values.shape, row, column), text, align="centre", px=ink.small, colour=colour
            )
