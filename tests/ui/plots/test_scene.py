"""A curtain paints one scene left of its line and another right of it."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.dragging import CurtainDrag
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene, clipped_layer, split_scene
from convnext_studio.ui.state.selection.two_answers import TwoAnswers

SIZE = (100.0, 60.0)
RED, BLUE = (200, 0, 0), (0, 0, 200)


def flat(colour: tuple[int, int, int]) -> Scene:
    pixels = np.full((6, 10, 3), colour, dtype=np.uint8)
    return Scene(size=SIZE, layers=(Layer(Bitmap(pixels), (0.0, 0.0, *SIZE)),))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_either_side_has_its_own_colour(qtbot: QtBot, share: float) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    qtbot.waitExposed(view)
    view.set_scene(split_scene(flat(RED), flat(BLUE), share))
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)

    def colour(x: float) -> QColor:
        return image.pixelColor((view.to_widget(x, 30) * view.devicePixelRatioF()).toPoint())

    for x in (5.0, 100 * share - 4):
        assert colour(x) == QColor(*RED)
    for x in (100 * share + 4, 95.0):
        assert colour(x) == QColor(*BLUE)


@pytest.mark.parametrize(("share", "count"), [(0.0, 1), (1.0, 1), (0.5, 2)])
def test_a_side_without_width_paints_nothing(share: float, count: int) -> None:
    assert len(split_scene(flat(RED), flat(BLUE), share).layers) == count


def test_a_part_of_a_part_is_painted() -> None:
    [layer] = flat(RED).layers
    first = clipped_layer(layer, (20.0, 0.0, 50.0, 60.0))
    assert first is not None
    both = clipped_layer(first, (0.0, 10.0, 40.0, 20.0))
    assert both is not None
    assert both.clip == (20.0, 10.0, 20.0, 20.0)
    assert clipped_layer(first, (80.0, 0.0, 20.0, 60.0)) is None


def test_the_line_is_the_only_mark() -> None:
    [mark] = split_scene(flat(RED), flat(BLUE), 0.3).marks
    assert mark.box == (30.0, 0.0, 0.0, 60.0)


def test_the_line_is_dragged_and_nothing_else_moves(qtbot: QtBot) -> None:
    view, choice, is_shown = ImageView(), TwoAnswers("A", "B"), [True]
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    qtbot.waitExposed(view)
    view.set_scene(split_scene(flat(RED), flat(BLUE), choice.curtain))
    CurtainDrag(choice, view, lambda: is_shown[0])
    clicks: list[float] = []
    view.clicked.connect(lambda x, _y: clicks.append(x))

    def drag(start: float, end: float) -> None:
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=view.to_widget(start, 30).toPoint())
        qtbot.mouseMove(view, view.to_widget(end, 30).toPoint())
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=view.to_widget(end, 30).toPoint())

    drag(50, 20)
    assert choice.curtain == pytest.approx(0.2, abs=0.01)
    assert view.is_fitted
    assert not clicks
    drag(80, 80)
    assert len(clicks) == 1
    is_shown[0] = False
    before = choice.curtain
    drag(100 * before, 90)
    assert choice.curtain == before
