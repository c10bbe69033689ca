"""Texts from elsewhere, such as class names and file names: shown as they are, in one line of limited length.

They may contain line breaks, characters that turn the direction of what follows, or thousands of letters.
"""

import re
import unicodedata

from convnext_studio.common.foreign.limits import LONGEST_FOREIGN_TEXT

LONGEST_MESSAGE = 500
_LEAST_QUOTED = 20
_QUOTED = re.compile("“([^“”]*)”")
_ENDLESS = re.compile(rf"[^\s“”]{{{LONGEST_FOREIGN_TEXT + 1},}}")
_LINE_BREAK = "⏎"
_NO_NAME = "(no name)"
_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"
"""Without them, Persian and Hindi words and some emoji are written wrongly."""


def one_line(text: str, longest: int = LONGEST_FOREIGN_TEXT) -> str:
    """Return a text in one line of limited length.

    Line breaks are marked with an arrow, characters that cannot be seen with a replacement character, what is
    left out with an ellipsis, and a text without any letter is called so.
    """
    seen = _without_hidden(_BREAKS.sub(_LINE_BREAK, shortened(text, longest)).replace("\t", " "))
    return seen if seen.strip() else _NO_NAME


def shortened(text: str, longest: int = LONGEST_FOREIGN_TEXT) -> str:
    """Return a text without its middle if it is longer than that, as its end tells as much as its beginning."""
    if len(text) <= longest:
        return text
    first = (longest - 1) * 2 // 3
    return f"{text[:first]}…{text[len(text) - (longest - 1 - first) :]}"


def sentence(text: str) -> str:
    """Return a message as one line, in which quotations, and words without an end, are shortened.

    All quotations together have at most `LONGEST_FOREIGN_TEXT` characters.
    """
    quoted = _QUOTED.findall(text)
    if sum(map(len, quoted)) > LONGEST_FOREIGN_TEXT:
        longest = max(LONGEST_FOREIGN_TEXT // len(quoted), _LEAST_QUOTED)
        text = _QUOTED.sub(lambda found: f"“{shortened(found[1], longest)}”", text)
    text = _ENDLESS.sub(lambda found: shortened(found[0]), text)
    if len(text) > LONGEST_MESSAGE:
        kept = LONGEST_MESSAGE // 2
        text = f"{text[:kept]} … {text[-kept:]}"
    return _without_hidden(text)


def _without_hidden(text: str) -> str:
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    """Return whether a character is a control character, one of format (as for directions), or half of one."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in _JOINERS
