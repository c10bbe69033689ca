"""Signals that ask the program to end reach Qt's event loop, once, and leave no trace behind."""

import signal

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.ui.start.interruptions import Interruptions

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_told_with_the_shells_exit_status(qtbot: QtBot, number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # A shell may have the tests ignore it.
    try:
        with Interruptions() as interruptions, qtbot.waitSignal(interruptions.came, timeout=2000) as told:
            signal.raise_signal(number)
        assert told.args == [128 + number]
        assert signal.getsignal(number) is signal.SIG_DFL
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(number, before)


def test_one_that_comes_before_the_loop_waits_and_a_second_says_nothing(qapp: QApplication) -> None:
    told: list[int] = []
    with Interruptions() as interruptions:
        signal.raise_signal(signal.SIGTERM)
        interruptions.came.connect(told.append)
        qapp.processEvents()
        signal.raise_signal(signal.SIGTERM)
        qapp.processEvents()
    assert told == [143]


def test_what_is_ignored_stays_ignored(qapp: QApplication) -> None:
    """As under ``nohup``."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interruptions() as interruptions:
            interruptions.came.connect(told.append)
            signal.raise_signal(signal.SIGTERM)
            qapp.processEvents()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == []
