"""What was selected can be selected again, step by step, and what the engine did stays done."""

import random

import pytest

from convnext_studio.ui.state.app_state import FIRST_NODE, AppState
from convnext_studio.ui.state.selection.history import CAPACITY, TOGETHER_S, SelectionHistory
from tests.ui.conftest import make_image, make_model
from tests.ui.desk import TINY

Selected = tuple[str, str, int, tuple[int, int] | None, int | None]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self) -> None:
        self.now_s += 2 * TOGETHER_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(state: AppState, clock: Clock) -> SelectionHistory:
    history = SelectionHistory(state, clock_s=clock)
    state.set_model(make_model())
    for key in ("one", "two", "three"):
        state.opened.add(make_image(key, f"/pictures/{key}.png"), select=key == "one")
    return history


def selected(state: AppState) -> Selected:
    assert state.picture is not None
    return state.picture.key, state.node, state.channel, state.unit, state.target


def test_there_is_nothing_to_undo_at_first(history: SelectionHistory, state: AppState) -> None:
    assert not history.can_undo
    assert not history.can_redo
    before = selected(state)
    history.undo()
    history.redo()
    assert selected(state) == before


def test_any_walk_is_undone_and_redone_step_by_step(
    history: SelectionHistory, state: AppState, clock: Clock
) -> None:
    choose = random.Random(3)
    seen = [selected(state)]
    for _ in range(60):
        clock.wait()
        step = choose.choice(("picture", "node", "channel", "unit", "no unit", "target"))
        if step == "picture":
            state.opened.select(choose.choice(("one", "two", "three")))
        elif step == "node":
            state.set_node(choose.choice(("stage1", "stage2", "stage3.block2", "stage4")))
        elif step == "channel":
            state.set_channel(choose.randrange(4))
        elif step == "unit":
            state.set_unit(choose.randrange(2), choose.randrange(2))
        elif step == "no unit":
            state.clear_unit()
        else:
            state.set_target(choose.choice((None, 3, 5)))
        if selected(state) != seen[-1]:
            seen.append(selected(state))
    for expected in reversed(seen[:-1]):
        history.undo()
        assert selected(state) == expected
    assert not history.can_undo
    for expected in seen[1:]:
        history.redo()
        assert selected(state) == expected
    assert not history.can_redo


def test_a_key_that_is_held_is_one_step(history: SelectionHistory, state: AppState, clock: Clock) -> None:
    for channel in range(1, 5):
        clock.now_s += 0.2
        state.set_channel(channel)
    clock.now_s += 0.2
    state.set_node("stage1")
    history.undo()
    assert (state.node, state.channel) == (FIRST_NODE, 4)
    history.undo()
    assert state.channel == 0


def test_a_node_that_takes_the_unit_along_is_one_step(
    history: SelectionHistory, state: AppState, clock: Clock
) -> None:
    state.set_unit(1, 1)
    clock.wait()
    state.set_node("stage1")
    assert state.unit != (1, 1)
    history.undo()
    assert (state.node, state.unit) == (FIRST_NODE, (1, 1))


def test_a_new_selection_ends_the_redoing(history: SelectionHistory, state: AppState, clock: Clock) -> None:
    state.set_channel(1)
    clock.wait()
    history.undo()
    assert history.can_redo
    state.set_channel(2)
    assert not history.can_redo
    history.undo()
    assert state.channel == 0


def test_closed_pictures_are_not_gone_back_to(history: SelectionHistory, state: AppState, clock: Clock) -> None:
    state.set_channel(1)
    clock.wait()
    state.opened.select("two")
    clock.wait()
    state.opened.remove({"one"})
    while history.can_undo:
        history.undo()
    assert state.picture is not None
    assert state.picture.key == "two"
    assert [picture.key for picture in state.opened.all] == ["two", "three"]


def test_another_network_begins_anew_and_the_same_one_goes_on(
    history: SelectionHistory, state: AppState
) -> None:
    state.set_node("stage1")
    state.set_model(make_model(device="cuda:0"))
    assert history.can_undo
    history.undo()
    assert state.node == FIRST_NODE
    state.set_node("stage1")
    state.set_model(make_model(config=TINY.__class__(num_classes=3, depths=(2, 1, 1, 1), dims=(4, 6, 8, 10))))
    assert not history.can_undo
    assert not history.can_redo


def test_the_history_is_bounded(history: SelectionHistory, state: AppState, clock: Clock) -> None:
    for channel in range(1, CAPACITY + 50):
        clock.wait()
        state.set_channel(channel)
    steps = 0
    while history.can_undo:
        history.undo()
        steps += 1
    assert steps == CAPACITY
