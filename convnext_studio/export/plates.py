"""Pages that join several views: letters, shared colour bars and a caption, in PNG, PDF or SVG."""

from typing import Literal

from msgspec import Struct
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import Box
from convnext_studio.export.drawing.figure_page import (
    GREY,
    INK,
    RANDOM_WEIGHTS,
    WARNING,
    Colour,
    ColourBar,
    PageCanvas,
    cut_line,
    lines_of,
)
from convnext_studio.export.drawing.fonts import plain, width_of
from convnext_studio.export.png_encoding import encoded_png
from convnext_studio.render import Rgb

CELL_PX = 560
"""Width of a view on the page, in pixels."""
_GAP_PX = 40
_TEXT_PX = 19
_TITLE_PX = 22
_BAR_PX = 22
_TICK_PX = 6
_NUMBERS_PX = 86
_MIDDLE = 0.36
"""How far below the middle of a line its baseline is, in sizes of the font."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class PlateText(Struct, frozen=True, kw_only=True):
    """A text in a view, which is written as text.

    Attributes
    ----------
    box
        The room for it: left, top, width and height in pixels of the view.
    text
        One line.
    size
        The size of its letters in pixels; it is written smaller if it does not fit.
    place
        Which part of the text is at that side of the box: ``left``, ``center`` or ``right``.
    """

    box: Box
    text: str
    size: float
    colour: Colour
    place: str = "center"


class PlateCell(Struct, frozen=True, kw_only=True):
    """One view on a page.

    Attributes
    ----------
    body
        The view without its colour bar and its texts, `CELL_PX` wide or narrower.
    texts
        The texts in it.
    title
        The text above it.
    bar
        Its colour scale; None if it has none.
    """

    body: Rgb
    title: str
    bar: ColourBar | None = None
    texts: tuple[PlateText, ...] = ()


class Plate(Struct, frozen=True, kw_only=True):
    """A page of views.

    Attributes
    ----------
    cells
        The views, row by row.
    columns
        How many of them are beside each other.
    has_letters
        Whether they are called (a), (b), (c) and so on.
    shares_bars
        Whether views with the same scale have one colour bar: one for the page, or one for each row.
    caption
        The paragraph below.
    random_weights
        Whether any of the views is of a network with random weights.
    """

    cells: tuple[PlateCell, ...]
    columns: int = 2
    has_letters: bool = True
    shares_bars: bool = False
    caption: str = ""
    random_weights: bool = False


def letter(index: int) -> str:
    """Return the letter of a view: (a), (b), and after (z) (aa)."""
    first, second = divmod(index, len(_LETTERS))
    return f"({_LETTERS[first - 1] if first else ''}{_LETTERS[second]})"


def shared_bars(plate: Plate) -> Literal["page", "rows", "own"]:
    """Return where the colour bars are: one for the page, one for each row, or one for each view."""
    bars = [cell.bar for cell in plate.cells]
    if not plate.shares_bars or any(bar is None for bar in bars):
        return "own"
    if all(_is_same(bar, bars[0]) for bar in bars):
        return "page"
    rows = [bars[start : start + plate.columns] for start in range(0, len(bars), plate.columns)]
    return "rows" if all(_is_same(bar, row[0]) for row in rows for bar in row) else "own"


def _is_same(one: ColourBar | None, other: ColourBar | None) -> bool:
    """Whether two bars show the same scale, whatever lies beyond its ends."""
    if one is None or other is None:
        return one is other
    return (one.limits, one.colormap, one.zero) == (other.limits, other.colormap, other.zero)


def draw_plate(plate: Plate) -> PageCanvas:
    """Lay out a page.

    Raises
    ------
    StudioError
        If there is no view on it.
    """
    if not plate.cells:
        raise StudioError("There is no view in the figure.", "Add one first.")
    where = shared_bars(plate)
    columns = min(plate.columns, len(plate.cells))
    beside = _GAP_PX // 2 + _BAR_PX + _NUMBERS_PX
    pitch = CELL_PX + (beside if where == "own" else 0) + _GAP_PX
    right = beside if where != "own" else 0
    width = columns * pitch + _GAP_PX + right
    rows = [plate.cells[start : start + columns] for start in range(0, len(plate.cells), columns)]
    heights = [max(cell.body.shape[0] for cell in row) for row in rows]
    title_px = round(1.6 * _TITLE_PX)
    foot = lines_of(plate.caption, _TEXT_PX, INK, width - 2 * _GAP_PX) if plate.caption else []
    if plate.random_weights:
        foot += lines_of(RANDOM_WEIGHTS, _TEXT_PX, WARNING, width - 2 * _GAP_PX)
    below = sum(line.height for line in foot)
    body = sum(heights) + len(rows) * (title_px + _GAP_PX)
    canvas = PageCanvas(width, _GAP_PX + body + below + (_GAP_PX if foot else 0))
    y = _GAP_PX
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        for column, cell in enumerate(row):
            x = _GAP_PX + column * pitch
            called = f"{letter(number * columns + column)}  " if plate.has_letters else ""
            canvas.lines(x, y, [cut_line(f"{called}{cell.title}", _TITLE_PX, INK, CELL_PX)])
            canvas.image(x, y + title_px, cell.body)
            for text in cell.texts:
                _write(canvas.at(x, y + title_px), text)
            if where == "own" and cell.bar is not None:
                _draw_bar(canvas, x + CELL_PX, y + title_px, cell.body.shape[0], cell.bar)
        if where == "rows" and row[0].bar is not None:
            _draw_bar(canvas, columns * pitch, y + title_px, height, row[0].bar)
        y += title_px + height + _GAP_PX
    if where == "page" and plate.cells[0].bar is not None:
        top = _GAP_PX + title_px
        _draw_bar(canvas, columns * pitch, top, y - _GAP_PX - top, plate.cells[0].bar)
    canvas.lines(_GAP_PX, y, foot)
    return canvas


def _write(canvas: PageCanvas, text: PlateText) -> None:
    """Write a text of a view where it was, in its own colour."""
    left, top, width, height = text.box
    needed = width_of(plain(text.text), text.size)
    size = text.size * min(1.0, width / needed) if needed else text.size
    x = left + {"left": 0.0, "center": 0.5, "right": 1.0}[text.place] * width
    canvas.text(x, top + height / 2 + _MIDDLE * size, text.text, size, text.colour, place=text.place)


def _draw_bar(canvas: PageCanvas, x: float, y: float, height: float, bar: ColourBar) -> None:
    size = _TEXT_PX
    canvas.colour_bar((x + _GAP_PX // 2, y + size / 2, _BAR_PX, max(height - size, 40)), bar, size, _TICK_PX)
    if bar.title:
        canvas.lines(x + _GAP_PX // 2, y + height, [cut_line(bar.title, size, GREY, _NUMBERS_PX)])


def plate_bytes(plate: Plate, kind: str) -> bytes:
    """Return a page as a file: ``png``, ``pdf`` or ``svg``."""
    canvas = draw_plate(plate)
    if kind in ("pdf", "svg"):
        vector: Literal["pdf", "svg"] = "pdf" if kind == "pdf" else "svg"
        return canvas.encoded(vector, "Figure", plate.caption)
    return encoded_png(canvas.pixels(), {"Title": "Figure", "Description": plate.caption})


def plate_picture(plate: Plate, longest_px: int) -> Image.Image:
    """Return a page as a picture of at most that size, for a preview."""
    picture = draw_plate(plate).pixels()
    picture.thumbnail((longest_px, longest_px))
    return picture
