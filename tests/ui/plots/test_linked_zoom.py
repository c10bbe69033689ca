"""All views of a picture show the same part of it, whatever their sizes and scenes; or each its own."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.linked_zoom import LinkedZoom
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile
from tests.ui.conftest import make_image

LEFT, TOP, UNIT_PX = 20.0, 10.0, 4.0
"""The second view's scene are units of 4 × 4 pixels from (20, 10) of the picture on."""


def to_picture(x: float, y: float) -> tuple[float, float]:
    return LEFT + UNIT_PX * x, TOP + UNIT_PX * y


def to_scene(x: float, y: float) -> tuple[float, float]:
    return (x - LEFT) / UNIT_PX, (y - TOP) / UNIT_PX


def make_view(qtbot: QtBot, size: tuple[float, float], width: int, height: int) -> ImageView:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(width, height)
    view.show()
    view.set_scene(Scene(size=size))
    return view


@pytest.fixture
def views(qtbot: QtBot, state: AppState) -> tuple[ImageView, ImageView]:
    first = make_view(qtbot, (300.0, 200.0), 400, 300)
    second = make_view(qtbot, (40.0, 40.0), 200, 250)
    LinkedZoom(state, first)
    LinkedZoom(state, second, to_picture, to_scene)
    state.views.link_zoom(True)
    return first, second


def seen(view: ImageView, unit_px: float) -> float:
    """How many of the picture's pixels go into the shorter side."""
    return min(view.width(), view.height()) / view.scale * unit_px


def test_a_linked_view_shows_the_same_place_as_far_as_its_shape_allows(
    views: tuple[ImageView, ImageView],
) -> None:
    first, second = views
    first.look(80, 60, 5.0)
    first.moved.emit()
    assert to_picture(*second.centre) == pytest.approx((80, 60))
    assert seen(second, UNIT_PX) == pytest.approx(seen(first, 1)) == pytest.approx(300 / 5)
    second.zoom(2)
    second.moved.emit()
    assert first.centre == pytest.approx((80, 60))
    assert seen(first, 1) == pytest.approx(30)
    second.show_all()
    assert first.is_fitted


def test_views_that_are_not_linked_are_left_alone(views: tuple[ImageView, ImageView], state: AppState) -> None:
    first, second = views
    state.views.link_zoom(False)
    first.look(80, 60, 5.0)
    first.moved.emit()
    assert second.is_fitted


def test_another_scene_of_the_same_picture_keeps_the_place_and_another_picture_does_not(
    views: tuple[ImageView, ImageView], state: AppState
) -> None:
    first, second = views
    first.look(80, 60, 5.0)
    first.moved.emit()
    second.set_scene(Scene(size=(41.0, 41.0)))
    assert to_picture(*second.centre) == pytest.approx((80, 60))
    state.opened.add(make_image())
    assert first.is_fitted
    assert second.is_fitted


def test_one_to_one_is_a_pixel_for_a_pixel_of_the_screen(views: tuple[ImageView, ImageView]) -> None:
    first, _ = views
    first.show_pixels()
    assert first.scale * first.devicePixelRatioF() == 1
    assert first.centre == pytest.approx((150, 100))


def test_the_middle_button_moves_and_clicks_nothing(views: tuple[ImageView, ImageView], qtbot: QtBot) -> None:
    first, _ = views
    before, middle, none = first.centre, Qt.MouseButton.MiddleButton, Qt.KeyboardModifier.NoModifier
    with qtbot.assertNotEmitted(first.clicked):
        QTest.mousePress(first, middle, pos=QPointF(100, 100).toPoint())
        place = QPointF(130, 90)
        move = QMouseEvent(
            QMouseEvent.Type.MouseMove, place, first.mapToGlobal(place), Qt.MouseButton.NoButton, middle, none
        )
        QApplication.sendEvent(first, move)
        QTest.mouseRelease(first, middle, pos=place.toPoint())
    x, y = first.centre
    assert ((before[0] - x) * first.scale, (before[1] - y) * first.scale) == pytest.approx((30, -10))


def test_the_toggle_is_remembered_and_reset_shows_all(filled_window: StudioWindow, state: AppState) -> None:
    actions = filled_window.actions_by_id
    assert actions["zoom_linked"].isChecked()
    views = [view for view in filled_window.findChildren(ImageView) if view.scene is not None]
    for view in views:
        view.zoom(3)
    actions["zoom_reset"].trigger()
    assert all(view.is_fitted for view in views)
    actions["zoom_linked"].trigger()
    assert not state.views.zoom_is_linked
    filled_window.close()
    assert not SettingsFile().values.linked_zoom
