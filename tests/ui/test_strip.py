"""The strip is drawn to scale, and is how one navigates."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import head_parameters
from convnext_studio.render import lut
from convnext_studio.ui.panels.strip import NetworkStrip, counted, stage_texts
from convnext_studio.ui.panels.strip_layout import StripLayout, lay_out
from tests.ui.desk import Desk, click_at, model, picture, point_at, prediction

CONVNEXT_T = ConvNeXtConfig()


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


@pytest.fixture
def strip(desk: Desk) -> NetworkStrip:
    desk.state.set_model(model(CONVNEXT_T, 224))
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 1366, strip.height())
    return strip


def places(strip: NetworkStrip) -> StripLayout:
    layout = strip.layout_of_network
    assert layout is not None
    return layout


def centre(strip: NetworkStrip, node: str) -> QPointF:
    rect = places(strip).rect_of(node)
    assert rect is not None
    return rect.center()


@pytest.mark.parametrize("width", [700, 1366, 3840])
@pytest.mark.parametrize("depths", [(3, 3, 9, 3), (3, 3, 27, 3), (1, 1, 1, 1)])
def test_everything_has_its_own_place(width: int, depths: tuple[int, int, int, int]) -> None:
    nodes = model(ConvNeXtConfig(depths=depths), 224).nodes
    layout = lay_out(nodes, depths, width, 122, text_width=170, text_height=30)
    order = [layout.stem.rect, *(stage.rect for stage in layout.stages), layout.head.rect]
    for left, right in zip(order, order[1:], strict=False):
        assert left.right() < right.left()
    assert order[-1].right() <= width
    for stage in layout.stages:
        assert stage.rect.contains(stage.text)
        assert stage.rect.contains(stage.thumbnail)
        assert not stage.text.intersects(stage.thumbnail)
        last = stage.thumbnail.right()
        for block in stage.blocks:
            assert stage.rect.contains(block.rect)
            assert block.rect.left() > last
            last = block.rect.right()
    for node in nodes:
        rect = layout.rect_of(node.name)
        assert rect is not None
        if node.kind != "stage":
            assert layout.node_at(rect.center().x(), rect.center().y()) is node


def test_it_is_drawn_to_scale(strip: NetworkStrip) -> None:
    bars = [stage.blocks[0].rect for stage in places(strip).stages]
    widths, heights = [bar.width() for bar in bars], [bar.height() for bar in bars]
    assert widths == sorted(widths)
    assert heights == sorted(heights, reverse=True)
    assert [len(stage.blocks) for stage in places(strip).stages] == [3, 3, 9, 3]


def test_texts_fit_at_1366(strip: NetworkStrip, desk: Desk) -> None:
    assert desk.state.model is not None
    for stage in places(strip).stages:
        title, size = stage_texts(desk.state.model, stage.node.name)
        assert strip.fontMetrics().horizontalAdvance(size) <= stage.text.width()
        assert strip.fontMetrics().horizontalAdvance(title) <= stage.text.width()
    assert stage_texts(desk.state.model, "stage3") == ("Stage 3 · 11.1 M", "9 blocks · 384 ch · 14×14")


@pytest.mark.parametrize("node", ["stem", "stage1", "stage3", "stage3.block7", "stage4.downsample"])
def test_a_click_selects(desk: Desk, strip: NetworkStrip, node: str) -> None:
    place = centre(strip, node)
    if node in ("stage1", "stage3"):
        stage = next(stage for stage in places(strip).stages if stage.node.name == node)
        place = stage.thumbnail.center()
    click_at(strip, place)
    assert desk.state.node == node


def test_keys_walk_stages_and_blocks(desk: Desk, strip: NetworkStrip) -> None:
    strip.setFocus()
    desk.state.set_node("stage2")
    key, control = Qt.Key, Qt.KeyboardModifier.ControlModifier
    walked = []
    for pressed, modifier in [
        (key.Key_Right, Qt.KeyboardModifier.NoModifier),
        (key.Key_Return, Qt.KeyboardModifier.NoModifier),
        (key.Key_Down, Qt.KeyboardModifier.NoModifier),
        (key.Key_Up, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, control),
        (key.Key_Return, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, Qt.KeyboardModifier.NoModifier),
    ]:
        QTest.keyClick(strip, pressed, modifier)
        walked.append(desk.state.node)
    assert walked == [
        "stage3",
        "stage3.block1",
        "stage3.block2",
        "stage3.block1",
        "stage3.downsample",
        "stage3",
        "stage2",
        "stage1",
        "stem",
        "stem",
    ]


def test_the_read_out_names_the_node_and_its_numbers(desk: Desk, strip: NetworkStrip) -> None:
    """A block of stage 3: 7² · 384 + 384, norm 2 · 384, 384 · 1536 + 1536, 1536 · 384 + 384, gamma 384."""
    parameters = (49 * 384 + 384) + 768 + (384 * 1536 + 1536) + (1536 * 384 + 384) + 384
    assert counted(parameters) == "1.2 M"
    point_at(strip, centre(strip, "stage3.block2"))
    text = desk.read_outs[-1]
    assert text.startswith("Stage 3, block 2 · 384 channels · 14×14 units · 1.2 M parameters")
    assert desk.state.model is not None
    field = desk.state.model.node("stage3.block2").field.size_px
    assert text.endswith(f"theoretical field {field} px")
    point_at(strip, places(strip).head.rect.center())
    assert counted(head_parameters(CONVNEXT_T)) in desk.read_outs[-1]
    point_at(strip, QPointF(1, 1))
    assert desk.read_outs[-1] == ""


def test_the_selection_is_seen_and_said(desk: Desk, strip: NetworkStrip) -> None:
    before = strip.grab().toImage()
    desk.state.set_node("stage2.block2")
    assert "Stage 2, block 2" in strip.accessibleDescription()
    after = strip.grab().toImage()
    place = centre(strip, "stage2.block2").toPoint()
    assert before.pixelColor(place) != after.pixelColor(place)
    other = centre(strip, "stage2.block1").toPoint()
    assert before.pixelColor(other) == after.pixelColor(other)


def test_the_mean_activation_is_in_each_stage(desk: Desk, strip: NetworkStrip) -> None:
    desk.state.add_picture(picture())
    made = prediction(desk)
    made.stage_means["stage4"][-1, -1] = 5
    desk.state.set_prediction(made)
    thumbnail = places(strip).stages[3].thumbnail
    image = strip.grab().toImage()
    last = image.pixelColor((thumbnail.bottomRight() - QPointF(4, 4)).toPoint())
    first = image.pixelColor((thumbnail.topLeft() + QPointF(4, 4)).toPoint())
    assert last.getRgb()[:3] == tuple(lut("viridis")[255].tolist())
    assert first.getRgb()[:3] == tuple(lut("viridis")[0].tolist())


def test_without_a_model_it_says_so_and_does_nothing(desk: Desk) -> None:
    strip = NetworkStrip(desk.state, desk.bridge)
    desk.show(strip, 800, strip.height())
    click_at(strip, QPointF(400, 60))
    QTest.keyClick(strip, Qt.Key.Key_Right)
    assert desk.state.node == "stage4"
    assert strip.accessibleDescription() == "No model is open"
    assert len({strip.grab().toImage().pixel(x, 61) for x in np.arange(300, 500)}) > 1
