"""The road in a lecture: where its points are, what a step changes, and its network to open."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from convnext_studio.model.road.steps import ROAD
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.lecture.views.road.road import (
    STEPS,
    Box,
    RoadPlot,
    RoadView,
    labels_beside,
    signed,
    spoken,
)
from convnext_studio.ui.lecture.views.road.road_block import block_rows, changed_rows, network_rows
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_model

PLOT = RoadPlot(room=QRectF(10, 20, 1260, 480), px=24, list_width=450)


@pytest.fixture
def view(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> RoadView:
    view = RoadView(state, bridge, {"step": "depthwise"})
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


# ------------------------------------------------------------------------------------------------- the plot


def test_points_are_where_their_figures_say() -> None:
    """Distances are proportional to differences of cost and accuracy."""
    first, recipe, width, depthwise = (
        PLOT.point(ROAD[key]) for key in ("resnet50", "recipe", "width", "depthwise")
    )
    assert first.x() == pytest.approx(recipe.x())  # Both cost 4.09.
    per_percent = (first.y() - recipe.y()) / (78.82 - 76.13)
    assert first.y() - width.y() == pytest.approx(per_percent * (80.50 - 76.13))
    per_gmac = (width.x() - depthwise.x()) / (5.27 - 2.35)
    assert width.x() - first.x() == pytest.approx(per_gmac * (5.27 - 4.09))
    assert per_percent > 0
    assert per_gmac > 0
    assert all(PLOT.area.contains(PLOT.point(step)) for step in STEPS)


def test_a_point_and_a_row_are_their_steps() -> None:
    for step in STEPS:
        at, row = PLOT.point(step), PLOT.row(step).center()
        found = PLOT.step_at(at.x(), at.y())
        assert found is not None
        assert (found.gmacs, found.accuracy) == (step.gmacs, step.accuracy)
        assert PLOT.step_at(row.x(), row.y()) is step
    assert PLOT.step_at(PLOT.area.left() + 30, PLOT.area.bottom() - 60) is None


def touch(one: Box, other: Box) -> bool:
    return QRectF(QPointF(*one[:2]), QPointF(*one[2:])).intersects(
        QRectF(QPointF(*other[:2]), QPointF(*other[2:]))
    )


@pytest.mark.parametrize(("room", "px"), [((1246, 480), 24.0), ((880, 340), 17.0), ((1880, 480), 24.0)])
@pytest.mark.parametrize("current", range(len(STEPS)))
def test_no_number_lies_on_another_or_on_a_point(room: tuple[int, int], px: float, current: int) -> None:
    plot = RoadPlot(room=QRectF(0, 0, *room), px=px, list_width=room[0] * 0.4)
    centres = tuple((plot.point(step).x(), plot.point(step).y()) for step in STEPS)
    area = (plot.area.left(), plot.area.top(), plot.area.right(), plot.area.bottom())
    boxes = labels_beside(centres, (1.3 * px, 0.9 * px), area, 0.24 * px, current)
    for index, box in enumerate(boxes):
        assert not any(touch(box, other) for other in boxes[:index])
        assert not any(touch(box, (x - 0.2 * px, y - 0.2 * px, x + 0.2 * px, y + 0.2 * px)) for x, y in centres)
        assert area[0] <= box[0] <= box[2] <= area[2]
        assert area[1] <= box[1] <= box[3] <= area[3]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), min_size=1, max_size=8))
def test_numbers_have_their_size_wherever_points_are(centres: list[tuple[float, float]]) -> None:
    boxes = labels_beside(tuple(centres), (20.0, 10.0), (0.0, 0.0, 300.0, 300.0), 3.0, 0)
    for left, top, right, bottom in boxes:
        assert right - left == pytest.approx(20)
        assert bottom - top == pytest.approx(10)


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
    plot = view._plot
    assert plot is not None
    for key, place in (
        ("width", plot.point(ROAD["width"])),
        ("layer_norm", plot.row(ROAD["layer_norm"]).center()),
    ):
        qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=place.toPoint())
        assert view.step is ROAD[key]
        assert ROAD[key].change in view.canvas.accessibleDescription()
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(5, view.canvas.height() - 5))
    assert view.step is ROAD["layer_norm"]
    qtbot.keyClick(view.steps, Qt.Key.Key_Up)
    assert view.step is ROAD["fewer_norms"]


def test_the_pointer_reads_points(view: RoadView, qtbot: QtBot) -> None:
    assert view._plot is not None
    qtbot.mouseMove(view.canvas, view._plot.point(ROAD["width"]).toPoint())
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
