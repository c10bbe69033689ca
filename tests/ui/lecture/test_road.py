"""The road in a lecture: where its points are, what a step changes, and its network to open."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QLineF, QPoint, QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from convnext_studio.model.road.steps import ROAD, RoadStep
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.lecture.views.road.road import RoadView, spoken
from convnext_studio.ui.lecture.views.road.road_changes import (
    block_rows,
    changed_rows,
    lively_part,
    network_rows,
)
from convnext_studio.ui.lecture.views.road.road_chart import (
    STEPS,
    RoadChart,
    paint_profile,
    paint_table,
    signed,
)
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_model

Paint = Callable[[Ink, QRectF, RoadStep], RoadChart]
CHARTS = pytest.mark.parametrize("paint", [paint_profile, paint_table])


def charted(paint: Paint, size: tuple[int, int] = (1230, 480), px: int = 32) -> RoadChart:
    """The chart, painted into an image."""
    image = QImage(*size, QImage.Format.Format_RGB32)
    with QPainter(image) as painter:
        return paint(Ink(painter, px), QRectF(0, 0, *size), ROAD["kernel7"])


@pytest.fixture
def view(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> RoadView:
    view = RoadView(state, bridge, {"step": "depthwise", "show": "change"})
    qtbot.addWidget(view)
    view.set_text_px(23)
    view.resize(900, 690)
    view.prepare()
    view.show()
    qtbot.waitExposed(view)
    view.grab()
    return view


def sources(view: RoadView) -> list[str]:
    """What is asked to be opened from now on; empty for the model before."""
    wanted: list[str] = []
    view.network_chosen.connect(wanted.append)
    view.network_left.connect(lambda: wanted.append(""))
    return wanted


# ------------------------------------------------------------------------------------------------- the charts


@pytest.mark.usefixtures("qtbot")
@CHARTS
def test_points_are_where_their_accuracies_say(paint: Paint) -> None:
    """Distances along the axis of the accuracy are proportional to differences of the accuracy."""
    chart = charted(paint)
    first, recipe, width = (chart.point(ROAD[key]) for key in ("resnet50", "recipe", "width"))
    if paint is paint_profile:
        assert (first.y() - width.y()) / (first.y() - recipe.y()) == pytest.approx(4.37 / 2.69)
        assert first.y() > recipe.y()
    else:
        assert (width.x() - first.x()) / (recipe.x() - first.x()) == pytest.approx(4.37 / 2.69)
        assert recipe.x() > first.x()
    assert all(chart.area.contains(chart.point(step)) for step in STEPS)


@pytest.mark.usefixtures("qtbot")
@CHARTS
@pytest.mark.parametrize(("size", "px"), [((1230, 480), 32), ((640, 460), 20), ((1900, 1000), 32)])
def test_no_point_lies_on_another(paint: Paint, size: tuple[int, int], px: int) -> None:
    chart = charted(paint, size, px)
    radius = 0.75 * px * 0.26
    points = [chart.point(step) for step in STEPS]
    for index, point in enumerate(points):
        assert all(QLineF(point, other).length() > 2.5 * radius for other in points[:index])


@pytest.mark.usefixtures("qtbot")
@CHARTS
def test_a_point_and_its_column_or_row_are_its_step(paint: Paint) -> None:
    chart = charted(paint)
    for step, cell in zip(STEPS, chart.cells, strict=True):
        for place in (chart.point(step), cell.center()):
            assert chart.step_at(place.x(), place.y()) is step
    assert chart.step_at(-5, -5) is None


@pytest.mark.usefixtures("qtbot")
def test_the_table_says_all_figures_and_gains() -> None:
    with patch.object(Ink, "text") as text:
        charted(paint_table)
    said = [call.args[1] for call in text.call_args_list]
    for step in STEPS:
        assert f"{step.accuracy:.2f}" in said
        assert f"{step.gmacs:.2f}" in said
    assert {"+2.69", "−1.23", "−0.72", "+0.65", "same"} <= set(said)  # From Table 10 of the paper.


# --------------------------------------------------------------------------------------------- the drawing


def test_blocks_are_drawn_as_the_papers_draw_them() -> None:
    """He et al. 2016, figure 5; Liu et al. 2022, figures 3 and 4."""
    assert [row.text for row in block_rows(ROAD["resnet50"].config)] == [
        "1×1, 256 → 64",
        "BN, ReLU",
        "3×3, 64 → 64",
        "BN, ReLU",
        "1×1, 64 → 256",
        "BN",
        "+ shortcut, then ReLU",
    ]
    assert [row.text for row in block_rows(ROAD["convnext"].config)] == [
        "7×7 depthwise, 96",
        "LN",
        "1×1, 96 → 384",
        "GELU",
        "1×1, 384 → 96",
        "layer scale",
        "+ shortcut",
    ]
    assert [row.channels for row in block_rows(ROAD["inverted"].config) if row.channels] == [
        (96, 384),
        (384, 384),
        (384, 96),
    ]


def test_around_the_blocks() -> None:
    assert [row.text for row in network_rows(ROAD["resnet50"].config)] == [
        "Stem: 7×7 stride 2, BN, ReLU, pool",
        "Blocks: 3, 4, 6, 3",
        "Channels: 256, 512, 1024, 2048",
        "Halves maps: first block of a stage",
        "Head: average, linear",
    ]
    assert [row.text for row in network_rows(ROAD["convnext"].config)] == [
        "Stem: 4×4 stride 4, LN",
        "Blocks: 3, 3, 9, 3",
        "Channels: 96, 192, 384, 768",
        "Halves maps: LN, 2×2 stride 2",
        "Head: average, LN, linear",
    ]


@pytest.mark.parametrize(
    ("key", "around", "inside"),
    [
        ("stage_ratio", ["Blocks: 3, 3, 9, 3"], []),
        ("patchify", ["Stem: 4×4 stride 4"], []),
        ("depthwise", [], ["3×3 depthwise, 64"]),
        ("kernel9", [], ["9×9 depthwise, 96"]),
        ("layer_norm", [], ["LN"]),
        ("fewer_norms", [], ["GELU", "layer scale"]),
        (
            "convnext",
            ["Stem: 4×4 stride 4, LN", "Halves maps: LN, 2×2 stride 2", "Head: average, LN, linear"],
            [],
        ),
    ],
)
def test_what_comes_is_marked_and_nothing_else(key: str, around: list[str], inside: list[str]) -> None:
    step = ROAD[key]
    before = ROAD[step.builds_on].config
    for rows, expected in ((network_rows, around), (block_rows, inside)):
        old, new = rows(before), rows(step.config)
        gone, come = changed_rows(old, new)
        assert [new[index].text for index in sorted(come)] == expected
        stay = [row for index, row in enumerate(new) if index not in come]
        assert stay == [row for index, row in enumerate(old) if index not in gone]


# ------------------------------------------------------------------------------------------------- the view


def test_a_click_on_a_row_or_a_point_shows_that_step(view: RoadView, qtbot: QtBot) -> None:
    assert view.step is ROAD["depthwise"]
    for key, shows_table in (("width", False), ("layer_norm", True)):
        view.whole.setChecked(shows_table)
        view.grab()
        assert view._chart is not None
        place = view._chart.point(ROAD[key]).toPoint()
        qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=place)
        assert view.step is ROAD[key]
        assert ROAD[key].change in view.canvas.accessibleDescription()
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(5, view.canvas.height() - 5))
    assert view.step is ROAD["layer_norm"]
    qtbot.keyClick(view.steps, Qt.Key.Key_Up)
    assert view.step is ROAD["fewer_norms"]


def test_the_pointer_reads_points(view: RoadView, qtbot: QtBot) -> None:
    assert view._chart is not None
    qtbot.mouseMove(view.canvas, view._chart.point(ROAD["width"]).toPoint())
    assert view.canvas.toolTip() == "6 Width: 80.50 ± 0.02 % at 5.27 GMACs"
    qtbot.mouseMove(view.canvas, QPoint(5, view.canvas.height() - 5))
    assert view.canvas.toolTip() == ""


def test_its_network_opens_and_the_one_before_again(view: RoadView, state: AppState, qtbot: QtBot) -> None:
    wanted = sources(view)
    assert view.opens.isEnabled()  # Without a model, too.
    state.set_model(make_model())
    assert view.goes_back.isHidden()
    qtbot.mouseClick(view.opens, Qt.MouseButton.LeftButton)
    state.set_model(replace(make_model(), source="road:depthwise"))
    assert not view.opens.isEnabled()
    assert not view.goes_back.isHidden()
    qtbot.mouseClick(view.goes_back, Qt.MouseButton.LeftButton)
    assert wanted == ["road:depthwise", ""]
    view.steps.setCurrentIndex(0)
    assert view.opens.isEnabled()


def test_it_asks_the_engine_nothing_and_is_settled(view: RoadView, engine: FakeEngine) -> None:
    assert engine.asked == []
    assert view.is_settled
    assert view.shows_body
    assert "Liu et al. 2022, Table 10" in view.caption()


def test_every_step_is_painted_in_its_own_way(view: RoadView) -> None:
    seen: list[QImage] = []
    for key in ROAD:
        view.steps.setCurrentIndex(view.steps.findData(key))
        seen.append(view.canvas.grab().toImage())
        assert seen[-1] not in seen[:-1]


def test_steps_of_different_kinds_are_drawn_differently(view: RoadView) -> None:
    """Blocks of the stages, windows of the stem, widths, kernels and layers have drawings of their own."""
    said: dict[str, set[str]] = {}
    with patch.object(Ink, "text", autospec=True) as text:
        for key in ("recipe", "stage_ratio", "patchify", "width", "kernel5", "gelu", "convnext"):
            view.steps.setCurrentIndex(view.steps.findData(key))
            text.reset_mock()
            view.grab()
            said[key] = {call.args[2] for call in text.call_args_list}
    assert "7  Inverted bottleneck" in said["recipe"]
    assert {"stage 3: 6 blocks", "stage 3: 9 blocks", "14 × 14 positions"} <= said["stage_ratio"]
    assert {
        "7 × 7 windows that share 5 columns",
        "4 × 4 windows side by side",
        "side of the map: 224 → 112 → 56",
        "side of the map: 224 → 56",
    } <= said["patchify"]
    assert {"  64 / 256", "  96 / 384", "  768 / 3072"} <= said["width"]
    assert {"3 × 3", "5 × 5", "11 × 11", "80.35 %", "4.29, tried"} <= said["kernel5"]
    assert {"BN, GELU", "7×7 depthwise, 96"} <= said["gelu"]
    assert {"first block of stage 2, stride 2", "LN", "2 × 2, stride 2", "28 × 28"} <= said["convnext"]


def test_the_stem_is_drawn_on_the_liveliest_part_of_the_picture() -> None:
    pixels = np.full((224, 448, 3), 90, dtype=np.uint8)
    pixels[100:112, 300:312] = 255
    part = lively_part(pixels)
    assert (part.width(), part.height()) == (28, 28)
    colours = {part.pixelColor(x, y).red() for x in range(28) for y in range(28)}
    assert colours == {90, 255}
    assert lively_part(np.zeros((1, 1, 3), dtype=np.uint8)).width() == 1


def test_the_difference_is_told_on_screen_and_aloud() -> None:
    said = spoken(ROAD["layer_norm"])
    for part in ("step 16", "81.47 ± 0.09 % at 4.46 GMACs", "4.146 GMACs", "4.146 + 0.310 = 4.456"):
        assert part in said
    assert "±" not in spoken(ROAD["resnet50"])


def test_differences_have_their_signs() -> None:
    assert signed(-1.234, 2) == "−1.23"
    assert signed(0.31, 2) == "+0.31"
    assert signed(-0.0001, 2) == signed(0.0, 3) == "same"


def test_a_lecture_can_name_every_step() -> None:
    setting = VIEWS["road"].settings["step"]
    assert all(setting.accepts(key) for key in ROAD)
    assert not setting.accepts("attention")
