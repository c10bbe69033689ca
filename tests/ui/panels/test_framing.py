"""The framing in the picture panel: its controls, and the box that is dragged by mouse and keys."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import Framing, framed, picture_of
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from tests.ui.desk import Desk, colour_at, model, picture, prediction

WHOLE = CropGeometry((120, 80), (60, 40), (-2, -12), (64, 64), (2, 12, 2, 12))


@pytest.fixture
def panel(desk: Desk) -> PicturePanel:
    panel = PicturePanel(desk.state, desk.bridge)
    panel.resize(500, 420)
    desk.show(panel)
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))
    return panel


def drag(panel: PicturePanel, start: tuple[float, float], end: tuple[float, float]) -> None:
    view = panel.view
    places = [view.to_widget(*point).toPoint() for point in (start, end)]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    QTest.mouseMove(view, (places[0] + places[1]) / 2)
    QTest.mouseMove(view, places[1])
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[1])


def choose(panel: PicturePanel, kind: str) -> None:
    panel.framing.kind.setCurrentIndex(panel.framing.kind.findData(kind))


def test_another_framing_is_another_image_of_the_same_picture(desk: Desk, panel: PicturePanel) -> None:
    seen: list[str] = []
    desk.state.picture_selected.connect(lambda shown: seen.append(shown.key))
    choose(panel, "whole")
    assert seen == [framed("cat", Framing(kind="whole"))]
    assert desk.state.prediction is None
    assert desk.state.opened.chosen is not None
    assert desk.state.opened.chosen.key == "cat"
    assert [each.key for each in desk.state.opened.all] == ["cat"]
    assert [each.key for each in desk.state.opened.images] == seen
    panel.framing.side.setValue(512)
    QTest.keyClick(panel.framing.side, Qt.Key.Key_Return)
    assert desk.state.framing == Framing(kind="whole", input_px=512)
    choose(panel, "trained")
    panel.framing.side.setValue(0)
    QTest.keyClick(panel.framing.side, Qt.Key.Key_Return)
    assert desk.state.picture is not None
    assert desk.state.picture.key == "cat"


def test_padding_is_drawn_and_told(desk: Desk, panel: PicturePanel) -> None:
    choose(panel, "whole")
    desk.state.set_prediction(replace(prediction(desk), geometry=WHOLE))
    assert "padded to 64 × 64" in panel.caption
    assert "left out of statistics" in panel.caption
    # The mean colour of ImageNet lies above the picture, which begins at 0.
    assert colour_at(panel.view, 115, -12) == (124, 116, 104)
    assert colour_at(panel.view, 115, 92) == (124, 116, 104)
    assert colour_at(panel.view, 60, 30) == (100, 100, 100)
    assert panel.view.scene is not None
    assert panel.view.scene.margin == (4, 24, 4, 24)
    # All of it is seen.
    assert panel.view.to_widget(-4, -24).y() >= 0
    assert panel.view.to_widget(124, 104).y() <= panel.view.height()


def test_the_frame_moves_the_box(desk: Desk, panel: PicturePanel) -> None:
    drag(panel, (60, 8), (50, 13))
    assert desk.state.framing.box == (18, 13, 64, 64)
    assert desk.state.picture is not None
    assert picture_of(desk.state.picture.key) == "cat"
    drag(panel, (18, 40), (-60, 40))
    assert desk.state.framing.box == (0, 13, 64, 64)


def test_a_corner_resizes_the_box(desk: Desk, panel: PicturePanel) -> None:
    drag(panel, (92, 72), (110, 60))
    box = desk.state.framing.box
    assert box is not None
    assert box == pytest.approx((28, 8, 82, 52), abs=1)
    drag(panel, (28, 8), (119, 79))
    assert desk.state.framing.box == pytest.approx((102, 52, 8, 8), abs=1)


def test_inside_the_box_a_click_selects_a_unit_and_a_drag_moves_the_view(
    desk: Desk, panel: PicturePanel
) -> None:
    drag(panel, (60, 40), (70, 40))
    assert desk.state.framing.box is None
    QTest.mouseClick(
        panel.view, Qt.MouseButton.LeftButton, pos=panel.view.to_widget(60, 40).toPoint() + QPoint(1, 1)
    )
    assert desk.state.unit is not None


def test_escape_gives_up_a_drag(desk: Desk, panel: PicturePanel) -> None:
    view = panel.view
    start = view.to_widget(60, 8).toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(view, start + QPoint(20, 20))
    assert panel.box.is_held
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=start)
    assert desk.state.framing.box is None


def test_keys_move_and_resize_the_box(desk: Desk, panel: PicturePanel, qtbot: QtBot) -> None:
    shift, alt = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
    with qtbot.waitSignal(desk.state.framing_changed):
        QTest.keyClick(panel.view, Qt.Key.Key_Right, shift)
        QTest.keyClick(panel.view, Qt.Key.Key_Down, shift)
    assert desk.state.framing.box == (29, 9, 64, 64)
    with qtbot.waitSignal(desk.state.framing_changed):
        QTest.keyClick(panel.view, Qt.Key.Key_Left, shift | alt)
    assert desk.state.framing.box == (29, 9, 63, 64)


def test_a_box_belongs_to_its_picture(desk: Desk, panel: PicturePanel) -> None:
    panel.framing.set_box((10, 10, 50, 40))
    assert not panel.framing.whole.isHidden()
    desk.state.opened.add(picture("dog"))
    assert desk.state.framing == Framing()
    assert panel.framing.whole.isHidden()
    desk.state.opened.select("cat")
    assert desk.state.framing.box == (10, 10, 50, 40)
    panel.framing.whole.click()
    assert desk.state.framing == Framing()


def test_the_unit_stays_where_it_is_on_the_picture(desk: Desk, panel: PicturePanel) -> None:
    desk.state.set_node("stage2")
    desk.state.set_unit(2, 5)
    field = model().node("stage2").field
    before = prediction(desk).geometry.to_picture(field.centre_px(5), field.centre_px(2))
    choose(panel, "native")
    assert desk.state.unit is None
    native = CropGeometry((120, 80), (120, 80), (-4, -8), (128, 96), (4, 8, 4, 8))
    sizes = {node.name: (96 // node.field.stride_px, 128 // node.field.stride_px) for node in model().nodes}
    desk.state.set_prediction(replace(prediction(desk), geometry=native, sizes=sizes))
    assert desk.state.unit is not None
    y, x = desk.state.unit
    after = native.to_picture(field.centre_px(x), field.centre_px(y))
    assert after == pytest.approx(before, abs=field.stride_px / 2)
    assert desk.state.sized(model().node("stage2")).shape[1:] == sizes["stage2"]
