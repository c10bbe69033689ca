"""Records the requests to the engine and what became of them, and the program's latest log lines."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, Failed, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge

CAPACITY = 200
LOG_CAPACITY = 2000
LOGGER = "convnext_studio"
Outcome = Literal["waiting", "running", "done", "failed", "stopped"]
_LOG = logging.getLogger(__name__)

# Names for requesters that are not panels with titles of their own.
_ASKERS = {
    "": "Window",
    "predict": "Predictions",
    "save": "Model",
    "one_picture": "Receptive-field lab",
    "field_growth": "Receptive-field lab",
    "patches": "Feature maps",
    "strip": "Network",
}
# Qt stores progress in 32 bits, which is too little for the bytes of a download.


class Activity(Struct, eq=False):
    """A request that is under way, or its outcome.

    Attributes
    ----------
    id
        Id of the request; negative for the window's own work, which cannot be stopped.
    what, asker
        What is computed and for which panel, in words.
    device
        Device on which it runs; empty while unknown.
    outcome
        Current status.
    seconds
        Computing time if it is done, otherwise the time from the request to its end.
    done, total
        Steps done and their number; both 0 if the number is unknown.
    note
        Description of the progress, or the reason for the failure.
    asked_s
        Time of the request, by the log's clock.
    """

    id: int
    what: str
    asker: str
    device: str = ""
    outcome: Outcome = "waiting"
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    note: str = ""
    asked_s: float = 0.0


class ActivityLog(QObject):
    """Follows the work of the engine and the window: what is under way, and what finished recently.

    Parameters
    ----------
    titles
        Titles of the panels, by the name that they use in requests.
    clock_s
        Returns the time in seconds.
    """

    asked = Signal(object)  # Activity
    moved = Signal(object)  # Activity: started or advanced
    finished = Signal(object)  # Activity

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        background: Background,
        titles: Mapping[str, str],
        parent: QObject | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._titles = titles
        self._clock_s = clock_s
        self._under_way: dict[int, Activity] = {}
        self._over: deque[Activity] = deque(maxlen=CAPACITY)
        bridge.request_asked.connect(self._ask)
        bridge.request_started.connect(self._start)
        bridge.progressed.connect(self._progress)
        bridge.request_finished.connect(self._finish)
        bridge.engine_lost.connect(self._lose)
        background.begun.connect(self._begin_own)
        background.ended.connect(self._end_own)

    @property
    def under_way(self) -> tuple[Activity, ...]:
        """Unfinished activities, in the order of the requests."""
        return tuple(self._under_way.values())

    @property
    def over(self) -> tuple[Activity, ...]:
        """Finished activities, latest first, at most `CAPACITY` of them."""
        return tuple(self._over)

    def _ask(self, request: Request) -> None:
        activity = Activity(
            request.id, spoken_work(request), spoken_asker(request, self._titles), asked_s=self._clock_s()
        )
        self._under_way[request.id] = activity
        self.asked.emit(activity)

    def _start(self, request: Request) -> None:
        if (activity := self._under_way.get(request.id)) is not None:
            activity.outcome = "running"
            activity.device = self._device(request)
            self.moved.emit(activity)

    def _progress(self, progress: Progress) -> None:
        if (activity := self._under_way.get(progress.id)) is not None:
            activity.done, activity.total, activity.note = progress.done, progress.total, progress.text
            self.moved.emit(activity)

    def _finish(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        request, answer = finished
        activity = self._under_way.pop(request.id, None)
        if activity is None:
            return
        activity.seconds = self._clock_s() - activity.asked_s
        activity.note = ""
        match answer:
            case Done():
                activity.outcome, activity.seconds = "done", answer.seconds
                if isinstance(answer.payload, ModelInfo):
                    activity.device = answer.payload.device
                    device = answer.payload.device_name
                    _LOG.info("%s opened on %s in %.1f s", answer.payload.title, device, answer.seconds)
            case Failed():
                activity.outcome, activity.note = "failed", f"{answer.message} {answer.hint}".rstrip()
                _LOG.warning("%s for %s failed: %s", activity.what, activity.asker, activity.note)
            case Cancelled():
                activity.outcome = "stopped"
        self._over.appendleft(activity)
        self.finished.emit(activity)

    def _begin_own(self, number: int, what: str) -> None:
        # Negative ids cannot clash with those of requests to the engine.
        activity = Activity(-number, what, "Window", "cpu", "running")
        self._under_way[activity.id] = activity
        self.asked.emit(activity)

    def _end_own(self, number: int, seconds: float, failure: str) -> None:
        activity = self._under_way.pop(-number, None)
        if activity is not None:
            activity.outcome = "failed" if failure else "done"
            activity.seconds, activity.note = seconds, failure
            self._over.appendleft(activity)
            self.finished.emit(activity)

    def _lose(self, lost: EngineLost) -> None:
        _LOG.warning("%s", lost.message)

    def _device(self, request: Request) -> str:
        if request.on_processor:
            return "cpu"
        return "" if self._state.model is None else self._state.model.device


def spoken_work(request: Request) -> str:
    """Describe what a request computes, with its node if it has one."""
    node = getattr(request, "node", "")
    return f"{request.doing}: {node}" if node else request.doing


def spoken_asker(request: Request, titles: Mapping[str, str]) -> str:
    """Return who made a request, in words; for a panel its title."""
    name = request.panel.partition(" ")[0]
    return titles.get(name) or _ASKERS.get(name, name.replace("_", " ").capitalize())


def spoken(seconds: float) -> str:
    """Format a duration for people, such as "< 1 ms", "84 ms" or "2.4 s"."""
    if seconds < 0.001:
        return "< 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


class _LineHandler(logging.Handler):
    """A logging handler that passes every record on as text."""

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record))


class LogStore(QObject):
    """Keeps the latest lines from the program's loggers, including the engine's, until it is closed."""

    added = Signal(str)
    _arrived = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: deque[str] = deque(maxlen=LOG_CAPACITY)
        # Any thread may log; a signal moves the line to this object's thread.
        self._arrived.connect(self._keep)
        self._handler = _LineHandler(self._arrived.emit)
        logger = logging.getLogger(LOGGER)
        logger.setLevel(logging.INFO)
        logger.addHandler(self._handler)
        self.destroyed.connect(partial(logger.removeHandler, self._handler))

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest `LOG_CAPACITY` lines, oldest first; one with a traceback contains line breaks."""
        return tuple(self._lines)

    def close(self) -> None:
        """Stop recording."""
        logging.getLogger(LOGGER).removeHandler(self._handler)

    def _keep(self, line: str) -> None:
        self._lines.append(line)
        self.added.emit(line)
