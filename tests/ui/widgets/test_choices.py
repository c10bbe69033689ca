"""One choice between two answers, their difference and a curtain."""

from pytestqt.qtbot import QtBot

from convnext_studio.ui.state.selection.two_answers import SHOWN, TwoAnswers
from convnext_studio.ui.widgets.choices import TwoAnswersChoice
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.range_choice import RangeChoice

KEYS = ("Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4")


def test_choice_and_state_follow_each_other(qtbot: QtBot) -> None:
    choice, state = TwoAnswersChoice("before", "after", KEYS), TwoAnswers("before", "after")
    qtbot.addWidget(choice)
    choice.chosen.connect(state.choose)
    state.chosen.connect(choice.show_choice)
    for shown in SHOWN:
        choice.switch.choose(shown)
        assert state.shown == shown
    for shown in SHOWN:
        state.choose(shown)
        assert choice.switch.value == shown
        assert choice.slider.isEnabled() == (shown == "curtain")
    assert [state.text(shown) for shown in SHOWN] == ["before", "after", "before − after", "before | after"]


def test_words_tips_and_keys_name_the_two(qtbot: QtBot) -> None:
    choice = TwoAnswersChoice("before", "after", KEYS)
    qtbot.addWidget(choice)
    assert choice.switch.button("difference").text() == "before − after"
    assert choice.switch.button("second").toolTip() == "Show after in all views (Ctrl+2)"
    assert choice.close_button.text() == "Close after"


def test_the_slider_moves_the_line(qtbot: QtBot) -> None:
    choice, state = TwoAnswersChoice("A", "B", KEYS), TwoAnswers("A", "B")
    qtbot.addWidget(choice)
    choice.curtain_moved.connect(state.move_curtain)
    choice.slider.setValue(choice.slider.maximum() // 4)
    assert state.curtain == 0.25
    state.move_curtain(7.0)
    assert state.curtain == 1.0


def test_a_range_says_its_word_only_where_no_label_does(qtbot: QtBot) -> None:
    button, labelled, alone = PopupButton("Look…", "Colours"), RangeChoice(("data",)), RangeChoice(("data",))
    qtbot.addWidget(button)
    qtbot.addWidget(alone)
    button.add_row("Range", labelled)
    assert (labelled.kind.word, alone.kind.word) == ("", "Range")
