"""The markup in the text of a step: *emphasis*, **weight** and `code`."""

import re
from html import escape

_MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
_TIMES = re.compile(r"(?<=\w) × (?=\w)")
_PER_CENT = re.compile(r"(?<=\d) %")
_TAGS = ("code", "b", "i")


def to_html(text: str) -> str:
    """Convert text to HTML paragraphs; everything except the markup is escaped."""
    return "".join(f"<p>{_inline(join_sizes(each))}</p>" for each in text.split("\n\n") if each)


def line_to_html(text: str) -> str:
    """Convert a line to HTML that is no paragraph; everything except the markup is escaped."""
    return _inline(text)


def to_plain(text: str) -> str:
    """Remove the markup, for screen readers and for widgets that show plain text."""
    return _MARKS.sub(lambda match: next(filter(None, match.groups())), text)


def join_sizes(text: str) -> str:
    """Use non-breaking spaces in sizes such as 7 × 7 and in percentages."""
    return _PER_CENT.sub("\u00a0%", _TIMES.sub("\u00a0×\u00a0", text))


def _inline(text: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _MARKS.finditer(text):
        tag, inside = next((tag, group) for tag, group in zip(_TAGS, match.groups(), strict=True) if group)
        parts += [escape(text[end : match.start()]), f"<{tag}>{escape(inside)}</{tag}>"]
        end = match.end()
    return "".join((*parts, escape(text[end:])))
