"""The page of an exported figure, drawn by matplotlib: title, body, colour bar and caption.

The page is white, for papers and projectors. All coordinates are pixels from the upper left corner, because
maps are drawn pixel by pixel, and the marks on them have to align with their units.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure as Paper
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox, IdentityTransform
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.geometry import Box
from convnext_studio.export.drawing.fonts import (
    DPI,
    cut,
    picture_of,
    plain,
    properties,
    runs,
    width_of,
    wrapped,
)
from convnext_studio.export.png_encoding import encoded_png
from convnext_studio.render import (
    UNCLIPPED,
    Clipping,
    Limits,
    Rgb,
    bar_colours,
    bar_labels,
    blended,
    labels_with_room,
)

Colour = tuple[int, int, int]
INK: Colour = (24, 28, 34)
GREY: Colour = (92, 99, 108)
WARNING: Colour = (168, 62, 12)
PAPER: Colour = (255, 255, 255)
RANDOM_WEIGHTS = "Random weights: the network has learnt nothing, and this shows only its architecture."

LINE = 1.35
"""Line height as a multiple of the font size."""
_ABOVE = 0.77  # Ascent as a multiple of the font size; the descent is 0.23.


class Figure(Struct, frozen=True):
    """A finished figure.

    Attributes
    ----------
    picture
        The RGB image.
    body_xy
        Upper left corner of the map in the image, in pixels.
    title, caption
        The texts above and below the map.
    """

    picture: Image.Image
    body_xy: tuple[int, int]
    title: str
    caption: tuple[str, ...]


class ColourBar(Struct, frozen=True, kw_only=True):
    """The colour scale beside a map.

    Attributes
    ----------
    limits, colormap
        The arguments with which `convnext_studio.render.colorize` drew the map.
    title
        What the numbers mean, with their unit.
    clipping
        The ends beyond which there are values; these ends are marked "≥" and "≤".
    zero
        The value at which the colours fade out, because they are laid over a picture; None if they are opaque.
    """

    limits: Limits
    colormap: str
    title: str
    clipping: Clipping = UNCLIPPED
    zero: float | None = None

    @property
    def colours(self) -> Rgb:
        """The colours (256, 3) on white paper, from the lower to the upper end."""
        colours = bar_colours(self.colormap, self.limits, self.zero)
        return blended(np.full((len(colours), 3), 255, np.uint8), colours)

    @property
    def texts(self) -> list[tuple[float, str]]:
        """The labels as (height from 0 to 1, text), from the lowest."""
        return bar_labels(self.limits, self.clipping)


class _Pixels(Artist):
    """An image drawn pixel by pixel; matplotlib resamples its own, which takes longer than all the rest."""

    def __init__(self, colours: NDArray[np.uint8], left: int, bottom: int, zorder: float) -> None:
        super().__init__()
        self.set_zorder(zorder)
        self._colours = colours
        self._place = left, bottom

    def draw(self, renderer: RendererBase) -> None:
        height, width, parts = self._colours.shape
        whole = np.full((height, width, 4), 255, np.uint8)
        whole[..., :parts] = self._colours
        renderer.draw_image(renderer.new_gc(), *self._place, whole[::-1])


class PageCanvas:
    """A white sheet of a given size in pixels; `at` returns a view of it with another origin."""

    def __init__(self, width: int, height: int) -> None:
        # matplotlib truncates size * dpi to whole pixels; 0.01 px more keeps rounding errors from losing one.
        self._paper = Paper(figsize=((width + 0.01) / DPI, (height + 0.01) / DPI), dpi=DPI, facecolor="white")
        self._drawing: Any = FigureCanvasAgg(self._paper)  # matplotlib gives it no types.
        self._height = height
        self._left, self._top = 0, 0

    def at(self, x: int, y: int) -> "PageCanvas":
        """Return the same sheet with its origin at that point."""
        part = object.__new__(PageCanvas)
        part._paper, part._drawing, part._height = self._paper, self._drawing, self._height
        part._left, part._top = self._left + x, self._top + y
        return part

    def pixels(self) -> Image.Image:
        """Render the sheet and return it as an RGB image."""
        self._drawing.draw()
        return Image.fromarray(np.asarray(self._drawing.buffer_rgba())[..., :3].copy())

    def encoded(self, kind: Literal["pdf", "svg"], title: str, description: str) -> bytes:
        """Return the sheet as a PDF or SVG file, in which text is text."""
        about: dict[str, str | None] = {
            "Title": title,
            "Subject" if kind == "pdf" else "Description": description,
        }
        about |= (
            {"CreationDate": None} if kind == "pdf" else {"Date": None}
        )  # The same sheet gives the same file.
        buffer = BytesIO()
        with rc_context({"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "convnext-studio"}):
            self._paper.savefig(buffer, format=kind, dpi=DPI, metadata=about)
        return buffer.getvalue()

    def image(self, x: int, y: int, colours: NDArray[np.uint8], above: bool = False) -> None:
        """Draw (height, width, 3 or 4) uint8 pixel by pixel, behind lines and text unless `above` is set."""
        bottom = self._height - (self._top + y) - colours.shape[0]
        self._paper.add_artist(_Pixels(colours, self._left + x, bottom, zorder=5 if above else 0))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Colour,
        *,
        place: str = "left",
        edge: float = 0,
    ) -> None:
        """Write one line of text with its baseline at y.

        Parameters
        ----------
        place
            Which part of the text is at x: ``left``, ``center`` or ``right``.
        edge
            Width of a dark outline around the letters, in pixels.
        """
        shown = plain(text)
        x -= {"left": 0.0, "center": 0.5, "right": 1.0}[place] * width_of(shown, size)
        for run in runs(shown):
            if run.picture_font is None:
                self._letters(x, y, run.text, size, colour, edge)
                x += width_of(run.text, size)
            else:
                picture = picture_of(run, size)
                self.image(round(x), round(y + 0.2 * size) - picture.shape[0], picture, above=True)
                x += picture.shape[1]

    def upright(self, x: float, y: float, text: str, size: float, colour: Colour) -> None:
        """Write one line of text that runs upwards, centred at the point."""
        self._letters(x, y, plain(text), size, colour, 0, rotation=90, ha="center", va="center")

    def lines(self, x: float, y: float, lines: Sequence["Line"]) -> None:
        """Write lines below each other, starting at y."""
        for line in lines:
            self.text(x, y + (LINE - 1) / 2 * line.size + _ABOVE * line.size, line.text, line.size, line.colour)
            y += line.height

    def line(self, start: tuple[float, float], end: tuple[float, float], width: float, colour: Colour) -> None:
        """Draw a straight line."""
        (x1, y1), (x2, y2) = self._point(*start), self._point(*end)
        self._paper.add_artist(
            Line2D(
                (x1, x2),
                (y1, y2),
                color=hex_of(colour),
                linewidth=width,
                solid_capstyle="butt",
                transform=IdentityTransform(),
            )
        )

    def frame(self, box: Box, width: int, area: tuple[int, int], dashed: bool = False) -> None:
        """Draw a white frame with dark edges, visible on every colour, just inside the box.

        Parameters
        ----------
        area
            Width and height of the map below; the frame is clipped to it.
        """
        left, top = round(box[0]), round(box[1])
        # A box of a single unit gets a frame, too.
        across = max(round(box[0] + box[2]) - left, width) - width
        down = max(round(box[1] + box[3]) - top, width) - width
        x, y = self._point(left + width / 2, top + width / 2 + down)
        rectangle = Rectangle(
            (x, y),
            across,
            down,
            fill=False,
            edgecolor="white",
            linewidth=width - 2,
            linestyle=(0, (8, 8)) if dashed else "solid",
            joinstyle="miter",
            capstyle="projecting",
            antialiased=False,
            snap=False,
            transform=IdentityTransform(),
            path_effects=[withStroke(linewidth=width, foreground=hex_of(INK))],
        )
        corner, opposite = self._point(0, 0), self._point(*area)
        rectangle.set_clip_box(Bbox([corner, opposite]))
        self._paper.add_artist(rectangle)
        rectangle.set_clip_on(True)

    def axes(self, box: Box) -> Axes:
        """Add matplotlib axes that fill a box."""
        width, height = self._paper.bbox.size
        x, y = self._point(box[0], box[1] + box[3])
        return self._paper.add_axes((x / width, y / height, box[2] / width, box[3] / height))

    def colour_bar(self, box: Box, bar: ColourBar, size: float, tick: float) -> None:
        """Draw a colour bar with as many numbers beside it as have room."""
        axes = self.axes(box)
        ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        # The axis runs from 0 to 1, because arithmetic with the limits of a very narrow or wide scale fails.
        drawn = self._paper.colorbar(
            ScalarMappable(Normalize(0, 1), ListedColormap(bar.colours / 255)),
            cax=axes,
            extend=ends[bar.clipping.below, bar.clipping.above],
            extendfrac=0.6 * size / box[3],
        )
        kept = labels_with_room(bar.texts, box[3], 1.2 * size)
        drawn.set_ticks([share for share, _ in kept], labels=[text for _, text in kept])
        drawn.ax.minorticks_off()
        drawn.outline.set(edgecolor=hex_of(GREY), linewidth=1)
        style_ticks(drawn.ax, size, tick)

    def _letters(
        self, x: float, y: float, text: str, size: float, colour: Colour, edge: float, **settings: Any
    ) -> None:
        x, y = self._point(x, y)
        self._paper.text(
            x,
            y,
            text,
            fontproperties=properties(text, size),
            color=hex_of(colour),
            transform=IdentityTransform(),
            parse_math=False,  # A dollar sign in a file name is not markup.
            usetex=False,
            path_effects=[withStroke(linewidth=2 * edge, foreground=hex_of(INK))] if edge else None,
            **settings,
        )

    def _point(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point to matplotlib's pixels, which count from the lower left corner."""
        return self._left + x, self._height - (self._top + y)


class Line(Struct, frozen=True):
    """One line of text with its size and colour."""

    text: str
    size: int
    colour: Colour

    @property
    def height(self) -> int:
        """Height in pixels, including the gap to the next line."""
        return round(LINE * self.size)


def lines_of(text: str, size: int, colour: Colour, width: float) -> list[Line]:
    """Break a paragraph into lines of at most `width` pixels."""
    return [Line(line, size, colour) for line in wrapped(text, size, width)]


def cut_line(text: str, size: int, colour: Colour, width: float) -> Line:
    """Return as much of a text as fits into one line of `width` pixels."""
    return Line(cut(plain(text), size, width), size, colour)


def style_ticks(axes: Axes, size: float, length: float) -> None:
    """Give the ticks and numbers of axes the style that all figures share."""
    axes.tick_params(
        length=length, width=1, pad=length, labelsize=size, color=hex_of(INK), labelcolor=hex_of(INK)
    )
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set(fontproperties=properties("", size), parse_math=False)


def hex_of(colour: Colour) -> str:
    """Return a colour in matplotlib's notation, such as "#181c22"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


# ------------------------------------------------------------------------------------------------- the page


def map_figure(
    body: Rgb,
    bar: ColourBar,
    *,
    title: str,
    caption: Sequence[str],
    random_weights: bool,
    mark: Callable[["Marks"], object] = bool,
) -> Figure:
    """Lay out a figure with a map and its colour bar; `page_figure` lays out any other figure.

    Parameters
    ----------
    body
        The map at its final size in pixels.
    bar
        Its colour bar.
    mark
        Draws marks on the map; the default draws none.
    """
    height, width = body.shape[:2]
    unit = max(width, height, 900) / 1000
    gap, size, tick, bar_px = (round(px * unit) for px in (20, 19, 7, 26))
    bar_height = max(height, round(320 * unit))
    down = (bar_height - height) // 2
    numbers = max(width_of(text, size) for _, text in bar.texts)
    title_left = width + gap + bar_px + 3 * tick + round(numbers)

    def draw(canvas: PageCanvas) -> None:
        canvas.image(0, down, body)
        mark(Marks(canvas.at(0, down), (width, height)))
        # The numbers at the ends extend beyond the bar by half their height.
        canvas.colour_bar((width + gap, size / 2, bar_px, bar_height - size), bar, size, tick)
        canvas.upright(title_left + 0.8 * size, bar_height / 2, bar.title, size, GREY)

    whole = (title_left + round(1.6 * size), bar_height)
    figure = page_figure(whole, draw, title=title, caption=caption, random_weights=random_weights, unit=unit)
    x, y = figure.body_xy
    return Figure(figure.picture, (x, y + down), figure.title, figure.caption)


def page_figure(
    size: tuple[int, int],
    draw: Callable[[PageCanvas], None],
    *,
    title: str,
    caption: Sequence[str],
    random_weights: bool,
    unit: float | None = None,
) -> Figure:
    """Lay out a figure around whatever `draw` draws.

    Parameters
    ----------
    size
        Width and height in pixels of the area that `draw` draws in.
    title
        The title above, broken into lines where needed.
    caption
        The paragraphs below.
    random_weights
        Whether to mark the figure as one of random weights.
    unit
        A thousandth of the page's size, by which texts are scaled; None derives it from `size`.
    """
    unit = max(*size, 900) / 1000 if unit is None else unit
    margin, gap, text_size, title_size = (round(px * unit) for px in (40, 20, 19, 28))
    # A page with a narrow map is wider than the map, because the caption needs room.
    column = max(size[0], round(800 * unit))
    above = lines_of(title, title_size, INK, column)
    if random_weights:
        above += lines_of(RANDOM_WEIGHTS, text_size, WARNING, column)
    below = [line for paragraph in caption for line in lines_of(paragraph, text_size, GREY, column)]
    top = margin + sum(line.height for line in above) + gap
    bottom = top + size[1] + gap
    canvas = PageCanvas(column + 2 * margin, bottom + sum(line.height for line in below) + margin)
    canvas.lines(margin, margin, above)
    draw(canvas.at(margin, top))
    canvas.lines(margin, bottom, below)
    return Figure(canvas.pixels(), (margin, top), title, tuple(caption))


class Marks:
    """Draws frames and labels on a map of (width, height) pixels."""

    def __init__(self, canvas: PageCanvas, size: tuple[int, int]) -> None:
        self._canvas = canvas
        self._area = size
        self._line_px = max(4, round(max(size) / 300))
        self._text_px = round(max(size) / 46)

    def frame(self, box: Box, dashed: bool = False) -> None:
        """Draw a frame just inside the box."""
        self._canvas.frame(box, self._line_px, self._area, dashed)

    def label(self, x: float, y: float, text: str, below: bool = False) -> None:
        """Write a text that begins at the point, or is centred below it."""
        size = self._text_px
        baseline = y + size + self._line_px if below else y + _ABOVE / 2 * size
        place = "center" if below else "left"
        self._canvas.text(x, baseline, text, size, PAPER, place=place, edge=max(2, size // 8))

    def label_boxes(self, boxes: Sequence[Box], texts: Sequence[str]) -> None:
        """Label nested boxes to the right of the largest, with a line to each box's upper right corner.

        The labels are ordered from the largest box down and never overlap, however small the boxes are.
        """
        if not boxes:
            return
        size, canvas = self._text_px, self._canvas
        widest = max(width_of(text, size) for text in texts)
        left = min(max(x + width for x, _, width, _ in boxes) + 2 * size, self._area[0] - widest - size)
        lowest = 0.0
        for (x, top, width, _), text in sorted(zip(boxes, texts, strict=True), key=lambda pair: -pair[0][2]):
            y = max(top + size, lowest)
            lowest = y + 1.4 * size
            if x + width < left:
                for line_px, colour in ((4, INK), (2, PAPER)):
                    canvas.line((x + width, top + 1), (left - size / 3, y), line_px, colour)
            self.label(left, y, text)


def png_bytes(figure: Figure, random_weights: bool) -> bytes:
    """Encode a figure as a PNG file with its title and caption in the metadata."""
    mark = (RANDOM_WEIGHTS,) if random_weights else ()
    return encoded_png(
        figure.picture, {"Title": figure.title, "Description": " ".join((*mark, *figure.caption))}
    )
