"""The bundled lecture, stepped through with the real engine: from the key until the step is painted."""

import os
import sys
import time
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from convnext_studio.common.samples import FIRST_SAMPLE, SAMPLE_PREFIX
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.render import load_colour_maps
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets import theme
from tests.benchmarks.timing import report

SIZE = (1920, 1080)
LONGEST_S = 240


def main() -> None:
    """Report the seconds of each step."""
    application = QApplication([])
    application.setStyle("Fusion")
    theme.apply(application, theme.PROJECTOR)
    load_colour_maps()
    client = EngineClient()
    state, bridge, background = AppState(), EngineBridge(client), Background()
    controller = Controller(state, bridge, SettingsFile(read_only=True))
    client.start()
    controller.models.open(sys.argv[1])
    controller.open_paths([f"{SAMPLE_PREFIX}{FIRST_SAMPLE}"])
    _wait(application, lambda: state.prediction is not None)
    lecture = checked_lecture()
    presenter = Presenter(state, bridge, lecture, FormulaBook(background))
    presenter.resize(*SIZE)
    presenter.show()
    QTest.qWaitForWindowActive(presenter)
    seconds: dict[str, float] = {}
    working: dict[str, float] = {}
    for index, step in enumerate(lecture.steps[1:], start=2):
        _wait(application, lambda: presenter.is_settled and not bridge.pending)
        _wait(application, lambda: not presenter.views.is_looking_ahead and not bridge.pending)
        name = f"{index} {step.title}"
        seconds[name], working[name] = _press(application, presenter)
    presenter.close_views()
    background.close()
    controller.close()
    bridge.close()
    report(steps=seconds, working=working)
    sys.stdout.flush()
    os._exit(0)  # What is measured is over.


def _press(application: QApplication, presenter: Presenter) -> tuple[float, float]:
    """Seconds from the key until the next step is painted; of these, this thread's own."""
    before = presenter.index
    start, start_working = time.perf_counter(), time.thread_time()
    QTest.keyClick(presenter.focusWidget() or presenter, Qt.Key.Key_PageDown)
    # What is due, paint events included.
    application.processEvents()
    taken = time.perf_counter() - start, time.thread_time() - start_working
    if presenter.index != before + 1:
        raise RuntimeError(f"step {before + 1} was not left")
    return taken


def _wait(application: QApplication, is_done: Callable[[], bool]) -> None:
    start = time.perf_counter()
    while not is_done():
        application.processEvents()
        time.sleep(0.005)
        if time.perf_counter() - start > LONGEST_S:
            raise TimeoutError("the engine did not answer")


if __name__ == "__main__":
    main()
