"""Neighbours are made ahead once the current step is there, few are kept, and what goes asks nothing more."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QStackedWidget
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.script import Lecture
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.lecture.presenter.prefetch import StepViews
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_model
from tests.ui.lecture.toys import TOYS, MapsView


@pytest.fixture
def views(qtbot: QtBot, open_state: AppState, bridge: EngineBridge, lecture: Lecture) -> Iterator[StepViews]:
    stack = QStackedWidget()
    qtbot.addWidget(stack)
    stack.resize(400, 300)
    views = StepViews(open_state, bridge, lecture, TOYS, stack)
    views.set_text_px(21)
    yield views
    views.close()


def test_the_next_step_waits_for_the_current_one(views: StepViews, engine: FakeEngine, qtbot: QtBot) -> None:
    views.show(0)
    assert [request.node for request in engine.open(FeatureMaps)] == ["stage1"]
    qtbot.wait(120)
    assert views.live == (0,)
    engine.answer(engine.open(FeatureMaps)[0], None)
    qtbot.waitUntil(lambda: not views.is_looking_ahead)
    assert views.live == (0, 1, 2)
    assert [request.node for request in engine.open(FeatureMaps)] == ["stage2", "stage3"]
    assert not views.current.isHidden()


def test_a_step_that_was_prepared_is_shown_with_its_answer_and_asks_nothing(
    views: StepViews, engine: FakeEngine, qtbot: QtBot
) -> None:
    views.show(0)
    engine.answer(engine.open(FeatureMaps)[0], None)
    qtbot.waitUntil(lambda: not views.is_looking_ahead)
    engine.answer(engine.open(FeatureMaps)[0], None)
    asked = len(engine.asked)
    view = views.show(1)
    assert isinstance(view, MapsView)
    assert view.is_settled
    assert view.label.text() == "1 answer of stage2"
    assert (view.width(), view.height(), view.text_px) == (400, 300, 21)
    assert len(engine.asked) == asked


def test_a_step_that_is_passed_quickly_does_not_keep_the_next_from_being_prepared(
    views: StepViews, engine: FakeEngine, qtbot: QtBot
) -> None:
    """The next step may take a minute; the one after it is asked for all the same, and its answer kept."""
    views.show(0)
    engine.answer(engine.open(FeatureMaps)[0], None)
    qtbot.waitUntil(lambda: not views.is_looking_ahead)
    slow, quick = engine.open(FeatureMaps)
    assert (slow.node, quick.node) == ("stage2", "stage3")
    engine.answer(quick, None)
    views.show(1)
    view = views.show(2)
    assert isinstance(view, MapsView)
    assert view.notice == ""
    assert view.label.text() == "1 answer of stage3"


def test_far_views_are_let_go_and_their_questions_cancelled(views: StepViews, engine: FakeEngine) -> None:
    views.show(0)
    [first] = engine.open(FeatureMaps)
    views.show(3)
    assert views.live == (3,)
    assert engine.cancelled == [first.id]


def test_the_steps_around_are_kept_and_no_more(views: StepViews, engine: FakeEngine, qtbot: QtBot) -> None:
    for index in (0, 1, 2, 3):
        views.show(index)
        while engine.open(FeatureMaps):
            engine.answer(engine.open(FeatureMaps)[0], None)
        qtbot.waitUntil(lambda: not views.is_looking_ahead)
    assert views.live == (2, 3, 4, 5)


def test_a_step_whose_question_failed_says_so_and_the_next_is_made_all_the_same(
    views: StepViews, engine: FakeEngine, qtbot: QtBot
) -> None:
    view = views.show(0)
    engine.refuse(engine.open(FeatureMaps)[0], "There is no node.", "Take another.")
    assert isinstance(view, MapsView)
    assert view.notice == "There is no node. Take another."
    qtbot.waitUntil(lambda: views.live == (0, 1, 2))
    view.prepare()  # In vain is not asked again by itself.
    assert [request.node for request in engine.open(FeatureMaps)] == ["stage2", "stage3"]


def test_another_model_is_asked_again_and_old_answers_are_dropped(
    views: StepViews, engine: FakeEngine, open_state: AppState, qtbot: QtBot
) -> None:
    view = views.show(0)
    assert isinstance(view, MapsView)
    [old] = engine.open(FeatureMaps)
    open_state.set_model(make_model("Other"))
    qtbot.waitUntil(lambda: len(engine.asked) == 2)
    assert engine.cancelled == [old.id]
    assert not view.is_settled
    engine.answer(old, None)
    assert not view.shows_body
    engine.answer(engine.open(FeatureMaps)[0], None)
    assert view.shows_body


def test_nothing_is_asked_without_a_picture(views: StepViews, engine: FakeEngine, open_state: AppState) -> None:
    open_state.opened.remove(["one"])
    view = views.show(0)
    assert isinstance(view, MapsView)
    assert (view.notice, view.is_settled) == ("Drop a picture here, or open one.", True)
    assert engine.asked == []
