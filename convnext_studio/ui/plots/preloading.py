"""Import pyqtgraph in short steps, between which the window stays responsive.

In one go the import takes a quarter of a second. Most of that goes to the classes of PySide6, which are created
when they are first named (pyqtgraph names them all), and to the hundred modules that `pyqtgraph/__init__.py`
imports. So the classes are named before, and that file is executed statement by statement. It is never imported
in a thread, because that has crashed while Qt was painting.
"""

import ast
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, resolve_name
from inspect import GEN_RUNNING, getgeneratorstate
from itertools import chain
from types import CodeType, ModuleType
from typing import cast

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QStackedLayout, QStackedWidget, QWidget
from shiboken6 import isValid

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.widgets.popup import LatePart

_STEP_S = 0.004
_NEEDED = (
    "importlib.resources",
    "xml.etree.ElementTree",
    "pydoc",
    "multiprocessing.process",
    "multiprocessing.reduction",
    "multiprocessing.connection",
    "colorama",
    "PySide6.QtSvg",
    "PySide6.QtTest",
    "PySide6.QtOpenGL",
    "PySide6.QtOpenGLWidgets",
)
_NOT_NEEDED = "cuda.bindings.runtime"
"""pyqtgraph imports it for a widget that is not used here, which takes 50 ms where it is installed."""
_IN_PARTS = ("pyqtgraph.parametertree", "pyqtgraph.parametertree.parameterTypes")
"""Packages in pyqtgraph that import many modules themselves."""
_BEFORE = {
    "pyqtgraph.colormap": ["pyqtgraph.util.cprint", "pyqtgraph.debug", "pyqtgraph.functions"],
    "pyqtgraph.graphicsItems.AxisItem": [
        "pyqtgraph.GraphicsScene",
        "pyqtgraph.graphicsItems.GraphicsItem",
    ],
    "pyqtgraph.graphicsItems.ColorBarItem": [
        "pyqtgraph.graphicsItems.ViewBox",
        "pyqtgraph.graphicsItems.PlotCurveItem",
        "pyqtgraph.graphicsItems.ScatterPlotItem",
        "pyqtgraph.graphicsItems.PlotDataItem",
        "pyqtgraph.graphicsItems.LegendItem",
        "pyqtgraph.graphicsItems.PlotItem",
    ],
    "pyqtgraph.widgets.ColorMapWidget": ["pyqtgraph.widgets.SpinBox", "pyqtgraph.parametertree"],
    "pyqtgraph.widgets.RemoteGraphicsView": ["pyqtgraph.multiprocess.processes"],
}
"""Modules of pyqtgraph that import several others, and which of these are imported in steps of their own."""


class Preloader(QObject):
    """Loads what the views need, once a window is painted and while Qt has nothing else to do."""

    began = Signal()  # The window was painted: whatever would have delayed that may be loaded now.
    advanced = Signal()  # A step is over; the next one is taken when Qt has nothing else to do.

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._steps = chain(_steps(), _late_parts(window), _styles(window), _canvases(window))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._go_on)
        window.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Begin after the window was painted: all its parts are, before the event loop turns."""
        if event.type() == QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            self._timer.start(0)
            QTimer.singleShot(0, self, self.began.emit)
        return False

    def _go_on(self) -> None:
        end = time.perf_counter() + _STEP_S
        while time.perf_counter() < end:
            if next(self._steps, None) is None:
                self._timer.stop()
                break
        self.advanced.emit()


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
    with _left_out(_NOT_NEEDED):
        yield from import_in_parts("pyqtgraph")
    import_module("convnext_studio.ui.plots.canvas.scene_canvas")
    yield "scene_canvas"


def _late_parts(window: QWidget) -> Iterator[str]:
    """Make what nobody has seen yet, one part after the other."""
    for part in window.findChildren(LatePart):
        if isValid(part):
            part.make()
            yield "part"


def _styles(window: QWidget) -> Iterator[str]:
    """Have Qt style what is still hidden in the panels that can be seen, before it is first shown."""
    for widget in window.findChildren(QWidget):
        if isValid(widget) and not widget.isVisible() and _is_in_sight(widget):
            widget.ensurePolished()
            yield widget.objectName() or "widget"


def _is_in_sight(widget: QWidget) -> bool:
    """Return whether a widget is in a dock that is shown, or beside the docks, and not in a popup."""
    while not widget.isWindow() and not isinstance(widget, QDockWidget):
        above = widget.parentWidget()
        if above is None:
            break
        widget = above
    return widget.isVisible()


def _canvases(window: QWidget) -> Iterator[str]:
    """Create the canvas of one view after the other, so that the first answers need not wait for them all."""
    for view in window.findChildren(ImageView):
        if isValid(view) and may_show(view):
            view.make_canvas()
            yield view.accessibleName() or "view"


def may_show(view: QWidget) -> bool:
    """Return whether a widget is visible, or would be on another page of a stack that is."""
    widget = view
    while (above := widget.parentWidget()) is not None and not widget.isWindow():
        is_page = isinstance(above, QStackedWidget) or isinstance(above.layout(), QStackedLayout)
        if widget.isHidden() and not is_page:
            return False
        widget = above
    return widget.isVisible()


def import_in_parts(name: str) -> Iterator[str]:
    """Import a package whose file imports many modules, and yield after each of its statements.

    Whoever uses the package before the last of them has the rest executed at once.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or not isinstance(spec.loader, SourceFileLoader):
        import_module(name)
        yield name
        return
    module = module_from_spec(spec)
    code = _statements(spec.loader, name)
    yield "compiled"
    steps = _execute(module, code)

    def finish(attribute: str) -> object:
        # While a statement is executed, and to those who only look around, the module has what it has set.
        if getgeneratorstate(steps) != GEN_RUNNING and not attribute.startswith("__"):
            deque(steps, maxlen=0)
            with suppress(KeyError):
                return vars(module)[attribute]
        raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

    vars(module)["__getattr__"] = finish
    sys.modules[name] = module
    while step := next(steps, ""):  # "yield from" would end the steps if this generator is abandoned.
        yield step


def _statements(loader: SourceFileLoader, name: str) -> list[tuple[str, CodeType]]:
    """Return the statements of a package's file, each with the module that it imports, if any."""
    source = ast.parse(loader.get_data(loader.path))
    return [
        (_imported(statement, name), compile(ast.Module([statement], []), loader.path, "exec"))
        for statement in source.body
    ]


def _imported(statement: ast.stmt, package: str) -> str:
    """Return the name of the module that a statement imports from; empty if it is no such statement."""
    if not isinstance(statement, ast.ImportFrom) or not statement.level:
        return ""
    inside = statement.module or statement.names[0].name
    return resolve_name("." * statement.level + inside, package)


def _execute(module: ModuleType, statements: list[tuple[str, CodeType]]) -> Generator[str, None, None]:
    """Execute the statements in the module, and yield after each of them and of what has a step of its own."""
    name = module.__name__
    try:
        for imported, code in statements:
            for needed in [*_BEFORE.get(imported, ()), imported]:
                if needed in _IN_PARTS:
                    yield from import_in_parts(needed)
                elif needed != imported:
                    import_module(needed)
                    yield needed
            exec(code, vars(module))
            yield imported or name
    except Exception:
        del sys.modules[name]  # As Python does after a failed import.
        raise
    vars(module).pop("__getattr__", None)
    package, _, child = name.rpartition(".")
    if package:
        setattr(sys.modules[package], child, module)


@contextmanager
def _left_out(name: str) -> Iterator[None]:
    """Let a module count as not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    cast("dict[str, ModuleType | None]", sys.modules)[name] = None
    try:
        yield
    finally:
        del sys.modules[name]
