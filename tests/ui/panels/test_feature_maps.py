"""The feature-map panel shows the engine's numbers where they are, and asks no more than it has to."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.frame_keys import frame_key
from convnext_studio.protocol.envelope import Done
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.render import lut
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.feature_maps.maps_subject import BUDGET_BYTES, MapsSubject
from convnext_studio.ui.state.selection.live_frames import ShownFrame
from tests.ui.desk import TUTORIAL, Desk, click_at, colour_at, feature_maps, model, picture, point_at
from tests.ui.features import answer, choose, shown_mosaic


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


@pytest.fixture
def panel(desk: Desk) -> FeatureMapsPanel:
    """Stage 3 of a small model on a picture: 8 channels of 4 × 4 units."""
    desk.state.set_node("stage3")
    desk.state.set_model(model())
    desk.state.opened.add(picture())
    panel = FeatureMapsPanel(desk.state, desk.bridge)
    desk.show(panel, 700, 400)
    return panel


@pytest.fixture
def filled(desk: Desk, panel: FeatureMapsPanel) -> FeatureMapsPanel:
    answer(desk, panel, feature_maps(desk, "stage3"))
    return panel


def test_without_picture_or_model_it_says_so(desk: Desk) -> None:
    panel = FeatureMapsPanel(desk.state, desk.bridge)
    desk.show(panel)
    assert "picture" in panel.notice
    desk.state.opened.add(picture())
    assert "model" in panel.notice
    assert panel.is_settled
    assert desk.asked == []


def test_it_asks_for_what_is_selected_and_shows_it(desk: Desk, panel: FeatureMapsPanel) -> None:
    assert desk.asked == [
        FeatureMaps(id=1, image="cat", node="stage3", panel="feature_maps", budget_bytes=BUDGET_BYTES)
    ]
    assert not panel.is_settled
    answer(desk, panel, feature_maps(desk, "stage3"))
    assert panel.notice == ""
    assert "8 × 4 × 4" in panel.caption
    assert "16 px" in panel.caption
    desk.qtbot.waitUntil(lambda: panel.is_settled)


def test_hidden_it_asks_nothing_until_it_is_shown(desk: Desk, filled: FeatureMapsPanel) -> None:
    filled.hide()
    desk.state.set_node("stage1")
    assert len(desk.asked) == 1
    assert filled.is_settled
    filled.show()
    assert [request.node for request in desk.asked if isinstance(request, FeatureMaps)] == ["stage3", "stage1"]


def test_old_maps_stay_dimmed_and_stale_answers_are_dropped(desk: Desk, filled: FeatureMapsPanel) -> None:
    desk.state.set_node("stage1")
    desk.state.set_node("stage4")
    assert filled.mosaic_map.view.is_dimmed
    assert "Stage 3" in filled.caption
    desk.answer(feature_maps(desk, "stage1"), identifier=2)
    assert filled.mosaic_map.view.is_dimmed
    assert "Stage 1" not in filled.caption
    answer(desk, filled, feature_maps(desk, "stage4"))
    assert not filled.mosaic_map.view.is_dimmed
    assert "Stage 4" in filled.caption


def test_an_answer_already_on_its_way_is_dropped(desk: Desk, filled: FeatureMapsPanel) -> None:
    """The engine has answered, the window has not read it yet, and the person selects something else."""
    desk.state.set_node("stage1")
    desk.client.tell(Done(id=2, payload=feature_maps(desk, "stage1"), seconds=0.1))
    desk.state.set_node("stage4")
    QApplication.processEvents()
    assert filled.mosaic_map.view.is_dimmed
    assert "Stage 1" not in filled.caption


def test_display_changes_ask_nothing(desk: Desk, filled: FeatureMapsPanel) -> None:
    for index in range(filled.choices.colormap.count()):
        filled.choices.colormap.setCurrentIndex(index)
    filled.choices.scaling.setCurrentIndex(1)
    filled.choices.on_picture.setChecked(True)
    filled.choices.opacity.setValue(20)
    desk.state.set_channel(5)
    filled.resize(400, 500)
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    assert len(desk.asked) == 1


def test_a_model_loaded_again_is_asked_again(desk: Desk, filled: FeatureMapsPanel) -> None:
    desk.state.set_model(model())
    assert len(desk.asked) == 2
    assert not filled.is_settled


def test_a_failure_is_said_and_can_be_tried_again(desk: Desk, panel: FeatureMapsPanel) -> None:
    desk.fail("The GPU has no memory left.", "Close other programs.")
    assert panel.notice == "The GPU has no memory left. Close other programs."
    assert panel.is_settled
    panel.ask_again()
    answer(desk, panel, feature_maps(desk, "stage3"))
    assert panel.notice == ""


def test_a_cancelled_question_is_said(desk: Desk, panel: FeatureMapsPanel) -> None:
    desk.cancel()
    assert panel.notice == "Stopped."
    assert panel.is_settled


def test_the_unit_under_the_pointer_in_the_mosaic_is_the_arrays(desk: Desk, filled: FeatureMapsPanel) -> None:
    """Values say where they are, so that the read-out can be checked against itself and the array."""
    view, mosaic = filled.mosaic_map.view, shown_mosaic(filled)
    for channel, row, column in [(0, 0, 0), (3, 1, 2), (7, 3, 3)]:
        x, y, _, _ = mosaic.tile_box(channel)
        point_at(view, view.to_widget(x + column + 0.5, y + row + 0.5))
        # Stage 3 of the 64 px input: stride 16, first centre at 8; the crop begins at (28, 8).
        place = f"picture ({28 + 8 + 16 * column}, {8 + 8 + 16 * row})"
        value = 10_000 * channel + 100 * row + column
        texts = desk.read_outs[-1].split(" · ")
        assert texts[:3] == ["stage3", f"channel {channel}", f"unit (y {row}, x {column})"]
        assert texts[3] == f"value {value if value else 0}"
        assert texts[4] == place


def test_a_click_selects_the_channel_and_keys_walk(desk: Desk, filled: FeatureMapsPanel) -> None:
    view, mosaic = filled.mosaic_map.view, shown_mosaic(filled)
    x, y, width, height = mosaic.tile_box(5)
    click_at(view, view.to_widget(x + width / 2, y + height / 2))
    assert desk.state.channel == 5
    assert filled.choices.channel_box.value() == 5
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert desk.state.channel == 6
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert desk.state.channel == 6 - mosaic.columns
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert desk.state.channel == 5


def test_the_selected_channel_is_painted_unit_by_unit(desk: Desk, panel: FeatureMapsPanel) -> None:
    maps = np.zeros((8, 4, 4))
    maps[2, 1, 3] = 1
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    desk.state.set_channel(2)
    view = panel.channel_map.view
    low, high = (tuple(lut("viridis")[step].tolist()) for step in (0, 255))
    assert colour_at(view, 3.5, 1.5) == high
    assert colour_at(view, 1.5, 3.5) == low
    desk.state.set_channel(1)
    assert colour_at(view, 3.5, 1.5) == low


def test_the_right_tile_of_the_mosaic_is_painted(desk: Desk, panel: FeatureMapsPanel) -> None:
    maps = np.zeros((8, 4, 4))
    maps[6] = np.arange(16).reshape(4, 4)
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    view, mosaic = panel.mosaic_map.view, shown_mosaic(panel)
    high = tuple(lut("viridis")[255].tolist())
    for channel in range(8):
        x, y, _, _ = mosaic.tile_box(channel)
        assert (colour_at(view, x + 3.4, y + 3.4) == high) == (channel == 6)


def test_on_the_picture_a_unit_covers_its_stride_of_the_crop(desk: Desk, panel: FeatureMapsPanel) -> None:
    """Unit (1, 3) of stage 3: input 48..64 by 16..32, so picture 76..92 by 24..40. The picture is grey 100."""
    maps = np.zeros((8, 4, 4))
    maps[0, 1, 3] = 1
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    panel.choices.on_picture.setChecked(True)
    panel.choices.opacity.setValue(100)
    view = panel.channel_map.view
    high = tuple(lut("glow")[255].tolist())
    for x, y in [(77, 25), (91, 25), (77, 39), (91, 39)]:
        assert colour_at(view, x, y) == high
    for x, y in [(75, 30), (80, 23), (80, 41)]:
        assert colour_at(view, x, y) == (100, 100, 100)  # 0 is transparent.
    for x, y in [(93, 30), (27, 40), (60, 7), (60, 73)]:
        assert colour_at(view, x, y) == (100, 100, 100)
    point_at(view, view.to_widget(90.5, 38.5))
    assert view.highlight == (76, 24, 16, 16)
    assert desk.read_outs[-1] == "stage3 · channel 0 · unit (y 1, x 3) · value 1.00 · picture (90, 38)"
    point_at(view, view.to_widget(94.5, 38.5))
    assert desk.read_outs[-1] == "picture (94, 38)"


def test_the_tutorials_stem_is_half_a_pixel_off(desk: Desk) -> None:
    """Unit 0 is centred on input coordinate 1 and drawn over 0.5..1.5: picture 28.5..29.5 by 8.5..9.5."""
    desk.state.set_node("stem")
    desk.state.set_model(model(TUTORIAL))
    desk.state.opened.add(picture())
    panel = FeatureMapsPanel(desk.state, desk.bridge)
    desk.show(panel)
    maps = np.zeros((4, 63, 63))
    maps[0, 0, 0] = 1
    answer(desk, panel, feature_maps(desk, "stem", maps))
    panel.choices.on_picture.setChecked(True)
    panel.choices.opacity.setValue(100)
    view = panel.channel_map.view
    view.zoom(20, view.to_widget(29, 9))
    high = tuple(lut("glow")[255].tolist())
    for x, y in [(28.6, 8.6), (29.4, 9.4)]:
        assert colour_at(view, x, y) == high
    for x, y in [(28.4, 9), (29, 8.4)]:
        assert colour_at(view, x, y) == (100, 100, 100)


def test_scales_and_signs_are_said(desk: Desk, panel: FeatureMapsPanel) -> None:
    maps = np.zeros((8, 4, 4))
    maps[0, 0, 0], maps[1, 0, 0] = 2, -7
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    own, mosaic = panel.channel_map.bar, panel.mosaic_map.bar
    # Signed, so that the scale is symmetric, unless the person wants another.
    assert [text for _, text in mosaic.labels()] == ["-max", "max"]
    assert (own.labels()[0], own.labels()[-1]) == ((0.0, "-2.00"), (1.0, "2.00"))
    choose(panel.choices.colormap, "viridis")
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert [text for _, text in mosaic.labels()] == ["min", "max"]
    assert (own.labels()[0], own.labels()[-1]) == ((0.0, "0"), (1.0, "2.00"))
    choose(panel.choices.scaling, "layer")
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    for bar in (own, mosaic):
        assert (bar.labels()[0], bar.labels()[-1]) == ((0.0, "-7.00"), (1.0, "2.00"))
    choose(panel.choices.colormap, "vik")
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    for bar in (own, mosaic):
        assert (bar.labels()[0], bar.labels()[-1]) == ((0.0, "-7.00"), (1.0, "7.00"))
        assert (0.5, "0") in bar.labels()


def test_what_is_wrong_with_a_channel_is_said(desk: Desk, panel: FeatureMapsPanel) -> None:
    maps = np.ones((8, 4, 4))
    maps[0] = 0
    maps[1, :2] = np.nan
    maps[2, 0, 0], maps[2, 0, 1] = 0, 3
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    assert "dead" in panel.caption
    desk.state.set_channel(1)
    assert "8 of 16 values are not finite" in panel.caption
    view = panel.channel_map.view
    # Hatched within each unit: along a unit's row both greys are met.
    seen = {colour_at(view, 1 + step / 20, 0.5) for step in range(20)}
    assert {(206, 206, 210), (138, 138, 142)} <= seen
    assert colour_at(view, 1.5, 2.5) in map(tuple, lut("viridis").tolist())
    assert "8 values in 1 channel not finite (hatched)" in panel.caption
    assert "6 dead channels (constant) crossed" in panel.caption
    desk.state.set_channel(2)
    assert "min 0 · max 3.00 · mean 1.06 · 6.2 % zeros" in panel.caption


def test_random_weights_are_marked(desk: Desk, filled: FeatureMapsPanel) -> None:
    assert not filled.marks_random_weights
    desk.state.set_model(model(random_weights=True))
    assert filled.marks_random_weights


def test_a_node_with_fewer_channels_shows_its_last(desk: Desk, filled: FeatureMapsPanel) -> None:
    desk.state.set_channel(7)
    desk.state.set_node("stage1")
    answer(desk, filled, feature_maps(desk, "stage1"))
    assert filled.choices.channel_box.value() == 3
    assert "Channel 3" in filled.caption
    assert desk.state.channel == 7


def test_old_maps_keep_their_own_picture_and_names(desk: Desk, filled: FeatureMapsPanel) -> None:
    """A picture that was selected since may have another size; under another network, no old map stays."""
    filled.choices.on_picture.setChecked(True)
    desk.state.set_node("stage3.block2")
    answer(desk, filled, feature_maps(desk, "stage3.block2"))
    desk.state.opened.add(picture("dog", size=(40, 60)))
    desk.state.set_channel(3)
    assert "Stage 3, block 2" in filled.caption
    assert "Channel 3" in filled.caption
    assert filled.channel_map.view.scene is not None
    assert filled.channel_map.view.scene.size == (120, 80)
    assert filled.channel_map.view.is_dimmed
    desk.state.set_model(model(ConvNeXtConfig(depths=(1, 1, 1, 1), dims=(4, 6, 8, 10))))
    assert not filled.shows_body
    assert filled.caption == ""
    desk.state.set_channel(2)
    assert not filled.shows_body


def test_a_closed_picture_leaves_nothing_behind(desk: Desk, filled: FeatureMapsPanel) -> None:
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    desk.state.opened.add(picture("dog", size=(40, 60)))
    desk.state.opened.select("cat")  # It is shown at once, because it was seen lately.
    assert [request.image for request in desk.asked if isinstance(request, FeatureMaps)] == ["cat", "dog"]
    desk.state.opened.select("dog")
    desk.state.opened.remove(["cat"])
    desk.state.opened.add(picture())
    asked = [request.image for request in desk.asked if isinstance(request, FeatureMaps)]
    assert asked[-1] == "cat"


def test_a_zoomed_mosaic_keeps_its_arrangement(desk: Desk, filled: FeatureMapsPanel) -> None:
    before = shown_mosaic(filled)
    filled.resize(300, 700)
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    assert shown_mosaic(filled) != before
    filled.mosaic_map.view.zoom(2)
    zoomed = shown_mosaic(filled)
    filled.resize(900, 300)
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    assert shown_mosaic(filled) == zoomed


def test_the_menu_of_a_channel_selects_it_and_shows_its_pages(filled: FeatureMapsPanel) -> None:
    def trigger(text: str) -> None:
        actions = filled.mosaic_map.menu_about(5).actions()
        [action] = [each for each in actions if each.text().replace("&", "") == text]
        action.trigger()

    trigger("Select channel 5")
    assert filled.state.channel == 5
    filled.state.set_channel(0)
    for text, page in (("Its numbers", filled.numbers), ("Where it is strongest", filled.patches)):
        trigger(text)
        assert filled.state.channel == 5
        assert filled.tabs.currentWidget() is page
    trigger("Copy its name")
    assert QGuiApplication.clipboard().text() == f"{filled.state.node} channel 5"
    copies = filled.mosaic_map.saver.menu.actions()
    assert filled.mosaic_map.menu_about(5).actions()[-len(copies) :] == copies
    assert filled.mosaic_map.menu_about(None).actions() == copies


def test_levels_that_are_dragged_colour_all_channels_and_a_double_click_restores(
    desk: Desk, filled: FeatureMapsPanel
) -> None:
    """Each channel has its own scale before; the bar starts from that of all values."""
    bar = filled.mosaic_map.bar
    asked, scaling = len(desk.asked), filled.choices.scaling.currentData()
    assert bar.scale is not None
    assert bar.scale.limits is None
    line = bar.fontMetrics().height()
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, line))
    QTest.mouseMove(bar, QPoint(6, line + (bar.height() - line) // 2))
    assert filled.choices.range.isHidden()  # Nothing moves under the hand.
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, line + (bar.height() - line) // 2))
    assert not filled.choices.range.isHidden()
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    largest = float(feature_maps(desk, "stage3").maps.max())
    assert bar.scale.limits is not None
    assert bar.scale.limits.high == pytest.approx(largest / 2, rel=0.02)
    assert filled.channel_map.bar.scale is not None
    assert filled.channel_map.bar.scale.limits == bar.scale.limits
    painting = filled.mosaic_map.painting
    assert painting is not None
    left, top, _, _ = painting.mosaic.tile_box(7)  # All its values lie beyond the half.
    assert colour_at(filled.mosaic_map.view, left + 0.5, top + 0.5) == tuple(lut("viridis")[-1])
    QTest.mouseDClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(6, 40))
    desk.qtbot.waitUntil(lambda: filled.is_settled)
    assert filled.choices.scaling.currentData() == scaling
    assert bar.scale.limits is None
    assert filled.choices.range.isHidden()
    assert len(desk.asked) == asked


def test_maps_of_frames_are_over_their_own_pixels_and_do_not_pile_up(
    desk: Desk, panel: FeatureMapsPanel
) -> None:
    """Frames of a live source never come back; at 8 a second, they would fill the memory in minutes."""
    kept, frames = panel._kept._kept, range(6)
    desk.state.opened.add(picture())
    for number in frames:
        key = frame_key("cat", number)
        desk.state.show_frame(ShownFrame(picture=replace(picture(colour=number), key=key), prediction=None))
        asked = desk.asked[-1]
        newest = replace(picture(colour=99), key=frame_key("cat", 100 + number))
        desk.state.show_frame(ShownFrame(picture=newest, prediction=None, kept={key}))
        maps = replace(feature_maps(desk, "stage3"), image=key)
        desk.answer(maps, asked.id)
        wait_for(desk, panel, key)
        assert (shown_of(panel).picture.preview == number).all()
        assert kept.held_bytes == maps.maps.nbytes + newest.preview.nbytes
        desk.answer(replace(maps, image=newest.key), desk.asked[-1].id)
        wait_for(desk, panel, newest.key)
    assert panel._painter._kept.held_bytes == 0


def wait_for(desk: Desk, panel: FeatureMapsPanel, image: str) -> None:
    """Wait until the maps of a picture are painted."""
    painting = panel.mosaic_map
    desk.qtbot.waitUntil(lambda: painting.painting is not None and shown_of(panel).picture.key == image)


def shown_of(panel: FeatureMapsPanel) -> MapsSubject:
    assert panel.mosaic_map.painting is not None
    return panel.mosaic_map.painting.subject
