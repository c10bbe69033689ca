"""Copy, paste and select all do what the widget with the keyboard focus is about."""

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.pictures import ListPictures
from convnext_studio.ui.shell.window import StudioWindow
from tests.ui.conftest import FakeEngine


def clipboard_text() -> str:
    return QGuiApplication.clipboard().text()


@pytest.fixture(autouse=True)
def _empty_clipboard(qapp: QApplication) -> None:
    qapp.clipboard().clear()


def focus(widget: QWidget, qtbot: QtBot) -> None:
    widget.window().activateWindow()  # A floating panel is a window of its own.
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)


def test_they_are_in_the_edit_menu_with_their_keys(window: StudioWindow) -> None:
    keys = {name: window.actions_by_id[name].shortcut().toString() for name in ("copy", "paste", "select_all")}
    assert keys == {"copy": "Ctrl+C", "paste": "Ctrl+V", "select_all": "Ctrl+A"}
    [edit] = [action.menu() for action in window.menuBar().actions() if action.text() == "&Edit"]
    assert set(keys) <= {action.objectName() for action in edit.actions()}


@pytest.mark.parametrize("by_key", [False, True])
def test_text_is_selected_copied_and_pasted(filled_window: StudioWindow, qtbot: QtBot, by_key: bool) -> None:
    search = filled_window.panels.predictions.search
    focus(search, qtbot)
    search.setText("crane")

    def do(action: str, key: Qt.Key) -> None:
        if by_key:
            QTest.keyClick(search, key, Qt.KeyboardModifier.ControlModifier)
        else:
            filled_window.actions_by_id[action].trigger()

    do("select_all", Qt.Key.Key_A)
    do("copy", Qt.Key.Key_C)
    assert clipboard_text() == "crane"
    search.setText("a ")
    search.end(False)
    do("paste", Qt.Key.Key_V)
    assert search.text() == "a crane"


@pytest.mark.parametrize("by_key", [False, True])
def test_the_view_of_the_focused_panel_is_copied(
    filled_window: StudioWindow, qtbot: QtBot, by_key: bool
) -> None:
    look = filled_window.panels.attribution.look.more
    focus(look, qtbot)
    if by_key:
        QTest.keyClick(look, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    else:
        filled_window.actions_by_id["copy"].trigger()
    assert not QGuiApplication.clipboard().image().isNull()
    assert filled_window.messages.text == "The picture was copied."


def test_where_there_is_nothing_to_copy_it_is_said(window: StudioWindow, qtbot: QtBot) -> None:
    focus(window.strip.canvas, qtbot)
    window.actions_by_id["copy"].trigger()
    assert "nothing to copy here" in window.messages.text
    assert QGuiApplication.clipboard().image().isNull()


def test_files_are_opened_even_from_a_text_field(
    filled_window: StudioWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/copied.png")])
    QGuiApplication.clipboard().setMimeData(mime)
    focus(filled_window.strip.canvas, qtbot)
    filled_window.actions_by_id["paste"].trigger()
    assert engine.open(ListPictures)[-1].paths == ("/copied.png",)


def test_rows_are_copied_with_tabs(filled_window: StudioWindow, qtbot: QtBot) -> None:
    filled_window.actions_by_id["activity"].trigger()
    table = filled_window.panels.activity.findChild(QTableWidget)
    assert table.rowCount() >= 1
    focus(table, qtbot)
    filled_window.actions_by_id["select_all"].trigger()
    filled_window.actions_by_id["copy"].trigger()
    lines = clipboard_text().splitlines()
    assert len(lines) == table.rowCount()
    assert lines[0].split("\t") == [
        "" if (item := table.item(0, column)) is None else item.text() for column in range(table.columnCount())
    ]
