"""The real program, started as the command line starts it, that also tells what it shows.

``python -m tests.end_to_end.driver DESCRIPTOR [argument of the program ...]``: questions come through the
connection of that file descriptor as (method of `Observer`, its arguments), and are answered in Qt's thread.
"""

import signal
import sys
import traceback
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPoint, QSocketNotifier, QTimer
from PySide6.QtGui import QImage, QSessionManager
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QSlider, QSpinBox, QWidget
from shiboken6 import getCppPointer, wrapInstance

from convnext_studio.cli import main as cli
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.shell.docks.panel_specs import ASIDES
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start import launch
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.choices import Switch
from tests.benchmarks.programs.watching import Gaps, Painted
from tests.end_to_end.answers import Shown, View


class Observer(QObject):
    """Answers the test's questions about the window."""

    def __init__(
        self, connection: Connection, window: StudioWindow, state: AppState, bridge: EngineBridge
    ) -> None:
        super().__init__(window)
        self._connection = connection
        self._window = window
        self._state = state
        self._gaps: Gaps | None = None
        self._started: list[str] = []
        self._said: list[str] = []
        bridge.request_started.connect(lambda request: self._started.append(type(request).__name__))
        bridge.engine_lost.connect(lambda lost: self._said.append(lost.message))
        Painted(window, self._watch_the_event_loop)
        notifier = QSocketNotifier(connection.fileno(), QSocketNotifier.Type.Read, self)
        notifier.activated.connect(self._answer)

    def _watch_the_event_loop(self) -> None:
        self._gaps = Gaps(self)

    def _answer(self) -> None:
        try:
            question, arguments = self._connection.recv()
        except EOFError:  # The test has gone.
            self._window.close()
            return
        try:
            self._connection.send((True, getattr(self, question)(*arguments)))
        except Exception:
            self._connection.send((False, traceback.format_exc()))

    # ----------------------------------------------------------------------------------------- the questions

    def shown(self) -> Shown:
        window, state = self._window, self._state
        # Asking for a hidden panel would make it, within the very turn of the event loop that is measured.
        docks = window.dock_layout.docks
        panels: dict[str, Any] = {name: dock.panel for name, dock in docks.items() if dock.is_made}
        rows = window.panels.predictions.rows
        return Shown(
            settled=window.is_settled,
            title=window.windowTitle(),
            message=window.messages.text if window.messages.isVisible() else "",
            model="" if state.model is None else state.model.title,
            picture="" if state.picture is None else state.picture.name,
            pictures=tuple(
                state.opened.all[row].name for row in range(window.panels.pictures.list.model().rowCount())
            ),
            predictions=tuple((row.label, row.percentage) for row in rows if row.isVisible()),
            explained=window.panels.predictions.explained.text(),
            notices={name: getattr(panel, "notice", "") for name, panel in panels.items() if panel.isVisible()},
            captions={name: getattr(panel, "caption", "") for name, panel in panels.items()},
        )

    def view(self, panel: str, path: str) -> View:
        """The view at an attribute path of a panel, its pixels read from the screen where there is one."""
        view: Any = self._window.dock_layout.docks[panel].panel
        for name in path.split("."):
            view = view[int(name)] if name.isdigit() else getattr(view, name)
        assert isinstance(view, ImageView)
        assert view.scene is not None
        scene, (left, top) = view.scene, view.to_widget(0, 0).toTuple()
        right, bottom = view.to_widget(*scene.size).toTuple()
        return View(
            pixels=_to_array(_pixels_of(view)),
            scene_box=(left, top, right - left, bottom - top),
            scene_size=scene.size,
            marks=tuple((mark.label, mark.box) for mark in scene.marks),
        )

    def gaps_s(self) -> tuple[list[float], list[float]]:
        """Times between the event loop's turns since the first painting, and the thread's own work in each."""
        assert self._gaps is not None
        return [*self._gaps.seconds], [*self._gaps.working_s]

    def started(self) -> list[str]:
        """The kinds of requests that the engine began to work on, in order."""
        return self._started

    def said_of_lost_engines(self) -> list[str]:
        return self._said

    def modules(self) -> set[str]:
        """The top-level packages that this process has imported."""
        return {name.partition(".")[0] for name in sys.modules}

    # ------------------------------------------------------------------------------------------ the commands

    def place(self, x: int, y: int) -> tuple[int, int, int, int]:
        """Move the window; where it is then, with its size."""
        self._window.move(x, y)
        return self._window.geometry().getRect()

    def select(self, node: str = "", channel: int | None = None, picture: str = "") -> None:
        if node:
            self._state.set_node(node)
        if channel is not None:
            self._state.set_channel(channel)
        if picture:
            (key,) = (opened.key for opened in self._state.opened.all if opened.name == picture)
            self._state.opened.select(key)

    def open(self, path: str) -> None:
        """As a picture that is dropped on the window."""
        self._window.controller.open_paths([path])

    def turn_to(self, aside: str) -> None:
        """Show one of the panels that are hidden at first, and no other of these."""
        layout = self._window.dock_layout
        for other in ASIDES:
            layout.docks[other].setVisible(other == aside)
        layout.show_panel(aside)

    def watch_no_more(self) -> None:
        """Note no more turns of the event loop, which take 8 kB a second."""
        assert self._gaps is not None
        self._gaps.deleteLater()

    def close_picture(self) -> None:
        """As the menu does."""
        self._window.actions_by_id["close"].trigger()

    def trigger(self, action: str) -> None:
        """Do what an entry of a menu does, after the answer has gone out: it may open a dialog."""
        QTimer.singleShot(0, self._window.actions_by_id[action].trigger)

    def set_control(self, panel: str, control: str, value: Any) -> Any:
        """Bring a control of a panel to a value, as a person does; the value that it had before."""
        widget = attrgetter(control)(self._window.dock_layout.docks[panel].panel)
        match widget:
            case QComboBox():
                before, index = widget.currentData(), widget.findData(value)
                assert index >= 0, f"{control} does not offer {value!r}"
                widget.setCurrentIndex(index)
                widget.activated.emit(index)
            case QAbstractButton():
                before = widget.isChecked()
                widget.setChecked(value)
            case QSlider() | QSpinBox():
                before = widget.value()
                widget.setValue(value)
            case Switch():
                before = widget.value
                widget.choose(value)
            case _:
                raise AssertionError(f"{control} is no control that can be set")
        return before

    def commit_data(self) -> None:
        """What Qt says when the session is about to end; its manager says nothing that is listened to."""
        manager = wrapInstance(getCppPointer(self)[0], QSessionManager)
        QApplication.instance().commitDataRequest.emit(manager)

    def close(self) -> None:
        """As a click on the window's cross, after the answer has gone out."""
        QTimer.singleShot(0, self._window.close)


def _pixels_of(widget: QWidget) -> QImage:
    if QApplication.platformName() == "offscreen":
        return widget.grab().toImage()
    widget.repaint()
    window = widget.window()
    at = widget.mapTo(window, QPoint(0, 0))
    screen = window.screen()
    return screen.grabWindow(window.winId(), at.x(), at.y(), widget.width(), widget.height()).toImage()


def _to_array(image: QImage) -> NDArray[np.uint8]:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def _observed_by(connection: Connection) -> type[StudioWindow]:
    class ObservedWindow(StudioWindow):
        def __init__(self, state: AppState, bridge: EngineBridge, *others: Any) -> None:
            super().__init__(state, bridge, *others)
            others[-1].update(is_tour_over=True)  # Its card would lie where the tests look and click.
            Observer(connection, self, state, bridge)

    return ObservedWindow


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell may have the tests ignore it.
    launch.StudioWindow = _observed_by(Connection(int(sys.argv[1])))
    sys.exit(cli.main(sys.argv[2:]))
