"""Work that takes turns: the first at once, one in each later turn, with timers and painting in between."""

import pytest
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.envelope import Done, Message, Progress
from convnext_studio.protocol.models import MeasureCosts, MeasuredCosts
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.turns import Turn, Turns
from tests.ui.desk import SilentClient, take_turns

pytestmark = pytest.mark.usefixtures("qapp")


class Source(QObject):
    told = Signal(object)


def test_the_first_is_run_at_once_and_timers_come_between_the_others(qtbot: QtBot) -> None:
    owner, turns, log = QObject(), Turns(), list[str]()
    ticks = QTimer(owner, interval=0)
    ticks.timeout.connect(lambda: log.append("timer"))
    for name in "abc":
        Turn(turns, lambda name=name: log.append(name), owner).start()
    assert log == ["a"]
    ticks.start()
    qtbot.waitUntil(lambda: "c" in log)
    assert log.count("timer") >= 2
    assert "timer" in log[log.index("b") : log.index("c")]


def test_one_that_waits_is_run_once_and_may_be_stopped() -> None:
    owner, turns, log = QObject(), Turns(), list[str]()
    first, twice, never = (Turn(turns, lambda name=name: log.append(name), owner) for name in "abc")
    for turn in (first, twice, never, twice):
        turn.start()
    assert (first.is_waiting, twice.is_waiting, turns.is_waiting) == (False, True, True)
    never.stop()
    take_turns(turns)
    assert log == ["a", "b"]
    assert not turns.is_waiting


def test_work_of_a_deleted_object_is_not_done(qtbot: QtBot) -> None:
    owner, gone, turns, log = QObject(), QObject(), Turns(), list[str]()
    Turn(turns, lambda: log.append("first"), owner).start()
    Turn(turns, lambda: log.append("gone"), gone).start()
    gone.deleteLater()
    qtbot.waitUntil(lambda: not turns.is_waiting)
    assert log == ["first"]


def test_a_slot_is_called_with_the_last_value_and_with_none_at_once() -> None:
    owner, source, turns, log = QObject(), Source(), Turns(), list[object]()
    turns.connect_slot(source.told, log.append, owner)
    for value in (1, 2, 3):
        source.told.emit(value)
    assert log == [1]
    take_turns(turns)
    assert log == [1, 3]
    Turn(turns, lambda: None, owner).start()
    source.told.emit(4)
    source.told.emit(None)
    take_turns(turns)
    assert log == [1, 3, None]


def test_answers_are_handed_over_one_by_one_in_their_order() -> None:
    client, turns, log = SilentClient(), Turns(), list[str]()
    bridge = EngineBridge(client, turns)

    def ask(name: str) -> int:
        return bridge.ask(
            MeasureCosts(panel=name),
            lambda _: log.append(f"{name} done"),
            lambda progress: log.append(f"{name} {progress.text}"),
        )

    values = MeasuredCosts(seconds={}, total_s=1.0, device="cpu", device_name="CPU", runs=1)
    first, second = ask("a"), ask("b")
    messages: list[Message] = [
        Progress(id=first, done=0, total=1, text="begins", partial=None),
        Progress(id=first, done=1, total=2, text="half", partial=values),
        Done(id=second, payload=values, seconds=0.1),
        Progress(id=first, done=2, total=2, text="nearly", partial=None),
        Done(id=first, payload=values, seconds=0.1),
    ]
    for message in messages:
        client.tell(message)
    Turn(turns, lambda: log.append("other"), bridge).start()
    QApplication.sendPostedEvents(bridge)
    assert log == ["other", "a begins"]
    take_turns(turns)
    assert log == ["other", "a begins", "a half", "b done", "a nearly", "a done"]
