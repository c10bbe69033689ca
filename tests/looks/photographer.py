"""Drives the program on the display that is there, and takes a picture of each view."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, Qt, QTimer, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.common.samples import SAMPLES, sample_path
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.model.presets import default_model
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start import launch
from convnext_studio.ui.start.app import WindowOptions
from convnext_studio.ui.state.app_state import AppState

_POLL_MS = 60
_QUIET_POLLS = 4
_TIMEOUT_S = 60.0

Step = tuple[str, Callable[[], object]]


def views(window: StudioWindow, state: AppState) -> Iterator[Step]:
    """Every view: its name, and what brings it onto the screen."""
    do = {name: action.trigger for name, action in window.actions_by_id.items()}
    yield "first_launch", lambda: None
    for number in (1, 2, 3, 4):
        yield f"stage{number}", do[f"stage_{number}"]
    yield "stage3_open", lambda: (do["stage_3"](), do["open_node"]())
    yield "block_open", lambda: (state.set_node("stage3.block2"), do["open_node"]())
    yield "dwconv", lambda: state.set_node("stage3.block2.dwconv")
    for kind in ("macs", "memory", "time"):
        if f"costs_{kind}" in do:
            yield f"costs_{kind}", do[f"costs_{kind}"]
    yield "back_to_stage2", lambda: (do["go_up"](), do["go_up"](), do["stage_2"]())
    yield "unit", lambda: state.set_unit(5, 7)
    yield "second_class", lambda: state.set_target(1)
    yield "no_unit", lambda: (do["clear_unit"](), do["follow_top"]())
    yield "pinned", lambda: (do["pin"](), do["stage_3"]())
    yield "unpinned", do["pin"]
    yield from _panels(window, do)
    for name in ("compare", "teach", "inspect"):
        yield f"arrangement_{name}", do[f"arrange_{name}"]
    yield "palette", do["palette"]
    yield "palette_typed", lambda: _type(window, "grad")
    yield "shortcuts", lambda: (_escape(window), do["shortcuts"]())
    yield "tour", lambda: (_escape(window), window.guide.start_tour())
    yield "menu_file", lambda: (_escape(window), _open_menu(window, 0))
    yield "menu_view", lambda: _open_menu(window, 2)
    yield "menu_model", lambda: _open_menu(window, 3)
    yield "many_pictures", lambda: (_close_menus(), _drop(window, [str(sample_path(name)) for name in SAMPLES]))
    yield "rubbish_dropped", lambda: _drop(window, [__file__])
    yield "random_weights", lambda: do["model_preset:tutorial"]() if "model_preset:tutorial" in do else None
    yield from _lecture(window, do)


def _panels(window: StudioWindow, do: dict[str, Callable[[], object]]) -> Iterator[Step]:
    """Each panel beside the others, and each filling the window."""
    docks = window.dock_layout.docks
    for name in docks:
        if docks[name].isHidden():
            yield f"beside_{name}", lambda name=name: window.dock_layout.show_panel(name)
        yield f"large_{name}", lambda name=name: window.dock_layout.toggle_maximised(name)
        yield f"after_{name}", lambda: (window.dock_layout.leave_maximised(), do["arrange_inspect"]())


def _lecture(window: StudioWindow, do: dict[str, Callable[[], object]]) -> Iterator[Step]:
    """Every step of the lecture."""
    yield "lecture_01", do["present"]
    for index in range(1, len(checked_lecture().steps)):
        yield f"lecture_{index + 1:02}", partial(_go_to, window, index)


def _go_to(window: StudioWindow, index: int) -> None:
    presenter = window.lecture.presentation.presenter
    assert presenter is not None
    presenter.go_to(index)


def _type(window: QWidget, text: str) -> None:
    QTest.keyClicks(QApplication.focusWidget() or window, text)


def _escape(window: QWidget) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Escape)


def _open_menu(window: StudioWindow, index: int) -> None:
    _close_menus()
    bar = window.menuBar()
    action = bar.actions()[index]
    menu = action.menu()
    assert menu is not None
    menu.popup(bar.mapToGlobal(bar.actionGeometry(action).bottomLeft()))


def _close_menus() -> None:
    while (menu := QApplication.activePopupWidget()) is not None:
        menu.close()


def _drop(window: StudioWindow, paths: list[str]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    window.controller.open_mime(data)


class Photographer(QObject):
    """Goes from view to view, and saves the screen whenever everything has its answer."""

    def __init__(self, window: StudioWindow, state: AppState, folder: Path, wanted: str) -> None:
        super().__init__(window)
        self._window = window
        self._folder = folder
        self._wanted = wanted
        self._views = views(window, state)
        self._current = ""
        self._quiet = 0
        self._since = time.monotonic()
        self.failures = 0
        self._timer = QTimer(self, interval=_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    def _poll(self) -> None:
        presenter = self._window.lecture.presentation.presenter if self._is_presenting else None
        settled = self._window.is_settled and (presenter is None or presenter.is_settled)
        self._quiet = self._quiet + 1 if settled and self._window.state.prediction is not None else 0
        late = time.monotonic() - self._since > _TIMEOUT_S
        if self._quiet < _QUIET_POLLS and not late:
            return
        if self._current and self._wanted in self._current:
            name = f"{self._current}_UNSETTLED" if late else self._current
            QGuiApplication.primaryScreen().grabWindow(0).save(str(self._folder / f"{name}.png"))
            self.failures += late
        self._next()

    @property
    def _is_presenting(self) -> bool:
        return self._current.startswith("lecture")

    def _next(self) -> None:
        self._quiet, self._since = 0, time.monotonic()
        step = next(self._views, None)
        if step is None:
            self._timer.stop()
            self._window.close()
            QApplication.exit(int(self.failures > 0))
            return
        self._current, show = step
        # Not from the timer: what is shown may open a menu, which runs an event loop of its own.
        QTimer.singleShot(0, self, lambda: show() and None)


def _photographed(folder: Path, wanted: str) -> type[StudioWindow]:
    class PhotographedWindow(StudioWindow):
        def __init__(self, state: AppState, bridge: Any, controller: Any, settings: Any) -> None:
            super().__init__(state, bridge, controller, settings)
            self.state, self.controller = state, controller
            settings.update(is_tour_over=True)
            self.photographer = Photographer(self, state, folder, wanted)

        def show(self) -> None:
            self.showMaximized()

    return PhotographedWindow


def main() -> int:
    """Take all pictures; 1 where a view had no answer in time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--text-pt", type=int, default=9)
    parser.add_argument("--views", default="")
    options = parser.parse_args()
    launch.StudioWindow = _photographed(options.folder, options.views)
    settings = launch.SettingsFile()
    settings.update(theme=options.theme, text_pt=options.text_pt, is_tour_over=True)
    settings.save()
    return launch.launch(WindowOptions(model=default_model()), EngineClient())


if __name__ == "__main__":
    sys.exit(main())
