"""Views that are used for hours: a thousand pictures, a hundred windows, panels that float and come back."""

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtGui import QPixmapCache
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark, Scene, Spot
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start.launch import PIXMAP_CACHE_KB
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PICTURES, WINDOWS, FLOATED = 1000, 100, 200
WARM_SHARE = 0.3
"""Of the runs, those after which caches, fonts and Python's own arenas have their size."""
LARGEST_GROWTH = 0.02


def memory_bytes() -> int:
    """What is resident after all garbage is gone, and the pixmaps that Qt keeps in its limited cache."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()
    gc.collect()
    QPixmapCache.clear()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def stays_flat(times: int, once: Callable[[int], None]) -> None:
    """Repeat, and compare the memory of the first third with that at the end."""
    first = 0
    for index in range(times):
        once(index)
        QApplication.processEvents()
        if index % 10 == 0:
            gc.collect()
        if index == int(WARM_SHARE * times):
            first = memory_bytes()
    growth = memory_bytes() / first - 1
    assert growth <= LARGEST_GROWTH, f"{first / 1e6:.0f} MB have grown by {100 * growth:.2f} %"


def scene_of(index: int) -> Scene:
    """Pictures of changing sizes, with all that can be on them."""
    width, height = 300 + 7 * (index % 40), 200 + 11 * (index % 30)
    rgb = np.full((height, width, 3), index % 256, np.uint8)
    return Scene(
        size=(float(width), float(height)),
        layers=(Layer(Bitmap(rgb), (0.0, 0.0, float(width), float(height))),),
        marks=(Mark((3, 3, 60, 60), f"number {index}", beside=index % 2 == 0),),
        bright_box=(10, 10, 80, 80) if index % 3 == 0 else None,
        note="a note",
        spots=(Spot(5, 5),),
    )


def test_a_thousand_pictures_in_a_row(qtbot: QtBot) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.show()
    qtbot.waitExposed(view)

    def show(index: int) -> None:
        view.set_scene(scene_of(index))
        view.zoom(1.5)
        view.set_crosshair((20.5, 20.5))
        view.set_highlight((1, 1, 4, 4))
        view.grab()
        if index % 100 == 99:
            view.set_scene(None)

    stays_flat(PICTURES, show)


@pytest.fixture(autouse=True)
def _cache_of_the_program() -> Iterator[None]:
    """Let Qt keep as many pixmaps of closed windows as in the program."""
    before = QPixmapCache.cacheLimit()
    QPixmapCache.setCacheLimit(PIXMAP_CACHE_KB)
    yield
    QPixmapCache.setCacheLimit(before)


def open_window(engine: FakeEngine) -> tuple[StudioWindow, Controller, tuple[QObject, ...]]:
    """Open a window with a model, a picture and its prediction; return also what it shows and asks."""
    state, settings = AppState(), SettingsFile()
    bridge = EngineBridge(engine)
    controller = Controller(state, bridge, settings)
    window = StudioWindow(state, bridge, controller, settings)
    window.resize(1366, 768)
    window.show()
    state.set_model(make_model())
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    return window, controller, (window, controller, bridge, state)


def test_a_hundred_windows_opened_and_closed(qapp: QApplication) -> None:
    def open_and_close(_index: int) -> None:
        engine = FakeEngine()
        window, controller, opened = open_window(engine)
        qapp.processEvents()
        assert any(view.scene is not None and view.isVisible() for view in window.findChildren(ImageView))
        window.close()
        controller.close()
        engine.listen(lambda _: None)  # As a process that ends: it holds the bridge no longer.
        for each in opened:
            each.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert not shiboken6.isValid(window)

    stays_flat(WINDOWS, open_and_close)


def test_a_hundred_views_opened_and_closed(qapp: QApplication) -> None:
    def open_and_close(index: int) -> None:
        view = MapView("A map")
        view.resize(500, 400)
        view.view.set_scene(scene_of(index))
        view.show()
        qapp.processEvents()
        view.picture()
        view.close()
        view.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert not shiboken6.isValid(view.view)

    stays_flat(WINDOWS, open_and_close)


def test_two_hundred_panels_floated_and_docked(filled_window: StudioWindow, qapp: QApplication) -> None:
    docks = [dock for dock in filled_window.dock_layout.docks.values() if dock.shows_panel]

    def float_and_dock(index: int) -> None:
        dock = docks[index % len(docks)]
        for floats in (True, False):
            dock.setFloating(floats)
            qapp.processEvents()
        for view in dock.findChildren(ImageView):
            view.grab()

    stays_flat(FLOATED, float_and_dock)
