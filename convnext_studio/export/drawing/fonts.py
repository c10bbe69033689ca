"""Text of any script in exported figures: font fallback, text widths and line breaking.

matplotlib shapes a text (Arabic is joined and runs from right to left, Devanagari has its ligatures) and takes
each letter from the first font of a list that has it; this module makes the list. matplotlib's own font comes
first, so that figures look alike on every machine. matplotlib only draws outlines; Pillow draws colour emoji.
A character that no installed font has is written as its code point, such as "U+4E2D".
"""

import unicodedata
from functools import lru_cache
from typing import Any, cast

import numpy as np
from matplotlib.backends import backend_agg
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.ft2font import FaceFlags, FT2Font
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convnext_studio.common.errors import StudioError

FAMILY = "DejaVu Sans"
"""The default font, which comes with matplotlib."""
DPI = 72
"""At this resolution a point, matplotlib's unit for sizes, is a pixel."""
_MOST_LINES = 24
"""The most lines of one paragraph, because the name of a class can be of any length."""
_PICTURE_SIZES = (109, 136, 160, 137, 128, 96, 64, 48, 32, 20)
"""Sizes in pixels of the bitmaps in colour emoji fonts: Noto's first, then Apple's."""
_JOINER = "\u200d"
_ATTACHED = ("Cf", "Mn", "Mc", "Sk")
"""Unicode categories of characters that modify the letter before them."""


class Run(Struct, frozen=True):
    """A part of a line that is drawn in one go.

    Attributes
    ----------
    text
        The characters of the run.
    picture_font
        Path of the colour emoji font to draw them with; None if matplotlib draws them.
    """

    text: str
    picture_font: str | None


class _Installed(Struct, frozen=True):
    """An installed font file.

    Attributes
    ----------
    rank
        Sort key; fonts with a smaller one are preferred: upright, of regular weight and without serifs.
    is_picture
        Whether the font has colour bitmaps instead of outlines.
    """

    path: str
    rank: tuple[bool, bool, bool, str]
    is_picture: bool


def plain(text: str) -> str:
    """Return a text as it is drawn: in one line, with code points for characters that no installed font has."""
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(_shown(char) for char in shown)


def _shown(char: str) -> str:
    if char == " " or _family_of(char) is not None or _picture_font_of(char) is not None:
        return char
    if unicodedata.category(char) in ("Cf", "Mn"):  # It only modifies another letter.
        return ""
    return f"U+{ord(char):04X}"


def families(text: str) -> list[str]:
    """Return the font families for a text: the default one, then fallbacks for the letters that it lacks."""
    found = (_family_of(char) for char in text)
    return list(dict.fromkeys([FAMILY, *(family for family in found if family is not None)]))


def runs(text: str) -> list[Run]:
    """Split a line of `plain` text into the runs that are drawn one after the other, from left to right."""
    parts: list[tuple[str, str | None]] = []
    for char in text:
        before, font = parts[-1] if parts else ("", None)
        joins = font is not None and (
            before.endswith(_JOINER) or unicodedata.category(char) in ("Cf", "Mn", "Sk")
        )
        wanted = font if joins else None if _family_of(char) is not None else _picture_font_of(char)
        if parts and wanted == font:
            parts[-1] = (before + char, font)
        else:
            parts.append((char, wanted))
    if _is_from_right(text):
        parts = [(part if _is_from_right(part) else _turned(part), font) for part, font in reversed(parts)]
    return [Run(*part) for part in parts]


def _turned(text: str) -> str:
    """Swap the leading and trailing spaces of a left-to-right part in a right-to-left line."""
    inner = text.strip()
    return text[len(text.rstrip()) :] + inner + text[: len(text) - len(text.lstrip())] if inner else text


def width_of(text: str, size: float) -> float:
    """Return the width in pixels of a line of `plain` text."""
    return sum(
        _width(run.text, size) if run.picture_font is None else float(picture_of(run, size).shape[1])
        for run in runs(text)
    )


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines of at most `width` pixels, and make it `plain`.

    Lines break at spaces, and within words that are too long for one line, because Chinese has no spaces.
    """
    lines: list[str] = []
    rest = plain(text)
    while rest and len(lines) <= _MOST_LINES:
        line = rest[: max(_fitting(rest, size, width), 1)]
        if line != rest and rest[len(line)] != " " and " " in line:
            line = line[: line.rindex(" ")]
        lines.append(line.rstrip())
        rest = rest[len(line) :].lstrip()
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES - 1 :] = [cut(f"{lines[_MOST_LINES - 1]} {lines[_MOST_LINES]}", size, width)]
    return lines


def cut(text: str, size: float, width: float) -> str:
    """Shorten a `plain` text to `width` pixels, with "…" at the end if something was cut off."""
    if width_of(text, size) <= width:
        return text
    return f"{text[: _fitting(text, size, width - width_of('…', size))].rstrip()}…"


def picture_of(run: Run, size: float) -> NDArray[np.uint8]:
    """Render a run of colour emoji as (height, width, 4) RGBA, as high as letters of that size."""
    font = _picture_font(str(run.picture_font))
    box = [round(edge) for edge in font.getbbox(run.text)]
    drawn = Image.new("RGBA", (max(box[2] - box[0], 1), max(box[3] - box[1], 1)))
    ImageDraw.Draw(drawn).text((-box[0], -box[1]), run.text, font=font, embedded_color=True)
    high = max(round(1.1 * size), 1)
    wide = max(round(drawn.width * high / drawn.height), 1)
    return np.asarray(drawn.resize((wide, high), Image.Resampling.LANCZOS))


# ------------------------------------------------------------------------------------------------ measuring


def properties(text: str, size: float) -> FontProperties:
    """Return matplotlib's font properties for a text: its families and size."""
    return FontProperties(family=families(text), size=size)


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    # The dots make spaces at the ends count, which the bounding box of the ink would leave out.
    renderer = cast(Any, backend_agg).RendererAgg(1, 1, DPI)  # matplotlib gives this module no types.
    edge, _, _ = renderer.get_text_width_height_descent("..", properties("", size), False)
    width, _, _ = renderer.get_text_width_height_descent(f".{text}.", properties(text, size), False)
    return float(width - edge)


def _fitting(text: str, size: float, width: float) -> int:
    """Return how many characters fit into `width`; combining characters stay with their letter."""
    low, high = 0, min(len(text), int(width))
    if width_of(text[:high], size) <= width:
        low = high
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle], size) <= width:
            low = middle
        else:
            high = middle - 1
    while 0 < low < len(text) and unicodedata.category(text[low]) in _ATTACHED:
        low -= 1
    return low


def _is_from_right(text: str) -> bool:
    """Whether the text is right-to-left, by its first character that has a direction."""
    strong = (unicodedata.bidirectional(char) for char in text)
    return next((each for each in strong if each in ("L", "R", "AL")), "L") != "L"


# ------------------------------------------------------------------------------------------------ the fonts


@lru_cache(maxsize=4096)
def _family_of(char: str) -> str | None:
    """Return the font family with which matplotlib draws a character, or None if no installed font has it."""
    if not _is_character(char):
        return None
    if _has(fontManager.findfont(FAMILY), char):
        return FAMILY
    for font in _installed():
        if not font.is_picture and _has(font.path, char) and (family := _registered(font.path)) is not None:
            return family
    return None


@lru_cache(maxsize=4096)
def _picture_font_of(char: str) -> str | None:
    """Return the path of a colour emoji font that has a character, or None."""
    if not _is_character(char):
        return None
    return next((font.path for font in _installed() if font.is_picture and _has(font.path, char)), None)


def _is_character(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cn", "Co", "Cs")


def _has(path: str, char: str) -> bool:
    return _face(path).get_char_index(ord(char)) > 0


@lru_cache(maxsize=32)
def _face(path: str) -> FT2Font:
    return FT2Font(path)


@lru_cache(maxsize=1)
def _installed() -> tuple[_Installed, ...]:
    """Return the fonts installed on this machine, the preferred ones first."""
    found = []
    for path in findSystemFonts():
        try:
            face = FT2Font(path)
        except (OSError, RuntimeError):
            continue  # The file is not a font, or is damaged.
        name, style = face.family_name, face.style_name
        if "LastResort" in name.replace(" ", ""):
            continue  # It has a placeholder box for every character.
        is_regular = style in ("Regular", "Book", "Roman", "Normal", "W3")
        rank = (not is_regular, "Sans" not in name, "Mono" in name, path)
        found.append(_Installed(path, rank, FaceFlags.SCALABLE not in face.face_flags))
    return tuple(sorted(found, key=lambda font: font.rank))


def _registered(path: str) -> str | None:
    """Return the name by which matplotlib finds this file, or None if that name leads to another file."""
    if all(entry.fname != path for entry in fontManager.ttflist):
        fontManager.addfont(path)  # The font was installed after matplotlib had cached its list.
    name = next(entry.name for entry in fontManager.ttflist if entry.fname == path)
    return name if str(fontManager.findfont(name)) == path else None


@lru_cache(maxsize=8)
def _picture_font(path: str) -> ImageFont.FreeTypeFont:
    for size in _PICTURE_SIZES:
        try:
            return ImageFont.truetype(path, size)
        except OSError:
            continue  # The font has no bitmaps of that size.
    raise StudioError(f"The font {path} cannot be drawn.", "Remove it, or install fonts-noto-color-emoji.")
