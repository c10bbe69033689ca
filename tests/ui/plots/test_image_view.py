"""What is painted where: read from the pixels of the view itself."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark, Scene, Spot
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.qimage import to_qimage
from tests.ui.desk import click_at, colour_at, point_at

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [90, 80, 70], [200, 150, 100]]], dtype=np.uint8
)
"""2 rows, 3 columns."""


def shown(qtbot: QtBot, scene: Scene, width: int = 400, height: int = 300) -> ImageView:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(width, height)
    view.set_scene(scene)
    view.show()
    qtbot.waitExposed(view)
    return view


def small_scene() -> Scene:
    return Scene(size=(3, 2), layers=(Layer(Bitmap(COLOURS), (0, 0, 3, 2)),))


def test_an_array_becomes_a_picture_of_its_own() -> None:
    rgb = COLOURS.copy()
    image = to_qimage(rgb[:, ::-1])  # not contiguous
    rgb[:] = 0
    assert (image.width(), image.height()) == (3, 2)
    colours = [[image.pixelColor(x, y).getRgb()[:3] for x in range(3)] for y in range(2)]
    assert colours == [[tuple(c) for c in row[::-1]] for row in COLOURS.tolist()]


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((2, 2, 5), np.uint8)]
)
def test_what_is_no_colours_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="height, width, 3"):
        to_qimage(wrong)


def test_pixel_i_covers_i_to_i_plus_1(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    for row in range(2):
        for column in range(3):
            for dx, dy in [(0.05, 0.05), (0.95, 0.05), (0.5, 0.5), (0.05, 0.95), (0.95, 0.95)]:
                assert colour_at(view, column + dx, row + dy) == tuple(COLOURS[row, column])


def test_pixels_stay_sharp_and_in_place_when_zoomed_far_in(qtbot: QtBot) -> None:
    rgb = np.zeros((1000, 1000, 3), dtype=np.uint8)
    rgb[617, 383] = (255, 128, 0)
    view = shown(qtbot, Scene(size=(1000, 1000), layers=(Layer(Bitmap(rgb), (0, 0, 1000, 1000)),)))
    view.zoom(200, view.to_widget(383.5, 617.5))
    for dx, dy in [(0.05, 0.05), (0.95, 0.95)]:
        assert colour_at(view, 383 + dx, 617 + dy) == (255, 128, 0)
    for dx, dy in [(-0.05, 0.5), (1.05, 0.5), (0.5, -0.05), (0.5, 1.05)]:
        assert colour_at(view, 383 + dx, 617 + dy) == (0, 0, 0)


def test_reduced_pictures_are_averaged(qtbot: QtBot) -> None:
    """One stripe in 8 pixels, 8 times reduced: the mean everywhere, not stripes that come and go."""
    rgb = np.zeros((1600, 1600, 3), dtype=np.uint8)
    rgb[:, ::8] = 200
    view = shown(qtbot, Scene(size=(1600, 1600), layers=(Layer(Bitmap(rgb), (0, 0, 1600, 1600)),)), 212, 212)
    seen = {colour_at(view, x, 800)[0] for x in range(100, 1500, 97)}
    assert all(abs(colour - 25) <= 3 for colour in seen)


def test_a_layer_lies_in_its_box_at_its_opacity(qtbot: QtBot) -> None:
    below = Layer(Bitmap(np.full((10, 20, 3), 100, np.uint8)), (0, 0, 20, 10))
    above = Layer(Bitmap(np.full((1, 1, 3), 200, np.uint8)), (4.5, 2, 3, 3), opacity=0.5)
    view = shown(qtbot, Scene(size=(20, 10), layers=(below, above)))
    for x, y in [(4.6, 2.1), (7.4, 4.9)]:
        assert abs(colour_at(view, x, y)[0] - 150) <= 1
    for x, y in [(4.4, 3), (7.6, 3), (6, 1.9), (6, 5.1)]:
        assert colour_at(view, x, y)[0] == 100


def test_outside_the_bright_box_it_is_darker(qtbot: QtBot) -> None:
    grey = Layer(Bitmap(np.full((10, 10, 3), 200, np.uint8)), (0, 0, 10, 10))
    view = shown(qtbot, Scene(size=(10, 10), layers=(grey,), bright_box=(2, 2, 6, 6)))
    assert colour_at(view, 5, 5)[0] == 200
    assert 50 < colour_at(view, 1, 1)[0] < 150


def test_frames_are_as_thin_at_any_zoom(qtbot: QtBot) -> None:
    grey = Layer(Bitmap(np.full((10, 10, 3), 100, np.uint8)), (0, 0, 10, 10))
    view = shown(qtbot, Scene(size=(10, 10), layers=(grey,), marks=(Mark((2, 2, 6, 6), colour="#ff0000"),)))
    for _ in range(2):
        edge = view.to_widget(2, 5)
        image = view.grab().toImage()
        across = [image.pixelColor(int(edge.x()) + d, int(edge.y())).red() for d in range(-6, 7)]
        changed = [d for d, red in zip(range(-6, 7), across, strict=True) if red != 100]
        assert changed
        assert len(changed) <= 4
        assert max(across) > 200
        view.zoom(4, edge)


def test_labels_beside_leave_the_layers_free(qtbot: QtBot) -> None:
    grey = Layer(Bitmap(np.full((10, 10, 3), 100, np.uint8)), (0, 0, 10, 10))
    marks = (Mark((2, 2, 6, 6), "half", beside=True), Mark((3, 3, 4, 4), "a fifth", beside=True))
    view = shown(qtbot, Scene(size=(10, 10), layers=(grey,), marks=marks, note="linear"), 600, 300)
    right_edge = view.to_widget(10, 0).x()
    assert right_edge < 600 - view.fontMetrics().horizontalAdvance("a fifth")
    assert colour_at(view, 5, 5)[0] == 100


def test_it_fits_and_centres(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene(), 300, 100)
    left, right = view.to_widget(0, 0), view.to_widget(3, 2)
    assert left.y() == pytest.approx(100 - right.y())
    assert left.x() == pytest.approx(300 - right.x())
    assert right.y() - left.y() == pytest.approx(88)
    assert (right.x() - left.x()) / (right.y() - left.y()) == pytest.approx(1.5)


def test_resizing_keeps_the_fit_until_zoomed_by_hand(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    view.resize(200, 500)
    assert view.to_widget(0, 0).x() == pytest.approx(6)
    view.zoom(3)
    assert not view.is_fitted
    middle = view.to_scene(QPointF(100, 250))
    view.resize(300, 600)
    assert view.to_scene(QPointF(150, 300)) == pytest.approx(middle)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert view.is_fitted
    assert view.to_widget(0, 0).x() == pytest.approx(6)


def test_the_wheel_zooms_at_the_pointer(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    place = QPointF(123, 77)
    before = view.to_scene(place)
    event = QWheelEvent(
        place,
        view.mapToGlobal(place),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    width = view.to_widget(1, 0).x() - view.to_widget(0, 0).x()
    QApplication.sendEvent(view, event)
    assert view.to_scene(place) == pytest.approx(before)
    assert view.to_widget(1, 0).x() - view.to_widget(0, 0).x() > 1.2 * width


def test_dragging_moves_and_does_not_click(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    clicks: list[tuple[float, float]] = []
    view.clicked.connect(lambda x, y: clicks.append((x, y)))
    before = view.to_widget(0, 0)
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(view, left, pos=QPoint(100, 100))
    QTest.mouseMove(view, QPoint(110, 104))
    QTest.mouseMove(view, QPoint(150, 120))
    QTest.mouseRelease(view, left, pos=QPoint(150, 120))
    moved = view.to_widget(0, 0) - before
    assert (moved.x(), moved.y()) == (50, 20)
    assert clicks == []


def test_a_click_and_a_hover_say_where(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    with qtbot.waitSignal(view.clicked) as clicked:
        click_at(view, view.to_widget(2.5, 1.5))
    assert clicked.args == pytest.approx([2.5, 1.5], abs=0.02)
    with qtbot.waitSignal(view.hovered) as hovered:
        point_at(view, view.to_widget(0.25, 0.75))
    assert hovered.args == pytest.approx([0.25, 0.75])
    with qtbot.waitSignal(view.hover_left):
        point_at(view, view.to_widget(-0.1, 1))


def test_keys_zoom_and_fit(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert not view.is_fitted
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.is_fitted


def test_another_scene_of_the_same_size_keeps_the_zoom(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    view.zoom(2)
    place = view.to_widget(1, 1)
    view.set_scene(small_scene())
    assert view.to_widget(1, 1) == place
    view.set_scene(Scene(size=(5, 5)))
    assert view.is_fitted


@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK])
def test_the_surround_follows_the_theme_and_dimming_steps_towards_it(
    qtbot: QtBot, qapp: QApplication, look: theme.Theme
) -> None:
    theme.apply(qapp, look)
    view = shown(qtbot, small_scene(), 400, 100)
    surface = tuple(int(look.surface[i : i + 2], 16) for i in (1, 3, 5))
    assert colour_at(view, -0.5, 1) == surface
    view.set_dimmed(True)
    dimmed = colour_at(view, 0.5, 0.5)
    assert all(abs(d - s) < abs(c - s) for d, c, s in zip(dimmed, (255, 0, 0), surface, strict=True) if c != s)


def grey_scene() -> Scene:
    grey = np.full((20, 30, 3), 128, dtype=np.uint8)
    return Scene(size=(30, 20), layers=(Layer(Bitmap(grey), (0, 0, 30, 20)),))


def test_a_crosshair_runs_through_its_point_and_goes_without_a_trace(qtbot: QtBot) -> None:
    view = shown(qtbot, grey_scene())
    view.set_crosshair((12.5, 8.5))
    for x, y in [(2, 8.5), (28, 8.5), (12.5, 2), (12.5, 18)]:
        assert colour_at(view, x, y) == (255, 255, 255)
    for x, y in [(2, 2), (12.5, 8.5)]:  # beside the lines, and at the point itself, which stays free
        assert colour_at(view, x, y) == (128, 128, 128)
    view.set_crosshair(None)
    assert colour_at(view, 2, 8.5) == (128, 128, 128)


def test_a_crosshair_outside_the_scene_is_not_drawn(qtbot: QtBot) -> None:
    view = shown(qtbot, grey_scene())
    before = view.grab().toImage()
    view.set_crosshair((12.5, 20.5))
    assert view.grab().toImage() == before


def test_the_pointer_in_one_view_shows_in_another_in_the_picture_s_pixels(qtbot: QtBot) -> None:
    """The second view shows the picture at half its size, and only the part from 10 on."""
    state = AppState()
    first, second = shown(qtbot, grey_scene()), shown(qtbot, grey_scene())
    LinkedCrosshair(state, first)
    LinkedCrosshair(
        state,
        second,
        to_picture=lambda x, y: (2 * x + 10, 2 * y),
        to_scene=lambda x, y: ((x - 10) / 2, y / 2) if x >= 10 else None,
    )
    point_at(second, second.to_widget(3, 4))
    assert state.views.pointed == pytest.approx((16, 8))
    assert first.crosshair == pytest.approx((16, 8))
    assert second.crosshair == pytest.approx((3, 4))
    point_at(first, first.to_widget(4, 4))
    assert second.crosshair is None
    point_at(first, first.to_widget(-2, 4))
    assert state.views.pointed is None
    assert first.crosshair is None


def test_a_spot_has_the_same_size_at_any_zoom(qtbot: QtBot) -> None:
    grey = grey_scene()
    view = shown(qtbot, Scene(grey.size, grey.layers, spots=(Spot(15, 10, "#ff0000"),)))
    sizes = []
    for _ in range(2):
        image = view.grab().toImage()
        reds = [
            x
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).name() == "#ff0000"
        ]
        assert (reds[0] + reds[-1]) / 2 == pytest.approx(view.to_widget(15, 10).x(), abs=1)
        sizes.append(reds[-1] - reds[0])
        view.zoom(3)
    assert sizes[0] == sizes[1] > 0


def test_a_brush_paints_instead_of_moving(qtbot: QtBot) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    view.set_scene(Scene(size=(30, 20)))
    strokes: list[tuple[float, float, bool]] = []
    lifted: list[bool] = []
    clicks: list[tuple[float, float]] = []
    view.brushed.connect(lambda x, y, begins: strokes.append((x, y, begins)))
    view.brush_lifted.connect(lambda: lifted.append(True))
    view.clicked.connect(lambda x, y: clicks.append((x, y)))
    view.set_brush(True)
    view.set_brush(True)
    centre = view.centre
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=view.to_widget(5, 5).toPoint())
    QTest.mouseMove(view, view.to_widget(15, 10).toPoint())
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=view.to_widget(15, 10).toPoint())
    assert [begins for _, _, begins in strokes] == [True, False]
    assert strokes[0][:2] == pytest.approx((5, 5), abs=0.2)
    assert strokes[1][:2] == pytest.approx((15, 10), abs=0.2)
    assert (lifted, clicks, view.centre) == ([True], [], centre)
    view.set_brush(False)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.to_widget(5, 5).toPoint())
    assert len(strokes) == 2
    assert len(clicks) == 1


def test_a_scene_of_another_size_has_no_frame_of_the_one_before(qtbot: QtBot) -> None:
    view = shown(qtbot, small_scene())
    view.set_highlight((1, 0, 1, 1))
    wide = Scene(size=(6, 2), layers=(Layer(Bitmap(COLOURS), (0, 0, 6, 2)),))
    view.set_scene(wide)
    assert view.highlight is None
    fresh = shown(qtbot, wide)
    assert view.grab().toImage() == fresh.grab().toImage()
