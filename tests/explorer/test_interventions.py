"""Changes inside a network, from Python."""

from pathlib import Path

import numpy as np
import pytest

from convnext_studio import Explorer
from convnext_studio.common.recipe import write_recipe
from convnext_studio.explorer import Change, Picture, Region


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer("bundled", device="cpu")


@pytest.fixture(scope="module")
def picture(explorer: Explorer) -> Picture:
    return explorer.open("sample:cat")


def test_maps_and_predictions_follow_and_the_first_network_does_not(
    explorer: Explorer, picture: Picture
) -> None:
    before = picture.maps("stage2").values
    changed = explorer.with_interventions([Change(node="stage2", channels=(3,), region=Region(1, 2, 4, 9))])
    after = changed.open("sample:cat").maps("stage2").values
    expected = before.copy()
    expected[3, 1:4, 2:9] = 0
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(picture.maps("stage2").values, before)
    assert "1 change" in changed.model.title


def test_changes_of_a_changed_network_add_up(explorer: Explorer, picture: Picture) -> None:
    first, second = Change(node="stage1", channels=(0,)), Change(node="stage3", effect="mean")
    at_once = explorer.with_interventions([first, second])
    step_by_step = explorer.with_interventions([first]).with_interventions([second])
    logits = [each.open("sample:cat").predictions.logits for each in (at_once, step_by_step)]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert not np.allclose(logits[0], picture.predictions.logits)


def test_a_recipe_is_replayed(explorer: Explorer, tmp_path: Path) -> None:
    change = Change(node="stage2", effect="patch", picture="sample:coffee")
    write_recipe(tmp_path / "recipe.json", (change,))
    changed = explorer.with_interventions(tmp_path / "recipe.json")
    coffee = explorer.open("sample:coffee")
    np.testing.assert_allclose(
        changed.open("sample:cat").predictions.logits, coffee.predictions.logits, rtol=0, atol=1e-5
    )


def test_it_is_compared_with_the_unchanged_network(explorer: Explorer, picture: Picture) -> None:
    changed = explorer.with_interventions(
        [Change(node="stage4", effect="picture mean")], pictures=[picture, explorer.open("sample:coffee")]
    )
    comparison = explorer.compare(changed)
    maps = comparison.maps(picture, "stage4")
    assert np.ptp(maps.b.values, axis=(1, 2)).max() == 0
    np.testing.assert_array_equal(maps.difference, maps.a.values - maps.b.values)
