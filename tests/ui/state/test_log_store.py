"""The log keeps the latest lines of window and engine, whatever thread writes them, and lets go when closed."""

import logging
from collections.abc import Iterator
from threading import Thread

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.envelope import Logged
from convnext_studio.ui.panels.activity.activity_panel import LogView
from convnext_studio.ui.state.activity import LOG_CAPACITY, LogStore
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine

LOG = logging.getLogger("convnext_studio.ui.test")


@pytest.fixture
def store(qapp: QApplication) -> Iterator[LogStore]:
    store = LogStore()
    yield store
    store.close()
    qapp.processEvents()


def test_lines_of_this_process_and_of_the_engine_are_kept(
    store: LogStore, bridge: EngineBridge, engine: FakeEngine
) -> None:
    LOG.info("a picture was opened")
    engine.send(Logged(level=logging.ERROR, source="timm.models", text="no weights\nTraceback"))
    first, second = store.lines
    assert first.endswith("INFO convnext_studio.ui.test: a picture was opened")
    assert "ERROR convnext_studio.engine: timm.models: no weights\nTraceback" in second
    assert bridge.pending == ()


def test_other_threads_lines_arrive_in_qts_thread(store: LogStore, qtbot: QtBot) -> None:
    with qtbot.waitSignal(store.added):
        thread = Thread(target=lambda: LOG.warning("from elsewhere"))
        thread.start()
        thread.join()
        assert store.lines == ()
    assert "from elsewhere" in store.lines[0]


def test_the_log_is_bounded_and_keeps_the_latest(store: LogStore) -> None:
    for number in range(LOG_CAPACITY + 5):
        LOG.info("line %d", number)
    assert len(store.lines) == LOG_CAPACITY
    assert store.lines[-1].endswith(f"line {LOG_CAPACITY + 4}")
    assert store.lines[0].endswith("line 5")


def test_a_closed_log_hears_nothing(store: LogStore) -> None:
    store.close()
    LOG.info("too late")
    assert store.lines == ()


def test_a_long_line_is_read_from_its_beginning_without_scrolling_aside(store: LogStore, qtbot: QtBot) -> None:
    view = LogView(store)
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    LOG.info("word " * 200)
    QApplication.processEvents()
    assert view.text.toPlainText().count("word") == 200
    assert view.text.horizontalScrollBar().maximum() == 0
