"""For all tests: no window is shown, and nothing is left behind."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.leaks import LeakWatch

# A shared machine may take long over any example.
settings.register_profile("studio", deadline=None)
settings.load_profile("studio")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread, a process, or a running Qt timer or thread."""
    # Its own, because the test's may be undone before the test's other fixtures are.
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch = LeakWatch(monkeypatch)
        yield
        leaks = watch.leaks()
    if leaks:
        pytest.fail("The test leaves behind: " + "; ".join(leaks), pytrace=False)
