"""Letters of any script: which fonts they are drawn with, and where lines break."""

import unicodedata
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from convnext_studio.export.drawing import fonts
from convnext_studio.export.drawing.figure_page import INK, PageCanvas
from convnext_studio.export.drawing.fonts import (
    FAMILY,
    Run,
    cut,
    families,
    picture_of,
    plain,
    runs,
    width_of,
    wrapped,
)


def drawn(text: str) -> Image.Image:
    canvas = PageCanvas(600, 60)
    canvas.text(20, 40, text, 24, INK)
    return canvas.pixels()


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any font but matplotlib's own."""
    found = (fonts._family_of, fonts._picture_font_of, fonts._installed)
    for cached in found:
        cached.cache_clear()
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    yield
    for cached in found:
        cached.cache_clear()


@pytest.mark.parametrize(
    "text", ["猫和狗", "고양이", "ねこ", "قطة", "חתול", "बिल्ली", "😀 🦊 👩\u200d🔬", "Größe × ≥ ∞"]
)
def test_a_script_is_drawn_with_an_installed_font_or_as_code_points(text: str) -> None:
    shown = plain(text)
    assert "?" not in shown
    installed = fonts._installed()
    for char in text:
        if unicodedata.category(char) in ("Cf", "Mn", "Mc", "Zs"):
            continue
        has_it = fonts._has(fonts.fontManager.findfont(FAMILY), char) or any(
            fonts._has(font.path, char) for font in installed
        )
        assert (char in shown) == has_it
        assert (f"U+{ord(char):04X}" in shown) != has_it
    # matplotlib warns of a missing glyph, and warnings are errors.
    assert np.asarray(drawn(text)).min() < 128


def test_arabic_is_joined_and_runs_from_the_right() -> None:
    """Joined it takes less room than letter by letter, and its first letter stands at the right."""
    assert width_of("قطة", 40) < sum(width_of(letter, 40) for letter in "قطة")
    dots = "ببببا"  # The last letter is a stroke without a dot below it.
    picture = np.asarray(drawn(dots).convert("L")) < 128
    columns = np.flatnonzero(picture.any(axis=0))
    heights = [
        np.flatnonzero(picture[:, column]).max() - np.flatnonzero(picture[:, column]).min()
        for column in columns
    ]
    assert int(np.argmax(heights)) < len(columns) / 3


@pytest.mark.usefixtures("no_fonts")
def test_what_no_font_has_is_written_as_its_code_point() -> None:
    assert plain("猫 x 🦊") == "U+732B x U+1F98A"
    assert plain("Käse × Größe – “x” \ud800") == "Käse × Größe – “x” U+D800"
    assert plain("a\x07b\n c") == "aU+0007b c"
    assert families(plain("猫")) == [FAMILY]
    drawn("猫 x 🦊")


def test_a_dollar_is_a_dollar() -> None:
    assert width_of("$x^2$", 20) == pytest.approx(sum(width_of(char, 20) for char in "$x^2$"), abs=2)
    assert (np.asarray(drawn("$x^2$")) != np.asarray(drawn("x2"))).any()


def test_emoji_of_a_font_of_pictures_are_drawn_in_colour() -> None:
    found = [run for run in runs(plain("a 🦊")) if run.picture_font is not None]
    if not found:
        pytest.skip("no font of coloured pictures is installed")
    pixels = picture_of(found[0], 24)
    assert pixels.shape == (26, pytest.approx(30, abs=4), 4)
    shown = np.asarray(drawn("a 🦊")).astype(int)
    assert (np.ptp(shown, axis=-1) > 60).sum() > 50
    # Sequences are one picture, and letters around them keep their order.
    assert [each.text for each in runs(plain("x 👩\u200d🔬 y"))] == ["x ", "👩\u200d🔬", " y"]
    assert [each.text for each in runs("חתול 🦊 x")] == ["x ", "🦊", "חתול "]


def test_lines_fit() -> None:
    lines = wrapped("a few words and one that is muchtoolongforanyline " + "m" * 100, 20, 150)
    assert len(lines) > 3
    assert all(width_of(line, 20) <= 150 for line in lines)
    assert "".join(lines).count("m") == 101
    assert lines[0] == "a few words"
    assert wrapped("", 20, 150) == []


def test_chinese_breaks_without_spaces_and_a_book_is_cut() -> None:
    text = "猫" * 50
    lines = wrapped(text, 20, 150)
    assert "".join(lines) == plain(text)
    assert all(width_of(line, 20) <= 150 for line in lines)
    book = wrapped("word " * 5000, 20, 150)
    assert len(book) == 24
    assert book[-1].endswith("…")
    assert width_of(book[-1], 20) <= 150


def test_what_is_cut_fits_and_what_fits_is_not_cut() -> None:
    assert cut("short", 20, 150) == "short"
    assert width_of(cut("a text that is too long", 20, 100), 20) <= 100
    assert runs("") == []
    assert runs("plain") == [Run("plain", None)]
