"""The chain of changes: what is added, switched, removed, undone, and what a drag counts as."""

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Retouch
from convnext_studio.ui.state.selection.interventions import Interventions

pytestmark = pytest.mark.usefixtures("qapp")
OFF = Change(node="stage2", channels=(3,))
MEAN = Change(node="stage3.block1", effect="mean", branch=True)
BOX = Retouch(rectangle=(1.0, 2.0, 3.0, 4.0))


@pytest.fixture
def interventions() -> Interventions:
    return Interventions()


def test_a_part_is_changed_in_one_way_at_a_time(interventions: Interventions) -> None:
    interventions.add(OFF)
    interventions.add(MEAN)
    factor = replace(OFF, effect="factor", factor=-1.0)
    interventions.add(factor)
    assert interventions.changes == (MEAN, factor)
    elsewhere = replace(OFF, region=Region(0, 0, 1, 1))
    interventions.add(elsewhere)
    assert interventions.changes == (MEAN, factor, elsewhere)


def test_toggling_adds_and_removes(interventions: Interventions) -> None:
    interventions.toggle(OFF)
    assert interventions.changes == (OFF,)
    interventions.toggle(OFF)
    assert not interventions.changes


def test_every_step_is_undone_and_redone(interventions: Interventions) -> None:
    steps = [interventions.recipe]
    for act in (
        lambda: interventions.add(OFF),
        lambda: interventions.add(MEAN),
        lambda: interventions.switch(0, False),
        lambda: interventions.retouch("cat", (BOX,)),
        lambda: interventions.remove(1),
        interventions.clear,
    ):
        act()
        steps.append(interventions.recipe)
    assert interventions.recipe.is_empty
    for expected in reversed(steps[:-1]):
        assert interventions.can_undo
        interventions.undo()
        assert interventions.recipe == expected
    assert not interventions.can_undo
    for expected in steps[1:]:
        interventions.redo()
        assert interventions.recipe == expected
    assert not interventions.can_redo
    interventions.undo()
    interventions.add(OFF)
    assert not interventions.can_redo, "a new change forgets what was undone"


def test_a_drag_is_one_step(interventions: Interventions, qtbot: QtBot) -> None:
    interventions.add(replace(OFF, effect="factor", factor=1.0))
    interventions.hold()
    assert interventions.is_held
    for factor in (0.5, 0.0, -0.5):
        interventions.put(0, replace(interventions.changes[0], factor=factor))
    with qtbot.waitSignal(interventions.released):
        interventions.release()
    assert interventions.changes[0].factor == -0.5
    interventions.undo()
    assert interventions.changes[0].factor == 1.0


def test_a_drag_that_changes_nothing_is_no_step(interventions: Interventions) -> None:
    interventions.add(OFF)
    interventions.hold()
    interventions.release()
    interventions.undo()
    assert interventions.recipe.is_empty


def test_nothing_is_told_where_nothing_changes(interventions: Interventions, qtbot: QtBot) -> None:
    interventions.add(OFF)
    with qtbot.assertNotEmitted(interventions.changed):
        interventions.add(OFF)
        interventions.put_recipe(interventions.recipe)


def test_pictures_are_kept_apart_and_forgotten_when_they_are_closed(interventions: Interventions) -> None:
    interventions.retouch("cat", (BOX,))
    interventions.retouch("dog", (BOX, replace(BOX, fill="black")))
    assert interventions.recipe.of_picture("dog")[1].fill == "black"
    interventions.forget_pictures({"cat"})
    assert [key for key, _ in interventions.recipe.retouched] == ["dog"]
    interventions.retouch("dog", ())
    assert interventions.recipe == Recipe()


def test_all_can_be_switched_off_and_stay_in_the_chain(interventions: Interventions) -> None:
    interventions.add(OFF)
    interventions.retouch("cat", (BOX,))
    interventions.switch_all_off()
    assert not interventions.changes[0].enabled
    assert not interventions.recipe.of_picture("cat")[0].enabled
