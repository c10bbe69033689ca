"""One channel: its unit, its contour, its numbers and its kernel, each where the arithmetic says."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.render import Limits, colorize
from convnext_studio.ui.plots.histogram import BINS, Histogram
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Lines, Scene
from tests.ui.desk import click_at, colour_at, feature_maps, model, point_at
from tests.ui.features import answer, asked, filled_panel, open_panel, reply

NONE = 0
NINETY = 3
"""Entries of the menu of contours."""


def ramp() -> np.ndarray:
    """Every channel rises by 1 from unit to unit."""
    return np.tile(np.arange(16.0).reshape(4, 4), (8, 1, 1))


# ------------------------------------------------------------------------------------------------- units


def test_a_click_selects_the_unit_under_it(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    view = panel.channel_map.view
    click_at(view, view.to_widget(2.5, 1.5))
    assert desk.state.unit == (1, 2)
    assert [(spot.x, spot.y) for spot in view.scene.spots] == [(2.5, 1.5)]
    assert "unit (y 1, x 2) 6.00" in panel.caption


def test_on_the_picture_a_click_selects_the_unit_drawn_there(qtbot: QtBot) -> None:
    """Unit (1, 3): picture 76..92 by 24..40, as the crop at (28, 8) and strides of 16 px have it."""
    desk, panel = filled_panel(qtbot, ramp())
    panel.choices.on_picture.setChecked(True)
    view = panel.channel_map.view
    click_at(view, view.to_widget(90, 26))
    assert desk.state.unit == (1, 3)
    assert [(spot.x, spot.y) for spot in view.scene.spots] == [(84, 32)]
    click_at(view, view.to_widget(100, 26))  # beside the map
    assert desk.state.unit == (1, 3)


def test_arrow_keys_move_the_unit_and_stop_at_the_border(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    view = panel.channel_map.view
    view.setFocus()
    visited = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Left):
        QTest.keyClick(view, key)
        visited.append(desk.state.unit)
    assert visited == [(2, 2), (2, 3), (2, 3), (1, 3), (1, 2)]  # from the middle
    assert desk.state.channel == 0


def test_a_unit_that_the_map_lacks_is_not_marked(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    desk.state.set_unit(7, 7)
    assert panel.channel_map.view.scene.spots == ()
    desk.state.set_unit(0, 0)
    assert len(panel.channel_map.view.scene.spots) == 1
    panel.choices.clear_unit.click()
    assert desk.state.unit is None
    assert panel.channel_map.view.scene.spots == ()


@pytest.mark.parametrize("on_picture", [False, True])
def test_the_crosshair_is_at_the_same_place_of_the_photograph(qtbot: QtBot, on_picture: bool) -> None:
    """Map (3, 1) is input (48, 16), and so picture (76, 24)."""
    desk, panel = filled_panel(qtbot, ramp())
    panel.choices.on_picture.setChecked(on_picture)
    view = panel.channel_map.view
    scene = (76.0, 24.0) if on_picture else (3.0, 1.0)
    desk.state.views.point_at((76.0, 24.0))
    assert view.crosshair == pytest.approx(scene)
    point_at(view, view.to_widget(*scene))
    assert desk.state.views.pointed == pytest.approx((76.0, 24.0), abs=1.0)


def test_pointing_at_the_mosaic_points_at_the_photograph(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    view = panel.mosaic_map.view
    x, y, _, _ = panel.mosaic_map.painting.mosaic.tile_box(5)
    point_at(view, view.to_widget(x + 3, y + 1))
    assert desk.state.views.pointed == pytest.approx((76.0, 24.0), abs=1.0)
    assert panel.channel_map.view.crosshair == pytest.approx((3.0, 1.0), abs=0.1)
    assert view.crosshair is None


# ----------------------------------------------------------------------------------------------- contour


def test_a_contour_runs_at_the_quantile(qtbot: QtBot) -> None:
    """0..15: 90 % lie below 13.5, which the interpolated ramp has between the third and the last row only."""
    _, panel = filled_panel(qtbot, ramp())
    panel.choices.contour.setCurrentIndex(NINETY)
    assert "contour at 13.5" in panel.caption
    (lines,) = panel.channel_map.view.scene.lines
    x, y = lines.ends[..., 0] - 0.5, lines.ends[..., 1] - 0.5
    np.testing.assert_allclose(4 * y + x, 13.5)
    panel.choices.on_picture.setChecked(True)
    (on_picture,) = panel.channel_map.view.scene.lines
    np.testing.assert_allclose(on_picture.ends, lines.ends * 16 + (28, 8))
    panel.choices.contour.setCurrentIndex(NONE)
    assert panel.channel_map.view.scene.lines == ()
    assert "contour" not in panel.caption


def test_a_contour_without_a_line_says_so(qtbot: QtBot) -> None:
    _, panel = filled_panel(qtbot, np.zeros((8, 4, 4)))
    panel.choices.contour.setCurrentIndex(NINETY)
    assert panel.channel_map.view.scene.lines == ()
    assert panel.channel_map.contour_text == "contour at 0, not reached anywhere"


def test_nothing_finite_has_no_contour(qtbot: QtBot) -> None:
    _, panel = filled_panel(qtbot, np.full((8, 4, 4), np.nan))
    panel.choices.contour.setCurrentIndex(NINETY)
    assert panel.channel_map.contour_text == ""
    assert "16 of 16 values are not finite" in panel.caption


# ----------------------------------------------------------------------------------------------- numbers


def test_the_histogram_counts_every_finite_value_once(qtbot: QtBot) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=2000).astype(np.float32)
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(300, 160)
    histogram.show_values(values, Limits(-4, 4), "vik")
    assert histogram.range == Limits(float(values.min()), float(values.max()))
    low, high = float(values.min()), float(values.max())
    expected = [0] * BINS
    for value in values.tolist():
        expected[min(int((value - low) / (high - low) * BINS), BINS - 1)] += 1
    assert np.abs(histogram.counts - expected).sum() <= 2  # on an edge, rounding decides
    assert histogram.counts.sum() == 2000


@pytest.mark.parametrize("values", [[], [2.5], [0.0, 0.0], [-3e38, 3e38]])
def test_any_values_have_a_histogram(qtbot: QtBot, values: list[float]) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.show()
    histogram.show_values(np.array(values, dtype=np.float32), Limits(0, 1), "viridis")
    assert histogram.counts.sum() == len(values)
    assert not histogram.grab().isNull()


def test_a_small_histogram_says_its_ends_without_overlap(qtbot: QtBot) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(*histogram.minimumSize().toTuple())
    histogram.show_values(np.linspace(-0.66, 0.655, 99, dtype=np.float32), Limits(-1, 1), "vik")
    histogram.show()
    qtbot.waitExposed(histogram)
    qtbot.wait(10)
    [ticks] = histogram.view._axes._across._tickLevels
    assert [text for _, text in ticks] == ["-0.660", "0.655"]


def test_a_bin_is_read_out(qtbot: QtBot) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(300, 160)
    told: list[str] = []
    histogram.hovered.connect(told.append)
    histogram.show_values(np.array([0.0, 0.0, 0.0, 48.0], dtype=np.float32), Limits(0, 48), "viridis")
    histogram.show()
    qtbot.waitExposed(histogram)
    qtbot.wait(10)  # The axes are made as it is shown, and laid out in the next turn.
    area = histogram.area
    point_at(histogram, QPointF(area.left() + 1, 50))
    assert told[-1] == "from 0 to 1.00: 3 of 4 units, 75.0 %"
    point_at(histogram, QPointF(area.right() - 1, 50))
    assert told[-1] == "from 47.0 to 48.0: 1 of 4 units, 25.0 %"


def test_a_hidden_histogram_is_drawn_when_it_is_shown(qtbot: QtBot) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.show_values(np.arange(48, dtype=np.float32), Limits(0, 48), "viridis")
    assert histogram._view is None
    histogram.show()
    assert histogram._view is not None
    assert histogram._view.limits == (Limits(0, BINS), Limits(0, 1))


def test_bars_have_the_colours_of_their_values_and_one_value_is_seen_beside_thousands(qtbot: QtBot) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(400, 200)
    values = np.r_[np.zeros(9999), 48.0].astype(np.float32)
    histogram.show_values(values, Limits(0, 48), "viridis")
    histogram.show()
    qtbot.waitExposed(histogram)
    qtbot.wait(10)
    image, area = histogram.grab().toImage(), histogram.area
    first, last = colorize(np.array([0.5, 47.5]), Limits(0, 48), "viridis").tolist()
    middle = image.pixelColor(round(area.left() + area.width() / BINS / 2), round(area.center().y()))
    assert middle.getRgb()[:3] == tuple(first)
    column = [
        image.pixelColor(round(area.right() - area.width() / BINS / 2), y).getRgb()[:3]
        for y in range(round(area.bottom()) - 3, round(area.bottom()) + 1)
    ]
    assert tuple(last) in column


def kernel_of(channel: int, kernel: np.ndarray | None) -> KernelResult:
    if kernel is None:
        return KernelResult(node="stage3", channel=channel, why_not="There is no depthwise kernel here.")
    return KernelResult(
        node="stage3",
        channel=channel,
        kernel=kernel.astype(np.float32),
        bias=0.25,
        source="stage3.block2.dwconv",
    )


def test_the_numbers_of_a_channel_are_asked_for_when_they_are_seen(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp() - 4)
    assert asked(desk, Kernel) == []
    panel.tabs.setCurrentWidget(panel.numbers)
    assert [(request.node, request.channel) for request in asked(desk, Kernel)] == [("stage3", 0)]
    text = panel.numbers.statistics.text()
    for words in ("min -4.00", "max 11.0", "mean 3.50", "std 4.61", "median 3.50", "25.0 % negative"):
        assert words in text
    desk.state.set_channel(3)
    assert asked(desk, Kernel)[-1].channel == 3


def test_a_kernel_has_a_scale_of_its_own_about_0(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    panel.tabs.setCurrentWidget(panel.numbers)
    kernel = np.zeros((7, 7))
    kernel[2, 5], kernel[0, 0] = -0.5, 0.125
    reply(desk, Kernel, kernel_of(0, kernel))
    view, bar = panel.numbers.kernel_map.view, panel.numbers.kernel_map.bar
    assert (bar.labels()[0][1], bar.labels()[-1][1]) == ("-0.500", "0.500")
    point_at(view, view.to_widget(5.5, 2.5))
    assert desk.read_outs[-1] == "stage3.block2.dwconv · channel 0 · kernel (y 2, x 5) · weight -0.500"
    assert "sum -0.375 · bias 0.250" in panel.numbers.kernel_text.text()


def test_a_kernel_follows_colours_and_range_but_not_the_numbers_of_its_map(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    panel.tabs.setCurrentWidget(panel.numbers)
    kernel = np.linspace(-0.4, 1.0, 49).reshape(7, 7)
    reply(desk, Kernel, kernel_of(0, kernel))
    bar, choices = panel.numbers.kernel_map.bar, panel.choices

    def ends() -> tuple[str, str]:
        return bar.labels()[0][1], bar.labels()[-1][1]

    def choose(box: QComboBox, text: str) -> None:
        box.setCurrentIndex(box.findText(text))
        qtbot.waitUntil(lambda: panel.is_settled)

    choose(choices.scaling, "Range…")
    choices.range.high.setText("3")
    choices.range.high.editingFinished.emit()
    qtbot.waitUntil(lambda: panel.is_settled)
    assert ends() == ("-1.00", "1.00")  # Weights are no activations.
    choose(choices.range.kind, "Percentile")
    choices.range.percentile.setValue(75)
    qtbot.waitUntil(lambda: panel.is_settled)
    assert ends() == ("-0.650", "0.650")  # -0.4 + 0.75 · 1.4, and as far below 0.
    assert bar.scale is not None
    assert (bar.scale.clipping.below, bar.scale.clipping.above) == (False, True)
    choose(choices.colormap, "Viridis")
    assert bar.scale.colormap == "viridis"
    assert ends() == ("-0.0500", "0.650")


def test_where_there_is_no_kernel_it_is_said(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    panel.tabs.setCurrentWidget(panel.numbers)
    reply(desk, Kernel, kernel_of(0, None))
    assert panel.numbers.kernel_text.text() == "There is no depthwise kernel here."
    assert panel.numbers.kernel_map.isHidden()
    desk.state.set_channel(1)
    reply(desk, Kernel, kernel_of(1, np.eye(3)))
    assert not panel.numbers.kernel_map.isHidden()


def test_a_new_models_kernel_is_another(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, ramp())
    panel.tabs.setCurrentWidget(panel.numbers)
    reply(desk, Kernel, kernel_of(0, np.eye(3)))
    desk.state.set_model(model())
    assert len(asked(desk, Kernel)) == 1
    answer(desk, panel, feature_maps(desk, "stage3", ramp()))
    assert len(asked(desk, Kernel)) == 2


def test_the_panel_opens_on_the_map(qtbot: QtBot) -> None:
    _, panel = open_panel(qtbot)
    assert panel.tabs.currentWidget() is panel.channel_map


@pytest.mark.parametrize("zoom", [1.0, 6.0])
def test_lines_are_painted_where_they_are_and_as_thin_at_any_zoom(qtbot: QtBot, zoom: float) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    grey = Layer(Bitmap(np.full((3, 4, 3), 128, dtype=np.uint8)), (0, 0, 4, 3))
    view.set_scene(Scene(size=(4, 3), layers=(grey,), lines=(Lines(np.array([[[0.5, 1.5], [3.5, 1.5]]])),)))
    view.zoom(zoom, view.to_widget(2, 1.5))
    scale = view.to_widget(1, 0).x() - view.to_widget(0, 0).x()
    across = [colour_at(view, 2, 1.5 + step / scale)[0] for step in (-4, -2, -1, 0, 1, 2, 4)]
    assert max(across[2:5]) > 160  # bright, with a dark edge on either side, and nothing beyond
    assert max(min(across[:3]), min(across[4:])) < 100
    assert across[0] == across[-1] == 128
