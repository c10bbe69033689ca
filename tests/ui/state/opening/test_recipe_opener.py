"""The changed network is opened as B whenever the changes are others, and its prediction follows a drag."""

import numpy as np
import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.retouches import Retouch
from convnext_studio.protocol.interventions import ChangedLogits, ChangedLogitsResult, Intervene
from convnext_studio.protocol.models import CloseModel, LoadModel
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.recipe_opener import ChangedNetwork
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction

OFF = Change(node="stage2", channels=(3,))
pytestmark = pytest.mark.usefixtures("changed")
FACTOR = replace(OFF, effect="factor", factor=0.5)


@pytest.fixture
def changed(controller: Controller, state: AppState, engine: FakeEngine) -> ChangedNetwork:
    """With a network and a picture open."""
    controller.models.open("preset:small", "cpu")
    engine.answer(engine.open(LoadModel)[0], make_model())
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    return controller.changed_network


def test_the_first_change_opens_b_and_shows_it(state: AppState, engine: FakeEngine) -> None:
    state.interventions.add(OFF)
    [asked] = engine.open(Intervene)
    assert (asked.network, asked.changes, asked.image, asked.images) == ("B", (OFF,), "", ())
    engine.answer(asked, make_model("Small, 1 change"))
    second = state.second
    assert second.is_changed_first
    assert (second.choice.first, second.choice.second) == ("before", "after")
    assert second.shown == "second"
    assert second.marks_changes
    [predict] = engine.open(Predict)
    assert predict.network == "B"
    second.choice.choose("first")
    assert not second.marks_changes
    state.interventions.add(replace(OFF, channels=(4,)))
    engine.answer(engine.open(Intervene)[0], make_model("Small, 2 changes"))
    assert second.shown == "first", "what a person chose stays"


def test_no_change_closes_it(state: AppState, engine: FakeEngine) -> None:
    state.interventions.add(OFF)
    engine.answer(engine.open(Intervene)[0], make_model())
    state.interventions.switch(0, False)
    assert state.second.model is None
    assert [close.network for close in engine.open(CloseModel)] == ["B"]
    assert state.second.choice.first == "A"
    state.interventions.switch(0, True)
    engine.answer(engine.open(Intervene)[0], make_model())
    assert state.second.is_changed_first
    state.interventions.clear()
    assert state.second.model is None


def test_only_what_needs_a_picture_names_one(state: AppState, engine: FakeEngine) -> None:
    state.interventions.add(replace(OFF, region=Region(0, 0, 1, 1)))
    assert engine.open(Intervene)[-1].image == "one"
    state.interventions.clear()
    state.interventions.add(replace(OFF, effect="picture mean"))
    assert engine.open(Intervene)[-1].images == ("one",)
    state.opened.add(make_image("two"), select=False)
    assert engine.open(Intervene)[-1].images == ("one", "two")
    state.interventions.clear()
    retouch = Retouch(rectangle=(0.0, 0.0, 9.0, 9.0))
    state.interventions.retouch("one", (retouch, replace(retouch, enabled=False)))
    assert engine.open(Intervene)[-1].retouched == (("one", (retouch,)),)
    state.opened.remove({"one"})
    assert state.interventions.recipe.is_empty


def test_the_prediction_follows_a_drag_and_nothing_queues(state: AppState, engine: FakeEngine) -> None:
    interventions = state.interventions
    interventions.add(FACTOR)
    engine.answer(engine.open(Intervene)[0], make_model())
    engine.answer(engine.open(Predict)[0], make_prediction())
    interventions.hold()
    for factor in (0.4, 0.3, 0.2):
        interventions.put(0, replace(FACTOR, factor=factor))
    [first] = engine.open(ChangedLogits)
    assert first.changes[0].factor == 0.4
    engine.answer(first, live(0.4))
    [newest] = engine.open(ChangedLogits)
    assert newest.changes[0].factor == 0.2, "the one between was never asked"
    probabilities = state.second.probabilities
    assert probabilities is not None
    assert probabilities[0] == 0.4
    engine.answer(newest, live(0.2))
    assert not engine.open(ChangedLogits)
    assert not engine.open(Intervene), "all views follow when the hand rests"
    interventions.release()
    [opened] = engine.open(Intervene)
    assert opened.changes[0].factor == 0.2
    engine.answer(opened, make_model())
    prediction = make_prediction(seed=3)
    engine.answer(engine.open(Predict)[0], prediction)
    assert state.second.probabilities is prediction.probabilities


def test_all_views_follow_a_hand_that_rests(state: AppState, engine: FakeEngine, qtbot: QtBot) -> None:
    state.interventions.add(FACTOR)
    engine.answer(engine.open(Intervene)[0], make_model())
    state.interventions.hold()
    state.interventions.put(0, replace(FACTOR, factor=-1.0))
    qtbot.waitUntil(lambda: bool(engine.open(Intervene)))
    assert engine.open(Intervene)[0].changes[0].factor == -1.0


def test_what_does_not_fit_is_told_and_nothing_is_shown_as_changed(
    changed: ChangedNetwork, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    state.interventions.add(OFF)
    engine.answer(engine.open(Intervene)[0], make_model())
    state.interventions.add(replace(OFF, node="stage1"))
    with qtbot.waitSignal(changed.told) as told:
        engine.refuse(engine.open(Intervene)[0], "It does not fit.", "Take another.")
    assert told.args == ["It does not fit. Take another."]
    assert state.second.model is None
    state.interventions.undo()
    engine.answer(engine.open(Intervene)[0], make_model())
    assert not changed.failure


def test_another_network_gets_the_same_changes(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    state.interventions.add(OFF)
    engine.answer(engine.open(Intervene)[0], make_model())
    controller.models.open("preset:other", "cpu")
    engine.answer(engine.open(LoadModel)[0], make_model("Other"))
    assert state.second.model is None, "it is the former network, changed"
    engine.answer(engine.open(Intervene)[0], make_model("Other, 1 change"))
    assert state.second.is_changed_first


def test_a_network_that_a_person_opens_as_b_takes_its_place(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    state.interventions.add(OFF)
    engine.answer(engine.open(Intervene)[0], make_model())
    assert not controller.second.can_swap
    controller.second.open(LoadModel(source="other"))
    engine.answer(engine.open(LoadModel)[0], make_model("Other"))
    assert not state.second.is_changed_first
    assert controller.second.can_swap
    assert [change.enabled for change in state.interventions.changes] == [False]
    assert not engine.open(Intervene)
    state.interventions.switch(0, True)
    engine.answer(engine.open(Intervene)[0], make_model("Small, 1 change"))
    assert state.second.is_changed_first
    assert controller.second.loaded_second is None


def live(probability: float) -> ChangedLogitsResult:
    zeros = np.zeros(12, np.float32)
    probabilities = np.zeros(12)
    probabilities[0] = probability
    return ChangedLogitsResult(
        image="one", before=zeros, after=zeros, probabilities_before=probabilities, probabilities=probabilities
    )
