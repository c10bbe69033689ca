"""The selection keeps its parts in step with each other."""

import pytest

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.selection import open_pictures
from tests.ui.desk import TUTORIAL, model, picture


@pytest.fixture
def told(state: AppState) -> list[object]:
    """What the state said of unit, pointer and pin."""
    collected: list[object] = []
    for signal in (state.unit_selected, state.views.pointed_at, state.kept.pinned):
        signal.connect(collected.append)
    return collected


def test_a_unit_is_selected_and_let_go(state: AppState, told: list[object]) -> None:
    state.set_unit(3, 5)
    state.set_unit(3, 5)
    assert state.unit == (3, 5)
    state.clear_unit()
    assert state.unit is None
    assert told == [(3, 5), None]


@pytest.mark.parametrize(
    ("before", "unit", "after", "beside"),
    [
        # ConvNeXt-T at 224: units of stage 4 are 32 px apart with centres at 16, of stage 1 4 px at 2.
        ("stage4", (0, 6), "stage1", (4, 52)),
        ("stage1", (55, 0), "stage4", (6, 0)),
        ("stage3", (7, 7), "stage3.block2", (7, 7)),
    ],
)
def test_another_nodes_unit_is_the_one_at_the_same_place(
    state: AppState, told: list[object], before: str, unit: tuple[int, int], after: str, beside: tuple[int, int]
) -> None:
    """Centres 16, 208 lie nearest to 2 + 4 k for k = 3.5 and 51.5, which round to even: 4 and 52."""
    state.set_model(model(ConvNeXtConfig(), 224))
    state.set_node(before)
    state.set_unit(*unit)
    state.set_node(after)
    assert state.unit == beside
    assert told[-1] == beside


def test_another_models_units_are_others(state: AppState) -> None:
    state.set_model(model())
    state.set_unit(1, 1)
    state.set_model(model(TUTORIAL))
    assert state.unit is None


def test_a_pointed_place_belongs_to_its_picture(state: AppState, told: list[object]) -> None:
    state.opened.add(picture())
    state.views.point_at((3.5, 4.25))
    assert state.views.pointed == (3.5, 4.25)
    state.opened.add(picture("dog"))
    assert state.views.pointed is None
    assert told == [(3.5, 4.25), None]


def test_a_pin_is_kept_until_its_picture_is_closed(state: AppState, told: list[object]) -> None:
    state.pin_selection()
    assert state.kept.pin is None
    loaded, opened = model(), picture()
    state.set_model(loaded)
    state.opened.add(opened)
    state.set_node("stage2")
    state.pin_selection()
    state.set_node("stage3")
    assert state.kept.pin is not None
    assert (state.kept.pin.model, state.kept.pin.picture, state.kept.pin.node) == (loaded, opened, "stage2")
    assert told == [state.kept.pin]
    state.opened.remove({"cat"})
    assert state.kept.pin is None
    state.kept.unpin()
    assert told[1:] == [None]


def listed(*names: str) -> list[ListedPicture]:
    return [ListedPicture(name, f"{name}.png", f"/{name}.png") for name in names]


def test_a_listed_picture_is_chosen_at_once_and_shown_when_it_comes(state: AppState) -> None:
    told: list[ListedPicture] = []
    state.opened.picture_chosen.connect(told.append)
    cat, dog = listed("cat", "dog")
    state.opened.list_pictures([cat, dog])
    state.opened.select("dog")
    assert (told, state.opened.chosen, state.picture) == ([dog], dog, None)
    state.opened.add(picture("dog"), select=True)
    assert state.picture is not None
    assert state.picture.key == "dog"
    state.opened.select("dog")
    assert told == [dog]
    state.opened.give_up_choice()
    assert state.opened.chosen is not None
    assert state.opened.chosen.key == "dog"
    with pytest.raises(KeyError):
        state.opened.select("owl")


@pytest.mark.parametrize(
    ("chosen", "removed", "next_one"),
    [("b", "b", "c"), ("b", "bc", "d"), ("d", "cd", "b"), ("a", "bcd", "a"), ("b", "abcd", None)],
)
def test_when_pictures_go_the_next_that_is_left_is_chosen(
    state: AppState, chosen: str, removed: str, next_one: str | None
) -> None:
    state.opened.list_pictures(listed(*"abcd"))
    state.opened.select(chosen)
    state.opened.remove(set(removed))
    assert [each.key for each in state.opened.all] == [key for key in "abcd" if key not in removed]
    assert (None if state.opened.chosen is None else state.opened.chosen.key) == next_one
    assert [state.opened.row(each.key) for each in state.opened.all] == list(range(len(state.opened.all)))


def test_previews_are_bounded_and_the_shown_picture_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = picture("0")
    assert shown.thumbnail is shown.preview  # So it takes no memory of its own.
    monkeypatch.setattr(open_pictures, "PREVIEW_BYTES", 3 * shown.preview.nbytes)
    state = AppState()
    state.opened.add(shown)
    for number in range(1, 10):
        state.opened.add(picture(str(number)), select=False)
    kept = [key for key in map(str, range(10)) if state.opened.preview(key) is not None]
    assert kept == ["7", "8", "9"]
    assert state.picture is shown
    state.opened.select("0")  # It is shown: nobody has to decode it.
    assert state.picture is shown


def test_stepping_stops_at_the_ends(state: AppState) -> None:
    state.opened.step(1)
    assert state.opened.chosen is None
    state.opened.list_pictures(listed(*"abc"))
    state.opened.select("b")
    for step, key in ((1, "c"), (1, "c"), (-9, "a")):
        state.opened.step(step)
        assert state.opened.chosen is not None
        assert state.opened.chosen.key == key
