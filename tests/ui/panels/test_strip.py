"""The strip is drawn to scale, and is how one navigates."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QRegion
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.frame_keys import frame_key, number_of
from convnext_studio.model.nodes import head_parameters
from convnext_studio.protocol.maps import NodeValues, NodeValuesResult, ValueStatistics
from convnext_studio.protocol.models import MeasureCosts, MeasuredCosts
from convnext_studio.render import lut
from convnext_studio.ui.panels.strip import strip_panel
from convnext_studio.ui.panels.strip.strip_canvas import _scaled
from convnext_studio.ui.panels.strip.strip_layout import NetworkLayout, RowLayout, rect_of
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.state.selection.live_frames import ShownFrame
from convnext_studio.ui.widgets import text_size, theme
from tests.ui.desk import Desk, click_at, model, picture, point_at, prediction

CONVNEXT_T = ConvNeXtConfig()
KEY = Qt.Key


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


@pytest.fixture
def strip(desk: Desk) -> NetworkStrip:
    desk.state.set_model(model(CONVNEXT_T, 224))
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, strip.sizeHint().height())
    return strip


def network(strip: NetworkStrip) -> NetworkLayout:
    places = strip.canvas.places
    assert isinstance(places, NetworkLayout)
    return places


def row(strip: NetworkStrip) -> RowLayout:
    places = strip.canvas.places
    assert isinstance(places, RowLayout)
    return places


def centre(strip: NetworkStrip, node: str) -> QPointF:
    assert strip.canvas.places is not None
    rect = rect_of(strip.canvas.places.parts, node)
    assert rect is not None
    return rect.center()


def press(strip: NetworkStrip, *keys: Qt.Key) -> list[str]:
    """Press keys one after the other; the node selected after each."""
    walked = []
    for key in keys:
        QTest.keyClick(strip.canvas, key)
        walked.append(strip.state.node)
    return walked


def values(mean: float) -> ValueStatistics:
    return ValueStatistics(minimum=mean - 1, maximum=mean + 2, mean=mean, std=1.0, non_finite=0)


def answer_values(desk: Desk) -> NodeValues:
    """Answer the last question for values: before the i-th node they are about i, behind it about 10 + i."""
    request = [request for request in desk.asked if isinstance(request, NodeValues)][-1]
    nodes = list(enumerate(request.nodes))
    before, after = {node: values(i) for i, node in nodes}, {node: values(10 + i) for i, node in nodes}
    desk.answer(NodeValuesResult(image=request.image, before=before, after=after), request.id)
    return request


def predicted(desk: Desk) -> None:
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))


# ------------------------------------------------------------------------------------------------ navigation


@pytest.mark.parametrize(
    "node", ["stem", "stage1", "stage3", "stage3.block7", "stage4.downsample", "head.norm"]
)
def test_a_click_selects(desk: Desk, strip: NetworkStrip, node: str) -> None:
    place = centre(strip, node)
    if node in ("stage1", "stage3"):
        stage = next(stage for stage in network(strip).stages if stage.node.name == node)
        place = stage.thumbnail.center()
    click_at(strip.canvas, place)
    assert desk.state.node == node
    assert strip.opened == ""


def test_keys_walk_the_network(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage2")
    left, right = KEY.Key_Left, KEY.Key_Right
    assert press(strip, left, left, left) == ["stage1", "stem", "stem"]
    assert press(strip, *[right] * 6) == ["stage1", "stage2", "stage3", "stage4", "head.norm", "head.norm"]


def test_keys_go_into_a_stage_and_a_block_and_back_out(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage3")
    assert press(strip, KEY.Key_Return) == ["stage3.block1"]
    assert [part.node.name for part in row(strip).row] == [
        "stage3.downsample",
        *(f"stage3.block{i}" for i in range(1, 10)),
    ]
    assert press(strip, KEY.Key_Right, KEY.Key_Right) == ["stage3.block2", "stage3.block3"]
    assert press(strip, KEY.Key_Down) == ["stage3.block3.dwconv"]
    operations = ["dwconv", "norm", "pwconv1", "act", "pwconv2", "gamma"]
    assert [part.node.name for part in row(strip).row] == [f"stage3.block3.{name}" for name in operations]
    assert row(strip).total is not None
    assert press(strip, KEY.Key_Return) == ["stage3.block3.dwconv"]
    assert press(strip, KEY.Key_Backspace) == ["stage3.block3"]
    assert strip.opened == "stage3"
    assert press(strip, KEY.Key_Escape) == ["stage3"]
    assert isinstance(strip.canvas.places, NetworkLayout)
    assert press(strip, KEY.Key_Escape) == ["stage3"]


def test_walking_leads_from_block_to_block_and_from_stage_to_stage(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage1")
    press(strip, KEY.Key_Return)
    assert press(strip, *[KEY.Key_Right] * 4)[1:] == ["stage1.block3", "stage2.downsample", "stage2.block1"]
    assert strip.opened == "stage2"
    press(strip, KEY.Key_Return)
    assert press(strip, KEY.Key_Left, KEY.Key_Left, KEY.Key_Left) == [
        "stage2.downsample.conv",
        "stage2.downsample.norm",
        "stage1.block3",
    ]
    # The block itself: the sum of its operations' result and of the shortcut.
    assert strip.opened == "stage1.block3"
    assert press(strip, KEY.Key_Left) == ["stage1.block3.gamma"]
    desk.state.set_node("stage1.block1.dwconv")
    assert press(strip, KEY.Key_Left) == ["stage1.block1.dwconv"]


def test_a_double_click_opens(desk: Desk, strip: NetworkStrip) -> None:
    place = network(strip).stages[1].thumbnail.center().toPoint()
    QTest.mouseClick(strip.canvas, Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(strip.canvas, Qt.MouseButton.LeftButton, pos=place)
    assert (strip.opened, desk.state.node) == ("stage2", "stage2.block1")


def test_a_block_selected_from_above_is_opened_in_two_steps(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage3.block7")
    assert strip.opened == ""
    assert press(strip, KEY.Key_Return) == ["stage3.block7"]
    assert strip.opened == "stage3"
    assert press(strip, KEY.Key_Return) == ["stage3.block7.dwconv"]


def test_a_node_selected_elsewhere_is_shown_where_it_is(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage2.block2.act")
    assert strip.opened == "stage2.block2"
    desk.state.set_node("stage2.block1")
    assert strip.opened == "stage2"
    desk.state.set_node("stage4")
    assert strip.opened == ""


def test_the_breadcrumb_says_where_one_is_and_leads_back(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage2.block2.act")
    crumbs = strip.header.crumbs
    assert [crumb.text() for crumb in crumbs if crumb.isVisible()] == ["Network", "Stage 2", "Block 2", "act"]
    crumbs[1].click()
    assert (strip.opened, desk.state.node) == ("stage2", "stage2")
    assert [crumb.text() for crumb in crumbs if crumb.isVisible()] == ["Network", "Stage 2"]
    crumbs[0].click()
    assert (strip.opened, desk.state.node) == ("", "stage2")
    desk.state.set_node("head.norm")
    assert [crumb.text() for crumb in crumbs if crumb.isVisible()] == ["Network", "Head, norm"]
    crumbs[1].click()
    assert (strip.opened, desk.state.node) == ("", "head.norm")


def test_another_model_without_the_opened_block_shows_its_network(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.set_node("stage3.block9.act")
    desk.state.set_model(model())
    assert strip.opened == ""
    assert [len(stage.blocks) for stage in network(strip).stages] == [1, 1, 2, 1]
    desk.state.set_node("stage3.block2.act")
    desk.state.set_model(model())
    assert strip.opened == "stage3.block2"


# ---------------------------------------------------------------------------------------------- what is seen


def test_the_selection_is_seen_and_said(desk: Desk, strip: NetworkStrip) -> None:
    before = strip.canvas.grab().toImage()
    desk.state.set_node("stage2.block2")
    assert "Stage 2, block 2" in strip.canvas.accessibleDescription()
    after = strip.canvas.grab().toImage()
    place = centre(strip, "stage2.block2").toPoint()
    assert before.pixelColor(place) != after.pixelColor(place)
    other = centre(strip, "stage2.block1").toPoint()
    assert before.pixelColor(other) == after.pixelColor(other)


def test_the_mean_activation_is_in_each_stage(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.opened.add(picture())
    made = prediction(desk)
    made.stage_means["stage4"][-1, -1] = 5
    desk.state.set_prediction(made)
    thumbnail = network(strip).stages[3].thumbnail
    image = strip.canvas.grab().toImage()
    last = image.pixelColor((thumbnail.bottomRight() - QPointF(4, 4)).toPoint())
    first = image.pixelColor((thumbnail.topLeft() + QPointF(4, 4)).toPoint())
    assert last.getRgb()[:3] == tuple(lut("viridis")[255].tolist())
    assert first.getRgb()[:3] == tuple(lut("viridis")[0].tolist())


def test_a_picture_that_cannot_be_predicted_leaves_none_of_the_one_before(
    desk: Desk, strip: NetworkStrip
) -> None:
    desk.state.opened.add(picture())
    bare = strip.canvas.grab().toImage()
    desk.state.set_prediction(prediction(desk))
    place = network(strip).stages[3].thumbnail.center().toPoint()
    assert strip.canvas.grab().toImage().pixelColor(place) != bare.pixelColor(place)
    desk.state.fail_prediction("The picture is broken.")
    assert strip.canvas.grab().toImage().pixelColor(place) == bare.pixelColor(place)


def test_random_weights_are_marked(desk: Desk, strip: NetworkStrip) -> None:
    assert strip.header.badge.isHidden()
    desk.state.set_model(model(CONVNEXT_T, 224, random_weights=True))
    assert strip.header.badge.isVisible()


def test_the_read_out_names_the_node_and_its_numbers(desk: Desk, strip: NetworkStrip) -> None:
    """A block of stage 3: 7² · 384 + 384, norm 2 · 384, 384 · 1536 + 1536, 1536 · 384 + 384, gamma 384."""
    parameters = (49 * 384 + 384) + 768 + (384 * 1536 + 1536) + (1536 * 384 + 384) + 384
    point_at(strip.canvas, centre(strip, "stage3.block2"))
    text = desk.read_outs[-1]
    assert text.startswith("Stage 3, block 2 · 384 channels · 14×14 units")
    assert f"{parameters / 1e6:.2f} M parameters" in text
    assert desk.state.model is not None
    field = desk.state.model.node("stage3.block2").field.size_px
    assert text.endswith(f"theoretical field {field} px")
    point_at(strip.canvas, network(strip).head_rect.center())
    assert f"{head_parameters(CONVNEXT_T) / 1e3:.0f} k parameters" in desk.read_outs[-1]
    point_at(strip.canvas, QPointF(1, 1))
    assert desk.read_outs[-1] == ""
    point_at(strip.canvas, centre(strip, "stage3.block2"))
    press(strip, KEY.Key_Return)  # Another level comes under the pointer.
    assert desk.read_outs[-1] == ""


def test_without_a_model_it_says_so_and_does_nothing(desk: Desk) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 800, strip.sizeHint().height())
    click_at(strip.canvas, QPointF(400, 60))
    press(strip, KEY.Key_Right, KEY.Key_Return, KEY.Key_Escape)
    assert desk.state.node == "stage2"
    assert strip.canvas.accessibleDescription() == "No model is open"
    image = strip.canvas.grab().toImage()
    middle = image.height() // 2
    assert len({image.pixel(x, y) for x in np.arange(300, 500) for y in range(middle - 8, middle + 8)}) > 1


# ------------------------------------------------------------------------------------- values and costs


def test_values_are_asked_once_and_only_for_what_is_shown(desk: Desk, strip: NetworkStrip) -> None:
    assert not [request for request in desk.asked if isinstance(request, NodeValues)]
    predicted(desk)
    request = answer_values(desk)
    assert request.nodes == ("stem", "stage1", "stage2", "stage3", "stage4", "head.norm")
    desk.state.set_node("stage2")
    desk.state.set_node("stage1")
    assert desk.asked[-1] == request
    press(strip, KEY.Key_Return)
    assert answer_values(desk).nodes == ("stage1.block1", "stage1.block2", "stage1.block3")
    press(strip, KEY.Key_Return)
    operations = ("dwconv", "norm", "pwconv1", "act", "pwconv2", "gamma")
    # Of the block itself they are known already.
    assert answer_values(desk).nodes == tuple(f"stage1.block1.{name}" for name in operations)


def test_values_before_and_after_are_printed_and_forgotten_with_the_picture(
    desk: Desk, strip: NetworkStrip
) -> None:
    predicted(desk)
    desk.state.set_node("stage2")
    answer_values(desk)
    numbers = strip.header.numbers.text()
    assert numbers.startswith("192 × 28 × 28")
    assert "in: min 1.00 · mean 2.00 · max 4.00" in numbers
    assert "out: min 11.0 · mean 12.0 · max 14.0" in numbers
    point_at(strip.canvas, centre(strip, "stage2"))
    assert "max 14.0" in desk.read_outs[-1]
    desk.state.opened.add(picture("dog"))
    assert strip.header.numbers.text() == "192 × 28 × 28"


def test_values_that_are_refused_are_not_asked_for_again_and_again(desk: Desk, strip: NetworkStrip) -> None:
    assert strip.isVisible()
    predicted(desk)
    desk.fail("No.")
    asked = len(desk.asked)
    desk.state.set_node("stage1.block1.act")
    assert len(desk.asked) == asked
    desk.state.opened.add(picture("dog"))
    desk.state.set_prediction(prediction(desk))
    assert len(desk.asked) == asked + 1


def show_frame(desk: Desk, number: int) -> None:
    key = frame_key("cat", number)
    of_frame = replace(prediction(desk), image=key)
    desk.state.show_frame(ShownFrame(picture=replace(picture(), key=key), prediction=of_frame))
    desk.take_turns()


def asked_frames(desk: Desk) -> list[int | None]:
    return [number_of(request.image) for request in desk.asked if isinstance(request, NodeValues)]


def test_values_of_a_live_source_are_those_of_the_frame_that_is_named(
    desk: Desk, strip: NetworkStrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame has others. They follow at a rate that can be read; no question is given up."""
    predicted(desk)
    answer_values(desk)
    monkeypatch.setattr(strip_panel, "READABLE_STEP_S", 1000.0)
    desk.state.set_node("stage1")
    assert "in: " in strip.header.numbers.text()
    for number in (4, 5):
        show_frame(desk, number)
    assert "in: " not in strip.header.numbers.text()  # Those were of the picture before the first frame.
    assert asked_frames(desk) == [None]  # Too soon.
    monkeypatch.setattr(strip_panel, "READABLE_STEP_S", 0.0)
    for number in (6, 7, 8):
        show_frame(desk, number)
    assert asked_frames(desk) == [None, 6]
    request = answer_values(desk)
    assert request.nodes == ("stem", "stage1", "stage2", "stage3", "stage4", "head.norm")
    assert "frame 7   in: " in strip.header.numbers.text()
    assert asked_frames(desk) == [None, 6, 8]  # The newest.
    show_frame(desk, 9)
    answer_values(desk)
    assert "frame 9   in: " in strip.header.numbers.text()


@pytest.mark.parametrize("size_pt", [9, 13])
def test_thumbnails_that_are_painted_alone_are_as_if_all_was_painted(
    desk: Desk, strip: NetworkStrip, qapp: QApplication, size_pt: int
) -> None:
    """With every frame of a live source only they change."""
    text_size.apply(qapp, size_pt)
    predicted(desk)
    rng = np.random.default_rng(0)
    means = {name: rng.random(mean.shape) for name, mean in prediction(desk).stage_means.items()}
    desk.state.set_prediction(replace(prediction(desk), stage_means=means))
    canvas = strip.canvas
    places = [_scaled(place).toAlignedRect() for place in canvas._thumbnail_places.values()]
    assert len(places) == 4
    whole, part = (QImage(canvas.size(), QImage.Format.Format_RGB32) for _ in range(2))
    canvas.render(whole)
    part.fill(Qt.GlobalColor.red)
    for place in places:
        canvas.render(part, place.topLeft(), QRegion(place))
        assert part.copy(place) == whole.copy(place)


def bar_ends(strip: NetworkStrip, node: str) -> tuple[float, float]:
    """Where a node's cost bar begins and its filled part ends, read from the pixels."""
    image = strip.canvas.grab().toImage()
    assert strip.canvas.places is not None
    rect = rect_of(strip.canvas.places.parts, node)
    assert rect is not None
    accent = theme.current().accent
    y = next(
        y
        for y in range(round(rect.bottom()) + 4, image.height())
        if image.pixelColor(round(rect.left()) + 1, y).name() == accent
    )
    filled = [
        x for x in range(round(rect.left()), round(rect.right())) if image.pixelColor(x, y).name() == accent
    ]
    return rect.left(), filled[-1] + 1


def test_bars_are_parts_of_the_largest_cost_shown(strip: NetworkStrip) -> None:
    """Parameters of ConvNeXt-T's stages: 10.8 M in stage 3's nine blocks and downsampling, 15.5 M in 4."""

    def block(dim: int) -> int:
        return 49 * dim + dim + 2 * dim + 8 * dim * dim + 5 * dim + dim

    def downsampling(before: int, dim: int) -> int:
        return 2 * before + 4 * before * dim + dim

    stage3, stage4 = 9 * block(384) + downsampling(192, 384), 3 * block(768) + downsampling(384, 768)
    for node, share in [("stage3", stage3 / stage4), ("stage4", 1.0)]:
        left, right = bar_ends(strip, node)
        rect = rect_of(network(strip).parts, node)
        assert rect is not None
        assert (right - left) / rect.width() == pytest.approx(share, abs=0.01)
    assert strip.header.legend.text().startswith(f"full bar: {stage4 / 1e6:.1f} M")


def test_inside_a_block_the_costs_add_up_to_it(desk: Desk, strip: NetworkStrip) -> None:
    """MACs of a block of stage 2: 49, 4 · 192 and 4 · 192 for each of 192 channels at 28 · 28 places."""
    desk.state.set_node("stage2.block1.act")
    strip.choose_costs("macs")
    assert desk.state.model is not None
    places = 28 * 28 * 192
    assert desk.state.model.node("stage2.block1").macs == places * (49 + 2 * 4 * 192)
    assert strip.header.legend.text().startswith(f"full bar: {places * 4 * 192 / 1e6:.0f} M")
    left, right = bar_ends(strip, "stage2.block1.dwconv")
    rect = rect_of(row(strip).parts, "stage2.block1.dwconv")
    assert rect is not None
    assert (right - left) / rect.width() == pytest.approx(49 / (4 * 192), abs=0.02)


def test_the_first_model_moves_nothing_in_the_window(desk: Desk) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, strip.sizeHint().height())
    before_px = strip.sizeHint().height()
    desk.state.set_model(model(CONVNEXT_T, 224))
    assert strip.sizeHint().height() == before_px


def test_no_costs_take_no_room(strip: NetworkStrip) -> None:
    with_bars = strip.canvas.height()
    strip.choose_costs("none")
    assert strip.canvas.height() < with_bars
    assert strip.header.legend.text() == ""


def test_time_is_measured_when_it_is_wanted(desk: Desk, strip: NetworkStrip) -> None:
    strip.choose_costs("time")
    assert isinstance(desk.asked[-1], MeasureCosts)
    assert strip.header.legend.text() == "measuring …"
    asked = len(desk.asked)
    desk.state.set_node("stage2")
    assert len(desk.asked) == asked
    seconds = {"stem": 0.001, "stage1": 0.002, "stage2": 0.003, "stage3": 0.006, "stage4": 0.004, "head": 0.001}
    desk.answer(MeasuredCosts(seconds=seconds, total_s=0.017, device="cpu", device_name="A processor", runs=3))
    assert strip.header.legend.text() == "full bar: 6.00 ms · whole network: 17.0 ms"
    left, right = bar_ends(strip, "stage1")
    rect = rect_of(network(strip).parts, "stage1")
    assert rect is not None
    assert (right - left) / rect.width() == pytest.approx(1 / 3, abs=0.01)
    desk.state.set_model(model())
    assert isinstance(desk.asked[-1], MeasureCosts)
    assert len(desk.asked) == asked + 1


def test_time_that_cannot_be_had_is_asked_for_only_when_it_is_chosen_again(
    desk: Desk, strip: NetworkStrip
) -> None:
    strip.choose_costs("time")
    desk.fail("The engine is out of memory.")
    assert strip.header.legend.text() == "The engine is out of memory."
    asked = len(desk.asked)
    desk.state.set_node("stage2")
    assert len(desk.asked) == asked
    strip.choose_costs("macs")
    strip.choose_costs("time")
    assert len(desk.asked) == asked + 1
    desk.cancel()
    assert strip.header.legend.text() == "Stopped."


def test_the_tooltip_tells_all_that_is_known(desk: Desk, strip: NetworkStrip) -> None:
    predicted(desk)
    answer_values(desk)
    place = network(strip).stages[0].thumbnail.center().toPoint()
    tip = QHelpEvent(QHelpEvent.Type.ToolTip, place, strip.canvas.mapToGlobal(place))
    QApplication.sendEvent(strip.canvas, tip)
    lines = QToolTip.text().splitlines()
    assert lines[:3] == ["Stage 1", "96 channels", "56×56 units"]
    assert lines[-2:] == ["in: min 0 · mean 1.00 · max 3.00", "out: min 10.0 · mean 11.0 · max 13.0"]
    QToolTip.hideText()
