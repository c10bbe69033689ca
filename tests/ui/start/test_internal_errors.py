"""An exception in an event handler is told, and neither ends the program nor keeps the window from showing."""

import logging
import subprocess
import sys

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.exceptions import capture_exceptions
from pytestqt.qtbot import QtBot

from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start.internal_errors import InternalErrors

_TWO_FAIL = """
import sys
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from convnext_studio.ui.start.internal_errors import contain_errors

contains = sys.argv[1] == "contained"
if contains:
    contain_errors()
application = QApplication(["test", "-platform", "offscreen"])

class Failing(QWidget):
    def showEvent(self, event: QShowEvent) -> None:
        raise ValueError("the engine was asked wrongly")

window = QWidget()
layout = QVBoxLayout(window)
for _ in range(2):
    layout.addWidget(Failing())
for _ in range(2):
    window.show()
    assert window.isVisible()
    window.hide()
print("lives on")
"""


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", _TWO_FAIL, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_two_panels_that_fail_to_show_do_not_end_the_process() -> None:
    done = _run("contained")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "lives on\n"
    assert done.stderr.count("ValueError: the engine was asked wrongly") == 4


class _Failing(QWidget):
    def showEvent(self, _event: QShowEvent) -> None:
        raise ValueError("the engine was asked wrongly")

    def sizeHint(self) -> QSize:
        raise ValueError("nothing fits")

    def eventFilter(self, _watched: object, _event: object) -> bool:
        raise ValueError("it cannot be seen")


class _Zooming(QWidget):
    def wheelEvent(self, _event: object, axis: int | None = None) -> None:
        self.axis = axis


def test_handlers_get_what_they_are_called_with(qtbot: QtBot) -> None:
    # pyqtgraph's handlers call each other by keywords.
    widget = _Zooming()
    qtbot.addWidget(widget)
    widget.wheelEvent(None, axis=1)
    assert widget.axis == 1


def test_a_panel_that_fails_is_told_by_the_windows_messages(
    qtbot: QtBot, window: StudioWindow, caplog: pytest.LogCaptureFixture
) -> None:
    errors = InternalErrors(window)
    errors.noticed.connect(window.messages.tell)
    panel = _Failing()
    qtbot.addWidget(panel)
    window.installEventFilter(panel)
    with capture_exceptions() as found, caplog.at_level(logging.ERROR):
        panel.show()
        window.resize(900, 700)
        window.removeEventFilter(panel)
    assert panel.isVisible()
    assert {str(error) for _, error, _ in found} == {
        "the engine was asked wrongly",
        "nothing fits",
        "it cannot be seen",
    }
    assert window.width() == 900  # The filter let the event through.
    for kind, error, trace in found:
        errors.tell(kind, error, trace)
    QApplication.processEvents()
    assert "An internal error occurred" in window.messages.text
    assert "The problem report says more." in window.messages.text
    assert "An internal error occurred in the window." in caplog.text


def test_each_error_is_noticed_once_and_a_wish_to_end_is_none(
    qapp: QApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = InternalErrors()
    noticed = []
    errors.noticed.connect(noticed.append, Qt.ConnectionType.DirectConnection)
    for error in (ValueError("a"), ValueError("a"), KeyError("b"), KeyboardInterrupt()):
        errors.tell(type(error), error, None)
    qapp.processEvents()
    assert [notice.message for notice in noticed] == [
        "An internal error occurred (ValueError: a).",
        "An internal error occurred (KeyError: 'b').",
    ]
    assert capsys.readouterr().err.count("ValueError: a") == 2
