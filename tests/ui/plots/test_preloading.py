"""What the views need is loaded after the window is painted, and in short steps."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QGraphicsView, QStackedWidget, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.preloading import Preloader
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene


def test_it_begins_once_the_window_is_painted_and_ends_by_itself(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    timer = Preloader(window).findChild(QTimer)
    assert timer is not None
    assert not timer.isActive()
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(
        lambda: not timer.isActive() and "convnext_studio.ui.plots.canvas.scene_canvas" in sys.modules
    )


def test_views_that_may_be_shown_soon_have_their_canvas_before_their_first_scene(qtbot: QtBot) -> None:
    """Otherwise the first answer would create those of all panels in one turn of the event loop."""
    window = QWidget()
    qtbot.addWidget(window)
    pages = QStackedWidget()
    shown, next_page, hidden = ImageView(), ImageView(), ImageView()
    pages.addWidget(shown)
    pages.addWidget(next_page)
    column = QVBoxLayout(window)
    column.addWidget(pages)
    column.addWidget(hidden)
    hidden.hide()
    timer = Preloader(window).findChild(QTimer)
    assert timer is not None
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(lambda: bool(shown.findChildren(QGraphicsView) and not timer.isActive()))
    assert next_page.findChildren(QGraphicsView)
    assert not hidden.findChildren(QGraphicsView)
    red = np.full((4, 4, 3), (250, 0, 0), np.uint8)
    next_page.set_scene(Scene(size=(4.0, 4.0), layers=(Layer(Bitmap(red), (0.0, 0.0, 4.0, 4.0)),)))
    pages.setCurrentWidget(next_page)
    assert len(next_page.findChildren(QGraphicsView)) == 1
    middle = next_page.grab().toImage().pixelColor(next_page.rect().center())
    assert (middle.red(), middle.green(), middle.blue()) == (250, 0, 0)


def test_a_window_that_closes_early_takes_it_along(qtbot: QtBot) -> None:
    window = QWidget()
    window.show()
    Preloader(window)
    qtbot.waitExposed(window)
    window.deleteLater()
    time.sleep(0.01)
    qtbot.wait(20)  # The watcher of leaks would tell a timer that runs on.


LARGEST_SHARE = 0.1
"""Of the processor time of all steps, which is a quarter of a second: so a step takes at most 25 ms of it."""


def fresh_process(script: str) -> str:
    """Run a script in a process that has not imported pyqtgraph, and return what it prints."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


def test_no_step_is_long() -> None:
    script = """
import time
import convnext_studio.ui.plots.image_view  # As in the window, before its first view has something to show.
from convnext_studio.common.processes.garbage_collection import collecting_later
from convnext_studio.ui.plots.preloading import _steps
with collecting_later():
    pass  # As the window does: a collection of all that is imported would count for any step.
before = time.thread_time()
for step in _steps():
    after = time.thread_time()
    print(after - before, step)
    before = after
"""
    # On a machine that is busy, any step may take long once.
    runs = [[line.split() for line in fresh_process(script).splitlines()] for _ in range(2)]
    names = [step[1] for step in runs[0]]
    seconds = [min(float(step[0]) for step in steps) for steps in zip(*runs, strict=True)]
    assert max(seconds) < LARGEST_SHARE * sum(seconds), names[seconds.index(max(seconds))]
    assert "pyqtgraph.parametertree.parameterTypes.basetypes" in names


@pytest.mark.parametrize("steps", [1, 3, 40, 60, 110, 10_000])
def test_a_package_imported_in_parts_is_the_package_at_any_time(steps: int) -> None:
    script = f"""
from itertools import islice
from convnext_studio.ui.plots.preloading import import_in_parts
for name in islice(import_in_parts("pyqtgraph"), {steps}):
    pass
import pyqtgraph as pg
assert pg.ViewBox and pg.plot and pg.parametertree.Parameter and pg.setConfigOption
import pyqtgraph.widgets.RemoteGraphicsView
from pyqtgraph import GraphicsView, parametertree
assert parametertree.parameterTypes.SliderParameter
assert not hasattr(pg, "nothing")
print(len(vars(pg)), *sorted(name for name in vars(pg) if not name.startswith("__")))
"""
    whole = "import pyqtgraph as pg, pyqtgraph.widgets.RemoteGraphicsView\nprint(len(vars(pg)))"
    count, *names = fresh_process(script).split()
    assert int(count) == int(fresh_process(whole))
    assert {"ViewBox", "AxisItem", "parametertree", "VerticalLabel", "mkPen"} <= set(names)
