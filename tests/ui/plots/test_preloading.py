"""What the views need is loaded after the window is painted, and in short steps."""

import sys
import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.preloading import Preloader


def test_it_begins_once_the_window_is_painted_and_ends_by_itself(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    timer = Preloader(window).findChild(QTimer)
    assert timer is not None
    assert not timer.isActive()
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(lambda: not timer.isActive() and "convnext_studio.ui.plots.scene_canvas" in sys.modules)


def test_a_window_that_closes_early_takes_it_along(qtbot: QtBot) -> None:
    window = QWidget()
    window.show()
    Preloader(window)
    qtbot.waitExposed(window)
    window.deleteLater()
    time.sleep(0.01)
    qtbot.wait(20)  # The watcher of leaks would tell a timer that runs on.
