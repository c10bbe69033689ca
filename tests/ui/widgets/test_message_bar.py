"""What went wrong is read in the toast until it is dismissed or goes well; a success goes by itself."""

from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets import message_bar
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
    text = "A very long sentence. " * 22
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
        qtbot.mouseClick(bar.dismiss, Qt.MouseButton.LeftButton)
        assert bar.text == expected
    assert seen == [True, True, True, False]


def test_markup_in_a_file_name_is_shown_as_it_is(bar: MessageBar) -> None:
    bar.tell(Notice("pictures", "<b>x</b>.png is no picture."))
    assert bar.text == "<b>x</b>.png is no picture."


def test_a_success_goes_by_itself_and_a_failure_stays(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert message_bar.GOOD_MS == 6000
    monkeypatch.setattr(message_bar, "GOOD_MS", 30)
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.move(500, 500)  # Under the pointer, it would stay.
    bar.tell(Notice("model", "No model."))
    bar.tell(Notice("save", "Saved as x.png.", good=True))
    assert bar.text == "Saved as x.png."
    qtbot.waitUntil(lambda: bar.text == "No model.")
    qtbot.wait(100)
    assert bar.text == "No model."


def test_every_reason_is_read_and_copied(bar: MessageBar, qtbot: QtBot) -> None:
    reasons = tuple(f"{number}.png is damaged." for number in range(50))
    bar.tell(Notice("pictures", "50 of 60 could not be opened: 0.png is damaged.", "", reasons))
    qtbot.mouseClick(bar.copy, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text().splitlines()
    assert copied == ["50 of 60 could not be opened: 0.png is damaged.", *reasons]


def test_the_folder_of_the_file_is_opened(
    bar: MessageBar, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    bar.tell(Notice("pictures", "It is no picture."))
    assert bar.folder.isHidden()
    for place in (tmp_path, tmp_path / "x.png"):
        bar.tell(Notice("save", "Saved.", good=True, path=str(place)))
        assert not bar.folder.isHidden()
        qtbot.mouseClick(bar.folder, Qt.MouseButton.LeftButton)
    assert opened == [str(tmp_path)] * 2


def test_it_lies_at_the_bottom_and_shows_the_whole_text_on_demand(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(700, 400)
    bar = MessageBar(window)
    window.show()
    for text in ("Short.", "A very long sentence. " * 40):
        bar.tell(Notice("pictures", text))
        for width in (700, 500):
            window.resize(width, 400)
            assert QRect(0, 300, width, 100).contains(bar.geometry())
            assert bar.geometry().bottom() == 398
            buttons = [bar.copy, bar.dismiss]
            assert all(button.width() >= button.sizeHint().width() for button in buttons)
    assert bar.details.isVisible()
    qtbot.mouseClick(bar.details, Qt.MouseButton.LeftButton)
    assert bar._details.isVisible()
    assert window.rect().contains(bar.geometry())
    assert bar.height() > 60
    bar.tell(Notice("pictures", "Short."))
    assert bar.height() < 60


def test_a_message_is_shown_whole_where_there_is_room_for_it(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1200, 400)
    bar = MessageBar(window)
    window.show()
    for good in (True, False):
        bar.tell(Notice("pictures", "The session was saved as /home/ada/session.json.", good=good, path="/a"))
        QApplication.processEvents()
        assert bar._label.shown_text == bar._label.text()
        assert bar.width() < 1000
    bar.width_for = lambda _wanted_px: 500
    bar.follow()
    assert bar.width() == 500
