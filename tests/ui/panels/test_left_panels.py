"""Model, Pictures and Predictions show what the state holds, and change it as they say."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.panels.predictions.predictions_panel import MEANINGLESS, PredictionsPanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from tests.ui.conftest import CLASSES, FOUR_STAGES, FakeEngine, make_image, make_model, make_prediction
from tests.ui.desk import Desk, model, picture, prediction, take_turns

# ------------------------------------------------------------------------------------------------- predictions


def shown_rows(window: StudioWindow) -> list[PredictionRow]:
    return [row for row in window.panels.predictions.rows if row.isVisible()]


def test_the_rows_show_the_predictions_numbers(filled_window: StudioWindow, state: AppState) -> None:
    prediction = state.prediction
    assert prediction is not None
    order = sorted(range(CLASSES), key=lambda index: -prediction.logits[index])
    softmax = np.exp(prediction.logits.astype(np.float64))
    softmax /= softmax.sum()
    shown = shown_rows(filled_window)
    assert len(shown) >= 3
    for row, index in zip(shown, order, strict=False):
        assert row.target == index
        assert row.percentage == f"{softmax[index] * 100:.1f} %"
        assert row.accessibleName() == f"{row.label}, {row.percentage}"
        assert row.isVisible()


def test_a_sure_answer_is_not_called_a_certain_one(filled_window: StudioWindow, state: AppState) -> None:
    prediction = state.prediction
    assert prediction is not None
    sure = np.full(CLASSES, 1e-5)
    sure[2] = 1 - sure.sum() + 1e-5
    state.set_prediction(replace(prediction, logits=np.log(sure), probabilities=sure))
    panel = filled_window.panels.predictions
    take_turns(state.turns)
    assert [row.percentage for row in panel.rows[:2]] == ["> 99.9 %", "< 0.1 %"]
    assert panel.explained.text().endswith("> 99.9 %")


def test_a_bar_is_as_long_as_its_probability(filled_window: StudioWindow) -> None:
    row = filled_window.panels.predictions.rows[1]
    row.show_class(1, "half", 0.5)
    picture = row.grab().toImage()
    empty = QColor(picture.pixelColor(picture.width() - 8, picture.height() - 5))
    filled = QColor(picture.pixelColor(8, picture.height() - 5))
    assert filled != empty
    y = picture.height() - 5
    length = sum(picture.pixelColor(x, y) == filled for x in range(picture.width()))
    assert length == pytest.approx((row.width() - 12) * 0.5, abs=2)


def test_a_click_on_a_row_explains_its_class(
    filled_window: StudioWindow, state: AppState, qtbot: QtBot
) -> None:
    panel = filled_window.panels.predictions
    assert [number for number, row in enumerate(panel.rows) if row.isChecked()] == [0]
    qtbot.mouseClick(panel.rows[2], Qt.MouseButton.LeftButton)
    assert state.target == panel.rows[2].target
    assert [number for number, row in enumerate(panel.rows) if row.isChecked()] == [2]
    qtbot.mouseClick(panel.rows[2], Qt.MouseButton.LeftButton)
    assert panel.rows[2].isChecked()
    qtbot.mouseClick(panel.follow, Qt.MouseButton.LeftButton)
    assert state.target is None
    assert panel.rows[0].isChecked()


def test_a_class_is_found_by_a_part_of_its_name(
    filled_window: StudioWindow, state: AppState, qtbot: QtBot
) -> None:
    panel, prediction = filled_window.panels.predictions, state.prediction
    assert prediction is not None
    before = len(shown_rows(filled_window))
    qtbot.keyClicks(panel.search, "CRA")
    cranes = sorted((CLASSES - 2, CLASSES - 1), key=lambda index: -prediction.logits[index])
    assert [(row.label, row.target) for row in shown_rows(filled_window)] == [
        ("crane", each) for each in cranes
    ]
    qtbot.mouseClick(panel.rows[1], Qt.MouseButton.LeftButton)
    assert state.target == cranes[1]
    assert panel.search.text() == ""
    assert len(shown_rows(filled_window)) == before
    qtbot.keyClicks(panel.search, "cra")
    qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    assert state.target == cranes[0]  # The likeliest of those that match.


@pytest.mark.parametrize(
    ("typed", "target"), [("thing 3", 3), ("THING 3", 3), ("7", 7), (f"crane · {CLASSES - 1}", CLASSES - 1)]
)
def test_enter_takes_a_whole_name_or_a_number(
    filled_window: StudioWindow, state: AppState, qtbot: QtBot, typed: str, target: int
) -> None:
    search = filled_window.panels.predictions.search
    search.setText(typed)
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert state.target == target


def test_an_unknown_class_is_told(filled_window: StudioWindow, state: AppState, qtbot: QtBot) -> None:
    panel = filled_window.panels.predictions
    panel.search.setText("unicorn")
    qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    assert state.target is None
    assert "unicorn" in panel.explained.text()


def test_random_weights_are_marked(window: StudioWindow, state: AppState, engine: FakeEngine) -> None:
    state.set_model(make_model(random_weights=True))
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[0], make_prediction())
    assert window.panels.predictions.caption == MEANINGLESS
    assert window.panels.predictions.marks_random_weights


def test_a_failed_prediction_is_told_and_tried_again(
    window: StudioWindow, state: AppState, engine: FakeEngine
) -> None:
    panel = window.panels.predictions
    state.set_model(make_model())
    state.opened.add(make_image())
    assert not panel.is_settled
    engine.refuse(engine.open(Predict)[0], "The picture is too small.")
    assert panel.notice == "The picture is too small."
    assert panel.is_settled
    panel.ask_again()
    engine.answer(engine.open(Predict)[0], make_prediction())
    assert panel.notice == ""


def test_a_network_with_few_classes_has_few_rows(
    window: StudioWindow, state: AppState, engine: FakeEngine
) -> None:
    state.set_model(make_model())
    state.opened.add(make_image())
    full = make_prediction()
    few = type(full)(
        image="one",
        logits=full.logits[:2],
        probabilities=full.probabilities[:2],
        stage_means=full.stage_means,
        target=full.target,
        cams=full.cams,
        geometry=full.geometry,
    )
    state.set_target(1)
    engine.answer(engine.open(Predict)[0], few)
    assert [row.isVisible() for row in window.panels.predictions.rows[:3]] == [True, True, False]


def test_a_higher_panel_shows_more_classes(qtbot: QtBot) -> None:
    """As many whole rows as there is room for, from three to twenty."""
    desk = Desk(qtbot)
    labels = tuple(f"thing {number}" for number in range(30))
    desk.state.set_model(replace(model(), labels=labels))
    desk.state.opened.add(picture())
    panel = PredictionsPanel(desk.state, desk.bridge)
    desk.show(panel, 240, 300)
    logits = np.arange(30, 0, -1, dtype=np.float32)
    chances = np.exp(logits - 30) / np.exp(logits - 30).sum()
    desk.state.set_prediction(replace(prediction(desk), logits=logits, probabilities=chances))
    pitch = panel.rows[0].minimumHeight() + 2
    counts = {}
    for height in (120, 300, 900):
        panel.resize(240, height)
        QApplication.processEvents()
        shown = [row for row in panel.rows if row.isVisible()]
        counts[height] = len(shown)
        assert [row.label for row in shown] == [f"thing {number}" for number in range(len(shown))]
        assert len(shown) == min(max(panel.list.height() + 2, 3 * pitch) // pitch, 20)
        assert all(row.height() >= row.minimumHeight() for row in shown)
    assert counts[120] < counts[300] < counts[900] == 20


# ---------------------------------------------------------------------------------------------------- pictures


def test_the_strip_follows_the_state_and_steps_by_keys(
    filled_window: StudioWindow, state: AppState, qtbot: QtBot
) -> None:
    strip = filled_window.panels.pictures.list
    state.opened.add(make_image("two", "/pictures/two.png"), select=False)
    state.opened.add(make_image("three", "/pictures/three.png"), select=False)
    model = strip.model()
    names = [model.index(row, 0).data().splitlines()[0] for row in range(model.rowCount())]
    assert names == ["one", "two", "three"]
    assert strip.currentIndex().row() == 0
    assert filled_window.panels.pictures.count.text() == "Picture 1 of 3"
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert state.picture is not None
    assert state.picture.key == "two"
    state.opened.select("three")
    assert strip.currentIndex().row() == 2
    assert filled_window.panels.pictures.count.text() == "Picture 3 of 3"


def test_delete_closes_the_current_picture(filled_window: StudioWindow, state: AppState, qtbot: QtBot) -> None:
    state.opened.add(make_image("two"))
    qtbot.keyClick(filled_window.panels.pictures.list, Qt.Key.Key_Delete)
    assert [picture.key for picture in state.opened.all] == ["one"]
    assert filled_window.panels.pictures.list.model().rowCount() == 1
    assert filled_window.panels.pictures.list.currentIndex().row() == 0


def test_every_name_has_the_room_of_its_whole_cell(filled_window: StudioWindow, state: AppState) -> None:
    state.opened.list_pictures([make_image("i", "/i.png").listed, make_image("wide", "/astronaut.png").listed])
    thumbnails = filled_window.panels.pictures.list
    for row in range(len(state.opened.all)):
        assert (
            thumbnails.visualRect(thumbnails.model().index(row, 0)).width() >= thumbnails.gridSize().width() - 4
        )


def test_a_thumbnails_tooltip_says_what_was_done_to_it(filled_window: StudioWindow) -> None:
    tip = filled_window.panels.pictures.list.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    facts = ["/pictures/one.png", "90 × 60 px", "Alpha was composited on white.", "Predicted: thing 6 23.5 %"]
    assert tip.splitlines() == facts


# ------------------------------------------------------------------------------------------------------- model


def shown(window: StudioWindow) -> str:
    labels = window.panels.model.findChildren(QLabel)
    return "\n".join(label.text() for label in labels if not label.isHidden())


def test_the_models_facts_are_shown(window: StudioWindow, state: AppState) -> None:
    model = make_model("Small", random_weights=True)
    state.set_model(model)
    text = shown(window)
    for fact in ("Small", "random weights", f"{model.parameters:,}", "64 × 64", "1-1-2-1", "4-6-8-10"):
        assert fact in text
    assert "A processor, float32" in text
    assert "A note." in text
    state.set_model(make_model("Small"))
    assert "random weights" not in shown(window)


def test_a_typed_source_is_loaded_and_a_refused_one_taken_back(
    window: StudioWindow, controller: Controller, engine: FakeEngine, qtbot: QtBot
) -> None:
    controller.models.open("preset:small", "cpu")
    engine.answer(engine.open(LoadModel)[0], make_model())
    source, device, *_ = window.panels.model.findChildren(QComboBox)
    source.setEditText("timm:nonsense")
    qtbot.keyClick(source, Qt.Key.Key_Return)  # It has the focus of its line.
    [request] = engine.open(LoadModel)
    assert (request.source, request.device) == ("timm:nonsense", "cpu")
    engine.refuse(request, "There is no such model.")
    assert source.currentText() == "preset:small"
    assert device.currentText() == "cpu"
    assert "There is no such model." in window.messages.text


def test_a_listed_source_is_loaded_once(
    window: StudioWindow, controller: Controller, engine: FakeEngine, qtbot: QtBot
) -> None:
    controller.models.open("preset:tutorial", "cpu")
    engine.answer(engine.open(LoadModel)[0], make_model())
    source = window.panels.model.findChildren(QComboBox)[0]
    source.setEditText("preset:convnext_tiny")
    qtbot.keyClick(source, Qt.Key.Key_Return)  # It has the focus of its line.
    assert [request.source for request in engine.open(LoadModel)] == ["preset:convnext_tiny"]


def test_a_failed_first_model_is_settled_too(
    window: StudioWindow, controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("timm:nonsense")
    assert not window.panels.model.is_settled
    engine.refuse(engine.open(LoadModel)[0], "There is no such model.")
    assert window.panels.model.is_settled
    assert "No model is open." in shown(window)
    assert window.is_settled
    controller.models.change(source="preset:small")
    [request] = engine.open(LoadModel)
    assert request.source == "preset:small"
    engine.answer(request, make_model())
    assert "Small" in shown(window)


def test_no_fact_is_cut_off_when_another_model_needs_more_lines(window: StudioWindow, state: AppState) -> None:
    panel = window.panels.model
    wide = replace(FOUR_STAGES, dims=(1024, 2048, 3072, 8192), depths=(3, 3, 9, 1))
    for config in (FOUR_STAGES, wide, FOUR_STAGES, wide):
        state.set_model(replace(make_model(config=config), device_name="A processor of many words"))
        for width in range(180, 300, 7):
            panel.resize(width, 200)
            QApplication.processEvents()
            for label in panel.findChildren(QLabel):
                assert not label.isVisible() or label.height() >= label.heightForWidth(label.width()), (
                    label.text()
                )
