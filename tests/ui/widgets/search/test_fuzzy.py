"""Typed letters find what they mean, the best fit first, and mark those letters and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.ui.widgets.search.fuzzy import Fit, match

TEXTS = st.text(alphabet="abcABC .3-é", max_size=24)


@pytest.mark.parametrize(
    ("query", "text", "fit", "marked"),
    [
        ("go", "Go to stage3.block5", Fit.WHOLE_WORD, "Go"),
        ("to", "Go to Toledo", Fit.WHOLE_WORD, "to"),
        ("cam", "Campsite: Grad-CAM", Fit.WHOLE_WORD, "CAM"),
        ("stage", "stage3 of a network", Fit.BEGINNING, "stage"),
        ("BLOCK", "Go to stage3.block5", Fit.WORD_BEGINNING, "block"),
        ("s3b5", "Go to stage3.block5", Fit.INITIALS, "s3b5"),
        ("tage", "Go to stage3.block5", Fit.INSIDE, "tage"),
        ("gk5", "Go to stage3.block5", Fit.SCATTERED, "Gk5"),
        ("rf", "Receptive-field lab", Fit.INITIALS, "Rf"),
    ],
)
def test_a_word_is_found_at_its_best_place(query: str, text: str, fit: Fit, marked: str) -> None:
    found = match(query, text)
    assert found is not None
    assert found.rank == fit
    assert "".join(text[index] for index in found.letters) == marked


def test_words_come_in_any_order_and_all_have_to_be_there() -> None:
    found = match("map save", "Save the map")
    assert found is not None
    assert found.letters == (0, 1, 2, 3, 9, 10, 11)
    assert match("map load", "Save the map") is None


def test_nothing_typed_means_everything() -> None:
    assert match("  ", "anything") == match("", "")


def test_long_words_are_not_found_in_letters_here_and_there() -> None:
    """Otherwise nearly every word would be found in some of thousands of texts."""
    assert match("banana", "Be what you can: a sandbox of a navy man") is None
    assert match("bana", "Be what you can: a sandbox of a navy man") is not None


def in_order(word: str, text: str) -> bool:
    """Whether the word's letters come in that order: the definition, letter by letter."""
    letters = iter(text.lower())
    return all(letter in letters for letter in word.lower())


@given(st.text(alphabet="abc3.é", min_size=1, max_size=5), TEXTS)
def test_found_is_what_has_the_letters_in_order(word: str, text: str) -> None:
    found = match(word, text)
    assert (found is not None) == in_order(word, text)
    if found is not None:
        assert "".join(text[index] for index in found.letters).lower() == word
        assert found.letters == tuple(sorted(set(found.letters)))


@given(st.text(alphabet="İßab", max_size=12))
def test_letters_that_change_their_length_when_small_are_marked_rightly(text: str) -> None:
    found = match("ab", text)
    if found is not None:
        assert "".join(text[index] for index in found.letters).lower() == "ab"


def test_long_texts_without_the_letters_are_told_soon() -> None:
    # A pattern that tries all ways would take hours here.
    assert match("ababababababababababab?", "ab" * 2000) is None
