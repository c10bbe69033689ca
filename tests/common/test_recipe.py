"""Recipe files: what is written is read again, and anything else is one sentence."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.limits import LARGEST_RECIPE_BYTES
from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.recipe import Recipe, read_recipe, write_recipe

REGIONS = st.builds(
    lambda top, left, height, width: Region(top, left, top + height, left + width),
    *[st.integers(0, 60)] * 2,
    *[st.integers(1, 60)] * 2,
)
CHANGES = st.builds(
    Change,
    node=st.sampled_from(["stem", "stage2.block1.act", "head.norm"]),
    effect=st.sampled_from(["off", "mean", "picture mean", "factor"]),
    channels=st.lists(st.integers(0, 5000), max_size=4).map(tuple),
    region=st.none() | REGIONS,
    branch=st.booleans(),
    factor=st.floats(-2, 2),
    enabled=st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(changes=st.lists(CHANGES, max_size=5).map(tuple))
def test_what_is_written_is_read_again(tmp_path: Path, changes: tuple[Change, ...]) -> None:
    write_recipe(tmp_path / "recipe.json", changes)
    assert read_recipe(tmp_path / "recipe.json") == Recipe(changes)


def test_pictures_are_found_beside_the_recipe(tmp_path: Path) -> None:
    inside, outside = tmp_path / "a" / "cat.jpg", tmp_path / "dog.jpg"
    changes = tuple(
        Change(node="stage1", effect="patch", picture=str(picture))
        for picture in (inside, outside, "sample:cat")
    )
    (tmp_path / "a").mkdir()
    write_recipe(tmp_path / "a" / "recipe.json", changes)
    (tmp_path / "a").rename(tmp_path / "b")
    read = [change.picture for change in read_recipe(tmp_path / "b" / "recipe.json").changes]
    assert read == [str(tmp_path / "b" / "cat.jpg"), str(outside), "sample:cat"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON|wrong kind"),
        (b"{}", "missing"),
        (b'{"format": "convnext-studio recipe", "version": 1}', "missing"),
        (b'{"format": "convnext-studio recipe", "version": 2, "changes": []}', "newer version"),
        (b'{"format": "convnext-studio recipe", "version": 1, "changes": [{"node": 3}]}', "wrong kind"),
        (
            b'{"format": "convnext-studio recipe", "version": 1, "changes":'
            b' [{"node": "stem", "effect": "factor", "factor": 1e9}]}',
            "not between",
        ),
        (b" " * (LARGEST_RECIPE_BYTES + 1), "too large"),
    ],
)
def test_what_is_no_recipe_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "recipe.json").write_bytes(content)
    with pytest.raises(StudioError, match=message):
        read_recipe(tmp_path / "recipe.json")


def test_names_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="cannot be read"):
        read_recipe(tmp_path / "missing.json")
    with pytest.raises(StudioError, match="cannot be saved as"):
        write_recipe(tmp_path / "recipe.txt", ())
