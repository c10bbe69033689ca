"""Copy as Python of two networks: B, differences and curtains, run in a fresh process, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.recipe import Recipe
from convnext_studio.protocol.attributions import CompareMethods, Explain, MeasureFaithfulness
from convnext_studio.protocol.comparison import CompareNodes, NodeSimilarity
from convnext_studio.protocol.counterparts import counterpart
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
from convnext_studio.ui.panels.python_of_two import lines_of_two
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.state.selection.two_answers import SHOWN, Shown
from tests.ui.answered_desk import AnsweredDesk, Arrays, Views, assert_scripts_give_arrays

SAME = LoadModel(source="bundled", untrained=True, seed=3, device="cpu")
OTHER = LoadModel(source="preset:convnextv2_atto", seed=1, device="cpu")
"""Another architecture, with another input size, whose units lie elsewhere in the picture."""
OF_TWO: tuple[Shown, ...] = SHOWN[1:]


def maps(engine: AnsweredDesk, _shown: Shown) -> Views:
    state = engine.desk.state
    state.set_node("stage2")
    state.set_channel(3)
    panel = FeatureMapsPanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    return {"mosaic": engine.of_view(panel.mosaic_map), "channel": engine.of_view(panel.channel_map)}


def unit(engine: AnsweredDesk, _shown: Shown) -> Views:
    state = engine.desk.state
    state.set_node("stage3")
    state.set_unit(2, 1)
    panel = PicturePanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    return {"unit": engine.of_view(panel.map)}


def receptive_field(engine: AnsweredDesk, _shown: Shown) -> Views:
    state = engine.desk.state
    state.set_node("stage2")
    panel = ReceptiveFieldPanel(state, engine.desk.bridge)
    panel.fields.count.setValue(2)
    engine.show(panel)
    engine.settle(panel)
    return {"field": engine.of_view(panel.map)}


def attribution(engine: AnsweredDesk, _shown: Shown) -> Views:
    state = engine.desk.state
    panel = AttributionPanel(state, engine.desk.bridge)
    engine.show(panel)
    found: Views = {}
    for name, explaining in {
        "one stage": Explain(image="", method="gradcam", nodes=("stage3",)),
        "stages": Explain(image="", method="layercam", nodes=("stage2", "stage3")),
        "average": Explain(image="", method="hirescam", nodes=("stage3", "stage4"), average=True),
        "and not": Explain(image="", method="gradcam", nodes=("stage3",), output="difference", against=1),
        "pixels": Explain(image="", method="saliency", output="probability"),
    }.items():
        state.set_target(2)
        state.attributions.set_explaining(explaining)
        engine.settle(panel)
        for number, cell in enumerate(cell for cell in panel.figure.cells if cell.map.isVisible()):
            found[f"{name} {number}"] = engine.of_view(cell.map)
    assert {"and not 0", "and not 1", "and not 2"} <= set(found)  # Both classes, and their difference.
    return found


def predictions(engine: AnsweredDesk, shown: Shown) -> Views:
    state = engine.desk.state
    panel = PredictionsPanel(state, engine.desk.bridge)
    a, b, classes = state.prediction, state.second.prediction, state.second.classes
    assert a is not None
    assert b is not None
    assert classes is not None
    pairs = np.array(classes.pairs)
    values: dict[Shown, Arrays] = {
        "second": b.probabilities,
        "difference": a.probabilities[pairs[:, 0]] - b.probabilities[pairs[:, 1]],
        "curtain": [a.probabilities, b.probabilities],
    }
    return {"predictions": (engine.script(panel.python), values[shown])}


def requests(engine: AnsweredDesk, shown: Shown) -> Views:
    """What is long to reach by hand: the request leads to the lines directly."""
    pair = engine.desk.state.second.pair
    assert pair is not None
    question = Explain(image=engine.image, method="gradcam", nodes=("stage4",), target=2)
    found: Views = {}
    asked: dict[str, tuple[Request, str]] = {
        "curves": (MeasureFaithfulness(question=question, steps=4, orders=1, fill="mean"), "of_map.insertion"),
        "agreement": (
            CompareMethods(image=engine.image, methods=("gradcam", "saliency"), node="stage3", target=1),
            "matrix",
        ),
    }
    for name, (request, path) in asked.items():
        answers = [engine.dispatcher.run(each) for each in (request, counterpart(request, pair).request)]
        a, b = (_at(answer, path) for answer in answers)
        values: dict[Shown, Arrays] = {"second": b, "difference": a - b, "curtain": [a, b]}
        found[name] = (engine.script(lines_of_two(request, pair, shown)), values[shown])
    return found


def _at(answer: Payload, path: str) -> np.ndarray:
    found: object = answer
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.parametrize(
    "request_of_b",
    [
        pytest.param(SAME, id="same architecture", marks=pytest.mark.slow),
        pytest.param(OTHER, id="other architecture"),
    ],
)
def test_the_text_of_what_is_shown_of_two_gives_its_arrays(
    qtbot: QtBot, tmp_path: Path, request_of_b: LoadModel
) -> None:
    views: Views = {}
    is_same = request_of_b is SAME
    for shown in OF_TWO:
        engine = AnsweredDesk(qtbot)
        engine.open_second(request_of_b)
        engine.desk.state.second.choice.move_curtain(0.3)
        engine.desk.state.second.choice.choose(shown)
        # A class that B does not have cannot be explained in both.
        gathered = (maps, unit, receptive_field, attribution, predictions, requests)
        for gather in gathered if is_same else gathered[:3]:
            views |= {f"{shown} {name}": view for name, view in gather(engine, shown).items()}
    assert_scripts_give_arrays(views, tmp_path)


@pytest.mark.slow
def test_nodes_that_were_paired_by_hand_are_named(qtbot: QtBot, tmp_path: Path) -> None:
    engine = AnsweredDesk(qtbot)
    engine.open_second(SAME)
    second = engine.desk.state.second
    second.pair_nodes("stage2", "stage2.block1")
    second.choice.choose("difference")
    views = maps(engine, "difference")
    assert "node_b='stage2.block1'" in views["mosaic"][0]
    assert_scripts_give_arrays(views, tmp_path)


@pytest.mark.slow
def test_the_matrix_of_all_nodes(qtbot: QtBot, tmp_path: Path) -> None:
    engine = AnsweredDesk(qtbot)
    engine.open_second(SAME)
    for name in ("sample:rocket", "sample:astronaut"):
        engine.open_picture(name)
    images = tuple(picture.key for picture in engine.desk.state.opened.images)
    similarity = engine.dispatcher.run(CompareNodes(images=images))
    assert isinstance(similarity, NodeSimilarity)
    python = PythonLines(("values = comparison.cka(pictures).matrix",), images, compares=True)
    assert_scripts_give_arrays({"cka": (engine.script(python), similarity.matrix)}, tmp_path)


CHANGES = {
    "inside": Recipe(
        (
            Change(node="stage2.block1", channels=(1, 3)),
            Change(node="stage1", effect="factor", factor=1.5, region=Region(2, 2, 9, 7)),
        )
    ),
    "mean of the pictures": Recipe((Change(node="stage1", channels=(0, 2), effect="picture mean"),)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*CHANGES, "picture"])
def test_a_changed_network_is_changed_again(qtbot: QtBot, tmp_path: Path, kind: str) -> None:
    engine = AnsweredDesk(qtbot)
    views: Views = {}
    engine.change(CHANGES.get(kind, engine.painted))
    for shown in OF_TWO:
        engine.desk.state.second.choice.choose(shown)
        views |= {f"{shown} {name}": view for name, view in maps(engine, shown).items()}
    assert np.abs(views["difference mosaic"][1]).max() > 0.1
    assert_scripts_give_arrays(views, tmp_path)
