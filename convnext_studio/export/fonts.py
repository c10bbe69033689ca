"""Letters of any script in exported figures: the fonts that have them, their widths, and where lines break.

matplotlib shapes a text (Arabic is joined and runs from right to left, Devanagari has its ligatures) and takes
each letter from the first font of a list that has it; the list is made here. Its own font comes first, so that
figures look alike on every machine. It draws outlines only; Pillow draws the emoji of coloured pictures.
What no installed font has is written as its code point, "U+4E2D".
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from matplotlib.backends import backend_agg
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.ft2font import FaceFlags, FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convnext_studio.common.errors import StudioError

FAMILY = "DejaVu Sans"
"""It comes with matplotlib."""
DPI = 72
"""So that a point, matplotlib's unit of sizes, is a pixel."""
_MOST_LINES = 24
"""Of one paragraph: a class may be named by a whole book."""
_PICTURE_SIZES = (109, 136, 160, 137, 128, 96, 64, 48, 32, 20)
"""Pixels in which fonts hold coloured pictures: Noto's first, then Apple's."""
_JOINER = "\u200d"
_ATTACHED = ("Cf", "Mn", "Mc", "Sk")
"""Categories of characters that change the letter before them."""


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line that is drawn in one go.

    Attributes
    ----------
    text
        Its letters.
    picture_font
        File of a font of coloured pictures that has them; None where matplotlib draws them.
    """

    text: str
    picture_font: str | None


@dataclass(frozen=True, slots=True)
class _Installed:
    """A font file.

    Attributes
    ----------
    rank
        Fonts of a smaller one are taken first: upright and of regular weight, without serifs.
    """

    path: str
    rank: tuple[bool, bool, bool, str]
    is_picture: bool


def plain(text: str) -> str:
    """The text as it is drawn: in one line, what no installed font has written as its code point."""
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(_shown(char) for char in shown)


def _shown(char: str) -> str:
    if char == " " or _family_of(char) is not None or _picture_font_of(char) is not None:
        return char
    if unicodedata.category(char) in ("Cf", "Mn"):  # It changes another letter, and is nothing by itself.
        return ""
    return f"U+{ord(char):04X}"


def families(text: str) -> list[str]:
    """The fonts for a text, as matplotlib takes them: the usual one, then those of letters that it lacks."""
    found = (_family_of(char) for char in text)
    return list(dict.fromkeys([FAMILY, *(family for family in found if family is not None)]))


def runs(text: str) -> list[Run]:
    """A line of `plain` text in the parts that are drawn one after the other, from the left."""
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
    """A text that runs from the left, with its spaces where one that runs from the right has them."""
    inner = text.strip()
    return text[len(text.rstrip()) :] + inner + text[: len(text) - len(text.lstrip())] if inner else text


def width_of(text: str, size: float) -> float:
    """Width in pixels of a line of `plain` text."""
    return sum(
        _width(run.text, size) if run.picture_font is None else float(picture_of(run, size).shape[1])
        for run in runs(text)
    )


def wrapped(text: str, size: float, width: float) -> list[str]:
    """A text in lines of at most that many pixels, as it is drawn.

    Lines break at spaces, and within words that have more letters than fit: Chinese has no spaces.
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
    """As much of a `plain` text as fits, with "…" where that is not all."""
    if width_of(text, size) <= width:
        return text
    return f"{text[: _fitting(text, size, width - width_of('…', size))].rstrip()}…"


def picture_of(run: Run, size: float) -> NDArray[np.uint8]:
    """The coloured pictures of a run, (height, width, 4): red, green, blue, opacity; as high as letters."""
    font = _picture_font(str(run.picture_font))
    box = [round(edge) for edge in font.getbbox(run.text)]
    drawn = Image.new("RGBA", (max(box[2] - box[0], 1), max(box[3] - box[1], 1)))
    ImageDraw.Draw(drawn).text((-box[0], -box[1]), run.text, font=font, embedded_color=True)
    high = max(round(1.1 * size), 1)
    wide = max(round(drawn.width * high / drawn.height), 1)
    return np.asarray(drawn.resize((wide, high), Image.Resampling.LANCZOS))


# ------------------------------------------------------------------------------------------------ measuring


def properties(text: str, size: float) -> FontProperties:
    """Fonts and size of a text."""
    return FontProperties(family=families(text), size=size)


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    # Spaces at the ends have a width, which the box around the ink has not.
    renderer = cast(Any, backend_agg).RendererAgg(1, 1, DPI)  # matplotlib gives this module no types.
    edge, _, _ = renderer.get_text_width_height_descent("..", properties("", size), False)
    width, _, _ = renderer.get_text_width_height_descent(f".{text}.", properties(text, size), False)
    return float(width - edge)


def _fitting(text: str, size: float, width: float) -> int:
    """How many letters fit; those that stand on one another stay together."""
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
    """Whether the first letter with a direction runs from the right."""
    strong = (unicodedata.bidirectional(char) for char in text)
    return next((each for each in strong if each in ("L", "R", "AL")), "L") != "L"


# ------------------------------------------------------------------------------------------------ the fonts


@lru_cache(maxsize=4096)
def _family_of(char: str) -> str | None:
    """The font that matplotlib draws a letter with; None where no installed one has it."""
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
    """A font that has a letter as a coloured picture; None where there is none."""
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
    """The fonts of this machine, the ones to take first in front."""
    found = []
    for path in findSystemFonts():
        try:
            face = FT2Font(path)
        except (OSError, RuntimeError):
            continue  # A file that is no font, or is damaged.
        name, style = face.family_name, face.style_name
        if "LastResort" in name.replace(" ", ""):
            continue  # It has a box for everything.
        is_regular = style in ("Regular", "Book", "Roman", "Normal", "W3")
        rank = (not is_regular, "Sans" not in name, "Mono" in name, path)
        found.append(_Installed(path, rank, FaceFlags.SCALABLE not in face.face_flags))
    return tuple(sorted(found, key=lambda font: font.rank))


def _registered(path: str) -> str | None:
    """The name by which matplotlib finds just this file; None where it finds another by that name."""
    if all(entry.fname != path for entry in fontManager.ttflist):
        fontManager.addfont(path)  # It was installed after matplotlib had made its list.
    name = next(entry.name for entry in fontManager.ttflist if entry.fname == path)
    return name if str(fontManager.findfont(name)) == path else None


@lru_cache(maxsize=8)
def _picture_font(path: str) -> ImageFont.FreeTypeFont:
    for size in _PICTURE_SIZES:
        try:
            return ImageFont.truetype(path, size)
        except OSError:
            continue  # It has no pictures of that size.
    raise StudioError(f"The font {path} cannot be drawn.", "Remove it, or install fonts-noto-color-emoji.")
