"""Growth with depth, and one picture's field on the photograph."""

import numpy as np
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.protocol.receptive_fields import (
    FieldGrowth,
    FieldGrowthResult,
    FieldNetwork,
    GrowthPoint,
    ReceptiveField,
)
from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from tests.ui.conftest import FakeEngine, make_geometry, make_prediction
from tests.ui.panels.receptive_field_lab.told import field_result


def growth(state: AppState, is_global: bool = False) -> FieldGrowthResult:
    assert state.model is not None
    points = tuple(
        GrowthPoint(
            node=node.name,
            kind=node.kind,
            theoretical_px=node.field.size_px,
            is_global=is_global and node.kind != "stem",
            has_box=not is_global or node.kind == "stem",
            effective_px={0.5: 4, 0.99: 9},
        )
        for node in state.model.nodes
        if node.kind in ("stem", "block", "stage")
    )
    return FieldGrowthResult(
        points=points,
        input_px=64,
        protocol="centred",
        protocol_text="Protocol centred, exactly.",
        pictures=1,
        noises=0,
        skipped=0,
        count=1,
        unreadable=(),
        notes=("A note.",),
        title="Trained",
        source="",
        random_weights=False,
    )


def test_growth_is_measured_when_it_is_seen(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: not lab.growth.query.is_scheduled)
    assert engine.open(FieldGrowth) == []
    lab.pages.setCurrentWidget(lab.growth)
    (request,) = engine.open(FieldGrowth)
    assert (request.subject, request.images, request.count) == (FieldNetwork(), ("one",), 4)
    engine.answer(request, growth(state))
    theory, most, half, side = lab.growth.plot.curves
    # Stem 4; stage 1: 4 + 24; stage 2: 32 + 48; stage 3: 88 + 96, and 96 more; stage 4: 296 + 192.
    assert theory.y.tolist() == [4, 28, 80, 184, 280, 488]
    assert most.y.tolist() == [9] * 6
    assert half.y.tolist() == [4] * 6
    assert side.y.tolist() == [64, 64]
    assert "Protocol centred, exactly. A note." in lab.growth.caption


def test_growth_of_a_global_network_ends_its_theoretical_curve(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState
) -> None:
    lab.pages.setCurrentWidget(lab.growth)
    engine.answer(engine.open(FieldGrowth)[0], growth(state, is_global=True))
    theory = lab.growth.plot.curves[0]
    assert np.isfinite(theory.y).tolist() == [True, False, False, False, False, False]
    assert "sees the whole picture" in lab.growth.caption


def test_growth_is_offered_for_every_network_in_the_comparison(
    pair: ReceptiveFieldLab, engine: FakeEngine, qtbot: QtBot
) -> None:
    pair.pages.setCurrentWidget(pair.growth)
    assert [pair.growth.subject.itemText(index) for index in (0, 1)] == ["Trained", "Random weights: Trained"]
    pair.growth.subject.setCurrentIndex(1)
    qtbot.waitUntil(lambda: not pair.growth.query.is_scheduled)
    request = engine.open(FieldGrowth)[-1]
    assert request.subject.title == "Random weights: Trained"


def one_picture(engine: FakeEngine) -> ReceptiveField:
    return [request for request in engine.open(ReceptiveField) if request.panel == "one_picture"][-1]


def test_one_pictures_field_lies_on_the_photograph(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    lab.pages.setCurrentWidget(lab.one_picture)
    request = one_picture(engine)
    assert (request.images, request.count, request.framing, request.target) == (("one",), 1, "own", None)
    crop = CropGeometry((90, 60), (90, 60), (13, -2), (64, 64))
    engine.answer(request, replace(field_result(state), geometry=crop))
    scene = lab.one_picture.map.view.scene
    assert scene is not None
    assert scene.size == (90, 60)
    assert scene.layers[1].box == (13, -2, 64, 64)
    assert "as you chose" not in lab.one_picture.caption
    half, fifth, theory = scene.marks
    assert half.box == (13 + 26, -2 + 26, 12, 12)
    assert fifth.box == (13 + 28, -2 + 28, 8, 8)
    assert theory.dashed
    lab.one_picture.scale.setCurrentIndex(lab.one_picture.scale.findData("log"))
    assert "squares of log10(1 + field), as you chose" in lab.one_picture.caption
    lab.one_picture.scale.setCurrentIndex(lab.one_picture.scale.findData("linear"))
    chosen = lab.one_picture.range
    chosen.kind.setCurrentIndex(chosen.kind.findText("By hand"))
    assert (chosen.low.text(), chosen.high.text()) == ("0", "4.00")
    chosen.high.setText("3")
    chosen.high.editingFinished.emit()
    bar = lab.one_picture.map.bar
    assert bar.labels()[-1][1] == "3.00"
    assert bar.scale is not None
    assert (bar.scale.clipping.below, bar.scale.clipping.above) == (False, True)
    lab.one_picture.unit_chosen.emit((0, 1))
    qtbot.waitUntil(lambda: not lab.one_picture.measured.query.is_scheduled)
    assert one_picture(engine).unit == (0, 1)


def test_the_score_of_the_explained_class_is_measured(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    lab.pages.setCurrentWidget(lab.one_picture)
    lab.one_picture.what.setCurrentIndex(1)
    qtbot.waitUntil(lambda: not lab.one_picture.measured.query.is_scheduled)
    assert "prediction" in lab.one_picture.notice
    prediction = make_prediction()
    state.set_prediction(prediction)
    qtbot.waitUntil(lambda: not lab.one_picture.measured.query.is_scheduled)
    assert one_picture(engine).target == prediction.top(1)[0]
    state.set_target(3)
    qtbot.waitUntil(lambda: not lab.one_picture.measured.query.is_scheduled)
    request = one_picture(engine)
    assert request.target == 3
    engine.answer(request, replace(field_result(state), target=3, geometry=make_geometry()))
    assert lab.one_picture.map.view.scene is not None
    assert "Score of “thing 3”" in lab.one_picture.map.view.scene.note
    assert "class score" in lab.one_picture.caption
