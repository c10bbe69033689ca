"""The real window with a film: ``live FILM SECONDS``. Reports the frames that were shown, once all is warm."""

import sys
import time
from collections.abc import Callable

from psutil import Process
from PySide6.QtCore import QTimer

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.model.presets import default_model
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start.app import WindowOptions
from convnext_studio.ui.start.launch import open_window, start_application
from convnext_studio.ui.state.live.frame_source import LiveFrame
from tests.benchmarks.programs.watching import Gaps, report_and_end

WARM_FRAMES = 200


class Watcher:
    """Counts the frames that are shown in a time, after the first ones."""

    def __init__(self, window: StudioWindow, seconds: float) -> None:
        self._window, self._seconds = window, seconds
        self._player = window.live.parts.player
        self._player.frame_shown.connect(self._count)
        self._shown = 0
        self._begin_s = 0.0
        self._bytes = 0
        self._processor_s: dict[str, float] = {}
        self._delays: list[float] = []
        self._gaps: Gaps | None = None

    def _count(self, _frame: LiveFrame) -> None:
        self._shown += 1
        if self._shown == WARM_FRAMES:
            self._begin_s, self._bytes, self._processor_s = time.monotonic(), held_bytes(), processor_s()
            self._gaps = Gaps(self._window)
            QTimer.singleShot(round(1000 * self._seconds), self._window, self._end)
        elif self._shown > WARM_FRAMES:
            self._delays.append(self._player.stream.delay_s)

    def _end(self) -> None:
        assert self._gaps is not None
        count = max(1, len(self._delays))
        report_and_end(
            self._window,
            frame_s=(time.monotonic() - self._begin_s) / count,
            processor_s={
                part: (seconds - self._processor_s.get(part, 0.0)) / count
                for part, seconds in processor_s().items()
            },
            delays=self._delays,
            gaps=[*self._gaps.seconds],
            working=[*self._gaps.working_s],
            growth_bytes=held_bytes() - self._bytes,
        )


def held_bytes() -> int:
    """The resident memory of this process and its children."""
    own = Process()
    return sum(int(each.memory_info().rss) for each in (own, *own.children(recursive=True)))


def processor_s() -> dict[str, float]:
    """The processor's time so far, by the parts through which a frame goes."""
    own, event_loop_s = Process(), time.thread_time()
    spent = dict.fromkeys(("decoding", "engine"), 0.0)
    for child in own.children(recursive=True):
        part = "engine" if any("engine_child" in word for word in child.cmdline()) else "decoding"
        spent[part] += sum(child.cpu_times()[:2])
    all_threads_s = sum(own.cpu_times()[:2])
    # The other threads read and write messages, and colour the mosaics.
    return spent | {"event loop": event_loop_s, "window's other threads": all_threads_s - event_loop_s}


def play(film: str, model: str, watch: Callable[[StudioWindow], object]) -> int:
    """Play a film in the window of 1366 x 768 pixels, without the panel Live, until what watches it ends it."""
    application = start_application()
    client = EngineClient()
    try:
        options = WindowOptions(model=model, images=(film,), size=(1366, 768))
        window = open_window(application, options, client)
        watcher = watch(window)
        window.live.open(film)
        status = application.exec()
        del watcher
    finally:
        client.close()
    return status


if __name__ == "__main__":
    sys.exit(play(sys.argv[1], default_model(), lambda window: Watcher(window, float(sys.argv[2]))))
