"""What is measured on a map, against numpy on enlarged copies of it."""

import math

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits, Mosaic, assemble, format_number, mosaic_values
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_texts import map_layer, numbers_of
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.measuring.measurements import TOOLS, Ends, Tool, profile_of, region_numbers
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.shell.panel_controls import measures_on, set_measures
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.opening.session_document import SavedSession, from_bytes, to_text
from convnext_studio.ui.widgets.control_values import control_values, set_controls

UNIT_PX = 8
VALUES = np.random.default_rng(3).uniform(0.1, 1, (7, 9)).astype(np.float32)
BOX = (16.0, 8.0, 9.0 * UNIT_PX, 7.0 * UNIT_PX)
PIXELS = VALUES.repeat(UNIT_PX, 0).repeat(UNIT_PX, 1).astype(np.float64)
"""The same map with one value for each pixel of the scene."""


def map_scene() -> Scene:
    return Scene(size=(100.0, 80.0), layers=(map_layer(VALUES, BOX, Limits(0, 1), "viridis"),))


@pytest.fixture
def shown(qtbot: QtBot) -> MapView:
    view = MapView("A map")
    qtbot.addWidget(view)
    view.resize(640, 500)
    view.show()
    qtbot.waitExposed(view)
    view.view.set_scene(map_scene())
    return view


@pytest.mark.parametrize(
    "corners", [(16, 8, 88, 64), (20, 11, 57, 42), (57, 42, 20, 11), (0, 0, 100, 80), (17, 9, 18, 10)]
)
def test_a_region_counts_each_unit_by_what_it_covers(corners: tuple[int, int, int, int]) -> None:
    x0, x1 = sorted((corners[0], corners[2]))
    y0, y1 = sorted((corners[1], corners[3]))
    inside = PIXELS[max(y0 - 8, 0) : max(y1 - 8, 0), max(x0 - 16, 0) : max(x1 - 16, 0)]
    found = region_numbers(numbers_of(VALUES), BOX, tuple(map(float, corners)))
    assert found is not None
    assert found.mean == pytest.approx(inside.mean())
    assert (found.minimum, found.maximum) == pytest.approx((inside.min(), inside.max()))
    assert found.units == pytest.approx(inside.size / UNIT_PX**2)
    assert found.share == pytest.approx(inside.sum() / PIXELS.sum())


def test_values_that_are_not_finite_are_left_out_and_signed_maps_have_no_share() -> None:
    values = VALUES.copy()
    values[0, 0], values[2, 2] = np.nan, -5
    found = region_numbers(numbers_of(values), (0, 0, 9, 7), (0, 0, 3, 3))
    assert found is not None
    assert found.mean == pytest.approx(np.nanmean(values[:3, :3].astype(float)))
    assert found.share is None
    assert region_numbers(numbers_of(values), (0, 0, 9, 7), (0, 0, 1, 1)) is None
    assert region_numbers(numbers_of(values), (0, 0, 9, 7), (20, 20, 30, 30)) is None


@pytest.mark.parametrize("ends", [(17, 9, 87, 63), (0, 40, 100, 40), (50.5, 12, 50.5, 60)])
def test_a_profile_reads_the_units_that_the_line_crosses(ends: Ends) -> None:
    profile = profile_of(numbers_of(VALUES), BOX, ends)
    length = math.dist(ends[:2], ends[2:])
    assert profile.distance[-1] == pytest.approx(length)
    assert np.diff(profile.distance).max() <= UNIT_PX / 2 + 1e-9
    for distance, value in zip(profile.distance, profile.values, strict=True):
        x = ends[0] + distance / length * (ends[2] - ends[0])
        y = ends[1] + distance / length * (ends[3] - ends[1])
        column, row = math.floor(x - 16), math.floor(y - 8)
        is_inside = 0 <= column < PIXELS.shape[1] and 0 <= row < PIXELS.shape[0]
        assert value == pytest.approx(PIXELS[row, column] if is_inside else math.nan, nan_ok=True)


def test_the_values_of_a_mosaic_lie_where_its_colours_do() -> None:
    maps = np.random.default_rng(0).uniform(0, 1, (5, 3, 4)).astype(np.float32)
    mosaic = Mosaic(5, 3, 4, columns=2, gap_px=1, order=(4, 2, 0, 1, 3))
    values = mosaic_values(maps, mosaic)
    assert values.shape == assemble(maps, mosaic, Limits(0, 1), "viridis").shape[:2]
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            unit = mosaic.unit_at(x + 0.5, y + 0.5)
            assert np.isnan(values[y, x]) if unit is None else values[y, x] == maps[unit]


def drag(view: ImageView, start: QPointF, end: QPointF) -> None:
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(view, left, pos=start.toPoint())
    QTest.mouseMove(view, QPoint(start.toPoint() + QPoint(9, 9)))
    QTest.mouseMove(view, end.toPoint())
    QTest.mouseRelease(view, left, pos=end.toPoint())


def test_a_region_is_dragged_read_and_undone(shown: MapView) -> None:
    view, said = shown.view, []
    shown.measured.connect(said.append)
    view.toggle_measure("region")
    x0, y0, x1, y1 = view.measures["region"]
    assert all(number == round(number) for number in (x0, y0, x1, y1))
    assert "mean" in said[-1]
    before = view.to_widget(0, 0)
    drag(view, view.to_widget(x1, y1), view.to_widget(60, 50))
    assert view.measures["region"] == (x0, y0, 60, 50)
    assert view.to_widget(0, 0) == before  # The map did not move.
    inside = PIXELS[int(y0) - 8 : 42, int(x0) - 16 : 44]
    assert f"mean {format_number(inside.mean())}" in said[-1]
    assert f"max {format_number(inside.max())}" in said[-1]
    drag(
        view, view.to_widget((x0 + 60) / 2, (y0 + 50) / 2), view.to_widget((x0 + 60) / 2 + 5, (y0 + 50) / 2 - 3)
    )
    assert view.measures["region"] == (x0 + 5, y0 - 3, 65, 47)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.measures == {}
    assert said[-1] == ""


def test_escape_during_a_drag_puts_back(shown: MapView) -> None:
    view = shown.view
    view.toggle_measure("distance")
    before = view.measures
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=view.to_widget(*before["distance"][:2]).toPoint())
    QTest.mouseMove(view, view.to_widget(20, 60).toPoint())
    assert view.measures != before
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.measures == before


def test_a_click_on_a_region_still_selects(shown: MapView, qtbot: QtBot) -> None:
    shown.view.toggle_measure("region")
    with qtbot.waitSignal(shown.view.clicked):
        QTest.mouseClick(shown.view, Qt.MouseButton.LeftButton, pos=shown.view.to_widget(50.5, 40.5).toPoint())


def test_the_keys_move_and_resize(shown: MapView) -> None:
    view = shown.view
    view.toggle_measure("region")
    x0, y0, x1, y1 = view.measures["region"]
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(view, Qt.Key.Key_Right, control)
    QTest.keyClick(view, Qt.Key.Key_Up, control)
    assert view.measures["region"] == (x0 + 1, y0 - 1, x1 + 1, y1 - 1)
    QTest.keyClick(view, Qt.Key.Key_Down, control | shift)
    assert view.measures["region"] == (x0 + 1, y0 - 1, x1 + 1, y1)
    for _ in range(150):
        QTest.keyClick(view, Qt.Key.Key_Right, control)
    assert view.measures["region"][2] == 100  # It stays on the scene, as large as it was.
    assert view.measures["region"][0] == 100 - (x1 - x0)


def test_the_keys_are_the_windows_again_when_nothing_is_measured(shown: MapView, qtbot: QtBot) -> None:
    navigate = QAction("Next stage", shown)
    navigate.setShortcut("Ctrl+Right")
    shown.addAction(navigate)
    navigated: list[str] = []
    navigate.triggered.connect(lambda: navigated.append("next"))
    view = shown.view
    shown.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    view.toggle_measure("distance")
    before = view.measures["distance"]
    QTest.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert view.measures["distance"] == (before[0] + 1, before[1], before[2] + 1, before[3])
    assert navigated == []
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert navigated == ["next"]


def test_a_profile_is_plotted_below_the_map(shown: MapView) -> None:
    shown.view.set_measures({"profile": (20.0, 30.0, 80.0, 30.0)})
    assert shown.profile is not None
    assert shown.profile.isVisible()
    [curve] = shown.profile.curves
    assert curve.x[-1] == pytest.approx(60)
    assert curve.y[0] == pytest.approx(PIXELS[22, 4])
    assert shown.picture().height() > 0
    QTest.keyClick(shown.view, Qt.Key.Key_Escape)
    assert not shown.profile.isVisible()


def test_a_distance_is_written_beside_its_line(shown: MapView) -> None:
    shown.view.set_measures({"distance": (10.0, 10.0, 40.0, 50.0)})
    assert shown.view.sentence == "distance 50.0 px (30.0 across, 40.0 down)"


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_measured_is_seen_and_goes_without_a_trace(qtbot: QtBot, tool: Tool) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    view.set_scene(map_scene())
    before = view.grab().toImage()
    view.toggle_measure(tool)
    assert view.grab().toImage() != before
    view.toggle_measure(tool)
    assert view.grab().toImage() == before


def test_a_smaller_scene_drops_what_does_not_lie_on_it(shown: MapView) -> None:
    shown.view.set_measures({"region": (1.0, 1.0, 5.0, 5.0), "distance": (50.0, 50.0, 90.0, 70.0)})
    shown.view.set_scene(Scene(size=(20.0, 20.0)))
    assert list(shown.view.measures) == ["region"]


def test_levels_are_dragged_shown_and_restored(shown: MapView) -> None:
    bar, dragged, restored = shown.bar, [], []
    bar.levels_dragged.connect(dragged.append)
    bar.levels_restored.connect(lambda: restored.append(True))
    bar.set_scale(ColorScale("viridis", Limits(0, 4)))
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 20))
    QTest.mouseMove(bar, QPoint(6, 60))
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 60))
    assert dragged == []  # It is not adjustable yet.
    bar.set_adjustable()
    height = bar.height() - bar.fontMetrics().height()
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 20))
    QTest.mouseMove(bar, QPoint(6, 20 + height // 4))
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 20 + height // 4))
    assert dragged[-1].low == 0
    assert dragged[-1].high == pytest.approx(3, abs=0.02)
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, bar.height() - 20))
    QTest.mouseMove(bar, QPoint(6, bar.height() - 20 - height // 2))
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, bar.height() - 20 - height // 2))
    assert dragged[-1].low == pytest.approx(2, abs=0.02)
    assert dragged[-1].high == 4
    QTest.mouseDClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 40))
    assert restored == [True]


def test_levels_about_0_stay_so(shown: MapView) -> None:
    bar, dragged = shown.bar, []
    bar.set_adjustable()
    bar.levels_dragged.connect(dragged.append)
    bar.set_scale(ColorScale("vik", Limits(-2, 2)))
    QTest.keyClick(bar, Qt.Key.Key_Down)
    assert dragged[-1].high == -dragged[-1].low < 2


def test_a_range_that_was_dragged_is_restored(filled_window: StudioWindow) -> None:
    panel = filled_window.panels.receptive_field
    panel.range.take(Limits(0.25, 0.5))
    assert panel.range.value.hand == Limits(0.25, 0.5)
    panel.range.restore()
    assert panel.range.value.kind == "data"
    panel.range.restore()
    assert panel.range.value.kind == "data"


def test_the_window_reads_a_measurement_in_its_status_bar_and_by_its_actions(
    filled_window: StudioWindow,
) -> None:
    filled_window.panels.attribution.figure.cells[0].map.view.setFocus()
    filled_window.actions_by_id["measure_region"].trigger()
    view = filled_window.panels.attribution.figure.cells[0].map.view
    assert "region" in view.measures
    text = filled_window.statusBar().hover.text()
    assert text.startswith("region")
    filled_window.state.hovered.emit("something else")
    filled_window.state.hovered.emit("")
    assert filled_window.statusBar().hover.text() == text
    filled_window.actions_by_id["measure_clear"].trigger()
    assert view.measures == {}


def test_a_session_keeps_what_is_measured(
    filled_window: StudioWindow, tmp_path_factory: pytest.TempPathFactory
) -> None:
    panel = filled_window.panels.attribution
    view = panel.figure.cells[0].map.view
    view.set_measures({"region": (3.0, 4.0, 20.0, 30.0), "distance": (1.5, 2.0, 30.0, 40.0)})
    saved = measures_on(panel)
    folder = tmp_path_factory.mktemp("sessions")
    session = SavedSession(measures={"attribution": saved})
    again = from_bytes(to_text(session, folder).encode(), folder / "a.cnxsession")
    view.set_measures({})
    set_measures(panel, again.measures["attribution"])
    assert view.measures == {"region": (3.0, 4.0, 20.0, 30.0), "distance": (1.5, 2.0, 30.0, 40.0)}


@pytest.mark.parametrize("name", ["receptive_field", "attribution", "picture"])
def test_a_session_keeps_levels_that_were_dragged(filled_window: StudioWindow, name: str) -> None:
    panel = filled_window.dock_layout.docks[name].panel
    control = panel.range if name == "receptive_field" else panel.look.range
    control.take(Limits(0.25, 0.5))
    saved = control_values(panel)
    control.restore()
    assert control.value.kind != "hand"
    set_controls(panel, saved)
    assert (control.value.kind, control.value.hand) == ("hand", Limits(0.25, 0.5))


def test_a_session_keeps_levels_that_were_dragged_beside_feature_maps(filled_window: StudioWindow) -> None:
    panel = filled_window.dock_layout.docks["feature_maps"].panel
    usual = panel.choices.scaling.currentData()
    panel.choices.take_levels(Limits(0.25, 0.5))
    saved = control_values(panel)
    panel.choices.restore_levels()
    assert panel.choices.scaling.currentData() == usual
    set_controls(panel, saved)
    assert panel.choices.scaling.currentData() == "fixed"
    assert panel.choices.range.value.hand == Limits(0.25, 0.5)
