"""Finds what a test leaves behind: threads, processes, running Qt timers and threads."""

import gc
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

_GRACE_S = 2.0
_POLL_S = 0.02
_FEW = 200
_TASKS = Path("/proc/self/task")


class LeakWatch:
    """Remembers what is there, and tells later what has been added and stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._threads = set(_threads())
        self._processes = set(_processes())
        # Only Qt's own start() knows which timers and threads run; a test without Qt has none.
        self._started_in_qt: dict[int, Any] = {}  # By their ids, because most are started again and again.
        self._most_started = _FEW
        if (core := sys.modules.get("PySide6.QtCore")) is not None:
            self._record_starts(core.QTimer, monkeypatch)
            self._record_starts(core.QThread, monkeypatch)

    def leaks(self, grace_s: float = _GRACE_S) -> list[str]:
        """What is left, after a while for things that are ending; empty where all is well."""
        delete_later_now()
        if self._left():
            # Garbage that waits for its collection is no leak.
            gc.collect()
        deadline = time.monotonic() + grace_s
        while (left := self._left()) and time.monotonic() < deadline:
            delete_later_now()
            time.sleep(_POLL_S)
        return left

    def _left(self) -> list[str]:
        threads = [f"thread {thread.name}" for thread in _threads() if thread not in self._threads]
        processes = [
            f"process {process.pid} ({process.status()}): {' '.join(_command(process))}"
            for process in _processes()
            if process not in self._processes and process.is_running()
        ]
        return threads + processes + [_describe(item) for item in self._started_in_qt.values() if _runs(item)]

    def _record_starts(self, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        start: Callable[..., None] = kind.start

        def recording_start(item: Any, *arguments: Any) -> None:
            self._started_in_qt[id(item)] = item
            if len(self._started_in_qt) > self._most_started:
                self._forget_deleted()
            start(item, *arguments)

        monkeypatch.setattr(kind, "start", recording_start)

    def _forget_deleted(self) -> None:
        """Let go of what Qt has deleted: a test that opens a hundred windows watches its memory."""
        import shiboken6

        there = [item for item in self._started_in_qt.values() if shiboken6.isValid(item)]
        self._started_in_qt = {id(item): item for item in there}
        self._most_started = _FEW + 2 * len(there)


def _threads() -> list[threading.Thread]:
    # A foreign thread that ever ran Python (autograd's, say) stays listed as a dummy, and nobody can end it.
    return [thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)]


def _processes() -> list[psutil.Process]:
    if not _may_have_children():
        return []
    # The resource tracker serves all processes that multiprocessing spawns, and ends with this one.
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if not any("multiprocessing.resource_tracker" in word for word in _command(process))
    ]


def _may_have_children() -> bool:
    """Whether this process may have children, asked of Linux: psutil reads of every process of the machine."""
    try:
        children = [listed.read_bytes() for listed in _TASKS.glob("*/children")]
    except OSError:  # A thread has just ended.
        return True
    return any(children) or not children  # Other systems have no such files.


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _runs(item: Any) -> bool:
    import shiboken6  # Qt is loaded where there is an item, and only there.

    if not shiboken6.isValid(item):
        return False
    return bool(item.isActive() if hasattr(item, "isActive") else item.isRunning())


def _describe(item: Any) -> str:
    return f"running {type(item).__name__} {item.objectName()!r} of {item.parent()!r}"


def delete_later_now() -> None:
    """Let Qt do what is due: deleteLater waits for an event loop, and a test has none running."""
    core = sys.modules.get("PySide6.QtCore")
    if core is not None and core.QCoreApplication.instance() is not None:
        core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
        core.QCoreApplication.processEvents()
