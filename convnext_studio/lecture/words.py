"""The little markup inside a step's text: *emphasis*, **weight** and `code`."""

import re
from html import escape

_MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
_TIMES = re.compile(r"(?<=\w) × (?=\w)")
_TAGS = ("code", "b", "i")


def to_html(text: str) -> str:
    """Paragraphs of HTML, with everything that is no markup escaped."""
    return "".join(f"<p>{_inline(unbroken(each))}</p>" for each in text.split("\n\n") if each)


def to_plain(text: str) -> str:
    """The words alone, for screen readers and for places that show no markup."""
    return _MARKS.sub(lambda match: next(filter(None, match.groups())), text)


def unbroken(text: str) -> str:
    """With sizes such as 7 × 7 kept on one line."""
    return _TIMES.sub("\u00a0×\u00a0", text)


def _inline(text: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _MARKS.finditer(text):
        tag, inside = next((tag, group) for tag, group in zip(_TAGS, match.groups(), strict=True) if group)
        parts += [escape(text[end : match.start()]), f"<{tag}>{escape(inside)}</{tag}>"]
        end = match.end()
    return "".join((*parts, escape(text[end:])))
