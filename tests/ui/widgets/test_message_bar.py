"""What went wrong is read in the bar until it is dismissed or goes well."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.message_bar import MessageBar, Notice


@pytest.fixture
def bar(qtbot: QtBot) -> MessageBar:
    bar = MessageBar()
    qtbot.addWidget(bar)
    return bar


def test_message_and_hint_are_read_and_details_on_hover(bar: MessageBar) -> None:
    bar.tell(Notice("pictures", "It is no picture.", "Drop another.", ("a.txt", "b.txt")))
    assert bar.text == "It is no picture. Drop another."
    assert bar.toolTip() == "a.txt\nb.txt"


def test_a_long_message_stays_slim_and_is_read_whole_on_hover(bar: MessageBar) -> None:
    height = bar.sizeHint().height()
    text = "A very long sentence. " * 40
    bar.tell(Notice("pictures", text))
    assert bar.sizeHint().height() == height < 60
    assert bar.minimumSizeHint().width() < 300
    assert bar.toolTip() == text.strip()


def test_success_withdraws_its_topic_only(bar: MessageBar) -> None:
    bar.tell(Notice("model", "No model."))
    bar.tell(Notice("pictures", "No picture."))
    bar.withdraw("model")
    assert bar.text == "No picture."
    bar.withdraw("pictures")
    assert bar.text == ""


def test_a_newer_notice_replaces_that_on_its_topic(bar: MessageBar) -> None:
    bar.tell(Notice("pictures", "First."))
    bar.tell(Notice("pictures", "Second."))
    bar.withdraw("pictures")
    assert bar.text == ""


def test_dismissing_shows_the_one_before(bar: MessageBar, qtbot: QtBot) -> None:
    seen: list[bool] = []
    bar.shown.connect(seen.append)
    bar.tell(Notice("model", "No model."))
    bar.tell(Notice("pictures", "No picture."))
    for expected in ("No model.", ""):
        qtbot.mouseClick(bar.findChild(QPushButton), Qt.MouseButton.LeftButton)
        assert bar.text == expected
    assert seen == [True, True, True, False]


def test_markup_in_a_file_name_is_shown_as_it_is(bar: MessageBar) -> None:
    bar.tell(Notice("pictures", "<b>x</b>.png is no picture."))
    assert bar.text == "<b>x</b>.png is no picture."
