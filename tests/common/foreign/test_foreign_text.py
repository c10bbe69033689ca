"""Texts from elsewhere are shown in one line of limited length."""

import pytest

from convnext_studio.common.foreign.foreign_text import LONGEST_MESSAGE, one_line, sentence, shortened
from convnext_studio.common.foreign.limits import LONGEST_FOREIGN_TEXT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tabby, tabby cat", "tabby, tabby cat"),
        ("two\nlines\r\nand\u2028more", "two⏎lines⏎and⏎more"),
        ("\u202egnp.exe\u202c", "�gnp.exe�"),
        ("\u200fעברית", "�עברית"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\0b\x1b[31m\tc", "a�b�[31m c"),
        ("caf\udce9", "caf�"),
        ("", "(no name)"),
        (" \t ", "(no name)"),
        ("<img src=x>", "<img src=x>"),
    ],
)
def test_what_cannot_be_seen_is_marked(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_text_loses_its_middle() -> None:
    text = f"begin {'x' * 5000} end"
    assert len(one_line(text)) == len(shortened(text)) == LONGEST_FOREIGN_TEXT
    assert one_line(text).startswith("begin x")
    assert one_line(text).endswith("x end")
    assert "…" in one_line(text)
    assert shortened("x" * LONGEST_FOREIGN_TEXT) == "x" * LONGEST_FOREIGN_TEXT


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (f"data:image/png;base64,{'A' * 3_000_000} is not on this computer.", " is not on this computer."),
        (f"“{'a b ' * 2000}.png” is damaged.", "” is damaged."),
        (f"“{'a b ' * 200}” and “{'c d ' * 200}” differ.", "” differ."),
    ],
)
def test_a_message_quotes_little(message: str, end: str) -> None:
    told = sentence(message)
    assert told.endswith(end)
    assert len(told) <= LONGEST_FOREIGN_TEXT + len(end) + 20


def test_a_message_is_one_line_of_limited_length() -> None:
    told = sentence("word\n" * 5000)
    assert len(told) <= LONGEST_MESSAGE + 3
    assert "\n" not in told
