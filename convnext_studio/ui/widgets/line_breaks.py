"""Where a line may end: not between a word and its number, nor before the dot between two facts."""

import re

_NO_BREAK = "\N{NO-BREAK SPACE}"
_HELD = re.compile(
    r"(?<=[a-z]) (?=[-+]?\d)"  # min -3.84
    r"|(?<=\d) (?=(?:px|%|ms|s|G|×)(?!\w))|(?<=×) (?=\d)"  # 96 × 96 px
    r"| (?=·)"
)


def with_held_lines(text: str) -> str:
    """The same text, for a label that wraps: facts that are short stay on one line each."""
    return _HELD.sub(_NO_BREAK, text)
