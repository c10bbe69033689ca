"""The receptive-field lab: subjects that are measured apart, shown in one scale, and told in one table."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QPushButton, QSpinBox, QToolButton
from pytestqt.qtbot import QtBot

from convnext_studio.engine.messages import (
    FieldGrowth,
    FieldGrowthResult,
    GrowthPoint,
    OpenedField,
    OpenField,
    Progress,
    ReceptiveField,
    ReceptiveFieldResult,
    Square,
    Subject,
)
from convnext_studio.fields import curves_of
from convnext_studio.fields.files import read_field
from convnext_studio.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.nodes import node_table
from convnext_studio.ui import theme
from convnext_studio.ui.background import Background
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.fieldlab.entries import (
    COMPARISONS,
    RELATIVES,
    at_node,
    network,
    random_weights,
    suggestions,
)
from convnext_studio.ui.fieldlab.lab import OPEN_TEXT, RANDOM_TEXT, ReceptiveFieldLab
from convnext_studio.ui.fieldlab.plots import log_ticks
from convnext_studio.ui.messagebar import Notice
from convnext_studio.ui.state import AppState
from tests.ui.conftest import FakeEngine, make_geometry, make_image, make_model, make_prediction

TITLES = [comparison.title for comparison in COMPARISONS]


@pytest.fixture
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture
def lab(qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background) -> ReceptiveFieldLab:
    """The lab, shown, with a model and a picture; the open model is its only subject."""
    state.set_model(make_model("Trained"))
    state.add_picture(make_image())
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    lab.resize(1280, 720)
    lab.show()
    qtbot.waitExposed(lab)
    qtbot.waitUntil(lambda: lab.growth.plot._plot is not None, timeout=20_000)
    return lab


def field_result(
    state: AppState, height: float = 4.0, random: bool = False, node: str = "stage4"
) -> ReceptiveFieldResult:
    """A flat square of that height, 16 px wide, around (32, 32) of 64 x 64."""
    assert state.model is not None
    field_map = np.zeros((64, 64))
    field_map[24:40, 24:40] = height
    squares = (
        Square(threshold=0.2, side_px=8, area_ratio=8 * 8 / 4096),
        Square(threshold=0.5, side_px=12, area_ratio=12 * 12 / 4096),
    )
    return ReceptiveFieldResult(
        node=node,
        protocol="centred",
        protocol_text="Protocol centred, exactly.",
        field_map=field_map,
        squares={"linear": squares, "log": squares[:1]},
        centre_px=(32.0, 32.0),
        theoretical=state.model.node("stage2").field,
        unit=(1, 1),
        pictures=1,
        noises=0,
        skipped=0,
        count=8,
        random_weights=random,
        curves=curves_of(field_map, (32.0, 32.0)),
    )


def asked(engine: FakeEngine) -> list[ReceptiveField]:
    return [request for request in engine.open(ReceptiveField) if request.panel.startswith("field_lab")]


def settle(qtbot: QtBot, lab: ReceptiveFieldLab) -> None:
    """Let it show what it has been told, and ask what it wants to ask."""
    qtbot.waitUntil(lambda: not lab.compare._soon.isActive())
    qtbot.waitUntil(lambda: not any(subject._soon.isActive() for subject in lab.compare.subjects))
    qtbot.waitUntil(lambda: not lab.compare._turns.is_busy)


def compare(lab: ReceptiveFieldLab, title: str) -> None:
    """Choose a ready-made comparison in its menu."""
    menu = lab.ready_made.menu()
    assert menu is not None
    next(action for action in menu.actions() if action.text() == title).trigger()


def cell(lab: ReceptiveFieldLab, row: int, title: str) -> str:
    heading, *rows = [line.split("\t") for line in lab.compare.table.text().splitlines()]
    return rows[row][heading.index(title)]


# -------------------------------------------------------------------------------------------------- subjects


def test_it_begins_with_the_open_model_at_the_selected_node(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    (request,) = asked(engine)
    assert request.subject == Subject()
    assert (request.node, request.images) == ("stage4", ("one",))
    assert [subject.name for subject in lab.compare.subjects] == ["Trained"]


def test_four_subjects_ask_apart_and_a_fifth_has_no_room(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    for text in (RANDOM_TEXT, "preset:tutorial", "timm:resnet50", "preset:convnext_tiny"):
        lab.source.setCurrentText(text)
        QTest.keyClick(lab.source, Qt.Key.Key_Return)
    assert [subject.name for subject in lab.compare.subjects] == [
        "Trained",
        "Random weights: Trained",
        "tutorial",
        "resnet50",
    ]
    requests = asked(engine)
    assert len({request.panel for request in requests}) == len(requests) == 4
    assert [request.subject.source for request in requests] == ["", "", "preset:tutorial", "timm:resnet50"]
    # The tutorial's network has a fourth stage, too; what a ResNet calls its last one, only timm knows.
    assert [request.subject.node for request in requests[2:]] == ["", "last"]
    assert not lab.add.isEnabled()
    lab.compare.subjects[1].remove.click()
    assert lab.add.isEnabled()
    assert [subject.place for subject in lab.compare.subjects] == [0, 1, 2]
    assert requests[1].id in engine.cancelled


def test_nothing_typed_adds_nothing(lab: ReceptiveFieldLab) -> None:
    lab.source.setCurrentText("  ")
    lab.add.click()
    assert len(lab.compare.subjects) == 1


def test_a_weights_file_is_called_by_its_name() -> None:
    assert network("/models/my net.safetensors", offline=True).title == "my net.safetensors"
    subject = network("timm:resnet50", offline=True).subject
    assert subject is not None
    assert subject.offline


def test_what_is_suggested_can_be_typed() -> None:
    assert "preset:convnext_tiny" in suggestions()
    assert set(RELATIVES) <= set(suggestions())


def test_all_follow_the_node_and_the_choices(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    compare(lab, TITLES[0])
    state.set_node("stage2")
    lab.fields.count.setValue(3)
    settle(qtbot, lab)
    assert [(request.node, request.count) for request in asked(engine)] == [("stage2", 3)] * 2


def test_where_there_is_no_field_one_sentence_says_so(
    lab: ReceptiveFieldLab, state: AppState, qtbot: QtBot
) -> None:
    state.set_node("stem")
    settle(qtbot, lab)
    assert "stages and blocks" in lab.compare.subjects[0].notice


# ------------------------------------------------------------------------------------- ready-made comparisons


def configs(lab: ReceptiveFieldLab) -> list[object]:
    return [
        subject.entry.subject.config for subject in lab.compare.subjects if subject.entry.subject is not None
    ]


def test_trained_against_random_weights(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "Trained against random weights")
    assert state.model is not None
    assert configs(lab) == [None, state.model.config]


def test_kernels_differ_in_nothing_but_the_kernels(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "3 × 3 against 7 × 7 kernels")
    assert state.model is not None
    common = replace(state.model.config, layer_scale_init_value=1.0)
    assert configs(lab) == [replace(common, kernel_size=3), replace(common, kernel_size=7)]


def test_layer_scales_differ_in_nothing_but_the_layer_scale(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "Layer scale 1e-6 against 1")
    assert state.model is not None
    config = state.model.config
    assert configs(lab) == [replace(config, layer_scale_init_value=value) for value in (1e-6, 1.0)]


def test_versions_are_made_as_they_begin(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "V1 against V2")
    assert state.model is not None
    second = replace(state.model.config, grn=True, layer_scale_init_value=0.0)
    assert configs(lab) == [state.model.config, second]
    assert all(node.field.is_global for node in node_table(second, 64) if node.kind == "stage")


def test_a_comparison_without_a_model_is_told(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background
) -> None:
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    told: list[Notice] = []
    lab.noticed.connect(told.append)
    compare(lab, TITLES[0])
    lab.source.setCurrentText(RANDOM_TEXT)
    lab.add.click()
    assert ["No model" in notice.message for notice in told] == [True, True]
    assert len(lab.compare.subjects) == 1


# --------------------------------------------------------------------------------------------------- showing


@pytest.fixture
def pair(lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot) -> ReceptiveFieldLab:
    """Trained, with a field of 4, against random weights, with one of 0.5."""
    compare(lab, TITLES[0])
    trained, random = asked(engine)
    engine.answer(trained, field_result(state))
    engine.answer(random, field_result(state, 0.5, random=True))
    settle(qtbot, lab)
    return lab


def test_all_share_one_colour_scale(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    assert pair.compare.bar.labels()[-1][1] == "4.00"
    colours = [subject._colours for subject in pair.compare.subjects]
    assert colours[0] is colours[1]
    pair.scale.setCurrentIndex(1)
    settle(qtbot, pair)
    assert pair.compare.bar.labels()[-1][1] == "0.699"  # log10(4 + 1)
    pair.relative.setCurrentIndex(1)
    settle(qtbot, pair)
    assert pair.compare.bar.labels()[-1][1] == "1.00"


def test_the_table_tells_ratios_weights_and_protocol(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    assert [cell(pair, row, "Subject") for row in (0, 1)] == ["Trained", "Random weights: Trained"]
    assert cell(pair, 0, "20 %") == "1.56 %"  # 64 of 4096
    assert cell(pair, 0, "50 %") == "3.52 %"  # 144 of 4096
    assert cell(pair, 0, "99 %") == "not reached"
    assert [cell(pair, row, "Weights") for row in (0, 1)] == ["learnt", "random"]
    assert cell(pair, 0, "Protocol") == "Centred"
    assert cell(pair, 0, "Theory") == "80 px"
    pair.scale.setCurrentIndex(1)
    settle(qtbot, pair)
    assert cell(pair, 0, "50 %") == "not reached"
    pair.copy.click()
    assert QGuiApplication.clipboard().text() == pair.compare.table.text()


def test_the_table_is_copied_with_the_keyboard(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().clear()
    pair.activateWindow()
    pair.compare.table.setFocus()
    qtbot.waitUntil(pair.compare.table.hasFocus)
    QTest.keyClick(pair.compare.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().count("\n") == 3


def test_the_curves_are_those_of_the_fields(pair: ReceptiveFieldLab) -> None:
    trained, random = pair.compare.cumulative.curves
    assert (trained.label, random.label) == ("Trained", "Random weights: Trained")
    # The flat square reaches 8 px to the sides: within 8 px lies a disc of it, pi / 4 of its area.
    assert trained.y[7] == pytest.approx(100 * np.pi / 4, abs=3)
    assert trained.y[-1] == pytest.approx(100)
    np.testing.assert_allclose(trained.y, random.y)
    radial = pair.compare.radial.curves
    assert radial[0].y[0] == pytest.approx(4)
    assert radial[1].y[0] == pytest.approx(0.5)


def test_the_plots_follow_the_theme(pair: ReceptiveFieldLab, qapp: QApplication, qtbot: QtBot) -> None:
    palette, sheet = qapp.palette(), qapp.styleSheet()
    try:
        for look in (theme.LIGHT, theme.DARK):
            theme.apply(qapp, look)
            settle(qtbot, pair)
            middle = pair.compare.radial.grab().toImage().pixelColor(3, 3)
            assert middle.name() == look.surface
    finally:
        qapp.setPalette(palette)
        qapp.setStyleSheet(sheet)


def test_protocol_and_random_weights_are_told_on_the_figure(pair: ReceptiveFieldLab) -> None:
    assert pair.compare.protocol.text() == "Protocol centred, exactly."
    assert "Theoretical field" in pair.compare.meaning.text()
    assert [subject.marks_random_weights for subject in pair.compare.subjects] == [False, True]
    assert "Centred · 1 picture" in pair.compare.subjects[0].caption


def test_notes_are_told_once_and_say_of_whom_they_are(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.fields.count.setValue(2)
    settle(qtbot, pair)
    trained, random = asked(engine)
    engine.answer(trained, replace(field_result(state), notes=("One was used.",)))
    engine.answer(random, replace(field_result(state), notes=("One was used.", "It sees all.")))
    settle(qtbot, pair)
    assert pair.compare.protocol.text().splitlines()[1:] == [
        "One was used. Random weights: Trained: It sees all."
    ]


def test_an_isotropic_network_is_measured_at_its_last_stage() -> None:
    subject = network("preset:convnext_isotropic_small", offline=False).subject
    assert subject is not None
    assert at_node(subject, "stage4").node == "last"
    assert at_node(subject, "stage1").node == ""


def test_inputs_of_different_size_are_told(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.source.setCurrentText("preset:tutorial")
    pair.add.click()
    result = field_result(state)
    engine.answer(asked(engine)[-1], replace(result, field_map=np.pad(result.field_map, 8)))
    settle(qtbot, pair)
    assert "differ in size" in pair.compare.protocol.text()


def test_stopping_keeps_what_there_is_with_its_count(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    (request,) = asked(engine)
    engine.send(Progress(id=request.id, done=12, total=50, text="", partial=field_result(state)))
    settle(qtbot, lab)
    subject = lab.compare.subjects[0]
    assert "12 of 50 pictures" in subject.caption
    assert cell(lab, 0, "Inputs") == "12 of 50 pictures"
    subject.stop.click()
    qtbot.waitUntil(lambda: lab.is_settled)
    settle(qtbot, lab)
    assert cell(lab, 0, "Inputs") == "stopped after 12 of 50 pictures"
    assert subject.stop.text() == "Again"


def test_a_long_download_fits_the_bar(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    (request,) = asked(engine)
    engine.send(Progress(id=request.id, done=2**34, total=2**35, text="Downloading"))
    bar = lab.compare.subjects[0]._bar
    assert (bar.value(), bar.maximum()) == (500, 1000)


def test_a_refusal_is_told_where_the_figure_would_be(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    lab.source.setCurrentText("timm:resnet50")
    lab.add.click()
    engine.refuse(asked(engine)[-1], "It is not on this computer.", "Go online.")
    assert lab.compare.subjects[1].notice == "It is not on this computer. Go online."
    assert lab.compare.subjects[1].remove.isEnabled()


def test_what_is_refused_leaves_table_and_curves(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.fields.side.setValue(8)
    settle(qtbot, pair)
    trained, random = asked(engine)
    engine.answer(trained, field_result(state))
    engine.refuse(random, "An input of 8 pixels is too small.")
    settle(qtbot, pair)
    assert pair.compare.table.rowCount() == 1
    assert [curve.label for curve in pair.compare.radial.curves] == ["Trained"]


def test_a_global_field_is_said_and_not_drawn(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    result = replace(field_result(state), theoretical=FieldGeometry(80, 8, 4.0, is_global=True))
    engine.answer(asked(engine)[0], result)
    settle(qtbot, lab)
    subject = lab.compare.subjects[0]
    assert "sees the whole picture" in subject.caption
    assert cell(lab, 0, "Theory") == "sees the whole picture"
    assert subject.map.view.scene is not None
    assert not any(mark.dashed for mark in subject.map.view.scene.marks)


# -------------------------------------------------------------------------------------------------- growth


def growth(state: AppState, is_global: bool = False) -> FieldGrowthResult:
    assert state.model is not None
    points = tuple(
        GrowthPoint(
            node=node.name,
            kind=node.kind,
            theoretical_px=node.field.size_px,
            is_global=is_global and node.kind != "stem",
            effective_px={0.5: 4, 0.99: 9},
        )
        for node in state.model.nodes
        if node.kind != "downsample"
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
    qtbot.waitUntil(lambda: not lab.growth._soon.isActive())
    assert engine.open(FieldGrowth) == []
    lab.pages.setCurrentWidget(lab.growth)
    (request,) = engine.open(FieldGrowth)
    assert (request.subject, request.images, request.count) == (Subject(), ("one",), 4)
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
    qtbot.waitUntil(lambda: not pair.growth._soon.isActive())
    request = engine.open(FieldGrowth)[-1]
    assert request.subject.title == "Random weights: Trained"


# ---------------------------------------------------------------------------------------------- one picture


def one_picture(engine: FakeEngine) -> ReceptiveField:
    return [request for request in engine.open(ReceptiveField) if request.panel == "one_picture"][-1]


def test_one_pictures_field_lies_on_the_photograph(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    lab.pages.setCurrentWidget(lab.one_picture)
    lab.one_picture.scale.setCurrentIndex(0)
    request = one_picture(engine)
    assert (request.images, request.count, request.framing, request.target) == (("one",), 1, "own", None)
    crop = CropGeometry((90, 60), (90, 60), (13, -2), (64, 64))
    engine.answer(request, replace(field_result(state), geometry=crop))
    scene = lab.one_picture.map.view.scene
    assert scene is not None
    assert scene.size == (90, 60)
    assert scene.layers[1].box == (13, -2, 64, 64)
    half, fifth, theory = scene.marks
    assert half.box == (13 + 26, -2 + 26, 12, 12)
    assert fifth.box == (13 + 28, -2 + 28, 8, 8)
    assert theory.dashed
    lab.one_picture.unit_chosen.emit((0, 1))
    qtbot.waitUntil(lambda: not lab.one_picture._soon.isActive())
    assert one_picture(engine).unit == (0, 1)


def test_the_score_of_the_explained_class_is_measured(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    lab.pages.setCurrentWidget(lab.one_picture)
    lab.one_picture.what.setCurrentIndex(1)
    qtbot.waitUntil(lambda: not lab.one_picture._soon.isActive())
    assert "prediction" in lab.one_picture.notice
    prediction = make_prediction()
    state.set_prediction(prediction)
    qtbot.waitUntil(lambda: not lab.one_picture._soon.isActive())
    assert one_picture(engine).target == prediction.top(1)[0]
    state.set_target(3)
    qtbot.waitUntil(lambda: not lab.one_picture._soon.isActive())
    request = one_picture(engine)
    assert request.target == 3
    engine.answer(request, replace(field_result(state), target=3, geometry=make_geometry()))
    assert lab.one_picture.map.view.scene is not None
    assert "Score of “thing 3”" in lab.one_picture.map.view.scene.note
    assert "class score" in lab.one_picture.caption


# --------------------------------------------------------------------------------------------------- files


def opened(path: str) -> OpenedField:
    field_map = np.zeros((64, 64))
    field_map[20:44, 20:44] = 1
    return OpenedField(
        path=path,
        field_map=field_map,
        protocol="replknet",
        protocol_text="The file does not say.",
        squares={"linear": (), "log": ()},
        centre_px=(32.5, 32.5),
        random_weights=False,
        curves=curves_of(field_map, (32.5, 32.5)),
    )


def test_a_saved_field_needs_no_model(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, engine: FakeEngine, background: Background
) -> None:
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    lab.show()
    qtbot.waitExposed(lab)
    lab.open_field("/fields/published.npy")
    (request,) = engine.open(OpenField)
    assert request.path == "/fields/published.npy"
    engine.answer(request, opened(request.path))
    settle(qtbot, lab)
    assert lab.compare.subjects[1].shows_body
    assert cell(lab, 0, "Subject") == "published.npy"
    assert cell(lab, 0, "Weights") == "not said"
    assert cell(lab, 0, "Theory") == "unknown"


def test_a_fifth_field_takes_the_last_ones_place(lab: ReceptiveFieldLab) -> None:
    for number in range(5):
        lab.open_field(f"/fields/{number}.npy")
    assert [subject.name for subject in lab.compare.subjects] == ["Trained", "0.npy", "1.npy", "4.npy"]


@pytest.mark.parametrize(("typed", "written"), [("erf.npy", "erf.npy"), ("erf", "erf.npz")])
def test_a_field_is_saved_with_its_protocol_or_alone(
    pair: ReceptiveFieldLab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
    typed: str,
    written: str,
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    path = str(tmp_path / typed)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    pair.compare.subjects[0].save.click()
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].good
    saved = read_field(str(tmp_path / written))
    assert saved.field_map.sum() == 16 * 16 * 4
    assert saved.about.get("protocol_text", "") == (
        "Protocol centred, exactly." if written == "erf.npz" else ""
    )


def test_a_field_that_cannot_be_saved_is_told(
    pair: ReceptiveFieldLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    path = str(tmp_path / "no folder" / "erf.npz")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    pair.compare.subjects[0].save.click()
    qtbot.waitUntil(lambda: bool(told))
    assert "could not be written" in told[0].message


@pytest.mark.parametrize("name", ["figure.png", "figure.svg"])
def test_the_figure_is_saved_without_buttons(
    pair: ReceptiveFieldLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / name), ""))
    pair.save.click()
    assert told[-1].good
    path = tmp_path / name
    if path.suffix == ".png":
        assert QImage(str(path)).width() > pair.width()
    else:
        text = path.read_text(encoding="utf-8")
        assert "not reached" in text
        assert "Again" not in text
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [name]
    assert all(button.isVisible() for subject in pair.compare.subjects for button in subject.buttons)
    assert not any(pair.compare.table.isColumnHidden(column) for column in range(11))


def test_a_figure_that_cannot_be_saved_is_told(
    pair: ReceptiveFieldLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    path = str(tmp_path / "no folder" / "figure.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    pair.save.click()
    assert "could not be written" in told[-1].message


# ------------------------------------------------------------------------------------------------ the rest


def test_every_control_has_a_name_and_a_tooltip(lab: ReceptiveFieldLab) -> None:
    for kind in (QPushButton, QToolButton, QComboBox, QSpinBox):
        for control in lab.findChildren(kind):
            if control.objectName().startswith(("qt_", "ScrollLeft", "ScrollRight")):
                continue  # Qt's own, inside others.
            name = control.accessibleName() or (control.text() if hasattr(control, "text") else "")
            assert name, control
            assert control.toolTip(), name


def test_decades_are_named_and_little_ranges_have_numbers_between_them() -> None:
    major, minor = log_ticks(0.3, 2.0)
    assert [text for _, text in major] == ["1", "2", "5", "10", "20", "50", "100", "200", "500"]
    assert dict(major)[2.0] == "100"
    assert len(minor) == 27
    assert [text for _, text in log_ticks(-7.0, -3.0)[0]] == ["1e-07", "1e-06", "1e-05", "0.0001", "0.001"]


def test_the_random_entry_keeps_the_architecture() -> None:
    model = make_model()
    subject = random_weights(model).subject
    assert subject is not None
    assert subject.config == model.config


def test_the_open_model_can_be_added_again(lab: ReceptiveFieldLab) -> None:
    lab.source.setCurrentText(OPEN_TEXT)
    lab.add.click()
    assert [subject.name for subject in lab.compare.subjects] == ["Trained", "Trained"]
