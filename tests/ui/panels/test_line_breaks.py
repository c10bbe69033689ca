"""Facts in a caption stay whole where its lines end."""

import pytest

from convnext_studio.ui.panels.base import with_held_lines


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Channel 0: min -3.84 · max 2.57", ["Channel 0:", "min -3.84 ·", "max 2.57"]),
        ("resized to 144 × 96, cropped", ["resized", "to 144 × 96,", "cropped"]),
        ("a unit every 16 px · 87.3 % of 3 G", ["a", "unit", "every 16 px ·", "87.3 %", "of 3 G"]),
        ("see 3 plain words", ["see 3", "plain", "words"]),
        ("", [""]),
    ],
)
def test_a_number_keeps_its_word_and_its_unit(text: str, pieces: list[str]) -> None:
    held = with_held_lines(text)
    assert [piece.replace("\N{NO-BREAK SPACE}", " ") for piece in held.split(" ")] == pieces
    assert held.replace("\N{NO-BREAK SPACE}", " ") == text
