"""The selected unit on the photograph. The crop covers 28..92 by 8..72 of 120 by 80, and is not resized.

Stage 1 of the small network: stem 4 × 4 with stride 4, one block of 7 × 7; its fields are 4 + 6 · 4 = 28 px
wide, around 2, 6, 10, … in the input.
"""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.frame_keys import frame_key, number_of
from convnext_studio.protocol.channels import ChannelMap, ChannelMapResult
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult
from convnext_studio.render import lut
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.state.selection.live_frames import ShownFrame
from tests.ui.desk import CROP, TINY, Desk, click_at, colour_at, model, picture, point_at, prediction

GREY = (100, 100, 100)


def open_panel(qtbot: QtBot, config: ConvNeXtConfig = TINY) -> tuple[Desk, PicturePanel]:
    desk = Desk(qtbot)
    desk.state.set_model(model(config))
    desk.state.set_node("stage1")
    panel = PicturePanel(desk.state, desk.bridge)
    desk.show(panel)
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))
    panel.opacity.setValue(100)
    assert panel.scale.currentText() == "Log"  # At first, what is small shows, too.
    panel.scale.setCurrentIndex(0)
    return desk, panel


@pytest.fixture
def opened(qtbot: QtBot) -> tuple[Desk, PicturePanel]:
    return open_panel(qtbot)


def fields(desk: Desk) -> list[UnitField]:
    return [request for request in desk.asked if isinstance(request, UnitField)]


def answer(desk: Desk, request: UnitField, effective: np.ndarray, value: float = 0.5) -> None:
    assert desk.state.model is not None
    info = desk.state.model.node(request.node)
    result = UnitFieldResult(
        image=request.image,
        node=request.node,
        channel=request.channel,
        y=request.y,
        x=request.x,
        value=value,
        effective=effective.astype(np.float32),
        centre_px=(info.field.centre_px(request.x), info.field.centre_px(request.y)),
        box=info.field.unit_box(request.y, request.x),
        clipped_box=(0, 0, 64, 64),
        is_clipped=True,
        is_global=info.field.is_global,
        non_finite=int((~np.isfinite(effective)).sum()),
        geometry=CROP,
    )
    desk.answer(result, request.id)


def one_pixel(row: int, column: int, value: float) -> np.ndarray:
    effective = np.zeros((64, 64))
    effective[row, column] = value
    return effective


def scene_of(panel: PicturePanel) -> Scene:
    assert panel.view.scene is not None
    return panel.view.scene


def test_the_theoretical_field_is_there_at_once_clipped_and_said_so(opened: tuple[Desk, PicturePanel]) -> None:
    """Around (6, 2) of the input from -8 to 20 and from -12 to 16."""
    desk, panel = opened
    desk.state.set_unit(0, 1)
    crop, box = scene_of(panel).marks
    assert crop.box == (28, 8, 64, 64)
    assert box.box == (28, 8, 20, 16)
    assert box.label == "theoretical field 28 px, clipped at the edge"
    [spot] = scene_of(panel).spots
    assert (spot.x, spot.y) == (28 + 6, 8 + 2)
    assert "theoretical field 28 × 28 px around input (6, 2), clipped at the edge" in panel.caption
    assert "computing" in panel.caption


def test_a_field_within_the_input_is_not_called_clipped(opened: tuple[Desk, PicturePanel]) -> None:
    """Unit (7, 8): around (34, 30), from 20 to 48 and from 16 to 44."""
    desk, panel = opened
    desk.state.set_unit(7, 8)
    _, box = scene_of(panel).marks
    assert box.box == (28 + 20, 8 + 16, 28, 28)
    assert "clipped" not in box.label + panel.caption


def test_words_that_would_hide_a_small_photograph_are_left_to_the_caption(
    opened: tuple[Desk, PicturePanel],
) -> None:
    desk, panel = opened
    desk.state.set_unit(0, 1)
    panel.resize(640, 260)
    desk.qtbot.waitUntil(lambda: [mark.label for mark in scene_of(panel).marks] == ["", ""])
    assert "theoretical field 28 × 28 px around input (6, 2), clipped at the edge" in panel.caption


def test_the_effective_field_lies_over_the_photograph_where_it_belongs(
    opened: tuple[Desk, PicturePanel],
) -> None:
    desk, panel = opened
    desk.state.set_channel(3)
    desk.state.set_unit(7, 8)
    [request] = fields(desk)
    assert (request.image, request.node, request.channel, request.y, request.x) == ("cat", "stage1", 3, 7, 8)
    answer(desk, request, one_pixel(20, 24, 2.0), value=0.25)
    assert colour_at(panel.view, 28 + 24.5, 8 + 20.5) == tuple(lut("glow")[255].tolist())
    assert colour_at(panel.view, 28 + 25.5, 8 + 20.5) == GREY  # It does not affect the unit.
    assert colour_at(panel.view, 28 + 10.5, 8 + 30.5) == GREY  # outside the theoretical field
    scale = panel.map.bar.scale
    assert scale is not None
    assert scale.limits is not None
    assert (scale.limits.low, scale.limits.high) == (0, 2)
    assert "value 0.250" in panel.caption
    assert "linear" in panel.caption


def test_the_logarithm_shows_what_is_small(opened: tuple[Desk, PicturePanel]) -> None:
    """A hundredth is 2 of 4 decades below the largest: the colour in the middle."""
    desk, panel = opened
    desk.state.set_unit(7, 8)
    effective = one_pixel(20, 24, 2.0)
    effective[22, 24] = 0.02
    answer(desk, fields(desk)[0], effective)
    assert panel.map.bar.scale is not None
    assert not panel.map.bar.scale.clipping.below
    asked = len(desk.asked)
    panel.scale.setCurrentIndex(1)
    glow = lut("glow")
    assert colour_at(panel.view, 28 + 24.5, 8 + 20.5) == tuple(glow[255].tolist())
    mixed = [(100 + int(part)) / 2 for part in glow[128]]
    assert colour_at(panel.view, 28 + 24.5, 8 + 22.5) == pytest.approx(mixed, abs=2)
    assert colour_at(panel.view, 28 + 24.5, 8 + 23.5) == GREY
    assert "log10" in panel.caption
    # Zeros have the colour of the lower end, which stands for a ten-thousandth of the largest.
    assert panel.map.bar.scale is not None
    assert panel.map.bar.scale.clipping.text == "values below the scale"
    assert len(desk.asked) == asked


def test_colours_and_range_of_the_field_are_chosen_and_told(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    assert panel.look.isHidden()
    desk.state.set_unit(7, 8)
    effective = one_pixel(20, 24, 2.0)
    effective[22, 24] = 0.5
    answer(desk, fields(desk)[0], effective)
    panel.look.colormap.setCurrentIndex(panel.look.colormap.findData("viridis"))
    panel.look.range.kind.setCurrentIndex(panel.look.range.kind.findText("By hand"))
    assert (panel.look.range.low.text(), panel.look.range.high.text()) == ("0", "2.00")
    panel.look.range.high.setText("0.5")
    panel.look.range.high.editingFinished.emit()
    viridis = lut("viridis")
    for y in (20.5, 22.5):
        assert colour_at(panel.view, 28 + 24.5, 8 + y) == tuple(viridis[255].tolist())
    scale = panel.map.bar.scale
    assert scale is not None
    assert (scale.colormap, scale.clipping.below, scale.clipping.above) == ("viridis", False, True)
    assert panel.map.bar.labels()[-1][1] == "0.500"
    assert "range set by hand" in panel.caption


def test_arrow_keys_move_the_unit_and_the_field_follows(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    key = Qt.Key
    QTest.keyClick(panel.view, key.Key_Right)
    assert desk.state.unit == (8, 8)  # the one in the middle of 16 × 16
    answer(desk, fields(desk)[-1], one_pixel(34, 34, 1.0))
    assert len(scene_of(panel).layers) == 2
    QTest.keyClick(panel.view, key.Key_Left)
    assert desk.state.unit == (8, 7)
    assert len(scene_of(panel).layers) == 1  # nothing of the unit before
    assert scene_of(panel).spots[0].x == 28 + 2 + 7 * 4
    QTest.keyClick(panel.view, key.Key_Up)
    first, second = fields(desk)[-2:]
    assert first.id in desk.client.cancelled
    answer(desk, first, one_pixel(34, 34, 1.0))  # too late
    assert len(scene_of(panel).layers) == 1
    answer(desk, second, one_pixel(34, 34, 1.0))
    assert len(scene_of(panel).layers) == 2
    for _ in range(9):
        QTest.keyClick(panel.view, key.Key_Up)
    assert desk.state.unit == (0, 7)


def test_a_click_selects_the_unit_there(opened: tuple[Desk, PicturePanel]) -> None:
    """Units are drawn 4 px wide from 0 on: input (21, 33) is in row 8 and column 5."""
    desk, panel = opened
    click_at(panel.view, panel.view.to_widget(28 + 21, 8 + 33))
    assert desk.state.unit == (8, 5)
    click_at(panel.view, panel.view.to_widget(10, 10))  # outside of what the network sees
    assert desk.state.unit == (8, 5)
    panel.no_unit.click()
    assert desk.state.unit is None
    assert not panel.no_unit.isVisible()
    assert len(scene_of(panel).marks) == 1
    assert "cropped to 64 × 64" in panel.caption


def test_another_node_asks_for_the_unit_at_the_same_place(opened: tuple[Desk, PicturePanel]) -> None:
    desk, _ = opened
    desk.state.set_unit(8, 5)
    desk.state.set_node("stage2")
    assert [(request.node, request.y, request.x) for request in fields(desk)] == [
        ("stage1", 8, 5),
        ("stage2", 4, 2),
    ]


def test_behind_grn_a_unit_sees_the_whole_picture(qtbot: QtBot) -> None:
    desk, panel = open_panel(qtbot, replace(TINY, grn=True, layer_scale_init_value=0))
    desk.state.set_unit(0, 1)
    assert len(scene_of(panel).marks) == 1
    assert (
        "sees the whole picture (the network pools over it; its convolutions see 28 × 28 px)" in panel.caption
    )
    answer(desk, fields(desk)[0], one_pixel(60, 60, 1.0))
    assert colour_at(panel.view, 28 + 60.5, 8 + 60.5) == tuple(lut("glow")[255].tolist())
    desk.state.set_node("stage1.block1.pwconv1")  # before it, it does not
    assert len(scene_of(panel).marks) == 2


def test_the_head_has_no_units_in_the_picture(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    desk.state.set_unit(3, 3)
    asked = len(desk.asked)
    desk.state.set_node("head.norm")
    assert len(scene_of(panel).marks) == 1
    QTest.keyClick(panel.view, Qt.Key.Key_Right)
    assert len(desk.asked) == asked


def test_what_cannot_be_shown_is_said(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    desk.state.set_unit(7, 8)
    desk.fail("The engine is out of memory.", "Close something.")
    assert "The engine is out of memory. Close something." in panel.caption
    desk.state.set_unit(7, 9)
    answer(desk, fields(desk)[-1], np.zeros((64, 64)))
    assert "no pixel affects it" in panel.caption
    assert panel.map.bar.scale is None
    desk.state.set_unit(7, 10)
    holes = one_pixel(20, 30, 1.0)
    holes[21, 30], holes[22, 30] = np.nan, np.inf
    answer(desk, fields(desk)[-1], holes)
    assert "2 pixels are not finite" in panel.caption
    scale = panel.map.bar.scale
    assert scale is not None
    assert scale.limits is not None
    assert scale.limits.high == 1


def test_another_picture_has_another_field(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    desk.state.set_unit(7, 8)
    answer(desk, fields(desk)[-1], one_pixel(20, 24, 1.0))
    desk.state.opened.add(picture("dog"))
    assert len(scene_of(panel).layers) == 1
    assert len(fields(desk)) == 1  # the prediction goes first
    desk.state.set_prediction(prediction(desk))
    desk.take_turns()
    assert fields(desk)[-1].image == "dog"


def test_a_hidden_panel_asks_nothing(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    panel.hide()
    desk.state.set_unit(7, 8)
    assert fields(desk) == []
    panel.show()
    assert len(fields(desk)) == 1


def test_the_read_out_tells_channel_unit_value_and_position(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    [request] = [request for request in desk.asked if isinstance(request, ChannelMap)]
    assert desk.state.model is not None
    info = desk.state.model.node("stage1")
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    point_at(panel.view, panel.view.to_widget(28 + 21.5, 8 + 33.5))
    words = "picture (49, 41) · network input (21, 33) · stage1 · channel 0 · unit (y 8, x 5)"
    assert desk.read_outs[-1] == words
    result = ChannelMapResult(
        image="cat", node="stage1", channel=0, map=values, field=info.field, geometry=CROP
    )
    desk.answer(result, request.id)
    point_at(panel.view, panel.view.to_widget(28 + 21.6, 8 + 33.5))
    assert desk.read_outs[-1] == f"{words} · value 133"
    desk.state.set_channel(1)
    point_at(panel.view, panel.view.to_widget(28 + 21.5, 8 + 33.5))
    assert desk.read_outs[-1] == words.replace("channel 0", "channel 1")


def test_what_is_pointed_at_elsewhere_is_shown_here(opened: tuple[Desk, PicturePanel]) -> None:
    desk, panel = opened
    desk.state.views.point_at((50.0, 40.0))
    assert panel.view.crosshair == (50, 40)
    point_at(panel.view, panel.view.to_widget(60, 30))
    assert desk.state.views.pointed == pytest.approx((60, 30))
    point_at(panel.view, panel.view.to_widget(-3, 30))
    assert desk.state.views.pointed is None


def show_frame(desk: Desk, number: int) -> None:
    key = frame_key("cat", number)
    frame = replace(picture(colour=number), key=key)
    shown = ShownFrame(picture=frame, prediction=replace(prediction(desk), image=key), kept=asked_about(desk))
    desk.state.show_frame(shown)
    desk.take_turns()


def asked_about(desk: Desk) -> set[str]:
    return {request.image for request in desk.bridge.pending if isinstance(request, UnitField)}


def shown_colour(panel: PicturePanel) -> int:
    return scene_of(panel).layers[0].bitmap.image.pixelColor(0, 0).red()


def test_of_a_live_source_each_field_lies_over_the_frame_that_it_is_of(
    opened: tuple[Desk, PicturePanel],
) -> None:
    """A field takes longer than a frame: it is finished, and no frame is shown without one in between."""
    desk, panel = opened
    desk.state.set_unit(4, 5)
    show_frame(desk, 10)
    for number in (11, 12):
        show_frame(desk, number)
        assert shown_colour(panel) == number  # There is no field yet.
    assert [number_of(each.image) for each in fields(desk)] == [None, 10]
    answer(desk, fields(desk)[-1], one_pixel(20, 30, 1.0))
    assert shown_colour(panel) == 10
    assert len(scene_of(panel).layers) > 1
    for number in (13, 14):
        show_frame(desk, number)
        assert shown_colour(panel) == 10
        assert len(scene_of(panel).layers) > 1
    assert "frame 11 · " in panel.frame_label.text()
    assert number_of(fields(desk)[-1].image) == 13
    answer(desk, fields(desk)[-1], one_pixel(22, 30, 1.0))
    assert shown_colour(panel) == 13
    desk.state.clear_unit()
    assert shown_colour(panel) == 14
