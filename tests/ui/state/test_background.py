"""Work in threads: what is written is waited for at the end, and what is read is not."""

import threading
import time

import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.ui.state.background import Background


def test_closing_waits_for_writing_and_never_for_reading(qtbot: QtBot) -> None:
    background, told = Background(), []
    is_written, may_end = threading.Event(), threading.Event()

    def write() -> None:
        time.sleep(0.05)
        is_written.set()

    background.run(write, lambda _: told.append("written"))
    background.read(
        may_end.wait, lambda _: told.append("read"), what="Reading from a disk that does not answer"
    )
    assert background.is_busy
    background.close()
    assert is_written.is_set()
    assert background.is_busy
    may_end.set()
    qtbot.waitUntil(lambda: not background.is_busy)
    qtbot.wait(20)
    assert told == []


@pytest.mark.parametrize("way", ["run", "read"])
def test_results_and_refusals_are_told(qtbot: QtBot, way: str) -> None:
    background, told = Background(), []

    def refuse() -> None:
        raise StudioError("No.")

    start = getattr(background, way)
    start(lambda: 3, told.append)
    start(refuse, told.append, lambda error: told.append(error.message))
    qtbot.waitUntil(lambda: len(told) == 2)
    assert set(told) == {3, "No."}
    background.close()
