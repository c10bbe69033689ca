"""A query asks the engine once, hands on only the answer to the latest question, and says why there is none."""

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Progress
from convnext_studio.ui.state.query import Query
from tests.ui.desk import Desk


class Asker:
    def __init__(self, desk: Desk) -> None:
        self.answers: list[object] = []
        self.failures: list[str] = []
        self.steps: list[int] = []
        self.question = Query(
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


def test_what_was_answered_is_asked_again_when_that_is_wanted_but_not_twice_at_once(desk: Desk) -> None:
    asker = Asker(desk)
    for _ in range(2):
        asker.question.ask_again(Kernel(node="stage1", channel=1))
    assert len(desk.asked) == 1
    assert desk.client.cancelled == []
    desk.tell(Done(id=1, payload=kernel(1), seconds=0))
    asker.question.ask_again(Kernel(node="stage1", channel=1))
    desk.tell(Done(id=2, payload=kernel(1), seconds=0))
    assert asker.answers == [kernel(1)] * 2


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


# ------------------------------------------------------------------------------- several requests, one question


class Several(Asker):
    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.parts: list[tuple[int, object]] = []
        self.stops = 0
        self.question = Query(
            desk.bridge,
            lambda *answers: self.answers.append(answers),
            self.failures.append,
            on_part=lambda index, payload: self.parts.append((index, payload)),
            on_cancel=self.stop,
        )

    def stop(self) -> None:
        self.stops += 1

    def ask(self, *channels: int) -> None:
        self.question.ask(*(Kernel(node="stage1", channel=channel) for channel in channels))


def test_the_answers_to_several_requests_come_together_in_their_order(desk: Desk) -> None:
    asker = Several(desk)
    asker.ask(1, 2, 3)
    desk.tell(Done(id=3, payload=kernel(3), seconds=0))
    desk.tell(Progress(id=1, done=1, total=2, text="", partial=kernel(9)))
    desk.tell(Done(id=1, payload=kernel(1), seconds=0))
    assert asker.answers == []
    assert asker.parts == [(2, kernel(3)), (0, kernel(9)), (0, kernel(1))]
    desk.tell(Done(id=2, payload=kernel(2), seconds=0))
    assert asker.answers == [(kernel(1), kernel(2), kernel(3))]
    assert not asker.question.is_running


def test_a_question_of_no_requests_is_answered_at_once(desk: Desk) -> None:
    asker = Several(desk)
    asker.ask()
    assert (asker.answers, desk.asked) == ([()], [])


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_where_one_of_several_fails_the_others_are_cancelled(desk: Desk, is_cancelled: bool) -> None:
    asker = Several(desk)
    asker.ask(1, 2, 3)
    desk.tell(Done(id=1, payload=kernel(1), seconds=0))
    desk.tell(Cancelled(id=2) if is_cancelled else Failed(id=2, message="It failed.", hint=""))
    assert desk.client.cancelled == [3]
    desk.tell(Done(id=3, payload=kernel(3), seconds=0))
    assert asker.answers == []
    assert (asker.failures, asker.stops) == (([], 1) if is_cancelled else (["It failed."], 0))
    assert (asker.question.failure is None) == is_cancelled


def test_stopping_asks_the_engine_and_awaits_its_word(desk: Desk) -> None:
    asker = Several(desk)
    asker.ask(1, 2)
    asker.question.stop()
    assert desk.client.cancelled == [1, 2]
    assert asker.question.is_running
    desk.tell(Cancelled(id=1), Cancelled(id=2))
    assert asker.stops == 1
    assert not asker.question.is_running


def test_the_same_request_of_another_object_is_news(desk: Desk) -> None:
    """A model that was loaded again equals the one before, and its answers are others."""
    asker, request = Asker(desk), Kernel(node="stage1", channel=1)
    first, second = ["a model"], ["a model"]
    asker.question.ask(request, of=first)
    asker.question.ask(request, of=first)
    assert len(desk.asked) == 1
    assert asker.question.is_news(request, of=second)
    asker.question.ask(request, of=second)
    assert len(desk.asked) == 2


def test_what_is_at_hand_counts_as_asked(desk: Desk) -> None:
    asker, request = Asker(desk), Kernel(node="stage1", channel=1)
    asker.question.take_as_asked(request)
    asker.question.ask(request)
    assert desk.asked == []
