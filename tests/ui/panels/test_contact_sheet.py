"""The contact sheet asks one question of all opened pictures, shows each answer, and leads to its picture."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.attributions import Explain, ExplainSeveral, Explanation, Explanations
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ListedPicture, Thumbnail, ThumbnailPixels
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render import Shading, lut
from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel
from convnext_studio.ui.panels.contact_sheet.wall_subject import MOST
from convnext_studio.ui.panels.contact_sheet.wall_tiles import map_on_picture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine, make_geometry, make_image, make_model, make_prediction
from tests.ui.desk import Desk, explanation_with, picture, prediction


@pytest.fixture
def desk(desk: Desk) -> Desk:
    for key in ("cat", "dog"):
        desk.state.opened.add(picture(key))
    desk.state.attributions.set_explaining(Explain(image="", nodes=("stage4",)))
    return desk


@pytest.fixture
def panel(desk: Desk) -> ContactSheetPanel:
    panel = ContactSheetPanel(desk.state, desk.bridge)
    desk.show(panel, 480, 400)
    return panel


def explanation(desk: Desk, image: str, target: int = 0, sign: float = 1.0) -> Explanation:
    assert desk.state.model is not None
    node = desk.state.model.node("stage4")
    maps = {"stage4": sign * np.array([[1, 2], [3, 4]], dtype=np.float32)}
    return explanation_with(image=image, maps=maps, fields={"stage4": node.field}, target=target)


def test_one_question_is_asked_of_all_pictures(desk: Desk, panel: ContactSheetPanel) -> None:
    [question] = desk.asked
    assert isinstance(question, ExplainSeveral)
    assert question.images == ("cat", "dog")
    assert question.question == Explain(image="", nodes=("stage4",))  # Of each picture its first class.
    assert panel.tiles.count() == 2
    assert not panel.is_settled
    assert not panel.save.isEnabled()


def test_all_stages_become_the_selected_one(desk: Desk, panel: ContactSheetPanel) -> None:
    desk.state.set_node("stage2")
    desk.state.attributions.set_explaining(
        replace(desk.state.attributions.explaining, nodes=("stage1", "stage2", "stage3", "stage4"))
    )
    desk.qtbot.waitUntil(lambda: len(desk.asked) == 2)
    question = desk.asked[-1]
    assert isinstance(question, ExplainSeveral)
    assert question.question.nodes == ("stage2",)
    assert panel.query.is_running


def test_each_picture_gets_its_map_class_and_probability(desk: Desk, panel: ContactSheetPanel) -> None:
    desk.progress(1, 2, Explanations(explanations=(explanation(desk, "cat"),)))
    desk.qtbot.waitUntil(lambda: "tabby cat" in panel.tiles.text_of("cat"))
    assert panel.tiles.text_of("dog").splitlines()[1:] == ["…"]
    asked = desk.asked[-1]
    assert isinstance(asked, Predict)
    assert asked.image == "cat"
    desk.answer(replace(prediction(desk), image="cat"))
    assert panel.tiles.text_of("cat").splitlines() == ["cat.png", "tabby cat", "86.0 %"]
    whole = Explanations(
        explanations=(explanation(desk, "cat"),), failures=(("dog", "The picture is too small."),)
    )
    desk.answer(whole, 1)
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert panel.tiles.text_of("dog").splitlines()[1] == "The picture is too small."
    assert "1 could not be explained" in panel.caption
    assert panel.save.isEnabled()


def test_a_map_without_positive_values_is_told(desk: Desk, panel: ContactSheetPanel) -> None:
    desk.answer(Explanations(explanations=(explanation(desk, "cat", sign=-1.0),)))
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert lines_about_cat(desk, panel)[-1].startswith("No value is positive")


def lines_about_cat(desk: Desk, panel: ContactSheetPanel) -> list[str]:
    assert desk.state.model is not None
    return panel.maps.lines_about("cat", desk.state.model)


def test_the_legend_says_whose_scale_it_is(desk: Desk, panel: ContactSheetPanel) -> None:
    assert panel.bar.scale is None
    desk.progress(1, 2, Explanations(explanations=(explanation(desk, "cat"),)))
    desk.qtbot.waitUntil(lambda: panel.bar.scale is not None)
    assert [text for _, text in panel.bar.labels()] == ["0", "max"]
    panel.look.part.choose("signed")
    desk.qtbot.waitUntil(lambda: [text for _, text in panel.bar.labels()] == ["-max", "max"])
    assert "each on its own scale" in panel.caption
    chosen = panel.look.range
    chosen.kind.setCurrentIndex(chosen.kind.findText("By hand"))
    chosen.low.setText("-2")
    chosen.high.setText("2")
    chosen.high.editingFinished.emit()
    desk.qtbot.waitUntil(lambda: panel.bar.labels()[-1][1] == "2.00")
    assert panel.bar.scale is not None
    assert (panel.bar.scale.clipping.below, panel.bar.scale.clipping.above) == (
        False,
        True,
    )  # 4 is the largest.
    assert "one scale for all" in panel.caption


def test_a_click_selects_the_picture_and_the_current_one_is_marked(
    desk: Desk, panel: ContactSheetPanel
) -> None:
    desk.answer(Explanations(explanations=(explanation(desk, "cat"), explanation(desk, "dog"))))
    assert panel.tiles.currentRow() == 1
    panel.tiles.setCurrentRow(0)
    assert desk.state.picture is not None
    assert desk.state.picture.key == "cat"
    desk.state.opened.select("dog")
    assert panel.tiles.currentRow() == 1


def test_the_map_lies_where_the_network_looked(desk: Desk) -> None:
    """At (28, 8) in 120 × 80; the thumbnail is half as large: units of 16 px from (14, 4)."""
    small = np.full((40, 60, 3), 100, dtype=np.uint8)
    shading = Shading("signed", "vik", smooth=False, opacity=1.0)
    colours = map_on_picture(small, explanation(desk, "cat"), shading)
    assert tuple(colours[2, 14]) == tuple(colours[4, 12]) == (100, 100, 100)
    # Beside the lines of the grid, the value 1 of 4, and the largest one.
    mixed = [100 + 0.25 * (int(part) - 100) for part in lut("vik")[int(256 * (1 + 4) / 8)]]
    for y, x in ((6, 16), (18, 28)):
        assert colours[y, x] == pytest.approx(mixed, abs=1)
    assert tuple(colours[34, 44]) == tuple(lut("vik")[255])


def test_another_picture_asks_anew_and_another_model_voids_the_classes(
    desk: Desk, panel: ContactSheetPanel
) -> None:
    desk.answer(Explanations(explanations=(explanation(desk, "cat"), explanation(desk, "dog"))))
    desk.state.opened.add(picture("owl"))
    assert not panel.tiles.isEnabled()
    desk.qtbot.waitUntil(lambda: isinstance(desk.asked[-1], ExplainSeveral))
    question = desk.asked[-1]
    assert isinstance(question, ExplainSeveral)
    assert question.images == ("cat", "dog", "owl")
    assert panel.tiles.count() == 3
    assert panel.explanations == ()


def test_thousands_of_pictures_make_a_sheet_of_the_first_and_the_current_one_stays(desk: Desk) -> None:
    desk.state.opened.list_pictures(ListedPicture(str(row), f"{row}.png", f"/{row}.png") for row in range(2000))
    current = picture("late")
    desk.state.opened.add(current)
    panel = ContactSheetPanel(desk.state, desk.bridge)
    desk.show(panel, 480, 400)
    [question] = [request for request in desk.asked if isinstance(request, ExplainSeveral)]
    assert len(question.images) == panel.tiles.count() == MOST
    assert f"the first of {len(desk.state.opened.all):,}" in panel.caption
    panel.tiles.setFocus()
    QApplication.processEvents()
    assert desk.state.picture is current
    assert not any(isinstance(request, Thumbnail) for request in desk.asked)
    desk.tell(
        Progress(
            id=question.id,
            done=1,
            total=MOST,
            text="",
            partial=Explanations(explanations=(explanation(desk, "0"),)),
        )
    )
    desk.qtbot.waitUntil(lambda: any(isinstance(request, Thumbnail) for request in desk.asked))
    [thumbnail] = [request for request in desk.asked if isinstance(request, Thumbnail)]
    assert thumbnail.image == "0"
    pixels = np.full((20, 30, 3), 9, np.uint8)
    desk.answer(ThumbnailPixels(image="0", pixels=pixels), thumbnail.id)
    desk.qtbot.waitUntil(lambda: "tabby cat" in panel.tiles.text_of("0"))


# ------------------------------------------------------------------------------------------------------ files


@pytest.fixture
def explained(state: AppState, controller: Controller, engine: FakeEngine) -> Explanation:
    """A picture with its prediction, and an attribution of it that is shown."""
    controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[0], make_model())
    state.opened.add(make_image())
    made: Prediction = make_prediction()
    engine.answer(engine.open(Predict)[0], made)
    cam = made.cams["stage3"]
    answer = Explanation(
        image="one",
        method="layercam",
        nodes=("stage3",),
        maps={"stage3": cam},
        target_maps={},
        against_maps={},
        fields={"stage3": make_model().node("stage3").field},
        target=3,
        against=None,
        output="logit",
        score=1.5,
        parameters={},
        delta=None,
        notes=(),
        geometry=make_geometry(),
        random_weights=False,
        seconds=0.1,
    )
    state.attributions.set_explanation(
        Explain(image="one", method="layercam", nodes=("stage3",), target=3), answer
    )
    return answer


def test_the_map_that_is_shown_is_saved_with_its_numbers(
    controller: Controller, explained: Explanation, tmp_path: Path, qtbot: QtBot
) -> None:
    notices: list[Notice] = []
    controller.noticed.connect(notices.append)
    controller.exporter.export_map(tmp_path)
    qtbot.waitUntil(lambda: bool(notices))
    assert notices[0].good
    np.testing.assert_array_equal(np.load(tmp_path / "one" / "layercam.npy"), explained.maps["stage3"])
    assert (tmp_path / "one" / "layercam.json").is_file()
    with Image.open(tmp_path / "one" / "layercam.png") as figure:
        assert figure.format == "PNG"


def test_without_a_map_nothing_is_saved(controller: Controller, tmp_path: Path) -> None:
    notices: list[Notice] = []
    controller.noticed.connect(notices.append)
    controller.exporter.export_map(tmp_path)
    assert "no map" in notices[0].text
    assert list(tmp_path.iterdir()) == []


def test_the_contact_sheet_is_saved_as_a_picture(
    controller: Controller, explained: Explanation, tmp_path: Path, qtbot: QtBot
) -> None:
    notices: list[Notice] = []
    controller.noticed.connect(notices.append)
    controller.exporter.export_sheet(tmp_path / "sheet.png", (explained,))
    qtbot.waitUntil(lambda: bool(notices))
    assert notices[0].good
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"


def test_what_the_maps_are_of_is_told_in_full(desk: Desk, panel: ContactSheetPanel) -> None:
    desk.state.attributions.set_explaining(
        Explain(image="", nodes=("stage3", "stage4"), average=True, output="probability", target=0)
    )
    desk.qtbot.waitUntil(lambda: not panel.query.is_scheduled)
    desk.answer(Explanations(explanations=()))
    assert "for the probability of the top class of each picture" in panel.caption
    assert "at the average of stage 3, stage 4" in panel.caption


def test_a_contact_sheet_that_is_stopped_says_so_once(
    controller: Controller, state: AppState, engine: FakeEngine, explained: Explanation, tmp_path: Path
) -> None:
    """Its other pictures have to be decoded first."""
    notices: list[Notice] = []
    controller.noticed.connect(notices.append)
    names = ("two", "three")
    state.opened.list_pictures(ListedPicture(name, f"{name}.png", f"/{name}.png") for name in names)
    sheet = (explained, *(replace(explained, image=name) for name in names))
    controller.exporter.export_sheet(tmp_path / "sheet.png", sheet)
    assert len(engine.open(Thumbnail)) == 2
    controller.exporter._bridge.cancel_all()
    assert [notice.message for notice in notices] == ["The wall of maps was cancelled. Nothing was written."]
    assert list(tmp_path.iterdir()) == []
