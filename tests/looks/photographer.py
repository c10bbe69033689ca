"""Drives the program on the display that is there, and takes a picture of each view."""

import argparse
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.model.presets import default_model
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start import launch
from convnext_studio.ui.start.app import WindowOptions
from convnext_studio.ui.state.app_state import AppState
from tests.looks.faults import faults
from tests.looks.views import View, Views

_POLL_MS = 60
_QUIET_POLLS = 4
_TIMEOUT_S = 60.0
_WITHOUT_PREDICTION = ("no_picture",)


class Photographer(QObject):
    """Goes from view to view, and saves the screen whenever everything has its answer.

    Attributes
    ----------
    failures
        How many views had no answer in time.
    """

    def __init__(self, window: StudioWindow, folder: Path, wanted: str, keeps_faults: bool) -> None:
        super().__init__(window)
        self._window = window
        self._folder = folder
        self._wanted = wanted
        self._views = self._wanted_views(Views(window))
        self._current: View | None = None
        self._faults: list[str] | None = [] if keeps_faults else None
        self._quiet = 0
        self._since = time.monotonic()
        self.failures = 0
        window.bridge.progressed.connect(self._wait_longer)  # Long work that advances is not late.
        self._timer = QTimer(self, interval=_POLL_MS)
        self._timer.timeout.connect(self._poll_or_end)
        self._timer.start()

    def _wanted_views(self, views: Views) -> Iterator[View]:
        """Of every group that has a wanted view, all views up to that one."""
        for group in views.groups():
            last = max((number for number, view in enumerate(group) if self._wants(view.name)), default=-1)
            if last >= 0 and group[0].name != "first_launch":
                yield View("", views.go_home)
            yield from group[: last + 1]

    def _wants(self, name: str) -> bool:
        return re.search(self._wanted, name) is not None

    @property
    def _name(self) -> str:
        return "" if self._current is None else self._current.name

    def _wait_longer(self, _progress: object) -> None:
        self._since = time.monotonic()

    def _poll_or_end(self) -> None:
        try:
            self._poll()
        except Exception:
            # Otherwise the timer would call it again and again, and the program never end.
            self._timer.stop()
            QApplication.exit(1)
            raise

    def _poll(self) -> None:
        presenter = self._window.lecture.presentation.presenter if self._is_presenting else None
        settled = self._window.is_settled and (presenter is None or presenter.is_settled)
        has_answer = self._window.state.prediction is not None or self._name in _WITHOUT_PREDICTION
        self._quiet = self._quiet + 1 if settled and has_answer else 0
        late = time.monotonic() - self._since > _TIMEOUT_S
        if self._quiet < _QUIET_POLLS and not late:
            return
        if self._name and self._wants(self._name):
            name = f"{self._name}_UNSETTLED" if late else self._name
            QGuiApplication.primaryScreen().grabWindow(0).save(str(self._folder / f"{name}.png"))
            self.failures += late
            if self._faults is not None:
                seen = presenter if presenter is not None and presenter.isVisible() else self._window
                self._faults += [f"{name}: {fault}" for fault in faults(seen)]
        self._next()

    @property
    def _is_presenting(self) -> bool:
        return self._name.startswith("lecture")

    def _next(self) -> None:
        self._quiet, self._since = 0, time.monotonic()
        view = next(self._views, None)
        if view is None:
            self._timer.stop()
            if self._faults is not None:
                (self._folder / "faults.txt").write_text("\n".join(self._faults) + "\n")
            self._window.close()
            QApplication.exit(int(self.failures > 0))
            return
        self._current = view
        # Not from the timer: what is shown may open a menu, which runs an event loop of its own.
        QTimer.singleShot(0, self, lambda: view.show() and None)


def _photographed(folder: Path, wanted: str, keeps_faults: bool) -> type[StudioWindow]:
    class PhotographedWindow(StudioWindow):
        def __init__(self, state: AppState, bridge: Any, controller: Any, settings: Any) -> None:
            super().__init__(state, bridge, controller, settings)
            settings.update(is_tour_over=True)
            self.photographer = Photographer(self, folder, wanted, keeps_faults)

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
    parser.add_argument("--faults", action="store_true")
    options = parser.parse_args()
    launch.StudioWindow = _photographed(options.folder, options.views, options.faults)
    settings = launch.SettingsFile()
    settings.update(theme=options.theme, text_pt=options.text_pt, is_tour_over=True)
    settings.save()
    return launch.launch(WindowOptions(model=default_model()), EngineClient())


if __name__ == "__main__":
    sys.exit(main())
