"""For all tests: no window is shown, nothing is left behind, and the whole suite uses several processes."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot

from convnext_studio.common.processes.garbage_collection import collect_what_is_due
from tests.leaks import LeakWatch

# A shared machine may take long over any example.
settings.register_profile("studio", deadline=None)
settings.load_profile("studio")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# An installed program has its modules compiled. Here the first process does that for all others, of which the
# tests start hundreds, even where Python was told to write no bytecode.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_LONGEST_WAIT_MS = 60_000
_MOST_PROCESSES = 4  # Each imports torch and Qt, and takes up to 2 GB.
if (processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT")) is not None:
    # Torch reads it when it is imported. More threads than cores would wait for each other in small layers.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(processes))))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the whole suite in several processes, but tests that are named in this one: they begin sooner."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return min(os.cpu_count() or 1, _MOST_PROCESSES) if is_whole else 0


def pytest_configure() -> None:
    """Have pytest-qt wait as long as a busy machine may take; it gives up after 5 s otherwise."""
    for method in (QtBot.waitUntil, QtBot.waitExposed, QtBot.waitActive, QtBot.waitSignal, QtBot.waitSignals):
        method.__kwdefaults__["timeout"] = _LONGEST_WAIT_MS


def pytest_collection_finish() -> None:
    """Collect garbage as the program does: not what was imported, and between events, or tests, only.

    A collection in the middle of painting can delete what is being painted, and end the process.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread, a process, or a running Qt timer or thread."""
    # Its own, because the test's may be undone before the test's other fixtures are.
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch = LeakWatch(monkeypatch)
        yield
        leaks = watch.leaks()
    collect_what_is_due()
    if leaks:
        pytest.fail("The test leaves behind: " + "; ".join(leaks), pytrace=False)
