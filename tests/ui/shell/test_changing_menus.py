"""What was opened lately is offered in sections, and what has gone is greyed."""

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from convnext_studio.ui.shell.changing_menus import RecentMenu
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.settings import SettingsFile


@pytest.fixture
def menu(qtbot: QtBot) -> QMenu:
    menu = QMenu()
    qtbot.addWidget(menu)
    return menu


@pytest.fixture
def recent(menu: QMenu, settings: SettingsFile, background: Background) -> RecentMenu:
    return RecentMenu(menu, settings, background)


def action(menu: QMenu, text: str) -> QAction:
    return next(each for each in menu.actions() if each.text() == text)


def test_sections_hold_what_there_is_and_what_has_gone_is_greyed(
    menu: QMenu, recent: RecentMenu, settings: SettingsFile, tmp_path: Path, qtbot: QtBot
) -> None:
    there = tmp_path / "a & b.png"
    there.touch()
    settings.update(
        recent_pictures=(str(there), "/gone.png"),
        recent_folders=(str(tmp_path),),
        recent_models=("preset:tutorial", "bundled", "/gone.pth"),
    )
    menu.aboutToShow.emit()
    sections = [each.text() for each in menu.actions() if each.isSeparator() and each.text()]
    assert sections == ["Pictures", "Folders", "Models"]
    qtbot.waitUntil(lambda: not action(menu, "/gone.pth").isEnabled())
    assert not action(menu, "/gone.png").isEnabled()
    assert "no longer exists" in action(menu, "/gone.png").toolTip()
    kept = (str(there).replace("&", "&&"), str(tmp_path), "preset:tutorial", "bundled")
    assert all(action(menu, text).isEnabled() for text in kept)
    paths: list[str] = []
    models: list[str] = []
    recent.path_chosen.connect(paths.append)
    recent.model_chosen.connect(models.append)
    for text in kept:
        action(menu, text).trigger()
    assert paths == [str(there), str(tmp_path)]
    assert models == ["preset:tutorial", "bundled"]


def test_the_list_is_cleared(menu: QMenu, recent: RecentMenu, settings: SettingsFile) -> None:
    settings.update(recent_pictures=("/a.png",), recent_sessions=("/s.cnxsession",), recent_models=("bundled",))
    menu.aboutToShow.emit()
    action(menu, "&Clear this list").trigger()
    assert (settings.values.recent_pictures, settings.values.recent_sessions) == ((), ())
    menu.aboutToShow.emit()
    assert [each.text() for each in menu.actions()] == ["Nothing has been opened yet"]
    assert recent.parent() is menu
