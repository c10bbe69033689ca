"""Work in a thread, of which only the latest counts."""

from threading import Event

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.panels.feature_maps.mosaic_view import LatestOnly

# --------------------------------------------------------------------------------------------- in a thread


def test_of_what_waits_only_the_newest_is_run(qtbot: QtBot) -> None:
    owner, release, done = QWidget(), Event(), []
    qtbot.addWidget(owner)
    newest = LatestOnly(owner)
    ran = []

    def work(number: int) -> int:
        ran.append(number)
        release.wait(10)
        return number

    for number in range(4):
        newest.run(lambda number=number: work(number), done.append)
    assert newest.is_busy
    release.set()
    qtbot.waitUntil(lambda: not newest.is_busy)
    assert ran == done == [0, 3]


def test_work_that_fails_does_not_end_the_work(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, done, failed = QWidget(), [], []
    qtbot.addWidget(owner)
    monkeypatch.setattr("threading.excepthook", lambda arguments: failed.append(arguments.exc_type))
    newest = LatestOnly(owner)
    newest.run(lambda: 1 / 0, done.append)
    qtbot.waitUntil(lambda: not newest.is_busy)
    newest.run(lambda: 5, done.append)
    qtbot.waitUntil(lambda: done == [5])
    assert failed == [ZeroDivisionError]


def test_an_owner_that_goes_waits_for_its_work_and_tells_nothing(qtbot: QtBot) -> None:
    owner, started, done, finished = QWidget(), Event(), [], []

    def work() -> int:
        started.set()
        finished.append(not Event().wait(0.2))
        return 1

    newest = LatestOnly(owner)
    newest.run(work, done.append)
    started.wait(10)
    owner.deleteLater()
    qtbot.wait(1)
    assert finished == [True]
    qtbot.wait(10)
    assert done == []
