"""What panels share: work in a thread of which the newest counts, side questions."""

from threading import Event

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Progress
from convnext_studio.ui.state.latest_only import Newest
from convnext_studio.ui.state.side_query import SideQuestion
from tests.ui.desk import Desk

# --------------------------------------------------------------------------------------------- in a thread


def test_of_what_waits_only_the_newest_is_run(qtbot: QtBot) -> None:
    owner, release, done = QWidget(), Event(), []
    qtbot.addWidget(owner)
    newest = Newest(owner)
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
    newest = Newest(owner)
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

    newest = Newest(owner)
    newest.run(work, done.append)
    started.wait(10)
    owner.deleteLater()
    qtbot.wait(1)
    assert finished == [True]
    qtbot.wait(10)
    assert done == []


# --------------------------------------------------------------------------------------------- side questions


class Asker:
    def __init__(self, desk: Desk) -> None:
        self.answers: list[object] = []
        self.failures: list[str] = []
        self.steps: list[int] = []
        self.question = SideQuestion(
            desk.bridge, self.answers.append, self.failures.append, lambda step: self.steps.append(step.done)
        )


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


def kernel(channel: int) -> KernelResult:
    return KernelResult(node="stage1", channel=channel)


def test_the_same_is_asked_once_and_an_older_answer_is_dropped(desk: Desk) -> None:
    asker = Asker(desk)
    for channel in (1, 1, 2, 2):
        asker.question.ask(Kernel(node="stage1", channel=channel))
    assert len(desk.asked) == 2
    assert desk.client.cancelled == [1]
    desk.tell(Done(id=1, payload=kernel(1), seconds=0))
    assert asker.answers == []
    desk.tell(Progress(id=2, done=3, total=4, text=""))
    desk.tell(Done(id=2, payload=kernel(2), seconds=0))
    assert (asker.answers, asker.steps, asker.failures) == ([kernel(2)], [3], [])
    assert not asker.question.is_running
    asker.question.ask(Kernel(node="stage1", channel=2))
    assert len(desk.asked) == 2
    asker.question.drop()
    asker.question.ask(Kernel(node="stage1", channel=2))
    assert len(desk.asked) == 3


def test_why_there_is_no_answer_is_told_once(desk: Desk) -> None:
    asker = Asker(desk)
    asker.question.ask(Kernel(node="stage1", channel=1))
    desk.tell(Failed(id=1, message="It failed.", hint="Try less."))
    assert asker.failures == ["It failed. Try less."]
    asker.question.ask(Kernel(node="stage1", channel=1))
    assert len(desk.asked) == 1  # in vain again, until it is dropped
    asker.question.ask(Kernel(node="stage1", channel=2))
    desk.tell(Cancelled(id=2))
    assert asker.failures[1:] == ["Stopped."]
    asker.question.ask(Kernel(node="stage1", channel=3))
    asker.question.drop()
    assert len(asker.failures) == 2  # nobody wants to know
