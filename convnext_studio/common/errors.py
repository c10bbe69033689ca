"""The exceptions that a person may meet."""

import unicodedata

LONGEST_MESSAGE = 500


class StudioError(Exception):
    """Something that a person asked for cannot be done, told in plain words.

    Parameters
    ----------
    message
        One sentence that says what is wrong, with the names and numbers involved. It stays one line of bounded
        length whatever it quotes: names in files can be anything.
    hint
        What to do next; empty where there is nothing to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _one_line(message)
        super().__init__(self.message)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint)


class InputTooLarge(StudioError):
    """A network's input does not fit into memory; a smaller one may.

    Parameters
    ----------
    smaller_px
        The side of an input to try in its place.
    """

    def __init__(self, message: str, hint: str, smaller_px: int) -> None:
        super().__init__(message, hint)
        self.smaller_px = smaller_px

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint, self.smaller_px)


def _one_line(text: str) -> str:
    """The text without its middle where it is too long, and without what moves a cursor or is no text."""
    if len(text) > LONGEST_MESSAGE:
        kept = LONGEST_MESSAGE // 2
        text = f"{text[:kept]} … {text[-kept:]}"
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_no_text(char) else char for char in text)


def _is_no_text(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")
