"""Two networks in the window: every view shows A, B, their difference or both, and says which."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio import analysis
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.panels.comparison.comparison_panel import ComparisonPanels
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.selection.two_answers import SHOWN
from tests.engine.opening import input_of
from tests.networks import small_model, write_weights
from tests.ui.stepped_engine import SteppedEngine

SAMPLES = ("sample:cat", "sample:coffee", "sample:rocket", "sample:astronaut", "sample:hopper")
OTHER_LABELS = ("thing 3", "thing 0", "a car")


@pytest.fixture
def engine() -> SteppedEngine:
    return SteppedEngine()


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """Two networks of one architecture, and one that is deeper and has other maps."""
    changes = ({}, {}, {"depths": (1, 2, 3, 1), "dims": (6, 8, 10, 12)})
    a, b, deeper = (
        str(write_weights(tmp_path / f"network{seed}.safetensors", small_model(seed, **change)))
        for seed, change in enumerate(changes)
    )
    return a, b, deeper


Settle = Callable[[], None]


@pytest.fixture
def settle(window: StudioWindow, engine: SteppedEngine, qtbot: QtBot) -> Settle:
    def wait() -> None:
        qtbot.waitUntil(lambda: engine.finish() and window.is_settled, timeout=60_000)
        qtbot.wait(1)

    return wait


@pytest.fixture
def both(
    window: StudioWindow, controller: Controller, files: tuple[str, str, str], settle: Settle
) -> StudioWindow:
    """A window with two networks and a picture open."""
    window.resize(1900, 1000)
    controller.models.open(files[0], "cpu")
    controller.open_paths([SAMPLES[0]])
    controller.second.open(LoadModel(source=files[1], device="cpu"))
    settle()
    return window


def maps_panel(window: StudioWindow) -> FeatureMapsPanel:
    panel = window.dock_layout.docks["feature_maps"].panel
    assert isinstance(panel, FeatureMapsPanel)
    return panel


def shown_maps(window: StudioWindow) -> np.ndarray:
    painting = maps_panel(window).mosaic_map.painting
    assert painting is not None
    return painting.subject.result.maps


def test_feature_maps_are_those_of_plain_networks(both: StudioWindow, settle: Settle) -> None:
    a, b = (
        analysis.feature_maps(model, input_of(model), "stage2") for model in (small_model(0), small_model(1))
    )
    both.state.set_node("stage2")
    settle()
    choice = both.state.second.choice
    scales = {}
    for shown in SHOWN:
        choice.choose(shown)
        settle()
        width = a.shape[2]
        halves = np.concatenate((a[..., : width // 2], b[..., width // 2 :]), axis=-1)
        expected = {"first": a, "second": b, "difference": a - b, "curtain": halves}[shown]
        np.testing.assert_allclose(shown_maps(both), expected, rtol=1e-4, atol=1e-5)
        panel = maps_panel(both)
        assert panel.caption.startswith(choice.text())
        assert panel.mosaic_map.painting is not None
        scales[shown] = panel.mosaic_map.painting.limits_of(3)
    # A, B and both on one scale; the difference on one about 0.
    assert scales["first"] == scales["second"] == scales["curtain"]
    assert scales["first"].low <= min(a[3].min(), b[3].min()) + 1e-5
    assert scales["first"].high >= max(a[3].max(), b[3].max()) - 1e-5
    assert scales["difference"].low == -scales["difference"].high


def test_attribution_shows_both_on_one_scale(both: StudioWindow, settle: Settle) -> None:
    panel, choice = both.panels.attribution, both.state.second.choice
    cell = panel.figure.cells[0]
    answers = panel.query.answer, panel.query.second.answer if panel.query.second is not None else None
    assert isinstance(answers[0], Explanation)
    assert isinstance(answers[1], Explanation)
    a, b = (answer.maps["stage4"] for answer in answers if isinstance(answer, Explanation))
    scales = {}
    for shown in SHOWN:
        choice.choose(shown)
        settle()
        assert cell.shown is not None
        expected = {"first": a, "second": b, "difference": a - b, "curtain": a}[shown]
        np.testing.assert_array_equal(cell.shown.values, expected)
        scales[shown] = cell.map.bar.scale
    limits = [scales[shown].limits for shown in ("first", "second", "curtain") if scales[shown] is not None]
    assert limits[0] == limits[1] == limits[2]
    assert cell.map.view.scene is not None
    assert len(cell.map.view.scene.layers) == 3  # The photograph, A and B.


def test_the_curtain_moves_in_all_views(both: StudioWindow, settle: Settle) -> None:
    both.state.second.choice.choose("curtain")
    settle()
    view = both.panels.attribution.figure.cells[0].map.view

    def edges() -> list[float]:
        assert view.scene is not None
        clips = [layer.clip for layer in view.scene.layers if layer.clip is not None]
        assert len(clips) == 2
        return [clips[0][0] + clips[0][2], clips[1][0]]

    assert view.scene is not None
    width = view.scene.size[0]
    assert edges() == [pytest.approx(width / 2)] * 2
    both.network_bar.two_networks.slider.setValue(50)
    assert edges() == [pytest.approx(width / 4)] * 2
    settle()
    assert both.state.second.choice.curtain == 0.25


def test_the_curtain_is_dragged_in_a_tile_of_the_mosaic(both: StudioWindow, settle: Settle) -> None:
    both.state.set_node("stage2")
    both.state.second.choice.choose("curtain")
    settle()
    mosaic = maps_panel(both).mosaic_map
    view, painting = mosaic.view, mosaic.painting
    assert painting is not None
    assert view.scene is not None
    assert len(view.scene.lines) == 1
    left, top, width, height = painting.mosaic.tile_box(2)
    start, end = (view.to_widget(left + share * width, top + height / 2).toPoint() for share in (0.5, 0.25))
    chosen: list[int] = []
    mosaic.channel_chosen.connect(chosen.append)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    settle()
    pixel = 1 / (view.to_widget(left + width, top).x() - view.to_widget(left, top).x())
    assert both.state.second.choice.curtain == pytest.approx(0.25, abs=pixel)
    assert chosen == []
    line = view.scene.lines[0].ends[2, 0, 0]
    assert line == left + round(both.state.second.choice.curtain * width)
    # A press that does not move is a click on the channel, and beside the line nothing is dragged.
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.to_widget(line, top + height / 2).toPoint())
    assert chosen == [2]


def test_predictions_show_both_probabilities(
    both: StudioWindow, controller: Controller, settle: Settle, tmp_path: Path
) -> None:
    panel = both.panels.predictions
    a, b = both.state.prediction, both.state.second.prediction
    assert a is not None
    assert b is not None
    row = panel.rows[0]
    assert row.target == a.top(1)[0]
    assert row._other == pytest.approx(float(b.probabilities[row.target]))
    both.state.second.choice.choose("second")
    assert panel.rows[0].target == b.top(1)[0]
    both.state.second.choice.choose("difference")
    assert panel.rows[0].target == int(np.abs(a.probabilities - b.probabilities).argmax())
    few = write_weights(tmp_path / "few.safetensors", small_model(4, num_classes=3))
    controller.second.open(LoadModel(source=str(few), device="cpu"))
    settle()
    assert "3 classes are matched by name, 4 only in A" in panel.caption


def test_another_node_that_stands_in_is_said(
    both: StudioWindow, controller: Controller, settle: Settle, files: tuple[str, str, str]
) -> None:
    controller.second.open(LoadModel(source=files[2], device="cpu"))
    both.state.second.choice.choose("second")
    both.state.set_node("stage2")
    settle()
    deeper = small_model(2, depths=(1, 2, 3, 1), dims=(6, 8, 10, 12))
    expected = analysis.feature_maps(deeper, input_of(deeper), "stage2")
    np.testing.assert_allclose(shown_maps(both), expected, rtol=1e-4, atol=1e-5)
    controller.second.swap()
    settle()
    both.state.set_node("stage3.block3")
    settle()
    assert "B has no stage3.block3, so its stage3.block1 is compared" in maps_panel(both).caption


def test_the_field_of_the_corresponding_unit_is_shown(both: StudioWindow, settle: Settle) -> None:
    panel = both.dock_layout.docks["picture"].panel
    assert isinstance(panel, PicturePanel)
    both.state.set_unit(3, 4)
    settle()
    assert panel._field.seen_by_b is not None
    assert (panel._field.seen_by_b[0].y, panel._field.seen_by_b[0].x) == (3, 4)
    captions = set()
    for shown in SHOWN:
        both.state.second.choice.choose(shown)
        settle()
        captions.add(panel.caption)
        assert panel.map.bar.scale is not None
    assert len(captions) == 4
    both.state.second.choice.choose("difference")
    scale = panel.map.bar.scale
    assert scale is not None
    assert scale.limits is not None
    assert scale.limits.low == -scale.limits.high


def test_a_map_has_one_curtain(both: StudioWindow, settle: Settle) -> None:
    """The line between A and B takes the place of the one between the picture and the map."""
    panel = both.panels.attribution
    both.dock_layout.show_panel("attribution")
    panel.curtain.move_curtain(0.3)
    for shown in SHOWN:
        both.state.second.choice.choose(shown)
        settle()
        assert panel.curtain.slider.isEnabled() == (shown != "curtain")
        assert panel.curtain.curtain == (0.0 if shown == "curtain" else 0.3)
        scene = panel.figure.cells[0].map.view.scene
        assert scene is not None
        lines = [mark.box[0] for mark in scene.marks if mark.box[2] == 0]
        assert lines == [pytest.approx((0.5 if shown == "curtain" else 0.3) * scene.size[0])]


def test_receptive_fields_are_compared_with_their_areas(both: StudioWindow, settle: Settle) -> None:
    panel = both.panels.receptive_field
    panel.fields.count.setValue(2)
    both.state.second.choice.choose("difference")
    settle()
    assert "shares of the field by area of the input: 20 % in A " in panel.caption
    assert "shares of its sum, A minus B" in panel.caption
    both.state.second.choice.choose("curtain")
    settle()
    assert panel.map.view.scene is not None
    assert len([layer for layer in panel.map.view.scene.layers if layer.clip is not None]) == 2


def test_closing_either_leaves_the_other(
    both: StudioWindow, controller: Controller, settle: Settle, files: tuple[str, str, str]
) -> None:
    both.state.second.choice.choose("difference")
    settle()
    first, second = both.state.model, both.state.second.model
    assert both.network_bar.two_networks.isVisible()
    controller.second.swap()
    settle()
    assert (both.state.model, both.state.second.model) == (second, first)
    assert controller.models.loaded is not None
    assert controller.models.loaded.source == files[1]
    controller.second.close_first()
    settle()
    assert (both.state.model, both.state.second.model) == (first, None)
    assert not both.network_bar.two_networks.isVisible()
    assert not maps_panel(both).caption.startswith("A")
    assert controller.models.loaded.source == files[0]


def test_memory_is_said_before_a_network_is_opened(both: StudioWindow, settle: Settle) -> None:
    both.dock_layout.show_panel("comparison")
    panel = both.dock_layout.docks["comparison"].panel
    assert isinstance(panel, ComparisonPanels)
    before = both.state.second.model
    panel.opening.source.setText("preset:convnextv2_atto")
    panel.opening.source.returnPressed.emit()
    settle()
    assert both.state.second.model is before
    assert "convnextv2_atto takes about" in panel.opening.text.text()
    panel.opening.open.click()
    settle()
    opened = both.state.second.model
    assert opened is not None
    assert opened.source == "preset:convnextv2_atto"
    assert "together" in panel.opening.text.text()
    panel.opening.source.setText("preset:nothing")
    panel.opening.source.returnPressed.emit()
    settle()
    assert "nothing" in panel.opening.text.text()
    assert both.state.second.model is opened


def test_the_bundled_models_are_one_click_away(both: StudioWindow, settle: Settle) -> None:
    both.dock_layout.show_panel("comparison")
    panel = both.dock_layout.docks["comparison"].panel
    assert isinstance(panel, ComparisonPanels)
    menu = panel.opening.near.menu()
    assert menu is not None
    for text, source in (("bundled model", "bundled"), ("bundled model with 3 × 3 kernels", "bundled-3x3")):
        next(act for act in menu.actions() if act.text().replace("&", "") == f"The {text}").trigger()
        settle()
        assert panel.opening.source.text() == source
        assert "takes about" in panel.opening.text.text()


def test_a_click_on_the_matrix_compares_two_nodes_in_all_views(
    both: StudioWindow, controller: Controller, settle: Settle
) -> None:
    both.dock_layout.show_panel("comparison")
    panel = both.dock_layout.docks["comparison"].panel
    assert isinstance(panel, ComparisonPanels)
    assert "at least 4 open pictures; there are 1" in panel.similarity.notice
    controller.open_paths(list(SAMPLES))
    settle()
    similarity = panel.similarity._similarity
    assert similarity is not None
    assert similarity.pictures == 5
    row, column = similarity.nodes_a.index("stage2.block1"), similarity.nodes_b.index("stage2.block2")
    panel.similarity.map.view.clicked.emit(column + 0.5, row + 0.5)
    both.state.second.choice.choose("second")
    settle()
    assert both.state.node == "stage2.block1"
    model = small_model(1)
    picture = both.state.picture
    assert picture is not None
    expected = analysis.feature_maps(model, input_of(model, picture.path), "stage2.block2")
    np.testing.assert_allclose(shown_maps(both), expected, rtol=1e-4, atol=1e-5)
    panel.tabs.setCurrentWidget(panel.weights)
    settle()
    assert panel.weights.table.topLevelItemCount() == len(model.module.state_dict())


def test_the_strip_shows_the_costs_of_b_and_the_difference(
    both: StudioWindow, controller: Controller, settle: Settle, files: tuple[str, str, str]
) -> None:
    controller.second.open(LoadModel(source=files[2], device="cpu"))
    settle()
    canvas, choice = both.strip.canvas, both.state.second.choice
    a, b = both.state.model, both.state.second.model
    assert a is not None
    assert b is not None
    of_a, of_b = a.node("stage3").parameters, b.node("stage3").parameters
    for shown, expected in zip(SHOWN, (of_a, of_b, of_a - of_b, of_a), strict=True):
        choice.choose(shown)
        assert canvas._costs.of["stage3"] == expected
    choice.choose("difference")
    assert canvas._costs.text(of_a - of_b).startswith("+" if of_a > of_b else "−")
