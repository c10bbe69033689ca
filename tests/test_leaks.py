"""The check for leaks finds each kind, and lets what ends be."""

import multiprocessing
import subprocess
import sys
import threading
import time

import pytest
from pytestqt.qtbot import QtBot

from tests.leaks import LeakWatch


@pytest.fixture
def watch(qapp: object, monkeypatch: pytest.MonkeyPatch) -> LeakWatch:
    """Looks from the beginning of the test on, with Qt loaded."""
    assert qapp is not None
    return LeakWatch(monkeypatch)


def test_finds_a_thread_until_it_ends(watch: LeakWatch) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    assert watch.leaks(grace_s=0) == ["thread forgotten"]
    end.set()
    assert watch.leaks() == []
    thread.join()


def test_finds_a_process_until_it_is_waited_for(watch: LeakWatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (leak,) = watch.leaks(grace_s=0)
    assert f"process {process.pid}" in leak
    process.communicate(b"\n")
    assert watch.leaks(grace_s=0) == []


def test_takes_the_resource_tracker_for_no_leak(watch: LeakWatch) -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
    process.start()
    process.join()
    process.close()
    assert watch.leaks(grace_s=0) == []


def test_finds_a_running_timer(watch: LeakWatch) -> None:
    from PySide6.QtCore import QTimer

    timer = QTimer()
    timer.setObjectName("forgotten")
    timer.start(10_000)
    (leak,) = watch.leaks(grace_s=0)
    assert "QTimer 'forgotten'" in leak
    timer.stop()
    assert watch.leaks(grace_s=0) == []


def test_a_timer_goes_with_its_widget(watch: LeakWatch, qtbot: QtBot) -> None:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QWidget

    widget = QWidget()
    qtbot.addWidget(widget)
    timer = QTimer(widget)
    timer.start(10_000)
    assert len(watch.leaks(grace_s=0)) == 1
    widget.deleteLater()
    assert watch.leaks(grace_s=0) == []


def test_finds_a_running_qthread(watch: LeakWatch) -> None:
    from PySide6.QtCore import QThread

    thread = QThread()
    thread.start()
    (leak,) = watch.leaks(grace_s=0)
    assert "QThread" in leak
    thread.quit()
    assert thread.wait(5000)
    assert watch.leaks(grace_s=0) == []
