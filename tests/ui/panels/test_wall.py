"""The wall of maps: all methods on a picture, many classes, their times and their ranks."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from convnext_studio.common.attribution_methods import METHODS
from convnext_studio.protocol.attributions import (
    INPUT,
    Explain,
    ExplainEach,
    ExplainedEach,
    ExplainSeveral,
    Explanation,
    RankedMaps,
    RankMaps,
)
from convnext_studio.protocol.envelope import Done, Progress
from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel
from convnext_studio.ui.panels.contact_sheet.wall_tiles import seconds_text
from tests.ui.desk import Desk, explanation_with, picture, prediction
from tests.ui.features import asked


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.state.opened.add(picture("cat"))
    desk.state.set_prediction(replace(prediction(desk), image="cat"))
    desk.state.attributions.set_explaining(Explain(image="", nodes=("stage4",)))
    return desk


@pytest.fixture
def panel(desk: Desk) -> ContactSheetPanel:
    panel = ContactSheetPanel(desk.state, desk.bridge)
    desk.show(panel, 700, 600)
    return panel


def explanation(desk: Desk, question: Explain, seconds: float = 0.25) -> Explanation:
    assert desk.state.model is not None
    method = next(each for each in METHODS if each.name == question.method)
    name = INPUT if method.kind == "input" else question.nodes[0]
    field = desk.state.model.node("stem" if name == INPUT else name).field
    return explanation_with(
        method=method.name,
        nodes=question.nodes,
        maps={name: np.array([[1, 2], [3, 4]], dtype=np.float32)},
        fields={name: field},
        target=question.target or 0,
        seconds=seconds,
    )


def last(desk: Desk) -> ExplainEach:
    return asked(desk, ExplainEach)[-1]


def finish(desk: Desk, panel: ContactSheetPanel) -> ExplainEach:
    """Answer all questions of the wall."""
    request = last(desk)
    found = tuple((index, explanation(desk, each)) for index, each in enumerate(request.questions))
    desk.tell(Done(id=request.id, payload=ExplainedEach(explanations=found), seconds=1.0))
    desk.qtbot.waitUntil(lambda: panel.maps.is_settled)
    return request


def test_of_one_picture_all_methods_are_shown(desk: Desk, panel: ContactSheetPanel) -> None:
    assert panel.kind == "methods"
    questions = last(desk).questions
    assert [each.method for each in questions] == [method.name for method in METHODS]
    kinds = {method.name: method.kind for method in METHODS}
    assert all(each.nodes == (("stage4",) if kinds[each.method] == "cam" else ()) for each in questions)
    assert {each.image for each in questions} == {"cat"}
    assert panel.tiles.count() == len(METHODS)


def test_maps_come_one_by_one_with_their_times(desk: Desk, panel: ContactSheetPanel) -> None:
    request = last(desk)
    first = explanation(desk, request.questions[0], 0.012)
    long = explanation(desk, request.questions[10], 3.0)
    new = ExplainedEach(explanations=((0, first), (10, long)), unfinished=(10,))
    desk.tell(Progress(id=request.id, done=1, total=14, text="Map 2 of 14", partial=new))
    desk.qtbot.waitUntil(lambda: panel.maps.is_settled)
    assert panel.tiles.text_of("gradcam").splitlines()[:2] == ["Grad-CAM", "12 ms"]
    assert panel.tiles.text_of("smoothgrad").splitlines()[:2] == ["SmoothGrad", "…"]
    assert panel.tiles.text_of("occlusion").splitlines()[1] == "…"
    assert "2 of 14 methods" in panel.caption
    failed = ExplainedEach(failures=((12, "The window is larger than the input."),))
    desk.tell(Progress(id=request.id, done=2, total=14, text="", partial=failed))
    assert "larger" in panel.tiles.text_of("occlusion")
    assert "1 could not be explained" in panel.caption


def test_a_click_opens_a_method_large_and_asks_nothing_again(desk: Desk, panel: ContactSheetPanel) -> None:
    finish(desk, panel)
    opened: list[bool] = []
    panel.large_asked.connect(lambda: opened.append(True))
    count = len(asked(desk, ExplainEach))
    row = panel.tiles.order.index("layercam")
    place = panel.tiles.visualItemRect(panel.tiles.item(row)).center()
    QTest.mouseClick(panel.tiles.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert desk.state.attributions.explaining.method == "layercam"
    assert opened == [True]
    desk.qtbot.wait(300)
    assert len(asked(desk, ExplainEach)) == count
    assert panel.tiles.currentRow() == row


def test_methods_are_ranked_on_wish_with_their_scores(desk: Desk, panel: ContactSheetPanel) -> None:
    request = finish(desk, panel)
    assert not asked(desk, RankMaps)
    panel.rank.setCurrentIndex(panel.rank.findData("deletion"))
    ranking = asked(desk, RankMaps)[-1]
    assert ranking.by == "deletion"
    assert ranking.questions == request.questions
    scores = (*(0.5 - 0.01 * index for index in range(len(METHODS) - 1)), float("nan"))
    desk.tell(Done(id=ranking.id, payload=RankedMaps(by="deletion", scores=scores), seconds=1.0))
    names = [method.name for method in METHODS]
    assert panel.tiles.order == [*reversed(names[:-1]), names[-1]]
    assert panel.tiles.text_of("gradcam").splitlines()[1] == "deletion area 0.500"
    assert [each.method for each in panel.explanations] == panel.tiles.order
    panel.rank.setCurrentIndex(0)
    assert panel.tiles.order == names
    assert panel.tiles.text_of("gradcam").splitlines()[1] == "250 ms"


def test_the_likeliest_classes_are_explained_by_one_method(desk: Desk, panel: ContactSheetPanel) -> None:
    panel.of.setCurrentIndex(panel.of.findData("classes"))
    questions = last(desk).questions
    assert desk.state.prediction is not None
    top = desk.state.prediction.top(len(questions))
    assert tuple(each.target for each in questions) == tuple(top)
    assert {each.method for each in questions} == {"gradcam"}
    assert not panel.rank.isVisible()
    finish(desk, panel)
    panel.tiles.setCurrentRow(1)
    assert desk.state.target == top[1]
    panel.count.setValue(2)
    desk.qtbot.waitUntil(lambda: len(last(desk).questions) == 2)


def test_all_pictures_are_still_one_contact_sheet(desk: Desk, panel: ContactSheetPanel) -> None:
    panel.of.setCurrentIndex(panel.of.findData("pictures"))
    assert asked(desk, ExplainSeveral)[-1].images == ("cat",)


def test_where_a_map_of_a_node_means_nothing_the_methods_on_pixels_remain(
    desk: Desk, panel: ContactSheetPanel
) -> None:
    desk.state.attributions.set_explaining(Explain(image="", nodes=("stage1.block1.act",)))
    kinds = {method.name: method.kind for method in METHODS}
    desk.qtbot.waitUntil(lambda: {kinds[each.method] for each in last(desk).questions} == {"input"})
    assert panel.tiles.count() == sum(method.kind == "input" for method in METHODS)


def test_a_method_without_sign_and_pixels_keep_what_they_need_of_one_look(
    desk: Desk, panel: ContactSheetPanel
) -> None:
    finish(desk, panel)
    panel.look.part.choose("signed")
    found = {each.method: panel.maps.shading_of(each) for each in panel.explanations}
    assert found["gradcam"].part == "signed"
    assert found["saliency"].part == "positive"
    assert found["gradcam"].smooth
    assert not found["inputxgradient"].smooth
    assert found["inputxgradient"].percentile < 100 == found["gradcam"].percentile


def test_times_are_said_with_two_digits() -> None:
    assert [seconds_text(each) for each in (0.0001, 0.0124, 0.999, 3.44, 61.0)] == [
        *("1 ms", "12 ms", "999 ms", "3.4 s", "61 s"),
    ]


def test_a_hidden_wall_pauses_and_goes_on_where_it_was(desk: Desk, panel: ContactSheetPanel) -> None:
    request = last(desk)
    first = explanation(desk, request.questions[0])
    progress = Progress(
        id=request.id, done=1, total=14, text="", partial=ExplainedEach(explanations=((0, first),))
    )
    desk.tell(progress)
    shown = panel.explanations
    assert len(shown) == 1
    panel.hide()
    assert request.id in desk.client.cancelled
    desk.state.set_target(None)  # Something that changes nothing.
    panel.show()
    desk.qtbot.waitUntil(lambda: last(desk).id != request.id)
    assert last(desk).questions == request.questions
    assert panel.explanations == shown  # What was there stays while the rest is asked for.
    finish(desk, panel)
    assert len(panel.explanations) == len(request.questions)


def test_a_hidden_ranking_pauses_and_goes_on(desk: Desk, panel: ContactSheetPanel) -> None:
    finish(desk, panel)
    panel.rank.setCurrentIndex(panel.rank.findData("deletion"))
    [ranking] = asked(desk, RankMaps)
    panel.hide()
    assert ranking.id in desk.client.cancelled
    panel.show()
    assert len(asked(desk, RankMaps)) == 2
    assert asked(desk, RankMaps)[1].questions == ranking.questions


def test_another_question_while_hidden_is_asked_when_shown(desk: Desk, panel: ContactSheetPanel) -> None:
    panel.hide()
    desk.state.set_target(1)
    desk.qtbot.wait(300)
    panel.show()
    desk.qtbot.waitUntil(lambda: last(desk).questions[0].target == 1)
    assert panel.explanations == ()


def test_tiles_are_as_large_as_all_of_them_fit(desk: Desk, panel: ContactSheetPanel) -> None:
    finish(desk, panel)
    sizes = []
    for width, height in ((500, 400), (1800, 900)):
        panel.resize(width, height)
        desk.qtbot.waitUntil(lambda: panel.maps.is_settled)
        tiles, last_one = panel.tiles, panel.tiles.item(panel.tiles.count() - 1)
        sizes.append(tiles.tile_px)
        assert tiles.iconSize().width() == tiles.tile_px
        assert last_one.icon().availableSizes()[0].width() == tiles.tile_px
    assert sizes[0] == 128 < sizes[1]
    assert panel.tiles.viewport().rect().contains(panel.tiles.visualItemRect(last_one))
