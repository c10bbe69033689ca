"""A menu that is filled again and again does not keep what was in it."""

from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.popup import empty_menu
from tests.leaks import delete_later_now


def test_menus_inside_are_deleted_with_the_entries(qtbot: QtBot) -> None:
    menu = QMenu()
    qtbot.addWidget(menu)
    for _ in range(5):
        empty_menu(menu)
        menu.addAction("One")
        menu.addMenu("Two").addMenu("Three").addAction("Four")
    delete_later_now()
    assert [action.text() for action in menu.actions()] == ["One", "Two"]
    assert len(menu.findChildren(QMenu)) == 2
