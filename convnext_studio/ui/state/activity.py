"""What was asked of the engine, what became of it, and how long it took."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, Failed, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge

CAPACITY = 200
Outcome = Literal["waiting", "running", "done", "failed", "stopped"]
_LOG = logging.getLogger(__name__)

# What asks that is no panel with a title of its own.
_ASKERS = {
    "": "Window",
    "predict": "Predictions",
    "save": "Model",
    "one_picture": "Receptive-field lab",
    "field_growth": "Receptive-field lab",
    "patches": "Feature maps",
    "strip": "Network",
}
# Qt counts a progress bar in 32 bits; the bytes of a download do not fit.
LARGEST_STEP = 1 << 30


@dataclass(slots=True, eq=False)
class Activity:
    """A request on its way, or what became of it.

    Attributes
    ----------
    id
        The request's; below 0 for what the window does itself, which cannot be stopped.
    what, asker
        In words: what is computed, and for which panel.
    device
        Where it runs; empty while that is not known.
    outcome
        How far it is.
    seconds
        That it took: computing where it is done, else from asking to its end.
    done, total
        Steps; 0 of 0 where nobody knows how many.
    note
        What it says of its progress, or why it failed.
    asked_s
        When it was asked for, by the log's clock.
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
    """Follows the engine's work and the window's own: what is under way, and the latest that is over.

    Parameters
    ----------
    titles
        Of the panels, by the name under which they ask.
    clock_s
        Tells the time in seconds.
    """

    asked = Signal(object)  # Activity
    moved = Signal(object)  # Activity: begun, or a step further
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
        """What is waited for, in the order of asking."""
        return tuple(self._under_way.values())

    @property
    def over(self) -> tuple[Activity, ...]:
        """What is over, the latest first; no more than `CAPACITY`."""
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
        # Below 0, where the engine has no requests.
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
    """What a request computes, and of which node where it is of one."""
    node = getattr(request, "node", "")
    return f"{request.doing}: {node}" if node else request.doing


def spoken_asker(request: Request, titles: Mapping[str, str]) -> str:
    """Who asked, in words: a panel by its title."""
    name = request.panel.partition(" ")[0]
    return titles.get(name) or _ASKERS.get(name, name.replace("_", " ").capitalize())


def spoken(seconds: float) -> str:
    """A duration for people: "< 1 ms", "84 ms", "2.4 s"."""
    if seconds < 0.001:
        return "< 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
