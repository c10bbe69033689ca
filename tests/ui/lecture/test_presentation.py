"""Entering and leaving: the window, the look, the place, the speaker's window, and mistakes in a lecture."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.pictures import ListPictures
from convnext_studio.ui.lecture.presenter.presentation import (
    Presentation,
    arrange,
    checked_lecture,
    elapsed_text,
)
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine

pytestmark = pytest.mark.usefixtures("dark")
GOOD = """\
# One

## First
---
view: picture
---
Text one.

Try: this.

Notes: say *hello*.

## Second
---
view: picture
classes: 3
---
Text two.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lecture"
    folder.mkdir()
    (folder / "1.md").write_text(GOOD, encoding="utf-8")
    return folder


@pytest.fixture
def presentation(filled_window: StudioWindow) -> Iterator[Presentation]:
    yield filled_window.lecture.presentation
    filled_window.lecture.presentation.leave()


def shown(presentation: Presentation) -> Presenter:
    """The presenter, once the keys are its own."""
    presenter = presentation.presenter
    assert presenter is not None
    deadline = time.monotonic() + 5
    while not presenter.isActiveWindow() and time.monotonic() < deadline:
        QApplication.processEvents()
    return presenter


def test_the_lecture_takes_the_windows_place_and_gives_it_back(
    presentation: Presentation, filled_window: StudioWindow, folder: Path
) -> None:
    presentation.start(folder)
    presenter = shown(presentation)
    assert presenter.isFullScreen()
    assert filled_window.isHidden()
    assert theme.current() is theme.PROJECTOR
    QTest.keyClick(presenter, Qt.Key.Key_Escape)
    assert presentation.presenter is None
    assert filled_window.isVisible()
    assert theme.current() is theme.DARK


def test_the_place_and_the_look_are_kept(presentation: Presentation, folder: Path) -> None:
    presentation.start(folder)
    QTest.keyClick(shown(presentation), Qt.Key.Key_PageDown)
    QTest.keyClick(shown(presentation), Qt.Key.Key_T)
    assert theme.current() is theme.DARK
    presentation.leave()
    presentation.start()
    assert shown(presentation).index == 1
    assert theme.current() is theme.DARK
    QTest.keyClick(shown(presentation), Qt.Key.Key_T)
    assert theme.current() is theme.PROJECTOR


def test_the_first_step_says_once_which_key_lists_the_keys(presentation: Presentation, folder: Path) -> None:
    def told() -> list[str]:
        presenter = presentation.presenter
        assert presenter is not None
        labels = [label for label in presenter.footer.findChildren(QLabel) if not label.isHidden()]
        return [label.text() for label in labels if "for the keys" in label.text()]

    presentation.start(folder, size=(1280, 720))
    assert told() == ["Press <b>?</b> for the keys"]
    assert presentation.presenter is not None
    presentation.presenter.go_to(1)
    assert told() == []
    presentation.presenter.go_to(0)
    assert told() == []
    presentation.leave()
    presentation.start(folder, size=(1280, 720))
    assert told() == []


def test_text_keeps_its_size_when_the_look_changes(presentation: Presentation, folder: Path) -> None:
    presentation.start(folder)
    presenter = shown(presentation)
    before = [label.font().pixelSize() for label in presenter.findChildren(QLabel)]
    QTest.keyClick(presenter, Qt.Key.Key_T)
    QApplication.processEvents()
    assert [label.font().pixelSize() for label in presenter.findChildren(QLabel)] == before


def test_a_lecture_that_became_shorter_is_entered_at_its_end(presentation: Presentation, folder: Path) -> None:
    presentation.start(folder, place=1)
    presentation.leave()
    (folder / "1.md").write_text(GOOD.partition("## Second")[0], encoding="utf-8")
    presentation.start()
    assert shown(presentation).index == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("view: picture\n---", "view: pictures\n---", 5, "there is no view “pictures”; there are: "),
        ("classes: 3", "rows: 3", 16, "has no setting “rows”"),
        ("classes: 3", "classes: many", 16, "a whole number from 1 to 8, not “many”"),
    ],
)
def test_what_a_step_names_wrongly_is_told_with_file_and_line(
    folder: Path, old: str, new: str, line: int, said: str
) -> None:
    path = folder / "1.md"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StudioError, match=re.escape(said)) as caught:
        checked_lecture(folder)
    assert caught.value.message.startswith(f"{path}, line {line}: ")


def test_a_bad_lecture_changes_nothing_and_the_message_bar_says_why(
    presentation: Presentation, filled_window: StudioWindow, folder: Path
) -> None:
    presentation.start(folder)
    presentation.leave()
    (folder / "1.md").write_text("Nothing.", encoding="utf-8")
    filled_window.actions_by_id["present"].trigger()
    assert presentation.presenter is None
    assert filled_window.isVisible()
    assert theme.current() is theme.DARK
    assert f"{folder / '1.md'}, line 1: " in filled_window.messages.text
    (folder / "1.md").write_text(GOOD, encoding="utf-8")
    filled_window.actions_by_id["present"].trigger()
    assert presentation.presenter is not None
    assert filled_window.messages.text == ""


def test_the_other_screen_is_the_audiences() -> None:
    assert arrange(["laptop"], "laptop") == ("laptop", None)
    assert arrange(["laptop", "projector"], "laptop") == ("projector", "laptop")
    assert arrange(["projector", "laptop"], "laptop") == ("projector", "laptop")


def test_two_screens_show_the_lecture_and_the_notes(folder: Path, tmp_path: Path) -> None:
    screen = {"logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    laptop = {"name": "laptop", "x": 0, "y": 0, "width": 1366, "height": 768, **screen}
    projector = {"name": "projector", "x": 1366, "y": 0, "width": 1920, "height": 1080, **screen}
    screens = tmp_path / "screens.json"
    screens.write_text(
        json.dumps(
            {
                "synchronousWindowSystemEvents": False,
                "windowFrameMargins": False,
                "screens": [laptop, projector],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.ui.lecture.two_screens", str(folder)],
        env=os.environ | {"QT_QPA_PLATFORM": f"offscreen:configfile={screens}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "window": "laptop",
        "presenter": "projector",
        "presenter size": [1920, 1080],
        "speaker": "laptop",
        "after": ["studio_window"],
    }


def test_a_picture_dropped_on_the_presenter_is_opened(
    presentation: Presentation, folder: Path, engine: FakeEngine
) -> None:
    presentation.start(folder)
    presenter = shown(presentation)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile("/pictures/held up.png")])
    view = presenter.view
    for kind in (QDragEnterEvent, QDropEvent):
        # As Qt does it: what no child takes goes to the window.
        assert not view.acceptDrops()
        event = kind(
            presenter.rect().center(),
            Qt.DropAction.CopyAction,
            dropped,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(presenter, event)
        assert event.isAccepted()
    [request] = engine.open(ListPictures)
    assert request.paths == ("/pictures/held up.png",)


def test_the_speaker_sees_notes_and_what_comes_next(
    presentation: Presentation, folder: Path, qtbot: QtBot
) -> None:
    presentation.start(folder)
    assert presentation.speaker is None  # There is one screen.
    QTest.keyClick(shown(presentation), Qt.Key.Key_S)
    speaker = presentation.speaker
    assert speaker is not None
    assert "say <i>hello</i>." in speaker.notes.text()
    assert "this." in speaker.notes.text()
    assert (speaker.now.text(), speaker.next_title.text()) == ("First", "Next: Second")
    assert "Text two." in speaker.next_text.text()
    assert re.fullmatch(r"0:0\d", speaker.elapsed.text())
    assert re.fullmatch(r"\d\d:\d\d", speaker.clock.text())
    qtbot.waitUntil(speaker.isActiveWindow)
    QTest.keyClick(speaker, Qt.Key.Key_Right)  # Its keys are the presenter's.
    presenter = presentation.presenter
    assert presenter is not None
    assert presenter.index == 1
    assert speaker.place.text() == "2 / 2"
    assert speaker.next_title.text() == "This is the last step."
    QTest.keyClick(speaker, Qt.Key.Key_PageUp)
    assert presenter.index == 0
    QTest.keyClicks(speaker, "2\r")
    assert presenter.index == 1
    for key in (Qt.Key.Key_O, Qt.Key.Key_Up, Qt.Key.Key_Return):
        QTest.keyClick(speaker, key)
    assert (presenter.index, presenter.overview.isVisible()) == (0, False)
    speaker.close()
    assert presentation.speaker is None
    assert presentation.presenter is not None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0:00"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00"), (5025.5, "1:23:45")]
)
def test_elapsed_time(seconds: float, text: str) -> None:
    assert elapsed_text(seconds) == text
