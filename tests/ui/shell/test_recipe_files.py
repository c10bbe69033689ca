"""Recipes in the window: saved with paths, opened with keys, and copied as a script that gives the same."""

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.recipe import Recipe, read_recipe, write_recipe
from convnext_studio.common.retouches import Cells, Retouch, Stroke
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.shell.recipe_files import RecipeFiles, with_keys, with_paths
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.python_text import OpenedNetwork, OpenedPicture, PythonLines, script
from tests.ui.conftest import FakeEngine, answer_listing, make_image, make_model

PICTURES = (
    ListedPicture("one", "one.png", "/pictures/one.png"),
    ListedPicture("two", "two", "sample:cat"),
    ListedPicture("pasted", "Pasted picture 1", ""),
)
BOX = Retouch(rectangle=(1.0, 2.0, 30.0, 40.0), fill="paste", picture="two")
RECIPE = Recipe(
    (Change(node="stage1"), Change(node="stage2", effect="patch", picture="one")),
    (("one", (BOX,)),),
)


def test_pictures_are_named_by_paths_in_files_and_by_keys_in_the_window() -> None:
    saved = with_paths(RECIPE, PICTURES)
    assert saved.changes[1].picture == "/pictures/one.png"
    assert saved.retouched[0][0] == "/pictures/one.png"
    assert saved.retouched[0][1][0].picture == "sample:cat"
    assert with_keys(saved, PICTURES) == RECIPE
    left = with_keys(saved, PICTURES[1:])
    assert left == Recipe(RECIPE.changes[:1]), "what concerns pictures that are not open is left out"
    pasted = Recipe((Change(node="stage1", effect="patch", picture="pasted"),), (("pasted", (BOX,)),))
    assert with_paths(pasted, PICTURES).is_empty


def test_a_recipe_file_keeps_everything(tmp_path: Path) -> None:
    cells = Cells(box=(0.0, 0.5, 9.0, 9.0), rows=2, columns=3, bits=b"\xa8")
    stroke = Stroke(points=((1.0, 2.0), (3.5, 4.0)), diameter=5.0)
    made = (Retouch(strokes=(stroke,), inverted=True), Retouch(cells=cells, fill="noise", enabled=False), BOX)
    recipe = with_paths(Recipe(RECIPE.changes, (("one", made),)), PICTURES)
    write_recipe(tmp_path / "recipe.json", recipe)
    assert read_recipe(tmp_path / "recipe.json") == recipe


@pytest.fixture
def files(state: AppState, bridge: EngineBridge, controller: Controller) -> RecipeFiles:
    state.set_model(make_model())
    state.opened.add(make_image("one"))
    return RecipeFiles(state, bridge, controller)


def test_a_recipe_is_saved_and_opened_again(
    files: RecipeFiles,
    state: AppState,
    engine: FakeEngine,
    controller: Controller,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    state.opened.add(make_image("two"), select=False)
    state.interventions.put_recipe(RECIPE)
    with qtbot.waitSignal(files.noticed) as told:
        files.save(tmp_path / "recipe.json")
    assert told.args is not None
    assert told.args[0].path == str(tmp_path / "recipe.json")
    state.interventions.clear()
    files.open(tmp_path / "recipe.json")
    qtbot.waitUntil(lambda: not controller.background.is_busy)
    qtbot.wait(1)
    answer_listing(engine, make_image("one"), make_image("two"))
    assert state.interventions.recipe == RECIPE


def test_what_is_no_recipe_is_told(files: RecipeFiles, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with qtbot.waitSignal(files.noticed) as told:
        files.open(tmp_path / "recipe.json")
    assert told.args is not None
    assert "is not a recipe" in told.args[0].message


def test_the_script_of_a_recipe_gives_what_the_window_shows() -> None:
    engine = Dispatcher()
    model = engine.run(LoadModel(source="bundled", device="cpu"))
    assert isinstance(model, ModelInfo)
    cat, coffee = (engine.run(OpenImage(path=f"sample:{name}")) for name in ("cat", "coffee"))
    assert isinstance(cat, ImageInfo)
    assert isinstance(coffee, ImageInfo)
    stroke = Stroke(points=((50.0, 60.0), (200.0, 100.0)), diameter=50.0)
    recipe = Recipe(
        (
            Change(node="stage3.block2", branch=True),
            Change(node="stage2", channels=(3, 4), effect="factor", factor=-0.5, region=Region(0, 1, 5, 9)),
            Change(node="stage4", channels=(2,), effect="patch", picture=coffee.key),
            Change(node="stage1", enabled=False),
        ),
        ((cat.key, (Retouch(strokes=(stroke,), fill="blur"), Retouch(rectangle=(9.0, 9.0, 40.0, 40.0)))),),
    )
    applied = recipe.applied
    engine.run(Intervene(network="B", changes=applied.changes, retouched=applied.retouched))
    shown = engine.run(Predict(image=cat.key, network="B"))
    assert isinstance(shown, Prediction)
    listed = {each.key: OpenedPicture(each.listed) for each in (cat, coffee)}
    lines = PythonLines(("values = picture.predictions.probabilities",), (cat.key,), network="B")
    text = script(lines, OpenedNetwork(model), listed.get, OpenedNetwork(model, recipe=applied))
    assert "stage1" not in text
    scope: dict[str, object] = {}
    exec(compile(text, "script", "exec"), scope)
    np.testing.assert_array_equal(np.asarray(scope["values"]), shown.probabilities)
