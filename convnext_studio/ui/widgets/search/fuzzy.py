"""Fuzzy matching of a few typed letters against a text."""

import re
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import lru_cache

from msgspec import Struct


class Fit(IntEnum):
    """How well a typed word fits a text; lower is better."""

    WHOLE_WORD = 0
    BEGINNING = 1
    WORD_BEGINNING = 2
    INITIALS = 3
    INSIDE = 4
    SCATTERED = 5


LONGEST_SCATTERED = 5
"""A longer word is not found in letters that merely occur in the same order: too many texts have them."""


class Match(Struct, frozen=True):
    """A match of a query in a text.

    Attributes
    ----------
    rank
        Sum of the `Fit` of the typed words; lower is better, and 0 for an empty query.
    letters
        Indices of the text's letters that were typed, ascending.
    """

    rank: int
    letters: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Find all words of a query in a text, in any order and case; return None if one is missing.

    The best fit is a whole word, followed by the beginning of the text, the beginning of a word, the initials
    of words, the inside of a word, and a few letters that merely occur in the same order.
    """
    folded = _folded(text)
    rank, letters = 0, set[int]()
    for word in query.split():
        found = _find(_folded(word), folded)
        if found is None:
            return None
        rank += found[0]
        letters.update(found[1])
    return Match(rank, tuple(sorted(letters)))


def _folded(text: str) -> str:
    lower = text.lower()
    # The lower case of a few letters is two characters, which would shift the indices.
    return lower if len(lower) == len(text) else text


def _find(word: str, text: str) -> tuple[Fit, tuple[int, ...]] | None:
    if _in_order(word).match(text) is None:  # A fast test that rules out most texts.
        return None
    first = text.find(word)
    beginnings = [at for at in _places(word, text) if at == 0 or _begins_word(text, at)]
    if beginnings:
        whole = [at for at in beginnings if _ends_word(text, at + len(word))]
        at = (whole or beginnings)[0]
        fit = Fit.WHOLE_WORD if whole else Fit.WORD_BEGINNING if at else Fit.BEGINNING
        return fit, tuple(range(at, at + len(word)))
    initials = _walk(word, text, lambda index: _begins_word(text, index))
    if initials is not None:
        return Fit.INITIALS, initials
    if first >= 0:
        return Fit.INSIDE, tuple(range(first, first + len(word)))
    if len(word) > LONGEST_SCATTERED:
        return None
    scattered = _walk(word, text, lambda _index: True)
    return None if scattered is None else (Fit.SCATTERED, scattered)


@lru_cache(maxsize=64)
def _in_order(word: str) -> re.Pattern[str]:
    """Return a pattern for texts with the word's letters in this order; it matches in linear time."""
    return re.compile("".join(f"[^{re.escape(letter)}]*{re.escape(letter)}" for letter in word), re.DOTALL)


def _places(word: str, text: str) -> Iterator[int]:
    """Yield the indices at which a word occurs in the text."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _ends_word(text: str, end: int) -> bool:
    """Whether no letter or digit follows; a number after letters belongs to their word."""
    return end == len(text) or not text[end].isalnum()


def _begins_word(text: str, index: int) -> bool:
    """Whether a word begins at an index; a number after letters counts as a word."""
    if not text[index].isalnum():
        return False
    before = text[index - 1] if index else " "
    return not before.isalnum() or (text[index].isdigit() and not before.isdigit())


def _walk(word: str, text: str, may_be: Callable[[int], bool]) -> tuple[int, ...] | None:
    """Return the index of each letter of the word in the text, the earliest that `may_be` allows, or None."""
    found: list[int] = []
    index = -1
    for letter in word:
        index = text.find(letter, index + 1)
        while index >= 0 and not may_be(index):
            index = text.find(letter, index + 1)
        if index < 0:
            return None
        found.append(index)
    return tuple(found)
