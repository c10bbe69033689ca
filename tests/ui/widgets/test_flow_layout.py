"""Controls in as many rows as they need, and switches whose words are all visible."""

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QSize
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.control_row import FlowLayout


class Brick(QWidget):
    def __init__(self, width: int, height: int = 20) -> None:
        super().__init__()
        self._size = QSize(width, height)

    def sizeHint(self) -> QSize:
        return self._size

    def minimumSizeHint(self) -> QSize:
        return self._size


@pytest.fixture
def wall(qtbot: QtBot) -> QWidget:
    wall = QWidget()
    qtbot.addWidget(wall)
    layout = FlowLayout(wall, spacing_px=10)
    for width, height in ((100, 20), (50, 10), (80, 20)):
        layout.addWidget(Brick(width, height))
    return wall


def bricks(wall: QWidget) -> list[tuple[int, int, int, int]]:
    return [brick.geometry().getRect() for brick in wall.findChildren(Brick)]


def test_a_row_that_is_full_is_continued_below(wall: QWidget) -> None:
    layout = wall.layout()
    assert layout is not None
    assert layout.sizeHint() == QSize(100 + 10 + 50 + 10 + 80, 20)
    assert [layout.heightForWidth(width) for width in (250, 249, 160, 139)] == [20, 50, 50, 70]
    assert layout.minimumSize() == QSize(100, 20)
    wall.resize(160, 60)
    wall.show()
    assert bricks(wall) == [(0, 0, 100, 20), (110, 5, 50, 10), (0, 30, 80, 20)]


def test_hidden_widgets_take_no_room(wall: QWidget) -> None:
    wall.findChildren(Brick)[0].hide()
    wall.resize(300, 60)
    wall.show()
    assert [brick.x() for brick in wall.findChildren(Brick)[1:]] == [0, 60]


def test_a_layout_gives_back_what_it_holds(wall: QWidget) -> None:
    layout = wall.layout()
    assert layout is not None
    assert layout.count() == 3
    assert layout.itemAt(3) is None
    assert layout.takeAt(5) is None
    item = layout.takeAt(0)
    assert item is not None
    assert item.sizeHint().width() == 100
    assert layout.count() == 2


def test_one_button_of_a_switch_is_pressed_and_a_change_is_told_once(qtbot: QtBot) -> None:
    switch = Switch("Resolution", (("Smooth", True, "Interpolated"), ("True grid", False, "Squares")))
    qtbot.addWidget(switch)
    told: list[object] = []
    switch.changed.connect(lambda: told.append(switch.value))
    assert switch.value is True
    switch.button(False).click()
    switch.button(False).click()
    switch.choose(True)
    assert told == [False, True]
    assert switch.button(True).accessibleName() == "Resolution: Smooth"


def test_its_items_are_deleted_with_it(wall: QWidget) -> None:
    layout = wall.layout()
    assert layout is not None
    # Those that Qt makes belong to nobody; Python deletes its own with the list that holds them.
    assert [shiboken6.ownedByPython(layout.itemAt(index)) for index in range(layout.count())] == [True] * 3


def test_a_widget_that_is_deleted_or_removed_leaves_it(wall: QWidget) -> None:
    layout = wall.layout()
    assert layout is not None
    first, second, third = wall.findChildren(Brick)
    first.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    second.setParent(None)
    assert layout.count() == 1
    layout.removeWidget(third)
    assert layout.count() == 0
