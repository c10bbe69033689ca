"""Classes are found by name or number, and a name of digits goes before the number of another class."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.search.class_search import ClassSearch


class Heard:
    """What a search field has emitted."""

    def __init__(self, qtbot: QtBot, labels: tuple[str, ...]) -> None:
        self.qtbot = qtbot
        self.search = ClassSearch("Class", "tip", has_list=False)
        qtbot.addWidget(self.search)
        self.search.set_labels(labels)
        self.chosen: list[int] = []
        self.missed: list[str] = []
        self.said: list[str] = []
        self.search.chosen.connect(self.chosen.append)
        self.search.not_found.connect(self.missed.append)
        self.search.taken_by_name.connect(self.said.append)

    def enter(self, text: str) -> None:
        self.search.setText(text)
        self.qtbot.keyClick(self.search, Qt.Key.Key_Return)


DIGITS = ("0", "1", "10", "2", "3")


@pytest.mark.parametrize(("typed", "index"), [("0", 0), ("1", 1), ("10", 2), ("2", 3), ("3", 4), (" 2 ", 3)])
def test_a_name_of_digits_goes_first(qtbot: QtBot, typed: str, index: int) -> None:
    heard = Heard(qtbot, DIGITS)
    heard.enter(typed)
    assert heard.chosen == [index]
    assert heard.missed == []
    assert heard.search.text() == ""


def test_which_class_was_taken_is_said_where_it_could_be_two(qtbot: QtBot) -> None:
    heard = Heard(qtbot, DIGITS)
    heard.enter("2")
    assert heard.said == [
        "“2” is taken as the class of that name, which is number 3; class number 2 is called “10”."
    ]
    for typed in ("0", "1", "10", "4", "2 · 3"):
        heard.enter(typed)
    assert heard.chosen == [3, 0, 1, 2, 4, 3]
    assert len(heard.said) == 1


def test_numbers_names_and_entries_of_the_list(qtbot: QtBot) -> None:
    heard = Heard(qtbot, ("crane", "cat", "Crane", "7"))
    for typed in ("1", "CAT", "crane", "Crane · 2", "2", "7"):
        heard.enter(typed)
    assert heard.chosen == [1, 1, 0, 2, 2, 3]
    for typed in ("4", "ran", "-1", "1.0", "٣", "9" * 300):
        heard.enter(typed)
    assert heard.missed == ["4", "ran", "-1", "1.0", "٣", "9" * 300]
    assert len(heard.chosen) == 6


def test_equal_names_of_digits(qtbot: QtBot) -> None:
    heard = Heard(qtbot, ("2", "2", "x", "3", "3"))
    for typed in ("2", "3", "4"):
        heard.enter(typed)
    # Two are called “2”, so that the first of them is taken; of the two called “3” one has that number.
    assert heard.chosen == [0, 3, 4]


def test_without_classes_nothing_is_chosen(qtbot: QtBot) -> None:
    heard = Heard(qtbot, ())
    heard.enter("0")
    assert (heard.chosen, heard.missed) == ([], [])
