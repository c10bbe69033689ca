"""Grids of pictures and small tables, which are image views arranged for their size."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF
from PySide6.QtGui import QColor, QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.arranged_views import MatrixView, Tile, TileGrid
from convnext_studio.ui.widgets import theme
from tests.ui.desk import point_at

RED, BLUE = (200, 10, 10), (10, 10, 200)


def tile(colour: tuple[int, int, int], name: str, height: int = 4, width: int = 4) -> Tile:
    picture = np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()
    return Tile(picture=picture, texts=(name, "below"), tip=f"All about {name}")


def shown_tiles(qtbot: QtBot, *tiles: Tile, size: tuple[int, int] = (400, 300)) -> TileGrid:
    grid = TileGrid("Some pictures")
    qtbot.addWidget(grid)
    grid.resize(*size)
    grid.show_tiles(tiles)
    grid.show()
    qtbot.waitExposed(grid)
    return grid


def colour_at(image: QImage, place: QPointF) -> tuple[int, ...]:
    return QColor(image.pixel(place.toPoint())).getRgb()[:3]


def test_every_tile_is_where_it_says_and_all_have_room(qtbot: QtBot) -> None:
    grid = shown_tiles(qtbot, *[tile(RED if index % 2 else BLUE, f"{index}") for index in range(7)])
    image = grid.grab().toImage()
    boxes = [grid.box_of(index) for index in range(7)]
    for index, box in enumerate(boxes):
        assert colour_at(image, box.center()) == (RED if index % 2 else BLUE)
        assert grid.rect().contains(box.toRect())
        assert not any(box.intersects(other) for other in boxes[:index])
    assert min(box.width() for box in boxes) > 50


def test_a_tile_is_not_stretched(qtbot: QtBot) -> None:
    grid = shown_tiles(qtbot, tile(RED, "wide", height=2, width=8))
    image, box = grid.grab().toImage(), grid.box_of(0)
    assert colour_at(image, box.center()) == RED
    surface = QColor(theme.current().surface).getRgb()[:3]
    assert colour_at(image, QPointF(box.center().x(), box.top() + 2)) == surface


def test_tiles_are_arranged_for_the_size_until_the_user_zooms(qtbot: QtBot) -> None:
    grid = shown_tiles(qtbot, *[tile(RED, f"{index}") for index in range(4)], size=(600, 200))
    assert len({grid.box_of(index).top() for index in range(4)}) == 1
    grid.resize(200, 700)
    assert len({grid.box_of(index).left() for index in range(4)}) == 1
    grid.zoom(2.0)
    before = grid.scene
    grid.resize(700, 200)
    assert grid.scene is before


def test_a_tile_has_a_tooltip_also_where_it_was_zoomed_to(qtbot: QtBot) -> None:
    grid = shown_tiles(qtbot, tile(RED, "first"), tile(BLUE, "second"))
    grid.zoom(1.7, grid.box_of(1).center())
    place = grid.box_of(1).center().toPoint()
    QApplication.sendEvent(grid, QHelpEvent(QEvent.Type.ToolTip, place, grid.mapToGlobal(place)))
    assert QToolTip.text() == "All about second"
    QApplication.sendEvent(grid, QHelpEvent(QEvent.Type.ToolTip, QPoint(1, 1), grid.mapToGlobal(QPoint(1, 1))))
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


@pytest.mark.parametrize("name", ["dark", "light"])
def test_texts_follow_the_theme(qtbot: QtBot, name: theme.ThemeName) -> None:
    grid = shown_tiles(qtbot, tile(RED, "mmmmmmmm"))
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    before = theme.current().name
    theme.choose(application, name)
    QApplication.processEvents()
    image, box = grid.grab().toImage(), grid.box_of(0)
    line = [
        image.pixelColor(x, y).lightness()
        for x in range(round(box.left()), round(box.right()))
        for y in range(round(box.bottom()) + 1, round(box.bottom()) + grid.fontMetrics().height())
    ]
    theme.choose(application, before)
    wanted = theme.THEMES[name]
    text, surface = QColor(wanted.text).lightness(), QColor(wanted.surface).lightness()
    assert min(abs(each - text) for each in line) < 0.3 * abs(text - surface)
    assert surface in line


def test_a_disabled_grid_is_dimmed(qtbot: QtBot) -> None:
    grid = shown_tiles(qtbot, tile(RED, "one"))
    grid.setEnabled(False)
    assert grid.is_dimmed
    assert colour_at(grid.grab().toImage(), grid.box_of(0).center()) != RED
    grid.setEnabled(True)
    assert not grid.is_dimmed


def test_a_matrix_is_read_where_it_was_zoomed_to_and_measured(qtbot: QtBot) -> None:
    view = MatrixView("Test")
    qtbot.addWidget(view)
    view.resize(400, 300)
    values = np.array([[1.0, 0.25, np.nan], [0.25, 1.0, -0.5], [np.nan, -0.5, 1.0]])
    view.show_matrix(["A", "B", "C"], values)
    view.show()
    qtbot.waitExposed(view)
    read: list[str] = []
    view.pointed.connect(read.append)
    scene = view.scene
    assert scene is not None
    x, y, width, height = scene.layers[0].box
    cell = x + 2.5 / 3 * width, y + 1.5 / 3 * height
    for zoom in (1.0, 3.0):
        view.zoom(zoom, view.to_widget(*cell))
        point_at(view, view.to_widget(*cell))
        assert read[-1] == "B and C · rank correlation −0.50"
    point_at(view, view.to_widget(x - 1, y - 1))
    assert read[-1] == ""
    view.fit()
    view.set_measures({"region": (x, y, x + width, y + height)})
    assert "min -0.5" in view.sentence
    assert "max 1.00" in view.sentence


def test_all_numbers_of_a_matrix_with_narrow_cells_are_equally_small(qtbot: QtBot) -> None:
    view = MatrixView("Test")
    qtbot.addWidget(view)
    view.resize(260, 200)
    view.show_matrix(["A"] * 14, np.full((14, 14), -0.25))
    scene = view.scene
    assert scene is not None
    cells = [text for text in scene.texts if text.least]
    assert len(cells) == 14 * 14
    assert {text.least for text in cells} == {cells[0].least}
    assert view.fontMetrics().horizontalAdvance(cells[0].least) > cells[0].box[2]
