"""Copy as Python: the text of every view, run in a fresh process, gives the same arrays bit for bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from convnext_studio.common.value_terms import LOGITS, ValuePlace
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.attributions import (
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainEach,
    ExplainedEach,
    ExplainSeveral,
    MeasureFaithfulness,
    Sanity,
)
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import BUILT, LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.protocol.similarity import Components, MeasureNorms
from convnext_studio.protocol.value_sums import AskedValue, MapValue
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.number.number_panel import NumberPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.python_text import OpenedNetwork, OpenedPicture, PythonLines, lines_of, script
from tests.ui.answered_desk import LOADED, AnsweredDesk, Arrays, Views, assert_scripts_give_arrays


def maps(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    state.set_node("stage2.block1")
    state.set_channel(3)
    panel = FeatureMapsPanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    state.pin_selection()
    state.set_node("stage1")
    engine.settle(panel)
    panel.tabs.setCurrentWidget(panel.numbers)
    engine.settle(panel)
    return {
        "mosaic": engine.of_view(panel.mosaic_map),
        "channel": engine.of_view(panel.channel_map),
        "pinned": engine.of_view(panel.pinned.map),
        "kernel": engine.of_view(panel.numbers.kernel_map),
    }


def picture(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    panel = PicturePanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    assert state.picture is not None
    bare = engine.script(panel.python), state.picture.preview
    state.set_node("stage3")
    state.set_unit(2, 1)
    engine.settle(panel)
    return {"picture": bare, "unit": engine.of_view(panel.map)}


def receptive_field(engine: AnsweredDesk) -> Views:
    panel = ReceptiveFieldPanel(engine.desk.state, engine.desk.bridge)
    engine.desk.state.set_node("stage2")
    panel.fields.count.setValue(3)
    engine.show(panel)
    engine.settle(panel)
    return {"field": engine.of_view(panel.map)}


def attribution(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    panel = AttributionPanel(state, engine.desk.bridge)
    engine.show(panel)
    found: Views = {}
    second = 5
    for name, explaining in {
        "one stage": Explain(image="", method="gradcam", nodes=("stage3",)),
        "all stages": Explain(image="", method="layercam", nodes=engine.model.config.stages),
        "average": Explain(image="", method="hirescam", nodes=("stage3", "stage4"), average=True),
        "probability": Explain(image="", method="gradcam++", nodes=("stage4",), output="probability"),
        "difference": Explain(
            image="", method="xgradcam", nodes=("stage4",), output="difference", against=second
        ),
        "noise": Explain(image="", method="smoothgrad", parameters=(("samples", 3), ("seed", 4))),
    }.items():
        state.set_target(2)
        state.attributions.set_explaining(explaining)
        engine.settle(panel)
        shown = [cell.map for cell in panel.figure.cells if cell.map.isVisible()]
        assert shown, name
        for number, view in enumerate(shown):
            found[f"{name} {number}"] = engine.of_view(view)
    return found


def panels(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    predictions = PredictionsPanel(state, engine.desk.bridge)
    assert state.prediction is not None
    number = NumberPanel(state, engine.desk.bridge)
    engine.show(number)
    state.views.ask_value(AskedValue(ValuePlace(LOGITS, 4)))
    engine.settle(number)
    assert number.painting is not None
    terms = number.painting.made.terms
    of_logit = engine.script(number.python)
    question = Explain(image=engine.image, method="gradcam", nodes=("stage3",), target=2, output="probability")
    state.views.ask_value(AskedValue(MapValue(question=question, node="stage3", y=2, x=3)))
    engine.settle(number)
    wall = ContactSheetPanel(state, engine.desk.bridge)
    state.set_target(None)
    wall.of.setCurrentIndex(wall.of.findData("pictures"))
    engine.show(wall)
    engine.settle(wall)
    shown = [next(iter(each.maps.values())) for each in wall.explanations]
    return {
        "predictions": (engine.script(predictions.python), state.prediction.probabilities),
        "number": (of_logit, terms),
        "number of a map": (engine.script(number.python), number.painting.made.terms),
        "pictures": (engine.script(wall.python), shown),
    }


def requests(engine: AnsweredDesk) -> Views:
    """What panels ask in a way that is long to reach by hand: the request leads to the lines directly."""
    question = Explain(image=engine.image, method="gradcam", nodes=("stage4",), target=2)
    quick = (("window", 64), ("stride", 64))

    def asked(request: Request, array: Callable[..., Arrays]) -> tuple[str, Arrays]:
        answer = engine.dispatcher.run(request)
        return engine.script(lines_of(request, engine.model)), array(answer)

    def sanity_maps(answer: Sanity) -> Arrays:
        return [step.map for step in answer.steps]

    def wall_maps(answer: ExplainedEach) -> Arrays:
        return [next(iter(each.maps.values())) for _, each in answer.explanations]

    return {
        "curves": asked(
            MeasureFaithfulness(question=question, steps=4, orders=1, fill="mean"),
            lambda answer: answer.of_map.insertion,
        ),
        "sanity": asked(CheckSanity(question=question, seed=3), sanity_maps),
        "agreement": asked(
            CompareMethods(image=engine.image, methods=("gradcam", "saliency"), node="stage3", target=1),
            lambda answer: answer.matrix,
        ),
        "methods": asked(
            ExplainEach(
                questions=(
                    question,
                    replace(question, method="saliency", nodes=()),
                    replace(question, method="occlusion", nodes=(), parameters=quick),
                )
            ),
            wall_maps,
        ),
        "several": asked(
            ExplainSeveral(images=(engine.image,), question=replace(question, image="")),
            lambda answer: [next(iter(each.maps.values())) for each in answer.explanations],
        ),
        "norms": asked(MeasureNorms(image=engine.image, node="stage3"), lambda answer: answer.norms),
        "components": asked(
            Components(image=engine.image, node="stage3", count=3), lambda answer: answer.scores.maps
        ),
        "framed": asked(
            FeatureMaps(image=framed(engine.image, Framing(kind="whole", input_px=80)), node="stage2"),
            lambda answer: answer.maps,
        ),
        "box": asked(
            replace(question, image=framed(engine.image, Framing(box=(40, 20, 200, 180)))),
            lambda answer: answer.maps["stage4"],
        ),
        "one picture's field": asked(
            ReceptiveField(node="stage3", images=(engine.image,), count=1, framing="own", protocol="absolute"),
            lambda answer: answer.field_map,
        ),
        "the score's field": asked(
            ReceptiveField(node="stage4", images=(engine.image,), count=1, framing="own", target=0),
            lambda answer: answer.field_map,
        ),
        "field of noise": asked(
            ReceptiveField(node="stage2", inputs="noise", count=2, protocol="luo", seed=7, input_px=64),
            lambda answer: answer.field_map,
        ),
    }


def test_the_text_of_every_view_gives_its_arrays_in_a_fresh_process(qtbot: QtBot, tmp_path: Path) -> None:
    views: Views = {}
    for gather in (maps, picture, receptive_field, attribution, panels, requests):
        views |= gather(AnsweredDesk(qtbot))
    assert_scripts_give_arrays(views, tmp_path)


def test_a_built_network_is_built_again() -> None:
    config = ConvNeXtConfig(depths=(1,), dims=(8,), num_classes=3)
    request = LoadModel(source=BUILT, config=config, seed=5, input_px=64, device="cpu")
    model = Dispatcher().run(request)
    assert isinstance(model, ModelInfo)
    text = script(
        PythonLines(("values = explorer.kernel('stage1', 2)",)),
        OpenedNetwork(model, request),
        lambda _key: None,
    )
    assert "config=ConvNeXtConfig(num_classes=3, depths=(1,), dims=(8,))" in text
    assert "seed=5" in text
    assert "# random weights" in text
    scope: dict[str, NDArray[np.float32]] = {}
    exec(compile(text, "copied", "exec"), scope)
    assert scope["values"].shape == (7, 7)


def test_the_frame_and_bands_of_a_file_are_said() -> None:
    model = Dispatcher().run(LOADED)
    assert isinstance(model, ModelInfo)
    opened = OpenedPicture(ListedPicture("key", "a.tif", "/a.tif"), PictureView(frame=2, bands=(3, 1, 0)))
    image = framed("key", Framing(kind="native"))
    text = script(PythonLines(("values = 1",), (image,)), OpenedNetwork(model, LOADED), lambda _key: opened)
    assert "import PictureView" in text
    assert "explorer.open('/a.tif', framing='native', view=PictureView(frame=2, bands=(3, 1, 0)))" in text


def test_pictures_without_a_file_are_said_to_have_none(qtbot: QtBot) -> None:
    engine = AnsweredDesk(qtbot)
    pasted = ListedPicture("key", "pasted.png", "")
    python = PythonLines(("values = 1",), ("key",))
    network = OpenedNetwork(engine.model, LOADED)
    assert "pasted; save it" in script(python, network, lambda _key: OpenedPicture(pasted))
    assert "was closed" in script(python, network, lambda _key: None)


@pytest.mark.parametrize("id_", ["copy_python"])
def test_the_action_copies_the_panel_with_the_keyboard(filled_window: StudioWindow, id_: str) -> None:
    filled_window.activateWindow()
    filled_window.panels.predictions.search.setFocus()
    QGuiApplication.clipboard().clear()
    filled_window.actions_by_id[id_].trigger()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("from convnext_studio import Explorer")
    assert "predictions.probabilities" in text or "values = " in text
