"""A figure's page: title, map with its colour bar, caption; white, for papers and projectors."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from convnext_studio.render import Limits, format_ticks, lut, nice_ticks

INK = (24, 28, 34)
GREY = (92, 99, 108)
WARNING = (168, 62, 12)
PAPER = (255, 255, 255)
RANDOM_WEIGHTS = "Random weights: nothing was learnt; this shows the architecture only."

# Pillow's own font draws boxes for everything else.
_DRAWABLE = frozenset(map(chr, range(32, 127))) | frozenset("°±´·»«‘’“”…‹›")
_SUBSTITUTES = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "≥": ">=", "≤": "<=", "→": "->", "∞": "inf", "ß": "ss"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourBar:
    """The scale beside a map.

    Attributes
    ----------
    limits, colormap
        As given to `convnext_studio.render.colorize`.
    title
        What the numbers are, in which unit.
    """

    limits: Limits
    colormap: str
    title: str


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """The text in the characters that the font has: accents are dropped, the rest becomes "?"."""
    parts = unicodedata.normalize("NFKD", text.translate(_SUBSTITUTES))
    return "".join(char if char in _DRAWABLE else "?" for char in parts if not unicodedata.combining(char))


def wrapped(text: str, size: int, width: float) -> list[str]:
    """The text in lines of at most that many pixels; a word that is too long is cut."""
    lines = [""]
    for word in drawable(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font(size).getlength(longer) <= width:
            lines[-1] = longer
            continue
        while font(size).getlength(word) > width and len(word) > 1:
            word = word[:-2] + "…"
        lines.append(word)
    return [line for line in lines if line]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of one size and colour; each is 1.35 times as high as its letters."""

    lines: Sequence[str]
    size: int
    colour: tuple[int, int, int]

    @property
    def height(self) -> int:
        return len(self.lines) * self.pitch

    @property
    def pitch(self) -> int:
        return round(1.35 * self.size)

    def draw(self, page: Image.Image, x: int, y: int) -> None:
        pencil = ImageDraw.Draw(page)
        for row, line in enumerate(self.lines):
            pencil.text((x, y + row * self.pitch), line, self.colour, font(self.size))


def sheet(
    body: Image.Image, bar: ColourBar, *, title: str, caption: Sequence[str], random_weights: bool
) -> tuple[Image.Image, tuple[int, int]]:
    """The figure around a map with its colour bar; the others are `page_of`'s.

    Parameters
    ----------
    body
        The map, in the pixels that it is to have.
    bar
        Its colours and numbers.
    """
    unit = _unit(body)
    gap = round(20 * unit)
    bar_picture = _bar(bar, max(body.height, round(320 * unit)), unit)
    joined = Image.new("RGB", (body.width + gap + bar_picture.width, bar_picture.height), PAPER)
    down = (bar_picture.height - body.height) // 2
    joined.paste(body, (0, down))
    joined.paste(bar_picture, (body.width + gap, 0))
    page, (x, y) = page_of(joined, title=title, caption=caption, random_weights=random_weights, unit=unit)
    return page, (x, y + down)


def page_of(
    body: Image.Image,
    *,
    title: str,
    caption: Sequence[str],
    random_weights: bool,
    unit: float | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """The page around what is shown.

    Parameters
    ----------
    body
        In the pixels that it is to have.
    title
        One line above.
    caption
        Paragraphs below.
    random_weights
        Mark the figure.
    unit
        A thousandth of the page's size, by which texts are scaled; from the body where None.

    Returns
    -------
    tuple
        The RGB picture, and x and y of the body's upper left corner in it.
    """
    unit = _unit(body) if unit is None else unit
    margin, gap, text_size, title_size = (round(px * unit) for px in (40, 20, 21, 31))
    # Beside a narrow map the page stays white, because the caption needs room.
    column = max(body.width, round(800 * unit))

    above = [_Lines(wrapped(title, title_size, column), title_size, INK)]
    if random_weights:
        above.append(_Lines(wrapped(RANDOM_WEIGHTS, text_size, column), text_size, WARNING))
    below = [_Lines(wrapped(paragraph, text_size, column), text_size, GREY) for paragraph in caption]

    top = margin + sum(lines.height for lines in above) + gap
    bottom = top + body.height + gap
    size = (column + 2 * margin, bottom + sum(lines.height for lines in below) + margin)
    page = Image.new("RGB", size, PAPER)
    _draw_down(page, above, margin, margin)
    page.paste(body, (margin, top))
    _draw_down(page, below, margin, bottom)
    return page, (margin, top)


def _unit(body: Image.Image) -> float:
    return max(body.width, body.height, 900) / 1000


def _draw_down(page: Image.Image, paragraphs: Sequence[_Lines], x: int, y: int) -> None:
    for lines in paragraphs:
        lines.draw(page, x, y)
        y += lines.height


def _bar(bar: ColourBar, height: int, unit: float) -> Image.Image:
    """The colour bar with its ticks and, turned by 90 degrees, its title."""
    size, width, tick = round(19 * unit), round(26 * unit), round(7 * unit)
    ticks = nice_ticks(bar.limits)
    texts = format_ticks(ticks)
    text_width = round(max(font(size).getlength(text) for text in texts))
    title_left = width + 2 * tick + text_width + round(8 * unit)
    picture = Image.new("RGB", (title_left + round(1.4 * size), height), PAPER)
    colours = Image.fromarray(lut(bar.colormap)[::-1, None].copy())
    picture.paste(colours.resize((width, height), Image.Resampling.NEAREST), (0, 0))
    draw = ImageDraw.Draw(picture)
    for value, text in zip(ticks, texts, strict=True):
        share = (value - bar.limits.low) / (bar.limits.high - bar.limits.low)
        y = round((1 - share) * (height - 1))
        draw.line((width, y, width + tick, y), INK, max(1, round(unit)))
        # The texts of the outermost ticks stay inside.
        y = min(max(y, size // 2), height - 1 - size // 2)
        draw.text((width + 2 * tick, y), text, INK, font(size), anchor="lm")
    turned = Image.new("L", (height, round(1.4 * size)))
    ImageDraw.Draw(turned).text(
        (height // 2, turned.height // 2), drawable(bar.title), 255, font(size), anchor="mm"
    )
    turned = turned.rotate(90, expand=True)
    picture.paste(Image.new("RGB", turned.size, GREY), (title_left, 0), turned)
    return picture
