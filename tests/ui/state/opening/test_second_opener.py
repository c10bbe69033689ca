"""A second network is opened after its memory was said, and what was open stays open if it cannot be."""

import pytest
from msgspec.structs import replace

from convnext_studio.protocol.models import (
    CloseModel,
    EstimateMemory,
    LoadModel,
    MemoryEstimate,
    ModelInfo,
    SwapModels,
)
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.second_opener import SecondOpener
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction

ESTIMATE = MemoryEstimate(
    title="other",
    parameters=1_000_000,
    weights_bytes=4_000_000,
    working_bytes=6_000_000,
    download_bytes=0,
    free_bytes=2_000_000_000,
    device_name="A processor",
)


@pytest.fixture
def opener(controller: Controller, state: AppState, engine: FakeEngine) -> SecondOpener:
    """With a network and a picture open."""
    controller.models.open("preset:small", "cpu")
    engine.answer(engine.open(LoadModel)[0], replace(make_model(), memory_bytes=30_000_000))
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    return controller.second


def test_memory_is_said_first_and_nothing_is_opened_unasked(opener: SecondOpener, engine: FakeEngine) -> None:
    opener.plan("other")
    [asked] = engine.open(EstimateMemory)
    assert (asked.model.source, asked.model.network, asked.model.device) == ("other", "B", "cpu")
    engine.answer(asked, ESTIMATE)
    assert opener.memory_text() == (
        "other takes about 10 MB on A processor (2.0 GB are free). A takes about 30 MB."
    )
    assert not engine.open(LoadModel)
    opener.give_up()
    assert opener.memory_text() == "A takes about 30 MB."


def test_the_network_that_was_planned_is_opened_and_predicts(
    opener: SecondOpener, engine: FakeEngine, state: AppState
) -> None:
    opener.plan("", untrained=True)
    opener.open()
    [load] = engine.open(LoadModel)
    assert (load.source, load.untrained, load.network) == ("preset:small", True, "B")
    assert state.second.model is None
    engine.answer(load, make_model("Other"))
    assert state.second.model is not None
    [predict] = engine.open(Predict)
    assert (predict.network, predict.image) == ("B", "one")
    prediction = make_prediction(seed=1)
    engine.answer(predict, prediction)
    assert state.second.prediction is prediction
    state.opened.add(make_image("two"))
    assert state.second.prediction is None
    assert {request.network for request in engine.open(Predict)} == {"A", "B"}


def test_what_cannot_be_opened_is_said_and_b_stays(
    opener: SecondOpener, engine: FakeEngine, state: AppState
) -> None:
    opener.open(LoadModel(source="first"))
    engine.answer(engine.open(LoadModel)[0], make_model("First"))
    before = state.second.model
    opener.open(LoadModel(source="broken"))
    assert opener.is_opening
    engine.refuse(engine.open(LoadModel)[0], "It is broken.", "Take another one.")
    assert opener.failure == "It is broken. Take another one."
    assert state.second.model is before
    opener.plan("nothing")
    engine.refuse(engine.open(EstimateMemory)[0], "There is no nothing.")
    assert opener.failure == "There is no nothing."
    assert opener.planned is None


def opened_second(opener: SecondOpener, engine: FakeEngine) -> ModelInfo:
    """Open a network as B, and return it."""
    model = make_model("Other")
    opener.open(LoadModel(source="other"))
    engine.answer(engine.open(LoadModel)[0], model)
    return model


def test_either_is_closed(
    opener: SecondOpener, engine: FakeEngine, state: AppState, controller: Controller
) -> None:
    first = state.model
    second = opened_second(opener, engine)
    opener.swap()
    assert state.model is first
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (second, first)
    assert controller.models.loaded is not None
    assert (controller.models.loaded.source, controller.models.loaded.network) == ("other", "A")
    opener.close_first()
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (first, None)
    [closing] = engine.open(CloseModel)
    assert closing.network == "B"
    assert controller.models.loaded.source == "preset:small"


def test_what_is_done_during_an_exchange_is_done_after_it(
    opener: SecondOpener, engine: FakeEngine, state: AppState
) -> None:
    first = state.model
    second = opened_second(opener, engine)
    opener.swap()
    opener.close()
    assert not engine.open(CloseModel)
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (second, None)
    engine.answer(engine.open(CloseModel)[0], None)
    assert first is not second
    assert (state.model, state.second.model) == (second, None)


def test_two_exchanges_are_two(opener: SecondOpener, engine: FakeEngine, state: AppState) -> None:
    first = state.model
    second = opened_second(opener, engine)
    opener.swap()
    opener.swap()
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (second, first)
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (first, second)


def test_after_an_exchange_that_failed_the_networks_are_as_before(
    opener: SecondOpener, engine: FakeEngine, state: AppState, controller: Controller
) -> None:
    said: list[str] = []
    controller.noticed.connect(lambda notice: said.append(notice.message))
    first = state.model
    second = opened_second(opener, engine)
    opener.swap()
    engine.refuse(engine.open(SwapModels)[0], "There are no two networks.")
    assert said == ["There are no two networks."]
    assert (state.model, state.second.model) == (first, second)
    opener.swap()
    engine.answer(engine.open(SwapModels)[0], None)
    assert (state.model, state.second.model) == (second, first)


def test_a_network_that_was_asked_for_during_an_exchange_takes_the_place_of_a(
    opener: SecondOpener, engine: FakeEngine, state: AppState, controller: Controller
) -> None:
    second = opened_second(opener, engine)
    opener.swap()
    controller.models.open("third", "cpu")
    engine.answer(engine.open(SwapModels)[0], None)
    assert state.model is second
    third = make_model("Third")
    engine.answer(engine.open(LoadModel)[0], third)
    assert state.model is third
    assert controller.models.loaded is not None
    assert controller.models.loaded.source == "third"


def test_a_network_that_was_there_before_it_was_closed_is_shown_no_longer(
    opener: SecondOpener, engine: FakeEngine, state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener.open(LoadModel(source="other"))
    [load] = engine.open(LoadModel)
    monkeypatch.setattr(engine, "cancel", lambda _identifier: None)  # It comes too late.
    opener.close()
    engine.answer(load, make_model("Other"))
    engine.answer(engine.open(CloseModel)[0], None)
    assert state.second.model is None
    assert opener.loaded_second is None
    assert not opener.is_opening


def test_the_network_that_the_engine_has_is_shown_though_another_was_asked_for(
    opener: SecondOpener, engine: FakeEngine, state: AppState, controller: Controller
) -> None:
    shown = make_model("One"), make_model("Other")
    controller.models.open("one", "cpu")
    opener.open(LoadModel(source="other"))
    loads = engine.open(LoadModel)
    controller.models.open("two", "cpu")
    opener.open(LoadModel(source="another"))
    for load, model in zip(loads, shown, strict=True):
        engine.answer(load, model)
    assert (state.model, state.second.model) == shown
    last = make_model("Two"), make_model("Another")
    for load, model in zip(engine.open(LoadModel), last, strict=True):
        engine.answer(load, model)
    assert (state.model, state.second.model) == last
