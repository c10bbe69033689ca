"""Empty a menu that is filled anew, with the menus inside it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu


def empty_menu(menu: QMenu) -> None:
    """Remove all entries of a menu, and delete the menus inside it, which `QMenu.clear` keeps for ever."""
    inside = menu.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    menu.clear()
    for each in inside:
        each.deleteLater()
