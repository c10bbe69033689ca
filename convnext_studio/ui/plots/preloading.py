"""Prepare the import of pyqtgraph in short steps, between which the window stays responsive.

Most of the time that pyqtgraph takes to import goes to what it imports itself and to the classes of PySide6,
which are created when they are first named; it names them all. It is never imported in a thread, because that
has crashed while Qt was painting.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

_STEP_S = 0.008
_NEEDED = (
    "importlib.resources",
    "xml.etree.ElementTree",
    "pydoc",
    "multiprocessing.connection",
    "PySide6.QtSvg",
    "PySide6.QtTest",
    "PySide6.QtOpenGL",
    "PySide6.QtOpenGLWidgets",
    # pyqtgraph imports these where they are installed, as they are with torch for CUDA.
    "cuda.pathfinder",
    "cuda.bindings.cydriver",
    "cuda.bindings.driver",
    "cuda.bindings.runtime",
)


class Preloader(QObject):
    """Loads what the views need, once a window is painted and while Qt has nothing else to do."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._steps = _steps()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._go_on)
        window.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Begin after the window was painted: all its parts are, before the event loop turns."""
        if event.type() == QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            self._timer.start(0)
        return False

    def _go_on(self) -> None:
        end = time.perf_counter() + _STEP_S
        while time.perf_counter() < end:
            if next(self._steps, None) is None:
                self._timer.stop()
                return


def _steps() -> Iterator[str]:
    """Load one thing with each step, and yield its name."""
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            getattr(module, name)
            yield name
    for name in _NEEDED:
        with suppress(ImportError):
            import_module(name)
        yield name
    import_module("pyqtgraph")
    yield "pyqtgraph"
    import_module("convnext_studio.ui.plots.scene_canvas")
    yield "scene_canvas"
